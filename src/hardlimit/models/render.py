"""From messages to token ids: chat templates, and where a stretch of a message lies among the tokens."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from hardlimit.core import InvalidValueError, Message, Span

_SEPARATOR = "\n\n"


@dataclass(frozen=True)
class Turn:
    """A turn as the template sees it, and the messages that went into it as `(message, offset)`."""

    role: str
    content: str
    parts: tuple[tuple[int, int], ...]


class Renderer:
    """Turns conversations into the text and the token ids that a model is fed.

    With a chat template, the text is what `apply_chat_template(…, add_generation_prompt=True)` gives, and it is
    tokenized as it stands. Without one, the contents are joined by blank lines, and the tokenizer adds the special
    tokens that it adds by itself (such as a first token). A system message goes into the first user turn where the
    template has no place for it.

    Args:
        tokenizer: a transformers tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._has_template = tokenizer.chat_template is not None
        self._has_system = self._has_template and self._keeps_system()

    @property
    def chat(self) -> str:
        """How messages become text: `plain`, or `template:` and the first 12 digits of the template's SHA-256."""
        if not self._has_template:
            return "plain"
        return f"template:{hashlib.sha256(str(self._tokenizer.chat_template).encode()).hexdigest()[:12]}"

    @property
    def system(self) -> str:
        """Where a system message goes: `own turn`, `first user turn`, or `joined` where there is no template."""
        if not self._has_template:
            return "joined"
        return "own turn" if self._has_system else "first user turn"

    def text(self, messages: Sequence[Message]) -> str:
        """The text that the model is fed for a conversation.

        Raises:
            InvalidValueError: if the template refuses the conversation.
        """
        return self._text(self._turns(messages))

    def tokens(self, text: str) -> list[int]:
        """Token ids of rendered text.

        Raises:
            InvalidValueError: if it cannot be tokenized, as a lone surrogate cannot.
        """
        try:
            ids: list[int] = self._encoded(text)["input_ids"]
        except (TypeError, ValueError) as error:
            raise InvalidValueError(f"The prompt cannot be tokenized: {error}") from error
        eos = self._tokenizer.eos_token_id
        if not self._has_template and ids and ids[-1] == eos and not text.endswith(str(self._tokenizer.eos_token)):
            ids.pop()  # a tokenizer that closes every text would end the conversation before it begins
        return ids

    def count(self, text: str) -> int:
        """Number of tokens of a text by itself."""
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of generated tokens, special ones left out."""
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def continued(self, messages: Sequence[Message], continuation: str) -> tuple[list[int], int]:
        """Token ids of the conversation with a continuation, and how many of them are the prompt's.

        The boundary is the longest common prefix with the prompt alone: where the last characters of the prompt
        merge with the first ones of the continuation, the merged token belongs to the continuation.
        """
        prompt = self.text(messages)
        alone, whole = self.tokens(prompt), self.tokens(prompt + continuation)
        boundary = 0
        while boundary < min(len(alone), len(whole)) and alone[boundary] == whole[boundary]:
            boundary += 1
        return whole, boundary

    def located(self, messages: Sequence[Message], spans: Sequence[Span]) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of the conversation, and `(first, last + 1)` token positions of each span.

        A token belongs to a span if it holds any character of it.

        Raises:
            InvalidValueError: if a span cannot be found in the rendered text.
        """
        turns = self._turns(messages)
        text = self._text(turns)
        places = self._places(turns, text)
        ids, offsets = self.tokens(text), self._offsets(text)
        found = []
        for span in spans:
            start, end = self._characters(span, messages, places)
            inside = [i for i, (a, b) in enumerate(offsets[: len(ids)]) if a < end and b > start]
            if not inside:
                raise InvalidValueError(f"The span '{span.name}' holds no token of the rendered prompt.")
            found.append((inside[0], inside[-1] + 1))
        return ids, found

    def _offsets(self, text: str) -> list[tuple[int, int]]:
        """The first and the last + 1 character of every token."""
        try:
            offsets: list[tuple[int, int]] = self._encoded(text, return_offsets_mapping=True)["offset_mapping"]
        except NotImplementedError as error:
            raise InvalidValueError("The model's tokenizer does not tell which characters a token holds.") from error
        return offsets

    def _encoded(self, text: str, **options: bool) -> Any:
        # Not verbose: a text longer than the window is answered with an error, and needs no warning.
        return self._tokenizer(text, add_special_tokens=not self._has_template, verbose=False, **options)

    def _keeps_system(self) -> bool:
        probe = [Turn("system", "first-probe", ()), Turn("user", "second-probe", ())]
        try:
            text = self._text(probe)
        except InvalidValueError:
            return False
        return "first-probe" in text and "second-probe" in text

    def _turns(self, messages: Sequence[Message]) -> list[Turn]:
        turns = [Turn(m.role, m.content, ((i, 0),)) for i, m in enumerate(messages)]
        if self._has_template and not self._has_system:
            turns = _folded(turns)
        return turns

    def _text(self, turns: Sequence[Turn]) -> str:
        if not self._has_template:
            return _SEPARATOR.join(turn.content for turn in turns)
        conversation = [{"role": turn.role, "content": turn.content} for turn in turns]
        try:
            text: str = self._tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True)
        except (TemplateError, TypeError, ValueError, KeyError, IndexError) as error:
            roles = ", ".join(turn.role for turn in turns)
            raise InvalidValueError(
                f"The model's chat template refuses a conversation with the turns {roles}: {error}"
            ) from error
        return text

    def _places(self, turns: Sequence[Turn], text: str) -> list[tuple[int, int, int] | None]:
        """Where each turn's content lies in the text, as `(start, first character kept, characters kept)`."""
        if not self._has_template:
            starts = [sum(len(t.content) + len(_SEPARATOR) for t in turns[:i]) for i in range(len(turns))]
            return [(start, 0, len(turn.content)) for start, turn in zip(starts, turns, strict=True)]
        marks = [f"⟦{i}¦content⟧" for i in range(len(turns))]
        glue = self._text([Turn(t.role, mark, ()) for t, mark in zip(turns, marks, strict=True)])
        return _aligned(text, glue, marks, [turn.content for turn in turns])

    def _characters(
        self, span: Span, messages: Sequence[Message], places: Sequence[tuple[int, int, int] | None]
    ) -> tuple[int, int]:
        if not 0 <= span.message < len(messages) or not 0 <= span.start < span.end <= len(
            messages[span.message].content
        ):
            raise InvalidValueError(
                f"The span '{span.name}' is message {span.message}, characters {span.start} to {span.end}, "
                "which the request's messages do not have."
            )
        for turn, place in zip(self._turns(messages), places, strict=True):
            for message, offset in turn.parts:
                if message == span.message and place is not None:
                    at, dropped, kept = place
                    start = max(span.start + offset - dropped, 0)
                    end = min(span.end + offset - dropped, kept)
                    if start < end:
                        return at + start, at + end
        raise InvalidValueError(
            f"The span '{span.name}' cannot be found in the rendered prompt: the chat template changes the content of "
            f"message {span.message}."
        )


