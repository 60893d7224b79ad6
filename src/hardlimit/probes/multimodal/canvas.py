"""The canvas: anti-aliased shapes on a square picture, and the looks that vary without telling anything."""

import io
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hardlimit.core import Value

Colour: TypeAlias = tuple[int, int, int]
Spot: TypeAlias = tuple[float, float]
"""A place on the canvas in pixels: x to the right, y downwards."""

PALETTE: dict[str, Colour] = {
    "red": (210, 50, 45),
    "green": (50, 210, 45),
    "blue": (40, 80, 230),
    "yellow": (235, 215, 40),
    "orange": (240, 120, 30),
    "purple": (150, 50, 200),
}
"""Colours with plain names. Red and green are each other with two channels exchanged, as an eye that cannot tell them
apart needs for its trial."""

OVERSAMPLE = 4


class Look(Value, frozen=True):
    """What varies from pair to pair and is the same for both pictures of one: it must tell nothing about the answer.

    Args:
        paper: brightness of the background, in [0, 1].
        tint: blue added to the background, in [0, 1].
        ink: brightness of dark lines, in [0, 1].
        stroke: width of lines as a share of the side.
        scale: size of things against the usual one.
        right: shift to the right as a share of the side.
        down: shift downwards as a share of the side.
        gain: brightness of colours, in (0, 1].
    """

    paper: float
    tint: float
    ink: float
    stroke: float
    scale: float
    right: float
    down: float
    gain: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Look":
        """Draw a look."""
        low = np.array([0.88, 0.0, 0.0, 0.010, 0.85, -0.04, -0.04, 0.93])
        high = np.array([0.97, 0.03, 0.25, 0.018, 1.15, 0.04, 0.04, 1.0])
        return cls(**dict(zip(cls.__struct_fields__, map(float, rng.uniform(low, high)), strict=True)))

    @property
    def background(self) -> Colour:
        """Colour of the background; its red and green are equal."""
        grey = round(255 * self.paper)
        return grey, grey, min(255, round(255 * (self.paper + self.tint)))

    @property
    def dark(self) -> Colour:
        """Colour of dark lines."""
        grey = round(255 * self.ink)
        return grey, grey, grey

    def colour(self, name: str, strength: float = 1.0) -> Colour:
        """Mix a colour of the palette with grey: 1 is the full colour, 0 is grey.

        >>> look = Look(paper=1, tint=0, ink=0, stroke=0.01, scale=1, right=0, down=0, gain=1)
        >>> look.colour("red"), look.colour("red", 0.0)
        ((210, 50, 45), (128, 128, 128))
        """
        full = PALETTE[name]
        mixed = [round(self.gain * (strength * part + (1 - strength) * 128)) for part in full]
        return mixed[0], mixed[1], mixed[2]


class Canvas:
    r"""A square picture to draw on; everything is drawn larger and reduced, which smooths the edges.

    Args:
        pixels: side of the picture.
        background: its colour.

    >>> canvas = Canvas(32, (255, 255, 255))
    >>> canvas.disc((16, 16), 8, (0, 0, 0))
    >>> canvas.image().getpixel((16, 16)), canvas.png()[:4]
    ((0, 0, 0), b'\x89PNG')
    """

    def __init__(self, pixels: int, background: Colour) -> None:
        self.pixels = pixels
        side = OVERSAMPLE * pixels
        self._image = Image.new("RGB", (side, side), background)
        self._pen = ImageDraw.Draw(self._image)

    def _scaled(self, *spots: Spot) -> list[Spot]:
        return [(OVERSAMPLE * x, OVERSAMPLE * y) for x, y in spots]

    def _around(self, centre: Spot, radius: float) -> tuple[float, float, float, float]:
        x, y = centre
        # Pillow counts the last pixel in, so that a box of whole pixels ends one short.
        left, top, right, bottom = x - radius, y - radius, x + radius, y + radius
        return OVERSAMPLE * left, OVERSAMPLE * top, OVERSAMPLE * right - 1, OVERSAMPLE * bottom - 1

    def disc(self, centre: Spot, radius: float, colour: Colour) -> None:
        """Fill a circle."""
        self._pen.ellipse(self._around(centre, radius), fill=colour)

    def ring(self, centre: Spot, radius: float, width: float, colour: Colour) -> None:
        """Draw a circle's outline, inwards from its radius."""
        self._pen.ellipse(self._around(centre, radius), outline=colour, width=max(1, round(OVERSAMPLE * width)))

    def oval(self, centre: Spot, radii: Spot, width: float, colour: Colour) -> None:
        """Draw an upright oval's outline."""
        (x, y), (a, b) = centre, radii
        box = (OVERSAMPLE * (x - a), OVERSAMPLE * (y - b), OVERSAMPLE * (x + a), OVERSAMPLE * (y + b))
        self._pen.ellipse(box, outline=colour, width=max(1, round(OVERSAMPLE * width)))

    def blob(self, centre: Spot, radii: Spot, colour: Colour) -> None:
        """Fill an oval that lies along the axes."""
        (x, y), (a, b) = centre, radii
        box = (OVERSAMPLE * (x - a), OVERSAMPLE * (y - b), OVERSAMPLE * (x + a), OVERSAMPLE * (y + b))
        self._pen.ellipse(box, fill=colour)

    def square(self, centre: Spot, half: float, colour: Colour, width: float | None = None) -> None:
        """Fill a square, or draw its outline inwards where a width is given."""
        box = self._around(centre, half)
        if width is None:
            self._pen.rectangle(box, fill=colour)
        else:
            self._pen.rectangle(box, outline=colour, width=max(1, round(OVERSAMPLE * width)))

    def polygon(self, corners: Sequence[Spot], colour: Colour) -> None:
        """Fill a polygon."""
        self._pen.polygon(self._scaled(*corners), fill=colour)

    def line(self, spots: Sequence[Spot], width: float, colour: Colour) -> None:
        """Draw a line through places, with round joints and ends."""
        thick = max(1, round(OVERSAMPLE * width))
        self._pen.line(self._scaled(*spots), fill=colour, width=thick, joint="curve")
        for spot in (spots[0], spots[-1]):
            self.disc(spot, width / 2, colour)

    def text(self, centre: Spot, words: str, size: float, colour: Colour) -> None:
        """Write a few letters around a place."""
        font = ImageFont.load_default(size=OVERSAMPLE * size)
        self._pen.text(self._scaled(centre)[0], words, fill=colour, font=font, anchor="mm")

    def image(self) -> Image.Image:
        """The picture as it will be seen."""
        return self._image.reduce(OVERSAMPLE)

    def png(self) -> bytes:
        """The picture as a PNG file."""
        file = io.BytesIO()
        self.image().save(file, format="PNG", compress_level=4)
        return file.getvalue()


def opened(png: bytes) -> Image.Image:
    """Open a picture file.

    >>> opened(Canvas(8, (255, 255, 255)).png()).size
    (8, 8)
    """
    return Image.open(io.BytesIO(png)).convert("RGB")
