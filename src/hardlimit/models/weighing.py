"""Weighing answers to a picture: how likely given ones are, and writing one by what the picture adds."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from hardlimit.core import Generated, InvalidValueError, Message, See, Usage, Value
from hardlimit.models.protocols import Sees


class Weigh(Value, frozen=True):
    """A request for the log-likelihoods of given answers to one question about images.

    Args:
        messages: the conversation; images stand before the last user turn's text.
        images: PNG or JPEG files as bytes; none asks the question alone.
        options: the answers, one or more, as a model would write them, such as ` red`.
    """

    messages: tuple[Message, ...]
    images: tuple[bytes, ...]
    options: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.messages or not self.options:
            raise InvalidValueError(
                f"Weigh needs at least one message and one option, got {len(self.messages)} messages and "
                f"{len(self.options)} options."
            )


class Weighed(Value, frozen=True):
    """The log-likelihoods of given answers.

    Args:
        log_likelihoods: of each option, in nats; empty where there is an error.
        usage: what it cost; options that share a prompt count it once.
        error: why there is no reading, or None.
    """

    log_likelihoods: tuple[float, ...]
    usage: Usage = Usage()
    error: str | None = None


class Contrast(Value, frozen=True):
    """A request for an answer that is decoded token by token against what would be written without the picture.

    At each token the score is (1 + α)·ln p(token | picture) − α·ln p(token | instead), among the tokens whose
    probability with the picture is at least `cutoff` times the largest; the token of the highest score is written.

    Args:
        see: what is asked; its answer is written.
        instead: the pictures of the other side; none leaves the picture away.
        alpha: α, >= 0; at 0 this is greedy decoding.
        cutoff: in [0, 1]; at 1 this is greedy decoding.

    Source:
        Leng et al. (2023), Mitigating object hallucinations through visual contrastive decoding, arXiv:2311.16922;
        the cut-off is that of Li et al. (2022), Contrastive decoding, arXiv:2210.15097.
    """

    see: See
    instead: tuple[bytes, ...]
    alpha: float
    cutoff: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_contrast("Contrast", self.alpha, self.cutoff)


@runtime_checkable
class Weighs(Sees, Protocol):
    """A model with eyes that tells how likely given answers are, and can decode against itself."""

    def weigh(self, requests: Sequence[Weigh]) -> Iterator[tuple[int, Weighed]]:
        """Weigh a batch, yielding `(index, reply)` as each is ready, in any order, each index exactly once."""

    def contrast(self, requests: Sequence[Contrast]) -> Iterator[tuple[int, Generated]]:
        """Decode a batch against itself, as `weigh` does."""


def check_contrast(owner: str, alpha: float, cutoff: float) -> None:
    """Refuse an α below 0 and a cut-off outside [0, 1].

    >>> check_contrast("Contrast", -1.0, 0.1)
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.InvalidValueError: Contrast needs alpha >= 0 and cutoff in [0, 1], got alpha=-1, cutoff=0.1.
    """
    if alpha < 0 or not 0.0 <= cutoff <= 1.0:
        raise InvalidValueError(
            f"{owner} needs alpha >= 0 and cutoff in [0, 1], got alpha={alpha:g}, cutoff={cutoff:g}."
        )
