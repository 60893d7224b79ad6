"""Whether two texts share a content word, up to its ending: the check behind "no lexical overlap"."""

import re
import unicodedata

_WORD = re.compile(r"[a-z]+")
_ENDINGS = ("ingly", "ings", "ing", "edly", "ers", "ed", "er", "es", "ly", "s", "e", "y")
_LEAST_STEM = 3
_SAME_BEGINNING = 5

FUNCTION_WORDS = frozenset(
    _WORD.findall(
        """
        a about after against all although always among an and another any are around as at be because been before
        behind below beside between both but by called can could did do does each else every everything for from had has
        have he her here him his how if in into is it its just more most much must near no nobody none nor not nothing
        of off on once one only or other ought our out outside over own past rather s she since so some somebody such
        than that the their them then there they this those though through to too toward towards under until up upon was
        were what when where which while who whom whose why will with within without would you your
        """
    )
)
"""Words that carry grammar rather than content."""


def stem(word: str) -> str:
    """Cut an English ending off a word; crude, so that it sees sameness too often rather than too rarely.

    >>> [stem(word) for word in ("Drills", "drilling", "bakers", "baked", "sew")]
    ['drill', 'drill', 'bak', 'bak', 'sew']
    """
    found = word.lower()
    for ending in _ENDINGS:
        if found.endswith(ending) and len(found) - len(ending) >= _LEAST_STEM:
            found = found.removesuffix(ending)
            break
    # A doubled consonant is left by some endings: jogging, jogs.
    return found[:-1] if len(found) > _LEAST_STEM and found[-1] == found[-2] and found[-1] not in "ls" else found


def content_words(text: str) -> frozenset[str]:
    """The words of a text that carry content, in lower case and without accents.

    >>> sorted(content_words("Who is the one that lives by the Széchenyi Baths?"))
    ['baths', 'lives', 'szechenyi']
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return frozenset(word for word in _WORD.findall(plain.replace("'s ", " ")) if word not in FUNCTION_WORDS)


def shared_words(first: str, second: str) -> frozenset[str]:
    """Content words of the first text that the second has too: the same stem, or the same first five letters.

    >>> sorted(shared_words("The Germans lived there.", "She lives in Germany."))
    ['germans', 'lived']
    >>> shared_words("lives by the Eiffel Tower", "has been to France")
    frozenset()
    """
    others = content_words(second)
    stems = {stem(word) for word in others}
    beginnings = {word[:_SAME_BEGINNING] for word in others if len(word) >= _SAME_BEGINNING}
    return frozenset(
        word for word in content_words(first) if stem(word) in stems or word[:_SAME_BEGINNING] in beginnings
    )
