"""Cleaning: what a person would read of a reply, without markup, reasoning blocks, loops and invented dialogue."""

import re
from collections.abc import Sequence

from hardlimit.core import Value
from hardlimit.probes.grading.folding import Word, shorten

_SPECIAL = re.compile(
    r"<\|[^|<>\n]{0,40}\|>|</?(?:s|pad|unk|eos|bos|start_of_turn|end_of_turn)>|\[/?INST\]", re.IGNORECASE
)
_THOUGHT_ENDS = re.compile(r"</(?:think|thinking|thought|reasoning|scratchpad)>", re.IGNORECASE)
_THOUGHT_BEGINS = re.compile(r"<(?:think|thinking|thought|reasoning|scratchpad)>", re.IGNORECASE)
_SPEAKER = re.compile(
    r"\n[ \t]*[*#]{0,4}(?:user|human|question|q|assistant|system|ai|instruction)\b[*]{0,2}[ \t]*[:\d]", re.IGNORECASE
)
_MARKER = re.compile(
    r"(?:^|[\n.!?*(\"'{] ?)[*_\"' ]{0,4}(?:(?:the |my )?(?:final |short |correct |best )?answer|a)[*_\"']{0,3} ?"
    r"(?:is ?)?:",
    re.IGNORECASE,
)
_LONGEST_PERIOD = 24
_FEWEST_REPEATED = 8


class Cleaned(Value, frozen=True):
    """The readable part of a reply.

    Args:
        text: what is left to grade.
        cut: whether the reply ended inside a reasoning block, before any answer.
    """

    text: str
    cut: bool = False


def clean(text: str) -> Cleaned:
    r"""Take away what is not the answer: reasoning blocks, special tokens, markup, invented turns, `Answer:` labels.

    >>> clean("<think>hmm, Lyon?</think>\n**Answer:** Paris\nUser: And Spain?").text
    'Paris'
    """
    text = shorten(text)
    thoughts = list(_THOUGHT_ENDS.finditer(text))
    if thoughts:
        text = text[thoughts[-1].end() :]
    opening = _THOUGHT_BEGINS.search(text)
    if opening is not None:
        text = text[: opening.start()]
    cut = opening is not None and not text.strip()
    text = _SPECIAL.sub(" ", text).strip()
    turn = _SPEAKER.search(text)
    if turn is not None and text[: turn.start()].strip():
        text = text[: turn.start()]
    labels = list(_MARKER.finditer(text))
    if labels and text[labels[-1].end() :].strip(" *_\n\"'"):
        text = text[labels[-1].end() :]
    return Cleaned(text=text.replace("**", "").replace("__", " ").replace("#", " ").strip(), cut=cut)


def garbled(text: str) -> bool:
    """Whether a text is not language: too few letters and digits, or undecodable characters.

    >>> garbled("@#$ %^&* ()"), garbled("Paris!"), garbled("\ufffd\ufffd\ufffd ok")
    (True, False, True)
    """
    dense = "".join(text.split())
    readable = sum(letter.isalnum() for letter in dense)
    return readable < 0.4 * len(dense) or dense.count("\ufffd") > 0.2 * len(dense)


def before_loop(words: Sequence[Word]) -> Sequence[Word]:
    """Cut a reply that repeats itself: keep what was complete when the repetition began.

    A loop is a stretch of at least eight words that repeats its last 1 to 24 words at least twice more. What is kept
    ends with the first copy where that copy ends a sentence, else with the last sentence before it.

    >>> from hardlimit.probes.grading.folding import read_words
    >>> [word.text for word in before_loop(read_words("It is Oslo. " * 9))]
    ['it', 'is', 'oslo']
    >>> before_loop(read_words("Oslo " * 20))
    ()
    """
    texts = [word.text for word in words]
    for period in range(1, _LONGEST_PERIOD + 1):
        run = 0
        for index in range(period, len(texts)):
            run = run + 1 if texts[index] == texts[index - period] else 0
            if run >= max(2 * period, _FEWEST_REPEATED):
                keep = index - run + 1
                while keep > 0 and keep < len(words) and words[keep].sentence == words[keep - 1].sentence:
                    keep -= 1
                return words[:keep]
    return words
