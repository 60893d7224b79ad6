"""Reading: one cleaned reply, its clauses and mentions, and the decision what it amounts to."""

from collections.abc import Sequence

from hardlimit.core import Grade
from hardlimit.probes.grading.folding import Word, read_words, word_set
from hardlimit.probes.grading.mentions import Known, Mention, concessive, find, lexicon, negated
from hardlimit.probes.grading.phrases import Stance, guesses, stance

_FILLER = word_set(
    """a an the of in on at to for is are was were be it its this that these those answer question sure certainly course
    yes no ok okay well let me think see i my you your here what which who where when how does do did name named called
    and or also as by with from about please thank thanks great good would will can could may might should hello hi just
    so then there based given provided following final short one word sorry apologize apologies unfortunately however
    but though if any located situated written know known into asks asking"""
)
"""Words that answer nothing by themselves."""
_LINKS = frozenset(
    {"or", "and", "either", "both", "maybe", "possibly", "perhaps", "also", "the", "a", "in", "is", "it", "vs"}
)
_CORRECTIONS = frozenset({"wait", "actually", "correction", "rather", "sorry", "oops", "mean", "instead"})
_ALTERNATIVES = frozenset({"alternatively", "another", "or"})
_EXPLAINS = word_set("simply also known as formerly officially just more in to even so less other")
_COPULAS = frozenset({"is", "are", "was", "were", "be", "means"})
_INTRODUCES = _COPULAS | word_set("called named by as")
_MODIFIERS = word_set("the a an city town likely typically probably actually officially of")
_SENTENCE_ENDS = ".!?"
_CLAIM = 3
"""Words of content from which on an unfinished reply about a thing that does not exist has accepted it."""
_LONGEST_ANSWER = 80


