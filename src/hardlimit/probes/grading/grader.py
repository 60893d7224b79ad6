"""The grader: a reply, the accepted answers and the known wrong ones, to one of seven grades; by rules, no model."""

from collections.abc import Sequence
from typing import Literal

from hardlimit.core import Generated, Grade, Scored
from hardlimit.probes.grading.cleaning import before_loop, clean, garbled
from hardlimit.probes.grading.folding import Word, read_words
from hardlimit.probes.grading.mentions import Known, Mention, concessive, find, lexicon, negated
from hardlimit.probes.grading.phrases import Stance, guesses, stance

Finish = Literal["stop", "length", "refused", "error"]

_FILLER = frozenset(
    """a an the of in on at to for is are was were be it its this that these those answer question sure certainly course
    yes no ok okay well let me think see i my you your here what which who where when how does do did name named called
    and or also as by with from about please thank thanks great good would will can could may might should about hello
    hi just so then there based given provided following final short one word sorry apologize apologies unfortunately
    however but an though if any""".split()
)
_LINKS = frozenset({"or", "and", "either", "both", "maybe", "possibly", "perhaps", "also", "the", "a", "in", "is", "it", "vs"})
_CORRECTIONS = frozenset({"wait", "actually", "correction", "rather", "sorry", "oops", "mean", "instead"})
_ALTERNATIVES = frozenset({"alternatively", "another", "or"})
_EXPLAINS = frozenset({"simply", "also", "known", "as", "formerly", "officially", "just", "more", "in", "to", "even", "so", "less", "other"})


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
    """Grade a short free-text answer by rules.

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
    return _Reading(words, known, question, open_end=finish == "length" and len(words) == len(every)).grade()


class _Reading:
    """One cleaned reply with everything the decision needs."""

    def __init__(self, words: Sequence[Word], known: Known, question: str, *, open_end: bool) -> None:
        self.words = words
        self.known = known
        self.open_end = open_end
        asked = read_words(question)
        self.asked = {word.text for word in asked}
        self.clauses: dict[int, str] = {}
        for word in words:
            self.clauses[word.clause] = f"{self.clauses[word.clause]} {word.text}" if word.clause in self.clauses else word.text
        self.stances = {index: stance(clause) for index, clause in self.clauses.items()}
        echoed = {mention.name for mention in find(asked, known) if not mention.gold}
        self.mentions = [mention for mention in find(words, known) if mention.name not in echoed]

    def grade(self) -> tuple[Grade, str | None]:
        denies = Stance.DENIAL in self.stances.values()
        if not self.known.gold and denies:
            return Grade.RIGHT, None
        asserted = [mention for mention in self.mentions if self._asserts(mention)]
        if asserted and self._cut_off(asserted[0]):
            return Grade.TRUNCATED, None
        if asserted:
            return self._commit(asserted)
        declined = self._declined()
        if declined is Grade.ABSTAINED and not self.known.gold:
            return Grade.RIGHT, None
        if declined is not None:
            return declined, None
        return self._other_answer()

    def _asserts(self, mention: Mention) -> bool:
        if self.stances[mention.clause] is not Stance.NONE:
            return False
        return not negated(self.words, mention) and not concessive(self.words, mention)

    def _cut_off(self, mention: Mention) -> bool:
        """Whether the reply was cut inside what may have become a longer name (`Niger` of `Nigeria`)."""
        if not self.open_end or mention.last != len(self.words):
            return False
        last = self.words[-1].text
        return lexicon(self.known.gold).continues(last) or lexicon(self.known.lures).continues(last)

    def _commit(self, asserted: list[Mention]) -> tuple[Grade, str | None]:
        first = asserted[0]
        for later in asserted[1:]:
            if later.gold == first.gold and (first.gold or later.name == first.name):
                continue
            between = self.words[first.last : later.first]
            texts = [word.text for word in between]
            if _CORRECTIONS.intersection(texts):
                first = later
            elif set(texts) <= _LINKS or _ALTERNATIVES.intersection(texts[:2]):
                return Grade.WRONG, f"{first.name} or {later.name}"
        if first.gold and self._offers_unknown_alternative(first):
            return Grade.WRONG, f"{first.name} or other"
        return (Grade.RIGHT if first.gold else Grade.WRONG), first.name

    def _offers_unknown_alternative(self, mention: Mention) -> bool:
        """Whether `or` joins the answer to a name that no list holds."""
        texts = [word.text for word in self.words]
        after = texts[mention.last : mention.last + 2]
        if len(after) == 2 and after[0] == "or":
            index = mention.last + 1
            is_known = any(other.gold and other.first == index for other in self.mentions)
            return not is_known and self._names(index) and after[1] not in _EXPLAINS
        before = texts[max(0, mention.first - 2) : mention.first]
        if len(before) == 2 and before[1] == "or":
            is_known = any(other.gold and other.last == mention.first - 1 for other in self.mentions)
            return not is_known and self._names(mention.first - 2)
        return False

    def _names(self, index: int) -> bool:
        """Whether a word looks like a name or a number that the question did not contain."""
        word = self.words[index]
        if word.text in self.asked or word.text in _FILLER:
            return False
        return word.written[:1].isupper() or word.written[:1].isdigit()

    def _declined(self) -> Grade | None:
        kinds = set(self.stances.values())
        if Stance.POLICY in kinds:
            return Grade.REFUSED
        if kinds & {Stance.IGNORANCE, Stance.DENIAL}:
            return None if self._guess_after() is not None else Grade.ABSTAINED
        return Grade.REFUSED if Stance.REFUSAL in kinds else None

    def _guess_after(self) -> str | None:
        """The name that a guess beside an abstention puts forward, where there is one."""
        for clause, text in self.clauses.items():
            if self.stances[clause] is Stance.NONE and guesses(text):
                for index, word in enumerate(self.words):
                    if word.clause == clause and not word.opens and self._names(index):
                        return word.written
        return None

    def _other_answer(self) -> tuple[Grade, str | None]:
        """Decide on a reply that names no known answer: another answer, or none at all."""
        guess = self._guess_after()
        if guess is not None:
            return Grade.WRONG, guess
        content = [word for word in self.words if word.text not in _FILLER and word.text not in self.asked]
        if self.open_end:
            named = [word for index, word in enumerate(self.words[:-1]) if not word.opens and self._names(index)]
            return (Grade.WRONG, named[0].written) if named else (Grade.TRUNCATED, None)
        negative = any(mention for mention in self.mentions)
        if not content and not negative:
            return Grade.MALFORMED, None
        return Grade.WRONG, " ".join(word.written for word in content[:6]) or self.mentions[0].name
