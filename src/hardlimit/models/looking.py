"""Looking inside a model with eyes: its picture tokens, and how much attention they get."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import See
from hardlimit.models.protocols import Sees


class Looked(NamedTuple):
    """What lies inside a model while it looks at a picture, before it answers.

    Args:
        encoder: output of the vision tower, `(tokens, width)`.
        projector: what the language model gets of it, `(tokens, width)`.
        words: embeddings of the text tokens around it, `(tokens, width)`.
        mass: attention of the last prompt token on all picture tokens together, `(layers, heads)`; empty where it
            cannot be read.
    """

    encoder: NDArray[np.float32]
    projector: NDArray[np.float32]
    words: NDArray[np.float32]
    mass: NDArray[np.float32]


@runtime_checkable
class Looks(Sees, Protocol):
    """A model with eyes that can be looked into."""

    def look(self, requests: Sequence[See]) -> Iterator[Looked]:
        """Give what lies inside for each request, in order.

        Raises:
            InvalidValueError: a request has no picture, or one that cannot be read.
        """
