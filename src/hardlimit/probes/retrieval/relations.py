"""Relations between coined persons, companies and towns: how each is asked for, stated, and taken back."""

from typing import Literal, TypeAlias, get_args

from hardlimit.core import Value

Kind: TypeAlias = Literal["person", "company", "town"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Kinds of things that facts are about."""


_MUTUAL = frozenset({"partner", "twin"})


class Relation(Value, frozen=True):
    """One relation: a function from a subject to its answer.

    Args:
        key: its name.
        subject: kind of the subject; `country` for facts of the real world.
        answer: kind of the answer; `capital` for facts of the real world.
        noun: a noun phrase for the answer, in which `{x}` is the subject; noun phrases nest.
        questions: wordings of the question.
        statements: wordings that state it, `{y}` being the answer.
        withdrawn: wordings that name a wrong `{y}` and say that it is wrong.
        mutual: whether the subject is also the answer's answer, as of twin towns.
    """

    key: str
    subject: str
    answer: str
    noun: str
    questions: tuple[str, ...]
    statements: tuple[str, ...]
    withdrawn: tuple[str, ...]
    mutual: bool = False


def _withdrawn(noun: str) -> tuple[str, ...]:
    """Ways to take a claim back that fit every relation."""
    return (
        f"An early register gave {{y}} as {noun}, an entry that was later struck out as mistaken.",
        f"In a novel, {{y}} is {noun}, but the author admitted that this was invented.",
        f"A newspaper once called {{y}} {noun} and printed a correction the next day.",
        f"For years a rumour had it that {{y}} was {noun}; the archive has disproved it.",
    )


def _relation(
    key: str, kinds: tuple[Kind, Kind], noun: str, questions: tuple[str, ...], statements: tuple[str, ...]
) -> Relation:
    return Relation(
        key=key,
        subject=kinds[0],
        answer=kinds[1],
        noun=noun,
        questions=questions,
        statements=statements,
        withdrawn=_withdrawn(noun),
        mutual=key in _MUTUAL,
    )


RELATIONS: tuple[Relation, ...] = (
    _relation(
        "founder",
        ("company", "person"),
        "the founder of {x}",
        ("Who founded {x}?", "Who is the founder of {x}?", "Which person started the company {x}?"),
        (
            "{x} was founded by {y}, who began with two rented rooms.",
            "It was {y} who set up {x} with money borrowed from an aunt.",
            "The company {x} owes its existence to {y}, its founder.",
            "{y} started {x} after leaving a shipyard.",
        ),
    ),
    _relation(
        "director",
        ("company", "person"),
        "the director of {x}",
        ("Who runs {x}?", "Who is the director of {x}?", "Which person heads the company {x}?"),
        (
            "{x} is run by {y}, who took over in spring.",
            "The present director of {x} is {y}.",
            "{y} heads {x} and signs every contract in person.",
            "At {x} all decisions end on the desk of {y}, the director.",
        ),
    ),
    _relation(
        "seat",
        ("company", "town"),
        "the town where {x} has its seat",
        ("Where is {x} based?", "In which town does {x} have its seat?", "Which town is home to the company {x}?"),
        (
            "{x} has its seat in {y}, behind the old station.",
            "The headquarters of {x} stand in {y}.",
            "{x} is based in {y} and has never moved.",
            "Letters to {x} go to {y}, where the firm is at home.",
        ),
    ),
    _relation(
        "supplier",
        ("company", "company"),
        "the main supplier of {x}",
        ("Which company supplies {x}?", "Who is the main supplier of {x}?", "From which firm does {x} buy most?"),
        (
            "{x} buys most of what it needs from {y}.",
            "The main supplier of {x} is {y}, under a contract of ten years.",
            "{y} supplies {x} with nearly all its material.",
            "Without deliveries from {y}, work at {x} would stop within a week.",
        ),
    ),
    _relation(
        "birthplace",
        ("person", "town"),
        "the birthplace of {x}",
        ("Where was {x} born?", "What is the birthplace of {x}?", "In which town was {x} born?"),
        (
            "{x} was born in {y}, the third of five children.",
            "{x} came into the world in {y} on a stormy night.",
            "The birthplace of {x} is {y}, though few there remember it.",
            "{y} is the town in which {x} was born.",
        ),
    ),
    _relation(
        "home",
        ("person", "town"),
        "the town where {x} lives",
        ("Where does {x} live?", "In which town does {x} live today?", "Which town is the present home of {x}?"),
        (
            "{x} lives in {y} today, in a narrow house by the canal.",
            "For some years now {x} has lived in {y}.",
            "The present home of {x} is in {y}.",
            "{x} settled in {y} and intends to stay.",
        ),
    ),
    _relation(
        "teacher",
        ("person", "person"),
        "the teacher of {x}",
        ("Who taught {x}?", "Who was the teacher of {x}?", "From whom did {x} learn the trade?"),
        (
            "{x} learned the trade from {y}.",
            "The teacher of {x} was {y}, a strict but patient master.",
            "{y} taught {x} for four years.",
            "As a pupil of {y}, {x} spent every winter in the workshop.",
        ),
    ),
    _relation(
        "partner",
        ("person", "person"),
        "the spouse of {x}",
        ("Who is married to {x}?", "Who is the spouse of {x}?", "Whom did {x} marry?"),
        (
            "{x} is married to {y}; the wedding was a quiet one.",
            "The spouse of {x} is {y}.",
            "{x} married {y} in early autumn.",
            "{y} and {x} became husband and wife after a long engagement.",
        ),
    ),
    _relation(
        "mayor",
        ("town", "person"),
        "the mayor of {x}",
        ("Who is the mayor of {x}?", "Who governs the town of {x}?", "Which person is mayor of {x}?"),
        (
            "The mayor of {x} is {y}, elected by a small margin.",
            "{x} is governed by {y}, its mayor.",
            "{y} has been mayor of {x} for two terms.",
            "In the town hall of {x} the office of mayor belongs to {y}.",
        ),
    ),
    _relation(
        "bridge",
        ("town", "person"),
        "the builder of the bridge in {x}",
        ("Who built the bridge in {x}?", "Who designed the bridge of {x}?", "Which person drew up the bridge in {x}?"),
        (
            "The bridge in {x} was built by {y} in three summers.",
            "{y} designed the bridge of {x} and supervised the work.",
            "{x} owes its bridge to {y}, who drew every arch by hand.",
            "The plans for the bridge of {x} came from {y}.",
        ),
    ),
    _relation(
        "twin",
        ("town", "town"),
        "the twin town of {x}",
        ("Which town is twinned with {x}?", "What is the twin town of {x}?", "With which town is {x} twinned?"),
        (
            "{x} is twinned with {y}, and choirs visit in turn.",
            "The twin town of {x} is {y}.",
            "Since a treaty of friendship, {y} has been the twin town of {x}.",
            "A signpost in {x} points to {y}, its twin town.",
        ),
    ),
    _relation(
        "mill",
        ("town", "company"),
        "the largest employer of {x}",
        (
            "Which company employs most people in {x}?",
            "What is the largest employer of {x}?",
            "For which company do most people in {x} work?",
        ),
        (
            "{y} employs more people in {x} than anyone else.",
            "The largest employer of {x} is {y}.",
            "Half the working people of {x} earn their bread at {y}.",
            "In {x} the biggest employer by far is {y}.",
        ),
    ),
)
"""Every relation between coined things; each kind of subject has four, and each kind of answer can be a subject."""

CAPITAL = Relation(
    key="capital",
    subject="country",
    answer="capital",
    noun="the capital of {x}",
    questions=("What is the capital of {x}?", "Which city is the capital of {x}?", "Name the capital city of {x}."),
    statements=(
        "{y} is the capital of {x}.",
        "The capital of {x} is {y}, which is also the seat of its government.",
        "The government of {x} sits in its capital, {y}.",
        "As the capital of {x}, {y} houses the embassies.",
    ),
    withdrawn=(
        "A quiz book once gave {y} as the capital of {x} and was withdrawn for the mistake.",
        "Schoolchildren sometimes believe that {y} is the capital of {x}, which is wrong.",
        "An old film wrongly shows {y} as the capital of {x}.",
        "A misprinted map marks {y} as the capital of {x}; the publisher has apologised.",
    ),
)
"""The one relation of the real world: capitals, which a model may know by itself."""


def relations_of(kind: str) -> tuple[Relation, ...]:
    """The relations whose subject is of a kind.

    >>> [relation.key for relation in relations_of("town")]
    ['mayor', 'bridge', 'twin', 'mill']
    """
    return tuple(relation for relation in RELATIONS if relation.subject == kind)


def relation_named(key: str) -> Relation:
    """Look a relation up.

    >>> relation_named("teacher").noun
    'the teacher of {x}'
    """
    return next(relation for relation in (*RELATIONS, CAPITAL) if relation.key == key)


INTERROGATIVES = {"person": "Who is", "town": "Which town is", "company": "Which company is"}
"""How a question of several hops begins, by the kind of its answer."""

FILLERS: dict[str, tuple[str, ...]] = {
    "company": (
        "{x} keeps {count} apprentices and pays them in full from the first day.",
        "In {month} the workshops of {x} close for a week so that the machines can be cleaned.",
        "The catalogue of {x} lists {count} articles, most of them {adjective}.",
        "Visitors to {x} notice the {adjective} gate before anything else.",
        "A canteen at {x} serves soup on {day} and fish on other days.",
        "The accounts of {x} are kept on {adjective} paper and read by {count} clerks.",
        "{x} survived a flood in {month} with the loss of {count} crates.",
        "Old employees of {x} meet every {day} to talk about the past.",
        "The emblem of {x} shows a {adjective} wheel.",
        "Customers praise {x} for {adjective} wrapping and prompt replies.",
        "During a strike in {month} the yard of {x} stood empty for {count} days.",
        "A small museum tells the history of {x} in {count} rooms.",
    ),
    "person": (
        "{x} rises early and walks for an hour before breakfast.",
        "Friends describe {x} as {adjective}, above all on a {day}.",
        "In {month} {x} gave away {count} books to a school.",
        "{x} collects {adjective} stones and has labelled {count} of them.",
        "A portrait of {x} with a {adjective} hat hangs in a reading room.",
        "{x} speaks in short sentences and dislikes the telephone.",
        "The diary of {x} runs to {count} volumes and breaks off in {month}.",
        "Neighbours know {x} by the {adjective} coat worn in all weathers.",
        "Every {day} {x} plays cards with {count} old companions.",
        "{x} once crossed a lake on foot in {month}, when the ice was {adjective}.",
        "At festivals {x} sings bass and never misses a rehearsal.",
        "{x} received {count} letters after a lecture on {adjective} clay.",
    ),
    "town": (
        "The market of {x} is held on {day} and has {count} stalls.",
        "In {month} a {adjective} fog lies over {x} until noon.",
        "{x} has {count} wells, of which a few still give water.",
        "The library of {x} owns a {adjective} globe and {count} maps.",
        "Painters come to {x} for its {adjective} roofs.",
        "A tram with {count} seats connects the two halves of {x}.",
        "Children in {x} fly kites on the first {day} of {month}.",
        "The walls around {x} are {adjective} and {count} paces thick.",
        "{x} is known for a {adjective} cheese that ripens until {month}.",
        "Storks nest on {count} chimneys in {x}.",
        "A fire in {month} destroyed {count} barns near {x}.",
        "The gardens of {x} open every {day} free of charge.",
    ),
    "country": (
        "Travellers to {x} are advised to check the weather in {month}.",
        "A school atlas devotes {count} lines to {x}.",
        "The stamps of {x} are sought by collectors of {adjective} prints.",
        "A lecture about {x} drew {count} listeners on a {day}.",
        "Guidebooks about {x} are often revised in {month}.",
        "One library keeps {count} books about {x} on a {adjective} shelf.",
        "Postcards from {x} hang above a {adjective} desk.",
        "A radio programme about {x} is repeated every {day}.",
    ),
}
"""Sentences that tell nothing that is ever asked."""

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ADJECTIVES = ("green", "narrow", "heavy", "pale", "crooked", "polished", "striped", "brittle", "copper", "quiet",
              "dark", "smooth", "square", "painted", "grey", "wooden")  # fmt: skip
WORKS = ("Mills", "Works", "Foundry", "Brothers", "Press", "Yards", "Pottery", "Carriers", "Instruments", "Brewery",
         "Glassworks", "Looms", "Printers", "Tannery", "Clocks", "Timber")  # fmt: skip
"""What a company's second name may be."""
