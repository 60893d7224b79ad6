"""Facts a needle states and what follows from them by one step of common knowledge; written for this package."""

from typing import Literal, TypeAlias

from hardlimit.core import Value

Hop: TypeAlias = Literal["place", "trade"]


class Association(Value, frozen=True):
    """A needle and its question, each completing a sentence about a person.

    Args:
        key: unique name of the association.
        hop: `place` (a landmark tells where somebody has been) or `trade` (what somebody does tells what they are).
        states: what the needle says of the person, such as `lives beside the Eiffel Tower`.
        asks: what the question asks instead, such as `has been to France`; it follows by one step.
        form: which turn of phrase the needle takes; two needles of one form differ in the landmark alone.
    """

    key: str
    hop: Hop
    states: str
    asks: str
    form: str


LANDMARKS: tuple[tuple[str, str], ...] = (
    ("the Eiffel Tower", "France"),
    ("the Colosseum", "Italy"),
    ("the Taj Mahal", "India"),
    ("the Parthenon", "Greece"),
    ("Buckingham Palace", "England"),
    ("the Brandenburg Gate", "Germany"),
    ("Mount Fuji", "Japan"),
    ("Machu Picchu", "Peru"),
    ("the Burj Khalifa", "Dubai"),
    ("the Sydney Opera House", "Australia"),
    ("the Alhambra", "Spain"),
    ("the Great Sphinx", "Egypt"),
    ("Chichen Itza", "Mexico"),
    ("the Kremlin", "Russia"),
    ("Angkor Wat", "Cambodia"),
    ("the Hagia Sophia", "Turkey"),
    ("Robben Island", "South Africa"),
    ("Niagara Falls", "Canada"),
    ("the White House", "the United States"),
    ("the Forbidden City", "China"),
    ("Christ the Redeemer", "Brazil"),
    ("the Charles Bridge", "Prague"),
    ("the Széchenyi Baths", "Hungary"),
    ("Loch Ness", "Scotland"),
    ("the Blarney Stone", "Ireland"),
    ("the Little Mermaid", "Denmark"),
    ("the Blue Lagoon", "Iceland"),
    ("the ruins of Petra", "Jordan"),
    ("Kilimanjaro", "Tanzania"),
    ("Wawel Cathedral", "Poland"),
    ("the Matterhorn", "Switzerland"),
    ("the Potala Palace", "Tibet"),
    ("the Petronas Towers", "Malaysia"),
    ("the Lofoten fjords", "Norway"),
    ("Halong Bay", "Vietnam"),
    ("the Anne Frank House", "Holland"),
    ("the Atomium", "Belgium"),
    ("Schönbrunn Palace", "Austria"),
)
"""Landmarks, and where one must have been to have seen them."""

SIGHTS: tuple[str, ...] = (
    "lives right beside {}",
    "goes jogging past {} every day",
    "got engaged in front of {}",
    "takes photographs of {}",
    "walks two poodles around {}",
    "sketches {} in charcoal",
    "eats ice cream near {}",
    "rents a flat overlooking {}",
    "plays the violin outside {}",
    "once danced all night by {}",
)
"""How a needle ties a person to a landmark."""

STAYS: tuple[str, ...] = ("has been to {}", "has spent time in {}", "has set foot in {}")
"""How a question asks about the place."""

TRADES: tuple[tuple[str, str], ...] = (
    ("drills and fills teeth all day", "is a dentist"),
    ("kneads dough before dawn", "is a baker"),
    ("rushes to burning homes with a hose", "is a firefighter"),
    ("flies jets between continents", "is a pilot"),
    ("shaves beards and trims moustaches", "is a barber"),
    ("unblocks sinks and leaking taps", "is a plumber"),
    ("milks forty cows twice daily", "is a farmer"),
    ("sews trousers and jackets for customers", "is a tailor"),
    ("operates on hearts and kidneys", "is a surgeon"),
    ("defends suspects in front of the judge", "is a lawyer"),
    ("vaccinates cats and hamsters", "is a veterinarian"),
    ("measures the orbits of distant planets", "is an astronomer"),
    ("marks the homework of thirty pupils", "is a teacher"),
    ("saws planks into wardrobes", "is a carpenter"),
    ("hauls nets full of herring aboard", "is a fisherman"),
    ("refuses meat, eggs and cheese", "is a vegan"),
)
"""What a person does, and what that makes them."""

NAMES: tuple[str, ...] = (
    "Alice", "Boris", "Clara", "Derek", "Elena", "Felix", "Gloria", "Hugo", "Ingrid", "Jonas", "Karen", "Lionel",
    "Marcus", "Nadia", "Oscar", "Paula", "Quentin", "Rachel", "Simon", "Tessa", "Ursula", "Victor", "Wendy", "Xavier",
    "Yolanda", "Zachary", "Agnes", "Bruno", "Cedric", "Doris", "Edgar", "Fiona", "Gordon", "Hannah", "Isaac", "Judith",
    "Kevin", "Laura", "Miriam", "Nathan", "Olivia", "Patrick", "Rita", "Samuel", "Theresa", "Ulrich", "Vera", "Walter",
)  # fmt: skip
"""The persons; who did what is drawn afresh for every haystack, so a name tells nothing."""


def associations(form: int = 0) -> tuple[Association, ...]:
    """List every association, the landmarks told in turns of phrase that shift with `form`.

    >>> first = associations()[0]
    >>> first.states, first.asks
    ('lives right beside the Eiffel Tower', 'has been to France')
    >>> len(associations())
    54
    """
    places = []
    for index, (landmark, place) in enumerate(LANDMARKS):
        sight = (index + form) % len(SIGHTS)
        states, asks = SIGHTS[sight].format(landmark), STAYS[(index + form) % len(STAYS)].format(place)
        places.append(Association(key=place, hop="place", states=states, asks=asks, form=f"sight {sight}"))
    trades = [Association(key=asks, hop="trade", states=does, asks=asks, form="trade") for does, asks in TRADES]
    return (*places, *trades)
