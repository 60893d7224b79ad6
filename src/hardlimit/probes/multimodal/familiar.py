"""UsualColour things in a colour that is not theirs: does the answer follow the picture, or what is usual?"""

from collections.abc import Sequence
from typing import ClassVar, Literal, TypeAlias

import msgspec
import numpy as np

from hardlimit.core import (
    Case,
    Generate,
    Generated,
    Grade,
    InvalidValueError,
    Limit,
    Message,
    Quantity,
    Scalar,
    Score,
    Scored,
    See,
    Value,
    quantity,
)
from hardlimit.probes.multimodal.canvas import Canvas, Look
from hardlimit.probes.multimodal.drawn import LEAST_PIXELS, MAX_TOKENS, graded

FamiliarSetting: TypeAlias = Literal["picture", "no picture", "caption", "sampled"]
"""The picture; none; its description; or none and an answer drawn at temperature 1, which tells the prior."""

COLOURS = ("blue", "yellow", "orange", "purple")
"""Red and green are left out, so that who takes one for the other is not taken for one who does not look."""

THINGS: dict[str, str] = {
    "pumpkin": "orange",
    "plum": "purple",
    "blueberry": "blue",
    "banana": "yellow",
    "carrot": "orange",
    "eggplant": "purple",
    "sapphire": "blue",
    "lemon": "yellow",
}
"""Things that every reader knows, and their usual colour."""

WORDINGS = (
    "The picture shows a thing called {name}. What colour is the {name}?",
    "Look at the {name}. What colour is it?",
    "What is the colour of this {name}?",
    "Which colour does the {name} in the picture have?",
)
OPTIONS = " Answer blue, yellow, orange or purple."


class UsualColour(Value, frozen=True):
    """Shows a familiar thing in its usual colour and in another one, and asks for the colour.

    The two pictures of a pair differ in the colour alone. Whoever answers by what is usual has the first right and the
    second wrong; how often the answer follows the second picture is the flip rate.

    Args:
        thing: one of `THINGS`, or None for all of them in turn.
        strength: of the colour, in (0, 1]: 1 is the full colour, and towards 0 it fades to grey.
        pixels: side of the pictures.
        setting: `picture`, or one of the controls.

    >>> usual, other = UsualColour(thing="lemon", pixels=64).cases(seed=0, n=2)
    >>> usual.gold, other.gold[0] in ("blue", "orange", "purple")
    (('yellow',), True)
    """

    thing: str | None = None
    strength: float = 1.0
    pixels: int = 224
    setting: FamiliarSetting = "picture"
    name: ClassVar[str] = "multimodal.usual_colour"
    version: ClassVar[int] = 1
    limit: ClassVar[Limit] = Limit.MULTIMODAL
    quantity: ClassVar[Quantity] = quantity.ACCURACY

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.thing is not None and self.thing not in THINGS:
            raise InvalidValueError(f"UsualColour.thing must be one of {', '.join(THINGS)}, got '{self.thing}'.")
        if not 0.0 < self.strength <= 1.0 or self.pixels < LEAST_PIXELS:
            raise InvalidValueError(
                f"UsualColour needs strength in (0, 1] and pixels >= {LEAST_PIXELS}, got strength={self.strength:g}, "
                f"pixels={self.pixels}."
            )

    def cases(self, *, seed: int, n: int) -> Sequence[Case]:
        """Make `n` cases, pair by pair: the usual colour, then another.

        Raises:
            InvalidValueError: `n` < 1.
        """
        if n < 1:
            raise InvalidValueError(f"UsualColour.cases needs n >= 1, got {n}.")
        return [case for index in range(-(-n // 2)) for case in self._pair(seed, index)][:n]

    def _pair(self, seed: int, index: int) -> list[Case]:
        things = [self.thing] if self.thing is not None else list(THINGS)
        name = things[index % len(things)]
        usual = THINGS[name]
        rng = np.random.default_rng([seed, index, 77])
        look = Look.draw(rng)
        others = [colour for colour in COLOURS if colour != usual]
        shown = (usual, others[int(rng.integers(len(others)))])
        wording = WORDINGS[int(rng.integers(len(WORDINGS)))]
        size = (look.scale * rng.uniform(0.16, 0.28), float(rng.uniform(0.7, 1.0)))
        question = wording.format(name=name) + OPTIONS
        cases = []
        if self.setting == "sampled":
            shown = (usual, usual)
        for member, colour in enumerate(shown):
            cluster = f"{name}:{self.strength:g}:{seed}:{index}"
            factors: dict[str, Scalar] = {
                "task": "familiar",
                "setting": self.setting,
                "knob": self.strength,
                "pair": index,
                "member": member,
                "answer": colour,
                "thing": name,
                "usual": usual,
            }
            cases.append(
                Case(
                    id=f"{cluster}:{self.setting}:{self.pixels}:{member}",
                    ask=self._sampled(question, 2 * index + member)
                    if self.setting == "sampled"
                    else self._ask(question, colour, name, look, size),
                    gold=(colour,),
                    lures=tuple(each for each in COLOURS if each != colour),
                    factors=factors,
                    cluster=cluster,
                )
            )
        return cases

    def _ask(self, question: str, colour: str, name: str, look: Look, size: tuple[float, float]) -> See | Generate:
        if self.setting == "caption":
            text = f"The picture shows {'an' if colour == 'orange' else 'a'} {colour} {name}. {question}"
            return Generate(messages=(Message(role="user", content=text),), max_tokens=MAX_TOKENS)
        images = () if self.setting == "no picture" else (self.drawing(colour, look, size).png(),)
        return See(messages=(Message(role="user", content=question),), images=images, max_tokens=MAX_TOKENS)

    @staticmethod
    def _sampled(question: str, seed: int) -> Generate:
        messages = (Message(role="user", content=question),)
        return Generate(messages=messages, max_tokens=MAX_TOKENS, temperature=1.0, seed=seed)

    def drawing(self, colour: str, look: Look, size: tuple[float, float]) -> Canvas:
        """Draw the thing: a filled oval, since only its name and its colour matter."""
        canvas = Canvas(self.pixels, look.background)
        side = self.pixels
        centre = (side * (0.5 + look.right), side * (0.5 + look.down))
        canvas.blob(centre, (size[0] * side, size[0] * size[1] * side), look.colour(colour, self.strength))
        return canvas

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        """Grade by the four colours."""
        return graded(case, reply)

    def controls(self) -> dict[str, "UsualColour"]:
        """`trivial`: the colour stands in the text in place of the picture. `impossible`: no picture."""
        replace = msgspec.structs.replace
        return {
            "trivial": replace(self, setting="caption"),
            "impossible": replace(self, setting="no picture"),
        }


def prior_requests(thing: str) -> list[list[Score]]:
    """Requests that tell how likely each colour is before any picture is seen.

    Args:
        thing: one of `THINGS`.

    Returns:
        For each wording of the question, one score for each of `COLOURS` in order.

    >>> [len(each) for each in prior_requests("lemon")]
    [4, 4, 4, 4]
    """
    asked = [wording.format(name=thing) + OPTIONS for wording in WORDINGS]
    return [
        [Score(messages=(Message(role="user", content=text),), continuation=f" {colour}") for colour in COLOURS]
        for text in asked
    ]
