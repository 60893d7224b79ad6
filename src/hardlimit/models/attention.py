"""What the last token of a prompt attends to, read as one row: memory O(N), not O(N²)."""

from collections.abc import Sequence
from typing import Any

import msgspec
import torch

from hardlimit.core import Attended, ModelError, SpanAttention, Usage

Table = tuple[tuple[float, ...], ...]


def row_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    softcap: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention that gives its logits where others give their weights: scaled, capped, and −∞ where masked.

    The queries are few (the last tokens of some prompts), so the logits are few rows of the N×N matrix.

    Raises:
        ModelError: if the model adds a term to its attention that is neither.
    """
    unread = [name for name in ("s_aux", "position_bias") if kwargs.get(name) is not None]
    if unread or attention_mask is None:
        raise ModelError(f"The attention of {type(module).__name__} has a term that is not read: {', '.join(unread)}.")
    batch, heads, length, width = query.shape
    shared = key.shape[1]
    grouped = query.reshape(batch, shared, heads // shared * length, width)
    logits = torch.matmul(grouped, key.transpose(2, 3)).reshape(batch, heads, length, -1).float()
    logits = logits * (width**-0.5 if scaling is None else scaling)
    if softcap is not None:
        logits = softcap * torch.tanh(logits / softcap)
    logits = logits.masked_fill(attention_mask < 0, float("-inf"))
    weights = torch.softmax(logits, dim=-1).to(value.dtype)
    output = torch.matmul(weights.reshape(batch, shared, heads // shared * length, -1), value)
    return output.reshape(batch, heads, length, -1).transpose(1, 2).contiguous(), logits


class Reading:
    """A row of attention being read.

    Args:
        prompt: the prompt's token ids; the row is the last one's.
        spans: name and `(first, last + 1)` token positions.
    """

    def __init__(self, prompt: Sequence[int], spans: Sequence[tuple[str, tuple[int, int]]]) -> None:
        self.token, self._keys, self._spans = prompt[-1], len(prompt), spans
        self._reply: Attended | None = None

    @property
    def done(self) -> bool:
        """Whether the row is read."""
        return self._reply is not None

    def read(self, layers: Sequence[torch.Tensor]) -> None:
        """Take the row's logits, one `(heads, keys)` tensor per layer, keys in the order of their positions."""
        try:
            self._reply = describe(torch.stack([layer.double().cpu() for layer in layers]), self._spans)
        except ModelError as error:
            self._reply = failed_reading(str(error))

    def reply(self, usage: Usage) -> Attended:
        """The reading."""
        assert self._reply is not None, "asked for before it was done"
        spent = msgspec.structs.replace(usage, prompt_tokens=self._keys)
        return msgspec.structs.replace(self._reply, usage=spent)

    def failed(self, reason: str) -> Attended:
        """A reading that there is not."""
        return failed_reading(reason)


def describe(logits: torch.Tensor, spans: Sequence[tuple[str, tuple[int, int]]]) -> Attended:
    """Describe rows of attention logits.

    Args:
        logits: `(layers, heads, keys)`, −∞ where a key cannot be attended to.
        spans: name and `(first, last + 1)` key positions of each span.

    Raises:
        ModelError: if a span is all or nothing of what a row can attend to, so that its margin is infinite.

    >>> row = torch.tensor([[[0.0, 2.0, 0.0]]])
    >>> round(describe(row, [("needle", (1, 2))]).spans[0].margin[0][0], 4)  # 2 - ln 2
    1.3069
    """
    normaliser = logits.logsumexp(-1, keepdim=True)
    logs = logits - normaliser
    weights = logs.exp()
    entropy = -(weights * logs.masked_fill(weights == 0, 0.0)).sum(-1)
    described = []
    for name, (first, end) in spans:
        inside = logits[..., first:end]
        outside = torch.cat([logits[..., :first], logits[..., end:]], dim=-1)
        margin = inside.amax(-1) - outside.logsumexp(-1)
        if not bool(torch.isfinite(margin).all()):
            layer = int(torch.nonzero(~torch.isfinite(margin))[0][0])
            raise ModelError(
                f"The span '{name}' has no finite margin in layer {layer}: it holds all or none of the keys that the "
                "last token can attend to there."
            )
        mass = weights[..., first:end].sum(-1)
        gap, spread = _against_the_mean(inside, outside)
        described.append(
            SpanAttention(
                name=name,
                tokens=(first, end),
                mass=_table(mass),
                margin=_table(margin),
                gap=_table(gap),
                spread=_table(spread),
            )
        )
    return Attended(
        keys=logits.shape[-1], spans=tuple(described), entropy=_table(entropy), sink=_table(weights[..., 0])
    )


def _against_the_mean(inside: torch.Tensor, outside: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The largest logit inside minus the mean outside, and the standard deviation outside; masked keys do not count."""
    seen = torch.isfinite(outside)
    count = seen.sum(-1)
    mean = outside.masked_fill(~seen, 0.0).sum(-1) / count
    variance = (outside - mean.unsqueeze(-1)).masked_fill(~seen, 0.0).square().sum(-1) / count
    return inside.amax(-1) - mean, variance.sqrt()


def _table(values: torch.Tensor) -> Table:
    return tuple(tuple(row) for row in values.tolist())


def failed_reading(reason: str) -> Attended:
    """A reply that says why there is no reading."""
    return Attended(keys=0, spans=(), entropy=(), sink=(), error=reason)
