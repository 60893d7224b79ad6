"""Folding: text brought to a form in which equal answers are equal, and cut into clauses."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple


def word_set(words: str) -> frozenset[str]:
    """Make a set of the words of a text."""
    return frozenset(words.split())


LONGEST = 8_000
"""Characters of a reply that are read: its first three quarters of this and its last quarter."""

_LETTERS = str.maketrans(
    {
        "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th",
        "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ı": "i", "ə": "e", "Ə": "E", "ħ": "h", "Ħ": "H",
        "’": "'", "‘": "'", "ʼ": "'", "ʻ": "'", "`": "'", "´": "'", "′": "'",
        "“": '"', "”": '"', "«": '"', "»": '"', "„": '"', "−": "-", "‐": "-", "‑": "-",
        "–": " — ", "…": " . ", "。": " . ", "，": " , ", "！": " ! ", "？": " ? ",
    }
)  # fmt: skip
_TOKEN = re.compile(r"(?<![^\W_])-?\d+(?:[.,]\d+)*|[^\W_]+(?:'[^\W_]+)*|[.;:!?\n,()\[\]—/\"]")
_ABBREVIATED = re.compile(r"(?<![^\W_])((?:[^\W\d_]\.){2,})")
_SHORTENED = word_set("st mt ft dr mr mrs ms prof jr sr vs approx")
_STOPS = frozenset(".;!?\n")
_PAUSES = frozenset(",:()[]—")
_SPLITTERS = word_set(
    "but however although though yet because since maybe perhaps possibly probably so whereas while unless"
)
_GUESSES = frozenset({("i", "think"), ("i", "believe"), ("i", "guess"), ("i", "suppose"), ("i", "assume")})
_CONTRACTED = {
    "cannot": "can not", "can't": "can not", "cant": "can not", "won't": "will not", "wont": "will not",
    "ain't": "is not", "dunno": "do not know", "i'm": "i am", "im": "i am", "i've": "i have", "i'd": "i would",
    "i'll": "i will", "it's": "it is", "there's": "there is", "that's": "that is", "what's": "what is",
    "he's": "he is", "she's": "she is", "who's": "who is", "let's": "let us", "you're": "you are",
    "we're": "we are", "they're": "they are", "we've": "we have", "dont": "do not", "doesnt": "does not",
    "didnt": "did not", "isnt": "is not", "wasnt": "was not", "couldnt": "could not", "havent": "have not",
    "shouldnt": "should not", "wouldnt": "would not", "hasnt": "has not", "arent": "are not",
}  # fmt: skip


class Word(NamedTuple):
    """One word of a reply.

    Args:
        text: folded.
        written: as the model wrote it.
        clause: index of the clause it stands in.
        sentence: index of the sentence it stands in.
        opens: whether it is the first word of its sentence.
        end: where it ends in the text that was read, in characters.
        mark: punctuation between it and the word before, one character each.
    """

    text: str
    written: str
    clause: int
    sentence: int
    opens: bool
    end: int
    mark: str


def fold(text: str) -> str:
    """Bring a text to the form in which answers are compared: no case, accents, punctuation or articles in front.

    >>> fold("The São Tomé!"), fold("N'Djamena"), fold("1,234.50")
    ('sao tome', 'ndjamena', '1234.5')
    """
    words = [word.text for word in read_words(text)]
    while len(words) > 1 and words[0] in {"the", "a", "an"}:
        del words[0]
    return " ".join(words)


_UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
          "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def number_words(number: int) -> str:
    """Write a number from 0 to 99 in words.

    >>> number_words(17), number_words(40), number_words(63)
    ('seventeen', 'forty', 'sixty three')
    """
    if number < len(_UNITS):
        return _UNITS[number]
    tens, units = divmod(number, 10)
    return _TENS[tens - 2] + (f" {_UNITS[units]}" if units else "")


@lru_cache(maxsize=65_536)
def spellings(name: str) -> tuple[str, ...]:
    """Folded forms under which a name is recognised: umlauts written out, Saint also as St., numbers in words.

    >>> spellings("Zürich"), spellings("St. John's")
    (('zurich', 'zuerich'), ('st john', 'saint john'))
    """
    written_out = name
    for umlaut, letters in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("Ä", "Ae"), ("Ö", "Oe"), ("Ü", "Ue")):
        written_out = written_out.replace(umlaut, letters)
    forms = [fold(name), fold(written_out)]
    forms += [re.sub(r"\bst\b", "saint", form) for form in forms] + [re.sub(r"\bsaint\b", "st", form) for form in forms]
    if forms[0].isdecimal() and int(forms[0]) < 100:
        forms.append(number_words(int(forms[0])))
    return tuple(form for form in dict.fromkeys(forms) if form)


def shorten(text: str) -> str:
    """Keep the part of a reply that is read, so that the work is bounded whatever a model writes."""
    if len(text) <= LONGEST:
        return text
    return text[: LONGEST * 3 // 4] + "\n" + text[-LONGEST // 4 :]


def read_words(text: str) -> tuple[Word, ...]:
    """Cut a text into folded words that know their clause and sentence; linear in its length.

    A clause ends at punctuation and before words such as `but`, `maybe` or `I think`.

    >>> [(word.text, word.clause, word.sentence) for word in read_words("I'm not sure, but Oslo. Yes")]
    [('i', 0, 0), ('am', 0, 0), ('not', 0, 0), ('sure', 0, 0), ('but', 1, 0), ('oslo', 1, 0), ('yes', 2, 1)]
    """
    flat = unicodedata.normalize("NFKC", text).translate(_LETTERS)
    flat = _ABBREVIATED.sub(lambda match: match.group().replace(".", ""), flat).replace("&", " and ")
    words: list[Word] = []
    clause = sentence = 0
    mark = ""
    opens = True
    for match in _TOKEN.finditer(flat):
        token = match.group()
        if len(token) == 1 and not token.isalnum():
            mark += token
            continue
        if mark == "." and words and words[-1].text in _SHORTENED:
            mark = ""
        if words and _STOPS.intersection(mark):
            sentence, clause, opens = sentence + 1, clause + 1, True
        elif words and _PAUSES.intersection(mark):
            clause += 1
        for text_of_word in _fold_token(token):
            guess = words and (words[-1].text, text_of_word) in _GUESSES and words[-1].clause == clause
            if words and words[-1].clause == clause and text_of_word in _SPLITTERS:
                clause += 1
            if guess and len(words) > 1 and words[-2].clause == clause:
                clause += 1
                words[-1] = words[-1]._replace(clause=clause)
            words.append(
                Word(
                    text=text_of_word,
                    written=token,
                    clause=clause,
                    sentence=sentence,
                    opens=opens,
                    end=match.end(),
                    mark=mark,
                )
            )
            mark, opens = "", False
    return tuple(words)


def _fold_token(token: str) -> list[str]:
    if token[0].isdigit() or token[0] == "-":
        return [_fold_number(token)]
    plain = unicodedata.normalize("NFKD", token)
    folded = "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()
    if folded in _CONTRACTED:
        return _CONTRACTED[folded].split()
    if folded.endswith("n't"):
        return [folded[:-3], "not"]
    folded = folded.removesuffix("'s")
    return [folded.replace("'", "")]


def _fold_number(token: str) -> str:
    """Drop thousands separators and trailing zeros; anything else (a date, a version) stays as it is."""
    if re.fullmatch(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?", token):
        token = token.replace(",", "")
    if re.fullmatch(r"-?\d+\.\d+", token):
        token = token.rstrip("0").rstrip(".")
    return token
