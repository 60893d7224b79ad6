"""Against the language prior: describing first, and answering by what the picture adds to the question."""

import math
import re
from collections.abc import Generator, Iterator, Sequence
from typing import Literal, Protocol, TypeAlias, TypeVar

import msgspec

from hardlimit.core import Generate, Generated, InvalidValueError, See, Value
from hardlimit.mitigations.policy import AT_ONCE, Around, in_order, side_by_side
from hardlimit.models import Generates, Sees, require
from hardlimit.models.weighing import Contrast, Weigh, Weighed, Weighs, check_contrast
from hardlimit.probes.multimodal.canvas import Canvas, opened

PictureAsk: TypeAlias = See | Weigh | Contrast
PictureDialogue: TypeAlias = Generator[Sequence[PictureAsk], list[Generated | Weighed], Generated]
"""One question about a picture: requests go out, their replies come back in order, in rounds; it returns the answer."""

Instead: TypeAlias = Literal["no picture", "grey picture"]
"""What stands on the other side of a contrast: nothing, or an evenly grey picture of the same size."""

WeighingDialogue: TypeAlias = Generator[Sequence[PictureAsk], list[Generated | Weighed], "Weights | str"]
"""A dialogue that ends with weights, or with the reason why there are none."""

DESCRIBE = (
    "Describe the picture: what it shows, how many of each, in which colours and places, and what touches or crosses "
    "what. Say what you see, also where it is unusual."
)
TOLD = "A description of the picture: {told}\n\n{question}"
LOOK = "\n\nLook at the picture before you answer. What it shows counts, also where that is not usual."
GREY = (128, 128, 128)
_LISTED = re.compile(r" Answer (?!with\b)([^.?!\n]+)\.\s*$")

Found = TypeVar("Found", Generated, Weighed)


class PicturePolicy(Protocol):
    """How one question about a picture is answered. A policy is a frozen `Value`; its `repr` rebuilds it."""

    def look(self, request: See) -> PictureDialogue:
        """Answer one question: yield requests, receive their replies, return the answer."""


class MitigatedSight(Around[Sees]):
    """A model with eyes that answers about pictures through a policy, and is itself a model with eyes.

    Questions without eyes (`generate`) go to the model inside as they are. A reply's usage is the sum of everything
    that was asked for it.

    Args:
        model: who is asked.
        policy: how.

    >>> from hardlimit.models.toy import Sighted
    >>> MitigatedSight(Sighted(), LookAgain()).card.name
    'LookAgain() on toy:sighted'
    """

    def __init__(self, model: Sees, policy: PicturePolicy) -> None:
        super().__init__(model, policy)
        self._policy = policy

    def generate(self, requests: Sequence[Generate]) -> Iterator[tuple[int, Generated]]:
        """Answer a batch of questions without pictures, as the model inside does."""
        return require(self._model, Generates).generate(requests)

    def see(self, requests: Sequence[See]) -> Iterator[tuple[int, Generated]]:
        """Answer a batch of questions about pictures, yielding `(index, reply)` as each dialogue ends."""
        for start in range(0, len(requests), AT_ONCE):
            dialogues = [self._policy.look(request) for request in requests[start : start + AT_ONCE]]
            for index, reply in side_by_side(dialogues, self._asked):
                yield start + index, reply

    def _asked(self, asks: Sequence[PictureAsk]) -> list[Generated | Weighed]:
        """Ask each kind of request in one batch; the replies in the order of the requests."""
        got: dict[int, Generated | Weighed] = {}
        seeing = [(place, ask) for place, ask in enumerate(asks) if isinstance(ask, See)]
        weighing = [(place, ask) for place, ask in enumerate(asks) if isinstance(ask, Weigh)]
        contrasting = [(place, ask) for place, ask in enumerate(asks) if isinstance(ask, Contrast)]
        if seeing:
            got |= _placed(seeing, self._model.see([ask for _, ask in seeing]))
        if weighing:
            got |= _placed(weighing, require(self._model, Weighs).weigh([ask for _, ask in weighing]))
        if contrasting:
            got |= _placed(contrasting, require(self._model, Weighs).contrast([ask for _, ask in contrasting]))
        return in_order(got, len(asks), self._model)


def _placed(
    asked: Sequence[tuple[int, object]], replies: Iterator[tuple[int, Found]]
) -> dict[int, Generated | Weighed]:
    return {asked[index][0]: reply for index, reply in replies}


