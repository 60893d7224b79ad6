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


_SOME = r"(?:\w+ ){0,3}"
_FIND = (
    r"(?:find|locate|verify|confirm|determine|identify|recall|remember|recognize|recognise|ascertain|establish|say|tell"
    r"|guess|name|be (?:sure|certain)|provide (?:an? |any )?(?:accurate|definitive|precise|specific|reliable|certain|exact"
    r"|correct|definite))"
)
_HELP = (
    r"(?:help|assist|answer|comply|fulfil|fulfill|discuss|engage|provide|share|give|complete|support|participate"
    r"|generate|create|continue|do (?:that|this)|respond|reply|offer|disclose|talk)"
)
_IGNORANCE = (
    rf"\b(?:do|does|did) not {_SOME}(?:know|recall|remember|recognize|recognise)\b",
    r"\b(?:do|does|did) not (?:\w+ ){0,2}have\b",
    r"\bhave not (?:\w+ )?(?:heard|seen|encountered|come across|been able)\b",
    r"\bnever (?:heard|seen|encountered|come across)\b",
    r"\b(?:have|has|got|with) no (?:\w+ )?(?:idea|information|knowledge|data|record|records|clue|details|way|memory|access)\b",
    r"\bno (?:idea|clue)\b",
    rf"\bnot {_SOME}(?:sure|certain|aware|familiar|confident|knowledgeable|acquainted|clear|informed)\b",
    r"\b(?:unsure|uncertain|unfamiliar|unaware|unclear|clueless|stumped)\b",
    rf"\b(?:can|could|was|is|am|are) (?:\w+ )?not (?:able to )?(?:\w+ ){{0,2}}{_FIND}\b",
    rf"\b(?:unable|not able|impossible|difficult|hard|failed|fail) to (?:\w+ )?{_FIND}\b",
    r"\b(?:is|are|remains?|was) (?:currently |still |generally |largely )?(?:unknown|undetermined|unspecified|unavailable)\b",
    r"\bnot (?:publicly |currently |yet |generally |widely )?(?:known|available|specified|mentioned|provided|stated|given"
    r"|listed|included|disclosed|documented|determined|recorded)\b",
    r"\b(?:unknown to me|beyond my|outside my|outside of my|knowledge cut ?off|my knowledge|my training|my database|my last update)\b",
    r"\b(?:not enough|insufficient|no|more|additional|further|limited|lack of|lacks?) (?:\w+ )?(?:information|context|details|data)\b",
    r"\b(?:does|do|did) not (?:\w+ )?(?:mention|specify|say|provide|state|contain|include|give|indicate|tell|ring a bell|appear in)\b",
    r"\b(?:could|can|would) you (?:please )?(?:provide|clarify|specify|give|tell|rephrase|share)\b",
    r"\bplease (?:provide|clarify|specify|give|rephrase)\b",
    r"\b(?:escapes me|draw(?:ing)? a blank|beats me|give up|good as mine|hard to say|difficult to say|not ring a bell)\b",
    r"\b(?:je ne sais pas|no lo se|no se la respuesta|ich weiss (?:es )?(?:leider )?nicht|nao sei|non lo so|не знаю|不知道|我不知道)\b",
)
_DENIAL = (
    r"\bthere (?:is|are|was|were|exists?|has been|have been) (?:\w+ ){0,3}no\b(?! (?:doubt|question|need|way))",
    r"\bthere (?:is|are|was|were|does|do) not (?:\w+ )?(?:a|an|any|appear|seem|exist)\b",
    r"\bno such\b",
    rf"\bnot {_SOME}exist\b",
    r"\b(?:non ?existent|nonexisting|non existing|fictitious|made up|imaginary|fabricated|hypothetical|hoax)\b",
    r"\bfictional\b(?! (?:character|author|person|writer)s? (?:named|called|known|from|in))",
    r"\bnot (?:\w+ ){0,3}(?:real|actual|recognized|recognised|existing|valid|genuine|legitimate|established|existent)\b",
    r"\bno (?:\w+ ){0,3}(?:record|records|evidence|mention|reference|references|trace|documentation)\b",
    r"\bno (?:known|widely known|real|existing|recognized|recognised|documented|publicly known|official|verified|well known|notable)\b",
    r"\bno (?:\w+ )?(?:country|city|town|element|person|people|book|novel|company|medicine|drug|species|place|work|chemical element"
    r"|symbol|author) (?:\w+ ){0,4}(?:called|named|with|by that|by this|of that|of this|known|titled|exists?)\b",
    r"\bnot (?:an? |the )(?:\w+ )?(?:country|city|town|element|person|book|novel|company|medicine|drug|species|place"
    r"|chemical|symbol|name|word|term)\b",
    r"\b(?:typo|misspell\w*|mis spelling|did you mean|misprint|mistaken|mix ?up)\b",
)
_REFUSAL = (
    rf"\b(?:can|could|will|would|shall|should|may) not (?:be able to )?(?:\w+ ){{0,2}}{_HELP}\b",
    rf"\b(?:unable|not able|not allowed|not permitted|not authorized|not going|not willing|not in a position) to (?:\w+ )?{_HELP}\b",
    r"\b(?:must|have to|need to|will have to|should) (?:\w+ )?(?:decline|refuse)\b",
    r"\b(?:i|we) (?:\w+ )?(?:decline|refuse)\b",
    r"\b(?:would rather not|prefer not to|rather not)\b",
)
_POLICY = (
    r"\b(?:against|violates?|under|due to|because of|per|outside) (?:\w+ )?(?:guidelines|policy|policies|programming|principles|rules"
    r"|terms)\b",
    r"\b(?:guidelines|content policy|safety policy|inappropriate|not appropriate|unethical|harmful|illegal|not comfortable"
    r"|not allowed|not permitted|sensitive topic|offensive)\b",
)
_WHOLE = frozenset(
    (
        "unknown|n a|na|none|null|nil|idk|no answer|not sure|unsure|not available|not applicable|undetermined|unspecified"
        "|pass|skip|abstain|no response|i abstain|i pass|i skip|undefined|nothing|no information|answer unknown|not found"
        "|do not know|not known|unidentified|nobody knows|no one knows|cannot say|can not say|uncertain|blank|no data"
    ).split("|")
)
_GUESSING = re.compile(
    r"\b(?:i (?:think|believe|guess|suppose|assume|would (?:say|guess|go with))|(?:my )?(?:best )?guess|maybe|perhaps|possibly"
    r"|probably|(?:may|might|could) be|likely|it is|it was|is (?:in|located in|called|the)|answer is|known as)\b"
)


def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


_IGNORANCE_RE, _DENIAL_RE, _REFUSAL_RE, _POLICY_RE = map(_any, (_IGNORANCE, _DENIAL, _REFUSAL, _POLICY))


def stance(clause: str) -> Stance:
    """Say what one clause of folded words does instead of answering.

    Repetition in the patterns is bounded, so the time is linear in the clause's length.

    >>> stance("i am not entirely sure"), stance("there is no such city"), stance("i can not help with that")
    (<Stance.IGNORANCE: 'ignorance'>, <Stance.DENIAL: 'denial'>, <Stance.REFUSAL: 'refusal'>)
    """
    if clause in _WHOLE:
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
