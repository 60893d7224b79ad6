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
        self._keeps = "logits_to_keep" in parameters

    @property
    def network(self) -> Any:
        """The transformers model."""
        return self._model

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
        logits, cache = self._forward(tokens, None, len(tokens) - work.needs)
        for position, row in zip(range(work.needs, len(tokens)), logits, strict=True):
            task.absorb(position, row)
        while isinstance(task, Generation) and not task.done:
            added = np.array([task.next_token])
            tokens = np.concatenate([tokens, added])
            logits, cache = self._forward(tokens if cache is None else added, cache, 1)
            task.absorb(len(tokens) - 1, logits[-1])

    @torch.inference_mode()
    def _forward(self, tokens: Slots, cache: Any, last: int) -> tuple[torch.Tensor, Any]:
        """The logits at the last positions, `(last, vocabulary)`, and the cache to go on with, if there is one."""
        options: dict[str, Any] = {"use_cache": self._cache_name is not None}
        if cache is not None and self._cache_name is not None:
            options[self._cache_name] = cache
        if self._keeps:
            options["logits_to_keep"] = max(last, 1)
        output = self._model(input_ids=torch.as_tensor(tokens, device=self._model.device)[None], **options)
        kept = getattr(output, self._cache_name, None) if self._cache_name else None
        logits = output.logits[0]
        return logits[len(logits) - last :].float().cpu(), kept
