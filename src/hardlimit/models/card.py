"""What is known about a model: the facts of its architecture that theory reads."""

import hashlib
from typing import Literal

from hardlimit.core import Value, canonical


class ModelCard(Value, frozen=True):
    """Facts about a model; None where they are not known (an API tells little).

    Args:
        name: as the user names it, such as `local:PATH` or `api:MODEL@URL` (never with a key in it).
        adapter: `toy`, `embedded`, `local` or `api`.
        revision: what pins the weights: a checksum, a commit, or the server's own model string.
        parameters: number of parameters, embeddings included, shared ones counted once.
        layers: number of attention layers.
        heads: query heads per layer.
        kv_heads: key–value heads per layer.
        head_width: width of one head, d_h.
        width: width of the residual stream, d_model.
        vocabulary: number of token ids.
        window: longest context in tokens, prompt and answer together.
        position: kind of position code.
        rope_base: base of the rotary frequencies, where `position` is `rope`.
        dtype: of the weights as loaded, such as `float32`.
        chat: how messages become text: `template:SHA256` (first 12 digits), `plain`, or `server`.
        settings: whatever else changes the answers (attention implementation, device, …).
    """

    name: str
    adapter: str
    revision: str
    parameters: int | None = None
    layers: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_width: int | None = None
    width: int | None = None
    vocabulary: int | None = None
    window: int | None = None
    position: Literal["rope", "learned", "alibi", "none"] | None = None
    rope_base: float | None = None
    dtype: str | None = None
    chat: str = "plain"
    settings: dict[str, str] = {}

    @property
    def fingerprint(self) -> str:
        """A short hash of every fact: answers are cached and compared under it.

        >>> ModelCard(name="toy:guessing", adapter="toy", revision="1").fingerprint
        '...'
        """
        return hashlib.sha256(canonical(self)).hexdigest()[:16]
