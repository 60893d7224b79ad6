"""What lengthens the context that a model uses: its attention changed, on haystacks too long for it as it is."""

import math
from collections.abc import Iterator

import msgspec

from hardlimit.audit.context.asking import SHORTEST, longest
from hardlimit.audit.desk import Desk
from hardlimit.audit.document import LimitReport, Mitigation
from hardlimit.audit.mitigating.measuring import Trial, measured
from hardlimit.core import CapabilityError, Case, Grade, MissingExtraError
from hardlimit.mitigations.attention import Change, ChunkThenToken, LogScaled, Rescaled, TopK, WindowSink
from hardlimit.models import Model
from hardlimit.probes.context import Needle

NEEDLES = 8
PILOT = 2
"""Haystacks per length, in looking for a length beyond the effective context."""

HAYSTACKS = 8
"""Beyond it, without and with each change. Questions about one haystack are not independent: it is haystacks that are
compared, and eight that all change one way have p = 1/128, which five changes leave below 0.05 after Holm."""

LOST = 0.25
"""Share of the accuracy above chance at the shortest length whose loss ends the effective context."""

_PILOT, _MEASURED = 310, 311


def mitigations(desk: Desk, seed: int, report: LimitReport | None = None) -> tuple[Mitigation, ...]:
    """Changed attention and rescaled positions, on needles in their own words beyond the effective context.

    The length is twice the effective context that the study found, else it is looked for here. Only where the model
    runs here, since a server's attention cannot be changed; nothing is measured where even the shortest haystack is
    too long for it, or none is.
    """
    if desk.model.card.adapter not in {"embedded", "local"}:
        return ()
    length = _twice_the_effective(desk, report) or beyond(desk.share(0.3), seed)
    if length is None:
        return ()
    probe = Needle(variant="literal", length=length, needles=NEEDLES)
    count = desk.model.count_tokens
    cases = [case for index in range(HAYSTACKS) for case in probe.haystack(seed + _MEASURED, index, count)]
    trials = [
        Trial(f"{words} ({length:,} tokens)", model, rewords=False) for words, model in _changed(desk.model, length)
    ]
    return measured(desk, probe, cases, trials)


def _twice_the_effective(desk: Desk, report: LimitReport | None) -> int | None:
    """Twice the effective context that was measured, in steps of 64 tokens, where such haystacks fit."""
    found = [each for each in report.measurements if each.name == "context.effective"] if report is not None else []
    if not found or found[0].estimate is None:
        return None
    length = 64 * math.ceil(2 * found[0].estimate.value / 64)
    return length if SHORTEST < length <= longest(desk.model) else None


def beyond(desk: Desk, seed: int) -> int | None:
    """The first length, doubling from the shortest, where a quarter of the accuracy above chance is lost, or None.

    Its haystacks serve nothing else, so that a length which had bad luck here is not kept for it.
    """
    probe = Needle(variant="literal", length=SHORTEST, needles=NEEDLES)
    base: float | None = None
    while probe.length <= longest(desk.model) and not desk.meter.exhausted:
        answered = desk.ask(probe, _haystacks(probe, desk, seed), what=f"needles in {probe.length:,} tokens")
        if len(answered) < PILOT * NEEDLES:
            return None
        right = sum(item.grade is Grade.RIGHT for item in answered) / len(answered) - probe.chance
        if base is None:
            base = right
            if base <= probe.chance:
                return None
        elif right < (1 - LOST) * base:
            return probe.length
        probe = msgspec.structs.replace(probe, length=2 * probe.length)
    return None


def _haystacks(probe: Needle, desk: Desk, seed: int) -> list[Case]:
    count = desk.model.count_tokens
    return [case for index in range(PILOT) for case in probe.haystack(seed + _PILOT, index, count)]


def _changed(model: Model, length: int) -> Iterator[tuple[str, Model]]:
    """The model with each change that it takes, in words; the most important first."""
    try:
        from hardlimit.mitigations.attention.opening import with_attention
        from hardlimit.models.local import LocalModel
    except MissingExtraError:
        return
    changes: tuple[tuple[str, Change], ...] = (
        ("logits scaled by ln n / ln n₀", LogScaled(reference=length // 2)),
        ("positions rescaled twofold (YaRN)", Rescaled(kind="yarn", factor=2.0, original=length // 2)),
        ("hierarchical attention, chunk then token", ChunkThenToken(chunk=32, chosen=8)),
        ("the 64 best keys of each head alone", TopK(keys=64)),
        ("a window and sinks", WindowSink(window=length // 2)),
    )
    if not isinstance(model, LocalModel):
        return
    for words, change in changes:
        try:
            yield words, with_attention(model, change)
        except CapabilityError:
            continue