def _folded(turns: Sequence[Turn]) -> list[Turn]:
    """Move every system turn into the user turn that follows it, or into a user turn of its own at the end."""
    result: list[Turn] = []
    waiting: list[Turn] = []
    for turn in turns:
        if turn.role == "system":
            waiting.append(turn)
        elif turn.role == "user" and waiting:
            result.append(_joined([*waiting, turn]))
            waiting = []
        else:
            result.append(turn)
    return [*result, _joined(waiting)] if waiting else result


def _joined(turns: Sequence[Turn]) -> Turn:
    content, parts = "", []
    for turn in turns:
        content += _SEPARATOR if content else ""
        parts += [(message, offset + len(content)) for message, offset in turn.parts]
        content += turn.content
    return Turn("user", content, tuple(parts))


def _aligned(text: str, glue: str, marks: Sequence[str], contents: Sequence[str]) -> list[tuple[int, int, int] | None]:
    """Find each content in a rendered text, given the same rendering with marks in the contents' place.

    Templates may strip a content's blanks, so each of the strippings is tried. What stands between two contents
    must be what stands between their marks; from where it does not, nothing is found, rather than guessed.

    >>> _aligned("<u>hi</u>", "<u>@@</u>", ["@@"], ["  hi "])
    [(3, 2, 2)]
    """
    places: list[tuple[int, int, int] | None] = [None] * len(contents)
    at = 0
    rest = glue
    for i, (mark, content) in enumerate(zip(marks, contents, strict=True)):
        before, found, rest = rest.partition(mark)
        if not found or not text.startswith(before, at):
            return places
        at += len(before)
        following = rest.partition(marks[i + 1])[0] if i + 1 < len(marks) else rest
        lead = len(content) - len(content.lstrip())
        for dropped, kept in ((0, content), (lead, content.strip()), (0, content.rstrip()), (lead, content.lstrip())):
            if text.startswith(kept + following, at):
                places[i] = (at, dropped, len(kept))
                at += len(kept)
                break
        else:
            return places
    return places