class CaptionFirst(Value, frozen=True):
    """Lets the model describe the picture before it has read the question, then answer with its description.

    The description cannot be drawn to what the question makes likely, since the question is not there yet. What the
    description leaves out does not help, and what it gets wrong now stands in words.

    Args:
        keeps: whether the second turn has the picture beside the description, or the description alone; what is right
            then is what the description holds.
        max_tokens: of the description, >= 1.

    >>> from hardlimit.core import Message
    >>> ask = See(messages=(Message(role="user", content="Which colour?"),), images=(b"png",), max_tokens=8)
    >>> dialogue = CaptionFirst().look(ask)
    >>> "Which" in next(dialogue)[0].messages[0].content
    False
    >>> print(dialogue.send([Generated(text="A red disc.", finish="stop")])[0].messages[0].content)
    A description of the picture: A red disc.
    <BLANKLINE>
    Which colour?
    """

    keeps: Literal["picture and description", "description"] = "picture and description"
    max_tokens: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_tokens < 1:
            raise InvalidValueError(f"CaptionFirst.max_tokens must be >= 1, got {self.max_tokens}.")

    def look(self, request: See) -> PictureDialogue:
        """Ask for a description, then ask the question with it; without a picture there is nothing to describe."""
        if not request.images:
            return (yield from as_it_is(request))
        describing = _asking(request, DESCRIBE)
        (caption,) = yield [msgspec.structs.replace(describing, max_tokens=self.max_tokens)]
        assert isinstance(caption, Generated)
        if caption.finish in ("error", "refused"):
            return caption
        answering = _asking(request, TOLD.format(told=caption.text.strip(), question=request.messages[-1].content))
        if self.keeps == "description":
            answering = msgspec.structs.replace(answering, images=())
        return (yield from as_it_is(answering))


class LookAgain(Value, frozen=True):
    """Tells the model, behind the question, that what the picture shows counts more than what is usual.

    >>> from hardlimit.core import Message
    >>> ask = See(messages=(Message(role="user", content="Which colour?"),), images=(b"png",), max_tokens=8)
    >>> next(LookAgain().look(ask))[0].messages[0].content.partition(chr(10))[0]
    'Which colour?'
    """

    def look(self, request: See) -> PictureDialogue:
        """Ask once."""
        return (yield from as_it_is(_asking(request, request.messages[-1].content + LOOK)))


class Weights(Value, frozen=True):
    """How likely each of several answers is with the picture and without it.

    Args:
        options: the answers.
        seen: log-likelihood of each with the picture, nats.
        instead: log-likelihood of each without it, nats.

    >>> weights = Weights(options=("yellow", "blue"), seen=(-0.2, -1.5), instead=(-0.05, -3.0))
    >>> weights.best(0.0, 0.1), weights.best(1.0, 0.1), weights.best(1.0, 0.5)
    ('yellow', 'blue', 'yellow')
    """

    options: tuple[str, ...]
    seen: tuple[float, ...]
    instead: tuple[float, ...]

    def scores(self, alpha: float, cutoff: float) -> list[float | None]:
        """Scores of the options; None where the picture makes one implausible."""
        most = max(self.seen)
        return [
            (1 + alpha) * seen - alpha * instead if math.exp(seen - most) >= cutoff else None
            for seen, instead in zip(self.seen, self.instead, strict=True)
        ]

    def best(self, alpha: float, cutoff: float) -> str:
        """The option of the highest score (1 + α)·ln p(picture) − α·ln p(without); the first of several.

        Args:
            alpha: α, >= 0.
            cutoff: least likelihood with the picture, as a share of the largest.
        """
        scored = [(score, option) for score, option in zip(self.scores(alpha, cutoff), self.options, strict=True)]
        return max(((score, option) for score, option in scored if score is not None), key=lambda pair: pair[0])[1]