class Reading:
    """One cleaned reply with everything that the decision needs.

    Args:
        words: the reply, cleaned and folded, at least one word.
        known: the answers that are known.
        question: what was asked.
        ending: the last character of a reply that was cut at the token limit, else None.
    """

    def __init__(self, words: Sequence[Word], known: Known, question: str, *, ending: str | None) -> None:
        self.words = words
        self.known = known
        self.open_end = ending is not None
        self.closed = ending is not None and ending in _SENTENCE_ENDS
        self.cut_word = ending is not None and ending.isalnum()
        asked = read_words(question)
        self.question = [word.text for word in asked]
        self.asked = set(self.question)
        clauses: dict[int, list[str]] = {}
        for word in words:
            clauses.setdefault(word.clause, []).append(word.text)
        self.clauses = {index: " ".join(parts) for index, parts in clauses.items()}
        self.stances = {index: stance(clause) for index, clause in self.clauses.items()}
        echoed = {mention.name for mention in find(asked, known) if not mention.gold}
        self.mentions = [mention for mention in find(words, known) if mention.name not in echoed]
        for mention in self.mentions:
            # A name may be spelled like a way to abstain: the symbol Na, the town of Pass.
            if self.clauses[mention.clause] == " ".join(word.text for word in words[mention.first : mention.last]):
                self.stances[mention.clause] = Stance.NONE

    def grade(self) -> tuple[Grade, str | None]:
        """Decide: denial of a coined thing, a known answer, a declined question, another answer, or none."""
        if not self.known.gold and Stance.DENIAL in self.stances.values():
            return Grade.RIGHT, None
        asserted = [mention for mention in self.mentions if self._asserts(mention)]
        if asserted and self._cut_off(asserted[0]):
            return Grade.TRUNCATED, None
        if asserted:
            return self._commit(asserted)
        declined = self._declined()
        if declined is Grade.ABSTAINED and not self.known.gold:
            return Grade.RIGHT, None
        return self._other_answer() if declined is None else (declined, None)

    def _asserts(self, mention: Mention) -> bool:
        if self.stances[mention.clause] is not Stance.NONE:
            return False
        return not negated(self.words, mention) and not concessive(self.words, mention)

    def _cut_off(self, mention: Mention) -> bool:
        """Whether the reply was cut inside what may have become a longer name (`Niger` of `Nigeria`)."""
        if not self.cut_word or mention.last != len(self.words):
            return False
        last = self.words[-1].text
        return lexicon(self.known.gold).continues(last) or lexicon(self.known.lures).continues(last)

    def _commit(self, asserted: list[Mention]) -> tuple[Grade, str | None]:
        first = asserted[0]
        for later in asserted[1:]:
            if later.gold == first.gold and (first.gold or later.name == first.name):
                continue
            texts = [word.text for word in self.words[first.last : later.first]]
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
        """Whether a word looks like a name that the question did not contain."""
        word = self.words[index]
        return word.written[:1].isupper() and word.text not in self.asked and word.text not in _FILLER

    def _declined(self) -> Grade | None:
        kinds = set(self.stances.values())
        if Stance.POLICY in kinds:
            return Grade.REFUSED
        if kinds & {Stance.IGNORANCE, Stance.DENIAL}:
            return None if self._guess() is not None else Grade.ABSTAINED
        return Grade.REFUSED if Stance.REFUSAL in kinds else None

    def _guess(self) -> str | None:
        """The name that a guess puts forward, where there is one."""
        for clause, text in self.clauses.items():
            if self.stances[clause] is Stance.NONE and guesses(text):
                for index, word in enumerate(self.words):
                    if word.clause == clause and not word.opens and self._names(index):
                        return word.written
        return None

    def _other_answer(self) -> tuple[Grade, str | None]:
        """Decide on a reply that names no known answer: another answer, or none at all."""
        content = [word for word in self.words if word.text not in _FILLER and word.text not in self.asked]
        if self.open_end:
            return self._unfinished(content)
        if content or self.mentions:
            said = " ".join(word.written for word in content) or self.mentions[0].name
            return Grade.WRONG, said[:_LONGEST_ANSWER]
        if self._echoes():
            return Grade.MALFORMED, None
        given_back = self._after_copula()
        return (Grade.WRONG, given_back[:_LONGEST_ANSWER]) if given_back else (Grade.MALFORMED, None)

    def _unfinished(self, content: list[Word]) -> tuple[Grade, str | None]:
        """Decide on a reply that was cut: was something answered before the cut?"""
        if not self.known.gold and len(content) >= _CLAIM:
            return Grade.WRONG, " ".join(word.written for word in content)[:_LONGEST_ANSWER]
        named = self._put_forward()
        if named is not None:
            return (Grade.TRUNCATED, None) if self._cut_name(named) else (Grade.WRONG, named.written)
        finished = [word for word in content if self.closed or word.sentence < self.words[-1].sentence]
        if finished and not self.known.lures:
            return Grade.WRONG, " ".join(word.written for word in finished)[:_LONGEST_ANSWER]
        return Grade.TRUNCATED, None

    def _put_forward(self) -> Word | None:
        """The name, or the word in quotation marks, that stands where an answer does.

        That is after `is`, `called`, `named` or `by`, or at the head of a sentence before `is`. A name elsewhere is
        part of a description, which the cut left without its answer.
        """
        for index, word in enumerate(self.words):
            after = self.words[index + 1].text if index + 1 < len(self.words) else ""
            quoted = '"' in word.mark and word.text not in self.asked
            if word.opens and after in _COPULAS and self._names(index):
                return word
            before = [each.text for each in self.words[max(0, index - 3) : index] if each.sentence == word.sentence]
            while before and before[-1] in _MODIFIERS:
                before.pop()
            if before and before[-1] in _INTRODUCES and (self._names(index) or quoted):
                return word
        return None

    def _cut_name(self, named: Word) -> bool:
        """Whether a name was cut short so that it may have become the right one."""
        return self.cut_word and named is self.words[-1] and lexicon(self.known.gold).continues(named.text)

    def _echoes(self) -> bool:
        """Whether the reply is a stretch of the question, once or several times over."""
        said = [word.text for word in self.words]
        asked = " ".join(self.question)
        half = said[: len(self.question)]
        return " ".join(said) in asked or (bool(asked) and half == self.question)

    def _after_copula(self) -> str | None:
        """What stands after the last `is`: words of the question, given back as its answer."""
        for index in range(len(self.words) - 1, -1, -1):
            if self.words[index].text in _COPULAS:
                said = [word for word in self.words[index + 1 :] if word.text not in _FILLER]
                return " ".join(word.written for word in said) or None
        return None
