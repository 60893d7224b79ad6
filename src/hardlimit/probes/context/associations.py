"""Facts a needle states and what follows from them by one step of common knowledge; written for this package."""

from functools import cache

from hardlimit.core import Value


class Association(Value, frozen=True):
    """A fact about a person, and another that follows from it by one step.

    Args:
        key: unique name of the association.
        states: what the needle calls the person, such as `neighbour of the Eiffel Tower`.
        asks: what the question asks instead, such as `has been to France`.
        form: the turn of phrase; two associations of one form differ in their content alone.
    """

    key: str
    states: str
    asks: str
    form: str

    def needle(self, person: str) -> str:
        """The sentence to be found; the fact stands before the name, so that reading on answers."""
        return f"The {self.states} is {person}."

    @property
    def question(self) -> str:
        """The question that shares no content word with the needle."""
        return f"Who {self.asks}?"

    @property
    def literal(self) -> str:
        """The question in the needle's own words."""
        return f"Who is the {self.states}?"


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
    ("the temples of Angkor", "Cambodia"),
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
    "neighbour of {}",
    "photographer of {}",
    "tour guide at {}",
    "fiddler outside {}",
    "dog walker at {}",
    "ice cream vendor near {}",
    "jogger beside {}",
    "guard of {}",
    "mime artist in front of {}",
    "kiosk owner by {}",
)
"""How a needle ties a person to a landmark."""

STAYS: tuple[str, ...] = ("has been to {}", "has spent time in {}", "has set foot in {}")
"""How a question asks about the place."""

TRADES: tuple[tuple[str, str], ...] = (
    ("specialist in cavities and braces", "is a dentist"),
    ("kneader of dough and buns", "is a baker"),
    ("saviour of burning homes", "is a firefighter"),
    ("commander of a jumbo jet", "is a pilot"),
    ("trimmer of beards and moustaches", "is a barber"),
    ("rescuer of clogged sinks and toilets", "is a plumber"),
    ("milker of forty cows", "is a farmer"),
    ("stitcher of trousers and jackets", "is a tailor"),
    ("transplanter of hearts and kidneys", "is a surgeon"),
    ("defender of suspects in court", "is a lawyer"),
    ("vaccinator of cats and hamsters", "is a veterinarian"),
    ("observer of comets and galaxies", "is an astronomer"),
    ("examiner of sixty pupils", "is a teacher"),
    ("builder of wardrobes and cupboards", "is a carpenter"),
    ("hauler of herring and cod", "is a fisherman"),
    ("refuser of meat, eggs and cheese", "is a vegan"),
)
"""What a person does, and what that makes them."""

NAMES: tuple[str, ...] = (
    "Alice", "Anna", "Bob", "Carl", "Carol", "Daniel", "David", "Diana", "Edward", "Emma", "Eric", "George",
    "Hannah", "Harry", "Helen", "Henry", "Jack", "James", "Jane", "John", "Joseph", "Julia", "Kate", "Laura", "Lisa",
    "Louis", "Lucy", "Maria", "Martin", "Michael", "Nancy", "Paul", "Peter", "Richard", "Robert", "Ruth",
    "Sarah", "Simon", "Stephen", "Susan", "Thomas", "Victor", "William", "Oliver", "Emily", "Philip",
    "Arthur", "Walter", "Albert", "Leo", "Lily", "Ben", "Adam", "Joe",
)  # fmt: skip
"""The persons, all of one token in common vocabularies; who did what is drawn afresh, so a name tells nothing."""


@cache
def associations(shift: int = 0) -> tuple[Association, ...]:
    """List every association, the landmarks told in turns of phrase that move on with `shift`.

    >>> first = associations()[0]
    >>> first.needle("Anna")
    'The neighbour of the Eiffel Tower is Anna.'
    >>> first.literal, first.question
    ('Who is the neighbour of the Eiffel Tower?', 'Who has been to France?')
    >>> len(associations())
    54
    """
    places = []
    for index, (landmark, place) in enumerate(LANDMARKS):
        sight = (index + shift) % len(SIGHTS)
        stay = STAYS[(index + shift) % len(STAYS)].format(place)
        places.append(Association(key=place, states=SIGHTS[sight].format(landmark), asks=stay, form=SIGHTS[sight]))
    trades = [Association(key=asks, states=does, asks=asks, form="trade") for does, asks in TRADES]
    return (*places, *trades)
