"""From what lies inside to measurements: readouts, error by stage, collisions, the gap, attention on the picture."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hardlimit.audit.multimodal.asking import Inside, Trials
from hardlimit.core import Estimate, Interval, Measurement, Point, Scalar, Tally, quantity
from hardlimit.probes.measuring import is_right, share, tallied
from hardlimit.probes.multimodal.measure import Origin
from hardlimit.probes.multimodal.readout import Held, Readout, Stages, attribute, colliding, read
from hardlimit.stats import estimate, mean_interval

STAGES = ("encoder", "projector", "language model", "not located")


def measure_inside(trials: Trials, origin: Origin) -> list[Measurement]:
    """Measure everything that the inside tells."""
    if not trials.inside:
        return []
    readouts = {
        task: {name: read(tokens, inside.labels, inside.train) for name, tokens in inside.tokens.items()}
        for task, inside in trials.inside.items()
    }
    found = [
        by_stage(trials.inside, readouts, origin),
        readable(trials.inside, readouts, origin),
        collisions(trials.inside, origin),
        gap(trials.inside, origin),
    ]
    mass = attention(trials.inside, origin)
    return found if mass is None else [*found, mass]


def by_stage(
    inside: Mapping[str, Inside], readouts: Mapping[str, Mapping[str, Readout]], origin: Origin
) -> Measurement:
    """The error that enters at each stage, and what is not located, over all tasks and by task."""
    rng = np.random.default_rng([origin.seed, 6])
    held = {}
    for task, there in inside.items():
        hits = {name: readouts[task][name].right for name in ("encoder", "projector")}
        hits["model"] = np.array([is_right(item) for item in there.answered])
        held[task] = Held(hits, [item.case.cluster for item in there.answered], _proved(there))
    total = attribute(list(held.values()), rng)
    points = _stage_points("all tasks", total)
    for task, cases in held.items():
        points += _stage_points(task, attribute([cases], rng))
    parameters: dict[str, Scalar] = {}
    for stage, part in zip(STAGES, total, strict=True):
        key = f"error.{stage.replace(' ', '_')}"
        ends = {"_low": part.interval.low or 0.0, "_high": 1.0 if part.interval.high is None else part.interval.high}
        parameters |= {key: part.value, **{key + end: value for end, value in ends.items()}}
    answered = [item for there in inside.values() for item in there.answered]
    return origin.measurement(
        "error_by_stage",
        quantity.STAGE_ERROR,
        tallied(answered),
        value=share(answered, lambda item: not is_right(item)),
        points=points,
        parameters=parameters,
        note="The summary is the whole error on held-out pictures. The encoder's part is what codes shared by two "
        "answers prove; the language model's is what a simple readout finds behind the projector and the model does "
        "not answer. What is not located may be lost anywhere: a readout that fails proves nothing.",
    )


def _proved(inside: Inside) -> dict[str, NDArray[np.float64]]:
    """The error that each held-out case must cost: one half where its pair, or its colour, shares a code."""
    pairs = {stage: colliding(tokens) for stage, tokens in inside.tokens.items()}
    shared = {stage: np.repeat(same, 2)[~inside.train].astype(float) / 2 for stage, same in pairs.items()}
    merged = {name for kind in merged_kinds(inside) for name in kind.split(" or ")}
    colours = np.array([label in merged for label in inside.labels])[~inside.train].astype(float) / 2
    first = np.maximum(shared["encoder"], colours)
    return {"encoder": first, "projector": np.maximum(shared["projector"] - first, 0.0)}


def merged_kinds(inside: Inside) -> list[str]:
    """Pairs of colours that had one code in every pair of the two, such as `green or red`."""
    same, kinds = colliding(inside.tokens["encoder"]), np.array(inside.kinds)
    return [kind for kind in sorted(set(inside.kinds) - {""}) if same[kinds == kind].all()]


def _stage_points(task: str, stages: Stages) -> list[Point]:
    return [Point(at={"task": task, "stage": stage}, estimate=part) for stage, part in zip(STAGES, stages, strict=True)]


def readable(
    inside: Mapping[str, Inside], readouts: Mapping[str, Mapping[str, Readout]], origin: Origin
) -> Measurement:
    """Held-out accuracy of the best readout of each stage, beside the whole model's on the same pictures."""
    points, parameters = [], dict[str, Scalar]()
    for task, there in inside.items():
        for name in ("encoder", "projector"):
            readout = readouts[task][name]
            hits, n = int(readout.right.sum()), len(readout.right)
            points.append(Point(at={"task": task, "stage": name}, estimate=estimate(hits, n)))
            parameters[f"readout.{task}.{name}"] = readout.name
            parameters[f"nearest_error.{task}.{name}"] = float(1 - readout.nearest.mean())
        held = there.answered
        value = estimate(sum(map(is_right, held)), len(held))
        points.append(Point(at={"task": task, "stage": "whole model"}, estimate=value))
    return origin.measurement(
        "readable",
        quantity.ACCURACY,
        tallied(item for there in inside.values() for item in there.answered),
        value=None,
        points=points,
        parameters=parameters,
        note="Linear and nearest-neighbour readouts, chosen on the training half, tested on the other. A low one does "
        "not show that the information is gone; `nearest_error` is a finite-sample 1-NN error, not its limit.",
    )


