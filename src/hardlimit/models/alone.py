"""Asking one request at a time, with the model's own cache and masks: for models whose sequences cannot be packed."""

import inspect
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from hardlimit.core import ModelError
from hardlimit.models.attention import Reading
from hardlimit.models.decode import Generation
from hardlimit.models.slots import Slots
from hardlimit.models.work import Work


class Alone:
    """Answers requests one by one, sharing nothing.

    Args:
        model: a transformers causal language model.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        parameters = inspect.signature(model.forward).parameters
        names = ("cache", "past_key_values", "cache_params")
        self._cache_name = next((name for name in names if name in parameters), None)

    def run(self, works: Sequence[Work]) -> Iterator[Work]:
        """Work on requests in their order, yielding each when it is done; a failure ends its request alone."""
        for work in works:
            began = time.perf_counter()
            try:
                self._finish(work)
            except (RuntimeError, MemoryError, ValueError, IndexError, KeyError, TypeError, ModelError) as error:
                work.fail(error)
            work.seconds = time.perf_counter() - began
            yield work

    def _finish(self, work: Work) -> None:
        task, tokens = work.task, work.tokens
        if isinstance(task, Reading):
            raise ModelError("attention is read from packed models only")
        logits, cache = self._forward(tokens, None)
        for position in range(work.needs, len(tokens)):
            task.absorb(position, logits[position])
        while isinstance(task, Generation) and not task.done:
            added = np.array([task.next_token])
            tokens = np.concatenate([tokens, added])
            logits, cache = self._forward(tokens if cache is None else added, cache)
            task.absorb(len(tokens) - 1, logits[-1])

    @torch.inference_mode()
    def _forward(self, tokens: Slots, cache: Any) -> tuple[torch.Tensor, Any]:
        known = {} if cache is None or self._cache_name is None else {self._cache_name: cache}
        ids = torch.as_tensor(tokens, device=self._model.device)[None]
        output = self._model(input_ids=ids, use_cache=self._cache_name is not None, **known)
        kept = getattr(output, self._cache_name, None) if self._cache_name else None
        return output.logits[0].float().cpu(), kept
