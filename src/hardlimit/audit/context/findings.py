"""Findings about context: softmax dispersion, crowding and the cost of memory beside what this model did."""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from hardlimit.core import Claim, Estimate, Finding, Measurement, Point, Standing, Tally
from hardlimit.models import ModelCard
from hardlimit.probes.context import Reading
from hardlimit.stats import mean_interval
from hardlimit.theory import context as theory

_BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}


def findings(found: Mapping[str, Measurement], readings: Sequence[Reading]) -> tuple[Finding, ...]:
    """Set each claim beside its measurement."""
    margin = found.get("context.margin")
    if margin is None:
        return ()
    return (*_dispersion(margin), *_crowding(margin, readings))


def _heads(margin: Measurement) -> list[tuple[int, int]]:
    return [tuple(map(int, head.split("."))) for head in str(margin.parameters["heads"]).split(", ")]  # type: ignore[misc]


def _dispersion(margin: Measurement) -> list[Finding]:
    """The margin against ln N beside CTX-3: at a fixed law of the distractors it falls by ln 2 per doubling."""
    low, high = margin.parameters.get("slope_low"), margin.parameters.get("slope_high")
    first = _heads(margin)[0]
    points = [p for p in margin.points if (p.at["layer"], p.at["head"]) == first]
    if low is None or high is None or len(points) < 2:
        return []
    law = theory.margin_by_length([float(p.at["length"]) for p in points], points[0].estimate.value)
    predicted, slope = -math.log(2), float(margin.parameters["slope_per_doubling"])
    low, high = float(low), float(high)
    standing = Standing.AGREES if low <= predicted <= high else Standing.DISAGREES
    if high - low > 2 * math.log(2):
        standing = Standing.UNDETERMINED
    meaning = {
        Standing.AGREES: "as when distractors only grow in number",
        Standing.DISAGREES: "slower than by number alone: the model wins part of it back"
        if slope > predicted
        else "faster than by number alone: longer stories also hold stronger distractors",
        Standing.UNDETERMINED: "too few readings to tell",
    }[standing]
    return [
        Finding(
            claim=law,
            measurement=margin,
            standing=standing,
            says=f"In the heads that look for the needle, its margin changes by {slope:+.2f} nats per doubling "
            f"({low:+.2f} to {high:+.2f}); the law of a fixed spread says {predicted:+.2f}: {meaning}.",
        )
    ]


def _crowding(margin: Measurement, readings: Sequence[Reading]) -> list[Finding]:
    """The margin that random distractors of the measured spread would leave, beside the measured margin (CTX-4)."""
    good = [r for r in readings if r.attended.error is None and r.attended.spans and r.attended.spans[0].spread]
    layer, head = _heads(margin)[0]
    lengths = sorted({int(r.case.factors["length"]) for r in good})
    if len(lengths) < 2:
        return []
    gap, spread, points = [], [], []
    for length in lengths:
        there = [r for r in good if r.case.factors["length"] == length]
        gap.append(float(np.mean([r.attended.spans[0].gap[layer][head] for r in there])))
        spread.append(float(np.mean([r.attended.spans[0].spread[layer][head] for r in there])))
        margins = [r.attended.spans[0].margin[layer][head] for r in there]
        estimate = Estimate(value=float(np.mean(margins)), interval=mean_interval(margins), n=len(margins))
        points.append(Point(at={"length": length, "layer": layer, "head": head}, estimate=estimate))
    keys = [float(np.mean([r.attended.keys for r in good if r.case.factors["length"] == length])) for length in lengths]
    law = theory.crowded_margin(keys, gap[0], spread[0])
    here = msgspec.structs.replace(
        law,
        points=tuple(
            (float(n), theory.crowded_margin([k, 2 * k], g, s).points[0][1])
            for n, k, g, s in zip(lengths, keys, gap, spread, strict=True)
        ),
        parameters={**law.parameters, "gap_at_longest": gap[-1], "spread_at_longest": spread[-1]},
    )
    apart = [y - p.estimate.value for (_, y), p in zip(here.points, points, strict=True)]
    inside = [y in p.estimate.interval for (_, y), p in zip(here.points, points, strict=True)]
    measured = msgspec.structs.replace(margin, points=tuple(points), estimate=points[-1].estimate, tally=Tally())
    return [
        Finding(
            claim=here,
            measurement=measured,
            standing=Standing.AGREES if all(inside) else Standing.DISAGREES,
            says=f"Head {layer}.{head}: if its distractors were independent and normal with the measured spread "
            f"(σ = {spread[-1]:.2f} nats at {lengths[-1]:,} tokens), the margin would be {here.points[-1][1]:+.2f}, "
            "and "
            f"it is {points[-1].estimate.value:+.2f} (differences by length: {', '.join(f'{d:+.2f}' for d in apart)}).",
        )
    ]


def memory(card: ModelCard, lengths: Sequence[int]) -> tuple[tuple[Claim, ...], tuple[Measurement, ...]]:
    """The KV cache by length (CTX-6), and the length at which attention costs as much as the weights."""
    if card.layers is None or card.kv_heads is None or card.head_width is None or card.heads is None:
        return (), ()
    width = _BYTES.get(card.dtype or "", 2.0)
    per_token = float(theory.kv_bytes(card.layers, card.kv_heads, card.head_width, width))
    claims: list[Claim] = [theory.kv_memory_by_length(per_token, lengths)]
    if card.window is not None:
        claims.append(
            theory.kv_memory(card.layers, card.kv_heads, card.head_width, tokens=card.window, bytes_per_number=width)
        )
    if card.parameters is not None:
        attention = card.heads * card.head_width
        claims.append(
            theory.attention_crossover(card.parameters, card.layers, attention, tokens=card.window or lengths[-1])
        )
    return tuple(claims), ()