def collisions(inside: Mapping[str, Inside], origin: Origin) -> Measurement:
    """Share of pairs with two answers and one code, at the encoder and behind the projector.

    Points are by task; where some pairs of a pair of colours or of a place collide, those have points of their own.
    The parameter `merged` names colours that had one code in every pair of the two.
    """
    points, merged = [], list[str]()
    counts = {stage: [0, 0] for stage in ("encoder", "projector")}
    for task, there in inside.items():
        merged += merged_kinds(there)
        names = np.array([_what(kind, place) for kind, place in zip(there.kinds, there.places, strict=True)])
        for stage, count in counts.items():
            same = colliding(there.tokens[stage])
            at: dict[str, Scalar] = {"task": task, "stage": stage}
            points.append(Point(at=at | {"what": "all"}, estimate=estimate(int(same.sum()), len(same))))
            count[0], count[1] = count[0] + int(same.sum()), count[1] + len(same)
            for name in sorted(set(names[same].tolist()) - {""}):
                which = names == name
                hits = estimate(int(same[which].sum()), int(which.sum()))
                points.append(Point(at=at | {"what": name}, estimate=hits))
    note = "Two pictures that need different answers and have one code cost half of their share in errors, for ever."
    return origin.measurement(
        "collisions",
        quantity.COLLISIONS,
        Tally(),
        value=estimate(*counts["encoder"]),
        points=points,
        parameters={"behind_projector": counts["projector"][0] / counts["projector"][1], "merged": "; ".join(merged)},
        note=note,
    )


def _what(kind: str, place: tuple[int, int] | None) -> str:
    return kind or ("" if place is None else f"place {place[0]},{place[1]}")


def gap(inside: Mapping[str, Inside], origin: Origin) -> Measurement:
    """How far picture tokens lie from words where the language model takes both in."""
    values = [each for there in inside.values() for each in there.gaps]
    value = Estimate(value=float(np.mean(values)), interval=mean_interval(values), n=len(values))
    note = "Distance of the mean picture token from the mean word; by itself no fault: no training loss punishes it."
    return origin.measurement("modality_gap", quantity.MODALITY_GAP, Tally(), value=value, note=note)


def attention(inside: Mapping[str, Inside], origin: Origin) -> Measurement | None:
    """Attention of the last prompt token on the whole picture, by layer; one row is read, not the matrix."""
    masses = [each.mean(axis=1) for there in inside.values() for each in there.masses if each.size]
    if len(masses) < 2:
        return None
    lengths = [each for there in inside.values() for each in there.lengths]
    table = np.stack(masses)
    points = [
        Point(
            at={"layer": layer},
            estimate=Estimate(
                value=float(table[:, layer].mean()), interval=_clipped(table[:, layer].tolist()), n=len(table)
            ),
        )
        for layer in range(table.shape[1])
    ]
    means = table.mean(axis=1).tolist()
    pictures, texts = (float(np.mean([each[part] for each in lengths])) for part in (0, 1))
    return origin.measurement(
        "visual_mass",
        quantity.VISUAL_MASS,
        Tally(),
        value=Estimate(value=float(np.mean(means)), interval=_clipped(means), n=len(means)),
        points=points,
        parameters={
            "image_tokens": pictures,
            "text_tokens": texts,
            "share_by_count": pictures / max(pictures + texts, 1.0),
        },
        note="Mean over heads, of the last token before the answer; `share_by_count` is what equal weights would give.",
    )


def _clipped(values: list[float]) -> Interval:
    interval = mean_interval(values)
    low, high = max(0.0, interval.low or 0.0), min(1.0, 1.0 if interval.high is None else interval.high)
    return Interval(low=low, high=high, level=interval.level, method=interval.method)
