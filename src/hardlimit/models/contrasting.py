"""Choosing tokens against what the same model would write without the picture."""

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import torch

from hardlimit.models.weighing import Weighed

FLOOR = -100.0
"""Least log-probability without the picture, nats, so that what cannot be written without it is not infinitely good."""


def contrasted(seen: torch.Tensor, instead: torch.Tensor, alpha: float, cutoff: float) -> torch.Tensor:
    """Scores of the next token: (1 + α)·ln p(seen) − α·ln p(instead), −∞ where the picture makes it implausible.

    Args:
        seen: logits with the picture, `(..., vocabulary)`.
        instead: logits without it, of the same shape.
        alpha: α, >= 0.
        cutoff: least probability with the picture, as a share of the largest, in [0, 1].

    >>> seen, instead = torch.tensor([3.0, 2.0, -9.0]), torch.tensor([4.0, 0.0, -99.0])
    >>> contrasted(seen, instead, 1.0, 0.1).argmax().item(), contrasted(seen, instead, 0.0, 0.1).argmax().item()
    (1, 0)
    """
    with_picture = seen.float().log_softmax(-1)
    without = instead.float().log_softmax(-1).clamp(min=FLOOR)
    least = with_picture.max(-1, keepdim=True).values + torch.tensor(cutoff, device=seen.device).log()
    plausible = (with_picture >= least) & with_picture.isfinite()
    return ((1 + alpha) * with_picture - alpha * without).masked_fill(~plausible, float("-inf"))


class Behind:
    """What follows a prompt: logits behind it, and behind each token that is put after it, computed with its cache.

    Args:
        model: of transformers; it is called as its own `generate` calls it.
        inputs: the prompt as a processor made it.
    """

    def __init__(self, model: Any, inputs: dict[str, Any]) -> None:
        # Newer versions of transformers name what is kept between calls otherwise than older ones.
        self._name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
        out = model(**inputs, use_cache=True)
        self._model, self._cache, self._mask = model, getattr(out, self._name), inputs["attention_mask"]
        self.logits: torch.Tensor = out.logits[:, -1]

    def put(self, token: int) -> None:
        """Put a token behind."""
        self._mask = torch.cat([self._mask, torch.ones_like(self._mask[:, :1])], dim=1)
        following = torch.tensor([[token]], device=self._mask.device)
        kept = {self._name: self._cache}
        out = self._model(input_ids=following, attention_mask=self._mask, use_cache=True, **kept)
        self._cache, self.logits = getattr(out, self._name), out.logits[:, -1]

    def branched(self) -> "Behind":
        """Another one from here on, so that what is put behind the one does not stand behind the other."""
        made = copy.copy(self)
        made._cache = copy.deepcopy(self._cache)
        return made


class Against:
    """Turns each step's scores into those against another prompt, as `generate` of transformers calls it.

    Args:
        model: the model.
        instead: inputs of the other prompt.
        alpha: α, >= 0.
        cutoff: in [0, 1].
    """

    def __init__(self, model: Any, instead: dict[str, Any], alpha: float, cutoff: float) -> None:
        self._model, self._inputs, self._alpha, self._cutoff = model, instead, alpha, cutoff
        self._instead: Behind | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores of the next token, `(1, vocabulary)`; called once for each token."""
        if self._instead is None:
            self._instead = Behind(self._model, self._inputs)
        else:
            self._instead.put(int(input_ids[0, -1]))
        return contrasted(scores, self._instead.logits.to(scores.device), self._alpha, self._cutoff)


def likelihoods(model: Any, inputs: dict[str, Any], options: Sequence[Sequence[int]]) -> list[float]:
    """Log-likelihoods of answers, each a sequence of tokens; the prompt is computed once for all of them."""
    behind = Behind(model, inputs)
    found = []
    for option in options:
        here = behind.branched() if len(option) > 1 else behind
        total = 0.0
        for place, token in enumerate(option):
            if place:
                here.put(option[place - 1])
            total += float(here.logits[0].float().log_softmax(-1)[token])
        found.append(total)
    return found


def failed_weighing(reason: str) -> Weighed:
    """A reply that says why there is no reading."""
    return Weighed(log_likelihoods=(), error=reason)
