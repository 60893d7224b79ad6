"""The grader: a reply, the accepted answers and the known wrong ones, to one of seven grades; by rules, no model."""

from collections.abc import Sequence
from typing import Literal

from hardlimit.core import Generated, Grade, Scored
from hardlimit.probes.grading.cleaning import before_loop, clean, garbled
from hardlimit.probes.grading.folding import read_words
from hardlimit.probes.grading.mentions import Known
from hardlimit.probes.grading.reading import Reading

Finish = Literal["stop", "length", "refused", "error"]


def grade_reply(
    reply: Generated | Scored,
    *,
    gold: Sequence[str],
    lures: Sequence[str] = (),
    question: str = "",
    exact: bool = False,
) -> tuple[Grade, str | None]:
    """Grade a reply as `grade_answer` grades its text; a reply without text is `failed`."""
    if isinstance(reply, Scored):
        return Grade.FAILED, None
    return grade_answer(reply.text, finish=reply.finish, gold=gold, lures=lures, question=question, exact=exact)


def grade_answer(
    text: str,
    *,
    finish: Finish = "stop",
    gold: Sequence[str],
    lures: Sequence[str] = (),
    question: str = "",
    exact: bool = False,
) -> tuple[Grade, str | None]:
    """Grade a short free-text answer by rules, in time linear in its length.

    Args:
        text: what the model wrote.
        finish: why it ended, as in `Generated`.
        gold: accepted answers, any of which counts; empty where the right thing is to abstain or to deny.
        lures: known wrong answers, such as all others of the same kind. The more of them, the better a second
            answer is told from an explanation.
        question: what was asked, so that an echo of it is no answer.
        exact: whether answers are known by their capitals, as symbols are (`He` is no pronoun), except in a reply of
            one word.

    Returns:
        The grade, and what was taken as the answer (None where there is none). An answer that offers alternatives
        (`Paris or Lyon`) is wrong: it commits to nothing, and a list must not earn what a guess does not. With an
        empty `gold`, abstaining and denying are right, and any answer is wrong.

    >>> grade_answer("I'm not sure, but I think it's Paris.", gold=["Paris"], lures=["Lyon"])
    (<Grade.RIGHT: 'right'>, 'Paris')
    >>> grade_answer("Paris or Lyon", gold=["Paris"], lures=["Lyon"])
    (<Grade.WRONG: 'wrong'>, 'Paris or Lyon')
    >>> grade_answer("There is no such city.", gold=[])
    (<Grade.RIGHT: 'right'>, None)
    """
    if finish in ("error", "refused"):
        return (Grade.FAILED if finish == "error" else Grade.REFUSED), None
    unfinished = Grade.TRUNCATED if finish == "length" else Grade.MALFORMED
    cleaned = clean(text)
    if cleaned.cut or not cleaned.text:
        return unfinished, None
    if garbled(cleaned.text):
        return Grade.MALFORMED, None
    every = read_words(cleaned.text)
    words = before_loop(every)
    if not words:
        return (Grade.MALFORMED if every else unfinished), None
    known = Known(gold=tuple(gold), lures=tuple(lures), exact=exact and len(words) > 1)
    cut = finish == "length" and len(words) == len(every)
    return Reading(words, known, question, ending=cleaned.text[-1] if cut else None).grade()
