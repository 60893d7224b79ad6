"""The ways in which models say that they do not know, that a thing does not exist, or that they will not answer."""

import re
from enum import StrEnum


class Stance(StrEnum):
    """What one clause of a reply does instead of answering."""

    IGNORANCE = "ignorance"
    DENIAL = "denial"
    REFUSAL = "refusal"
    POLICY = "policy"
    NONE = "none"


# Every repetition in these patterns is bounded, so that matching is linear in the length of a clause.
_SOME = r"(?:\w+ ){0,3}"
_MANY = r"(?:\w+ ){0,5}"
_ONE = r"(?:\w+ )?"
_FIND = (
    r"(?:find|locate|verify|confirm|determine|identify|recall|remember|recogni[sz]e|ascertain|establish|say|tell|guess"
    r"|name|be (?:sure|certain)"
    r"|provide (?:an? |any )?(?:accurate|definitive|precise|specific|reliable|certain|exact|correct|definite))"
)
_HELP = (
    r"(?:help|assist|answer|comply|fulfill?|discuss|engage|provide|share|give|complete|support|participate|generate"
    r"|create|continue|do (?:that|this)|respond|reply|offer|disclose|talk)"
)
_THING = (
    r"(?:country|city|town|chemical element|element|person|people|book|novel|company|medicine|drug|species|place|work"
    r"|chemical|symbol|author)"
)
_KNOWN = (
    r"(?:known|available|specified|mentioned|provided|stated|given|listed|included|disclosed|documented|determined"
    r"|recorded)"
)
_IGNORANCE = (
    rf"\b(?:do|does|did) not {_SOME}(?:know|recall|remember|recogni[sz]e)\b",
    r"\b(?:do|does|did) not (?:\w+ ){0,2}have\b",
    rf"\bhave not {_ONE}(?:heard|seen|encountered|come across|been able)\b",
    r"\bnever (?:heard|seen|encountered|come across)\b",
    rf"\b(?:have|has|got|with) no {_ONE}"
    r"(?:idea|information|knowledge|data|records?|clue|details|way|memory|access)\b",
    r"\bno (?:idea|clue)\b",
    rf"\bnot {_MANY}(?:sure|certain|aware|familiar|confident|knowledgeable|acquainted|clear|informed)\b",
    r"\b(?:unsure|uncertain|unfamiliar|unaware|unclear|clueless|stumped)\b",
    rf"\b(?:can|could|was|is|am|are) {_ONE}not (?:able to )?(?:\w+ ){{0,2}}{_FIND}\b",
    rf"\b(?:unable|not able|impossible|difficult|hard|failed|fail) to {_ONE}{_FIND}\b",
    r"\b(?:is|are|remains?|was) (?:currently |still |generally |largely )?"
    r"(?:unknown|undetermined|unspecified|unavailable)\b",
    rf"\bnot {_ONE}{_KNOWN}\b",
    r"\b(?:unknown to me|(?:beyond|outside) (?:of )?my|knowledge cut ?off)\b",
    r"\bmy (?:knowledge|training|database|last update)\b",
    rf"\b(?:not enough|insufficient|no|more|additional|further|limited|lack of|lacks?) {_ONE}"
    r"(?:information|context|details|data)\b",
    rf"\b(?:does|do|did) not {_ONE}"
    r"(?:mention|specify|say|provide|state|contain|include|give|indicate|tell|ring a bell|appear in)\b",
    r"\b(?:could|can|would) you (?:please )?(?:provide|clarify|specify|give|tell|rephrase|share)\b",
    r"\b(?:need|have) to (?:look (?:it|that|this) up|check|look|verify|research)\b",
    r"\bplease (?:provide|clarify|specify|give|rephrase)\b",
    r"\b(?:escapes me|draw(?:ing)? a blank|beats me|give up|good as mine|(?:hard|difficult) to say|not ring a bell)\b",
    r"\b(?:je ne sais pas|no lo se|no se la respuesta|ich weiss (?:es )?(?:leider )?nicht|nao sei|non lo so)\b",
    r"\b(?:не знаю|我?不知道)\b",
)
_DENIAL = (
    rf"\bthere (?:is|are|was|were|exists?|has been|have been) {_SOME}no\b(?! (?:doubt|question|need|way))",
    rf"\bthere (?:is|are|was|were|does|do) not {_ONE}(?:a|an|any|appear|seem|exist)\b",
    r"\bno such\b",
    rf"\bnot {_SOME}exist\b",
    r"\b(?:non ?exist(?:ent|ing)|fictitious|made up|imaginary|fabricated|hypothetical|hoax)\b",
    # A fictional work exists, and an author who is a fictional character is an answer.
    r"(?<!\bauthor )\bfictional\b(?! (?:character|author|person|writer)s? (?:named|called|known))"
    r"(?! (?:work|novel|story|tale|narrative|book))",
    rf"\bnot {_MANY}(?:real|actual|recogni[sz]ed|existing|valid|genuine|legitimate|established|existent)\b",
    rf"\bno {_SOME}(?:records?|evidence|mention|references?|trace|documentation)\b",
    r"\bno (?:publicly |widely |well )?(?:known|real|existing|recogni[sz]ed|documented|official|verified|notable)\b",
    rf"\bno {_ONE}{_THING} (?:\w+ ){{0,4}}"
    r"(?:called|named|with|by that|by this|of that|of this|known|titled|exists?)\b",
    rf"\b(?:is|was|are|were) not (?:an? |the )?{_ONE}(?:{_THING}|name|word|term)\b",
    r"\b(?:typo|misspell\w*|mis spelling|did you mean|misprint|mistaken|mix ?up)\b",
)
_REFUSAL = (
    rf"\b(?:can|could|will|would|shall|should|may) not (?:be able to )?(?:\w+ ){{0,2}}{_HELP}\b",
    r"\b(?:unable|not able|not allowed|not permitted|not authorized|not going|not willing|not in a position) to "
    rf"{_ONE}{_HELP}\b",
    rf"\b(?:must|have to|need to|will have to|should) {_ONE}(?:decline|refuse)\b",
    rf"\b(?:i|we) {_ONE}(?:decline|refuse)\b",
    r"\b(?:would rather not|prefer not to|rather not)\b",
)
_POLICY = (
    rf"\b(?:against|violates?|under|due to|because of|per|outside) {_ONE}"
    r"(?:guidelines|policy|policies|programming|principles|rules|terms)\b",
    r"\b(?:guidelines|content policy|safety policy|inappropriate|not appropriate|unethical|harmful|illegal"
    r"|not comfortable|not allowed|not permitted|sensitive topic|offensive)\b",
)
_WHOLE = re.compile(
    r"unknown|n a|na|none|null|nil|idk|no answer|not sure|unsure|not (?:available|applicable|known|found)|undetermined"
    r"|unspecified|(?:i )?(?:pass|skip|abstain)|no (?:response|information|data)|undefined|nothing|answer unknown"
    r"|do not know|unidentified|no ?(?:body|one) knows|can ?not say|uncertain|blank"
)
_GUESSING = re.compile(
    r"\b(?:i (?:think|believe|guess|suppose|assume|would (?:say|guess|go with))|(?:my )?(?:best )?guess|maybe|perhaps"
    r"|possibly|probably|(?:may|might|could) be|likely|it is|it was|is (?:in|located in|called|the)|answer is"
    r"|known as)\b"
)


def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


_IGNORANCE_RE, _DENIAL_RE, _REFUSAL_RE, _POLICY_RE = map(_any, (_IGNORANCE, _DENIAL, _REFUSAL, _POLICY))


def stance(clause: str) -> Stance:
    """Say what one clause of folded words does instead of answering.

    >>> stance("i am not entirely sure"), stance("there is no such city"), stance("i can not help with that")
    (<Stance.IGNORANCE: 'ignorance'>, <Stance.DENIAL: 'denial'>, <Stance.REFUSAL: 'refusal'>)
    """
    if _WHOLE.fullmatch(clause):
        return Stance.IGNORANCE
    if _POLICY_RE.search(clause):
        return Stance.POLICY
    if _DENIAL_RE.search(clause):
        return Stance.DENIAL
    if _IGNORANCE_RE.search(clause):
        return Stance.IGNORANCE
    return Stance.REFUSAL if _REFUSAL_RE.search(clause) else Stance.NONE


def guesses(clause: str) -> bool:
    """Whether a clause of folded words is worded as an answer, however hedged."""
    return _GUESSING.search(clause) is not None