class VisualContrast(Value, frozen=True):
    """Answers by what the picture adds: (1 + α)·ln p(answer | picture) − α·ln p(answer | no picture).

    Where p(answer | picture) is proportional to prior times likelihood ratio, α raises the ratio to the power 1 + α and
    leaves the prior alone: a picture worth Λ to 1 then overturns a prior of odds up to Λ^(1 + α) instead of Λ (MM-4),
    and at most Λ/`cutoff`. What the model sees wrongly stays wrong. Choose α on labelled cases apart.

    Args:
        alpha: α, >= 0; at 0 it is the likeliest answer.
        cutoff: an answer less likely with the picture than this share of the likeliest one is out, in [0, 1].
        instead: the other side.
        options: the answers there are; none takes those that the question lists (` Answer red, green or blue.`), and a
            question that lists none is answered freely, by contrasting token by token.

    Source:
        Leng et al. (2023), Visual contrastive decoding, arXiv:2311.16922; the cut-off is that of Li et al. (2022).

    >>> from hardlimit.core import Message
    >>> ask = See(messages=(Message(role="user", content="Colour? Answer red or blue."),), images=(b"p",), max_tokens=8)
    >>> [(each.options[0], len(each.images)) for each in next(VisualContrast(alpha=1.0).look(ask))]
    [('red', 1), ('red', 0)]
    """

    alpha: float
    cutoff: float = 0.1
    instead: Instead = "no picture"
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_contrast("VisualContrast", self.alpha, self.cutoff)

    def look(self, request: See) -> PictureDialogue:
        """Weigh the options with and without the picture, or decode freely against what is there without it."""
        if not request.images:
            return (yield from as_it_is(request))
        options = self.options or options_in(request)
        if not options:
            other = _other(request, self.instead)
            (reply,) = yield [Contrast(see=request, instead=other, alpha=self.alpha, cutoff=self.cutoff)]
            assert isinstance(reply, Generated)
            return reply
        weights = yield from weighed(request, options, self.instead)
        if isinstance(weights, str):
            return Generated(text="", finish="error", error=weights)
        return Generated(text=weights.best(self.alpha, self.cutoff), finish="stop")


class WriteWeights(Value, frozen=True):
    """Answers with the weights themselves, as JSON: labelled cases asked so tell which α is best, see `weights_in`.

    Args:
        instead: as in `VisualContrast`.
    """

    instead: Instead = "no picture"

    def look(self, request: See) -> PictureDialogue:
        """Weigh the options that the question lists; without a picture or a list there is nothing to weigh."""
        options = options_in(request)
        if not options or not request.images:
            return Generated(text="", finish="stop")
        weights = yield from weighed(request, options, self.instead)
        if isinstance(weights, str):
            return Generated(text="", finish="error", error=weights)
        return Generated(text=msgspec.json.encode(weights).decode(), finish="stop")


def weights_in(reply: Generated) -> Weights | None:
    """Read what `WriteWeights` wrote; None where it wrote nothing."""
    return msgspec.json.decode(reply.text, type=Weights) if reply.text else None


def weighed(request: See, options: Sequence[str], instead: Instead) -> WeighingDialogue:
    """Weigh options with the picture and without it; the larger and smaller initial of an option count as one."""
    written = [(option, option[:1].upper() + option[1:]) for option in options]
    spellings = tuple(dict.fromkeys(way for ways in written for way in ways))
    sides = [Weigh(messages=request.messages, images=request.images, options=spellings)]
    sides.append(msgspec.structs.replace(sides[0], images=_other(request, instead)))
    tables = []
    for reply in (yield sides):
        assert isinstance(reply, Weighed)
        if reply.error is not None:
            return reply.error
        known = dict(zip(spellings, reply.log_likelihoods, strict=True))
        tables.append(tuple(_either(*(known[way] for way in dict.fromkeys(ways))) for ways in written))
    return Weights(options=tuple(options), seen=tables[0], instead=tables[1])


def options_in(request: See) -> tuple[str, ...]:
    """The answers that a question lists at its end, behind ` Answer `; none where it lists none.

    >>> from hardlimit.core import Message
    >>> def listed(text):
    ...     return options_in(See(messages=(Message(role="user", content=text),), images=(), max_tokens=1))
    >>> listed("What colour is it? Answer red, blue or dark green."), listed("How many? Answer with a number.")
    (('red', 'blue', 'dark green'), ())
    """
    found = _LISTED.search(request.messages[-1].content)
    options = tuple(part.strip() for part in re.split(r",| or ", found.group(1))) if found else ()
    return options if len(options) > 1 and all(options) and len(set(options)) == len(options) else ()


def as_it_is(request: See) -> PictureDialogue:
    """Ask once."""
    (reply,) = yield [request]
    assert isinstance(reply, Generated)
    return reply


def _asking(request: See, text: str) -> See:
    turns = (*request.messages[:-1], msgspec.structs.replace(request.messages[-1], content=text))
    return msgspec.structs.replace(request, messages=turns)


def _other(request: See, instead: Instead) -> tuple[bytes, ...]:
    return () if instead == "no picture" else tuple(_grey(image) for image in request.images)


def _grey(image: bytes) -> bytes:
    """An evenly grey picture of another's longer side; a file that cannot be read is left to the model to refuse."""
    try:
        side = max(opened(image).size)
    except (OSError, ValueError, SyntaxError):
        return image
    return Canvas(side, GREY).png()


def _either(*parts: float) -> float:
    most = max(parts)
    return most + math.log(sum(math.exp(part - most) for part in parts))
