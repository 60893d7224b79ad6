"""Requests on their way through the asking engine."""

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import Reply, Usage
from hardlimit.models.attention import Reading
from hardlimit.models.decode import Generation, Scoring
from hardlimit.models.slots import Slots

Task: TypeAlias = Generation | Scoring | Reading


@dataclass(eq=False, kw_only=True)
class Work:
    """A request in the engine.

    Args:
        index: of the request in its batch.
        tokens: to compute before anything else.
        needs: the first position whose next-token logits are needed; `len(tokens)` if none are.
        room: how many tokens it may add afterwards.
        task: what it wants.
        slots: where its tokens lie in the cache.
        shared: how many of its tokens were there already.
        seconds: its share of the time spent.
        error: why it has failed, or None.
    """

    index: int
    tokens: NDArray[np.int64]
    needs: int
    room: int
    task: Task
    slots: Slots = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    shared: int = 0
    seconds: float = 0.0
    error: str | None = None

    @property
    def done(self) -> bool:
        """Whether there is a reply."""
        return self.error is not None or self.task.done

    def fail(self, error: Exception) -> None:
        """Give up, for a reason."""
        lines = str(error).strip().splitlines() or ["no reason given"]
        self.error = f"The model failed on this request: {type(error).__name__}: {lines[0]}"

    def reply(self) -> Reply:
        """The reply, with what it cost."""
        if self.error is not None:
            return self.task.failed(self.error)
        return self.task.reply(Usage(cached_tokens=self.shared, seconds=self.seconds))
