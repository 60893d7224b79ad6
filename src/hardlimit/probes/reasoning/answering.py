"""The final answer of a reply: found behind its mark, told from the thinking before it, and graded strictly."""

import re
from collections.abc import Sequence
from typing import Literal, TypeAlias

from hardlimit.core import Generated, Grade, Scored, Value
from hardlimit.probes.grading.cleaning import clean
from hardlimit.probes.grading.folding import number_words, read_words
from hardlimit.probes.grading.grader import Finish, grade_answer, grade_reply
from hardlimit.probes.grading.mentions import Known, find

Kind: TypeAlias = Literal["option", "number", "row"]
"""What an answer is: one of the options, a whole number, or all options of a row in their order."""

_MARK = re.compile(r"\banswer\b[*_\"' ]*(?:is\b|:)[*_\"': ]*", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{(?:\\text\{)?([^{}]*)\}")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?![\d])")
_OPERATORS = ("+", "-", "×", "*", "/", "=")
_SHORT = 4
"""Words up to which a marked text that names no option is an answer all the same."""
_WORDS = {number_words(value): str(value) for value in range(100)}


class Wanted(Value, frozen=True):
    """What a reply is graded against.

    Args:
        gold: the right answer.
        options: known wrong answers; with `gold` all there are, where an answer is one of a list.
        kind: what an answer is.
        thinks: whether the model was told to think first and to mark its answer.
        told: the text that was asked, so that a number that is only repeated is not taken for an answer.
    """

    gold: str
    options: tuple[str, ...] = ()
    kind: Kind = "option"
    thinks: bool = False
    told: str = ""


class Final(Value, frozen=True):
    """The part of a reply that holds the answer.

    Args:
        text: that part.
        marked: whether the reply said that this is its answer.
        finish: how this part ended; `length` where the token limit may have cut it.
    """

    text: str
    marked: bool
    finish: Finish


def final(text: str, *, finish: Finish, thinks: bool) -> Final:
    r"""Find the part of a reply that holds its answer.

    It is what follows the last `Answer:` or `the answer is`, or stands in a box, up to the end of its line. Where the
    model was told to think first and marks nothing, it is the last line; else the whole reply.

    >>> final("Anna to Bob, Bob to Carl.\nAnswer: Carl\nThat was easy.", finish="stop", thinks=True).text
    'Carl'
    >>> final("Anna to Bob.\nSo it is Bob.", finish="stop", thinks=True)
    Final(text='So it is Bob.', marked=False, finish='stop')
    """
    readable = clean(text).text
    # Cleaning cuts everything up to the last `Answer:`, and invented turns behind it.
    marked = readable not in text or _MARK.search(text[: text.rfind(readable)]) is not None if readable else False
    boxes, marks = _BOXED.findall(readable), list(_MARK.finditer(readable))
    if boxes:
        return Final(text=boxes[-1].strip(), marked=True, finish="stop")
    if marks and readable[marks[-1].end() :].strip():
        readable, marked = readable[marks[-1].end() :].strip(), True
    elif marks and not readable[: marks[-1].start()].strip():
        readable = ""
    lines = [line.strip() for line in readable.splitlines() if line.strip()]
    if marked and lines:
        return Final(text=lines[0], marked=True, finish="stop" if len(lines) > 1 else finish)
    if thinks and lines:
        return Final(text=lines[-1], marked=False, finish=finish)
    return Final(text=readable, marked=False, finish=finish)


def grade_final(reply: Generated | Scored, wanted: Wanted) -> tuple[Grade, str | None]:
    r"""Grade a reply by its final answer.

    A reply that ended at the token limit without an answer is truncated; one that ended by itself without an answer of
    the kind asked for, or that names several without saying which is its answer, is malformed. Neither is wrong.

    >>> wanted = Wanted(gold="Carl", options=("Anna", "Bob"), thinks=True)
    >>> grade_final(Generated(text="Anna to Bob.\nAnswer: Bob", finish="stop"), wanted)
    (<Grade.WRONG: 'wrong'>, 'Bob')
    >>> grade_final(Generated(text="Anna to Bob, Bob to Carl", finish="length"), wanted)
    (<Grade.TRUNCATED: 'truncated'>, None)
    >>> grade_final(Generated(text="Anna leads to Bob and Bob to Carl.", finish="stop"), wanted)
    (<Grade.MALFORMED: 'malformed'>, None)
    """
    if isinstance(reply, Scored) or reply.finish in ("error", "refused"):
        return grade_reply(reply, gold=(wanted.gold,))
    cleaned = clean(reply.text)
    unfinished = Grade.TRUNCATED if reply.finish == "length" else Grade.MALFORMED
    if cleaned.cut or not cleaned.text:
        return unfinished, None
    part = final(reply.text, finish=reply.finish, thinks=wanted.thinks)
    if wanted.thinks and not part.marked and reply.finish == "length":
        return Grade.TRUNCATED, None
    grader = {"option": _grade_option, "number": _grade_number, "row": _grade_row}[wanted.kind]
    found = grader(part, wanted)
    if found is not None:
        return found
    grade, _ = grade_answer(part.text, finish=part.finish, gold=(wanted.gold,))
    # It answers nothing of the kind asked for: it declines, or it is no answer at all.
    return (grade, None) if grade in (Grade.ABSTAINED, Grade.REFUSED, Grade.MALFORMED) else (unfinished, None)


def _grade_option(part: Final, wanted: Wanted) -> tuple[Grade, str | None] | None:
    text = part.text
    named = _named(text, wanted)
    if not part.marked and len(named) > 1:
        # An answer in a line of its own, then an explanation.
        text = text.splitlines()[0]
        named = _named(text, wanted)
        if len(named) != 1:
            return Grade.MALFORMED if part.finish != "length" else Grade.TRUNCATED, None
    if not named:
        # A name that is no option was still given as the answer.
        words = read_words(text)
        grade, answer = grade_answer(text, finish=part.finish, gold=(wanted.gold,))
        return (grade, answer) if part.marked and grade is Grade.WRONG and len(words) <= _SHORT else None
    finish: Finish = part.finish if text == part.text else "stop"
    grade, answer = grade_answer(text, finish=finish, gold=(wanted.gold,), lures=wanted.options)
    if grade is Grade.WRONG and not any(name in (answer or "") for name in named):
        return None
    return grade, answer


def _named(text: str, wanted: Wanted) -> set[str]:
    known = Known(gold=(wanted.gold,), lures=wanted.options)
    return {mention.name for mention in find(read_words(text), known)}


def _grade_number(part: Final, wanted: Wanted) -> tuple[Grade, str | None] | None:
    text = part.text.replace("\\", "")
    numbers = numbers_in(text.rpartition("=")[2]) or numbers_in(text)
    told = set(numbers_in(wanted.told))
    if part.finish == "length" and text.rstrip().endswith(_OPERATORS):
        return Grade.TRUNCATED, None
    if len(numbers) > 1 and "=" not in text and told.issuperset(numbers):
        return None  # the problem given back, not worked out
    if not part.marked and "=" not in text:
        fresh = [number for number in numbers if number not in told]
        numbers = fresh or numbers
        if len(set(numbers)) > 1:
            return Grade.MALFORMED if part.finish != "length" else Grade.TRUNCATED, None
    if not numbers:
        return None
    said = numbers[0]
    at_end = text.rstrip().endswith(said[-1:])
    if part.finish == "length" and at_end and said != wanted.gold and wanted.gold.startswith(said):
        return Grade.TRUNCATED, None
    return (Grade.RIGHT if said == wanted.gold else Grade.WRONG), said


def numbers_in(text: str) -> list[str]:
    """List the numbers of a text without separators, numbers up to 99 also where they are written in words.

    >>> numbers_in("1,234 or twelve"), numbers_in("It is 5.0 cents.")
    (['1234'], ['5'])
    >>> numbers_in("It takes twenty one days.")
    ['21']
    """
    found = []
    for match in _NUMBER.finditer(text):
        number = match.group().replace(",", "")
        found.append(number.rstrip("0").rstrip(".") if "." in number else str(int(number)))
    if found:
        return found
    words = [word.text for word in read_words(text)]
    index = 0
    while index < len(words):
        pair = " ".join(words[index : index + 2])
        taken = 2 if pair in _WORDS else 1
        value = _WORDS.get(pair if taken == 2 else words[index])
        if value is not None:
            found.append(value)
        index += taken
    return found


def _grade_row(part: Final, wanted: Wanted) -> tuple[Grade, str | None] | None:
    """Grade a whole row: every word of the right row, in its order, and no other word of the puzzle twice."""
    right = row_of(wanted.gold)
    known = Known(gold=tuple(right), lures=())
    said = [mention.name for mention in find(read_words(part.text), known)]
    if not said:
        return None
    if len(said) < len(right):
        return (Grade.TRUNCATED if part.finish == "length" else Grade.MALFORMED), None
    answer = ", ".join(said)
    return (Grade.RIGHT if said == right else Grade.WRONG), answer[:200]


def row_of(text: str) -> list[str]:
    """Split a row such as `Anna tea, Bob milk` into its words.

    >>> row_of("Anna tea, Bob milk")
    ['Anna', 'tea', 'Bob', 'milk']
    """
    return re.findall(r"[^\s,;|]+", text)


def wrongs(options: Sequence[str], gold: str) -> tuple[str, ...]:
    """All options but the right one, in their order."""
    return tuple(option for option in options if option != gold)
