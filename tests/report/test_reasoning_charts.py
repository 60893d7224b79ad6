"""Charts of reasoning: what is laid over what, in which unit, and that Vega-Lite takes every one of them."""

import vl_convert

from hardlimit.core import Estimate, Finding, Interval, Measurement, Point, Standing, Tally
from hardlimit.core.quantity import (
    ACCEPTED_ACCURACY,
    ACCURACY,
    CHAIN_EFFECT,
    CHAIN_SUCCESS,
    FAMILIARITY_DROP,
    REASONING_THRESHOLD,
)
from hardlimit.report.charts import CONFIG, Scene, pictures
from hardlimit.stats import estimate
from hardlimit.theory import reasoning as theory


def measurement(name, quantity, points, **parameters):
    return Measurement(
        name=f"reasoning.{name}",
        quantity=quantity,
        probe="Hops()",
        model="0" * 16,
        seed=0,
        estimate=points[-1].estimate,
        tally=Tally(),
        points=tuple(points),
        parameters=parameters,
    )


def shares(right, wrong, malformed=0, **at):
    tally = Tally(right=right, wrong=wrong, malformed=malformed)
    return Point(at=at, estimate=estimate(right, tally.n, malformed), tally=tally)


def ranged(value, low, high, **at):
    return Point(
        at=at, estimate=Estimate(value=value, interval=Interval(low=low, high=high, level=0.95, method="x"), n=9)
    )


def drawn(measured, *findings, **others):
    made = pictures(Scene(measurement=measured, findings=findings, others=others))
    for picture in made:
        spec = {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", "config": CONFIG, **picture.spec}
        vl_convert.vegalite_to_vega(spec)
    return made


THRESHOLD = measurement(
    "threshold",
    REASONING_THRESHOLD,
    [
        ranged(3.0, 2.0, 4.5, family="hops", scratchpad=False),
        ranged(9.0, 7.0, None, family="hops", scratchpad=True),
        ranged(1.0, None, 1.5, family="zebra", scratchpad=False),
    ],
    **{"unit.hops": "pointers", "unit.zebra": "log10 of the arrangements"},
)


def difficulty(malformed):
    return measurement(
        "accuracy_by_difficulty",
        ACCURACY,
        [
            shares(8 - level, level - malformed, malformed, family=family, scratchpad=thinks, difficulty=float(level))
            for family in ("hops", "zebra")
            for thinks in (False, True)
            for level in (1, 2, 4)
        ],
    )


def labels(picture, kind):
    return [key.label for key in picture.legend if key.kind == kind]


def values(picture):
    """The measured rows of a chart."""
    return next(layer for layer in picture.spec["layer"] if "layer" in layer)["data"]["values"]


def test_difficulty_has_one_chart_for_each_family_with_its_thresholds():
    hops, zebra = drawn(difficulty(0), **{"reasoning.threshold": THRESHOLD})
    assert (hops.title, zebra.title) == ("hops", "zebra")
    assert labels(hops, "series") == ["at once", "step by step"]
    assert labels(hops, "threshold") == ["half is lost, at once: 3 pointers"]
    assert labels(hops, "band") == ["95% interval, at once: [2, 4.5]"]
    # The interval is open below: the band begins at the chart's edge, and no rule claims a threshold.
    assert labels(zebra, "threshold") == []
    assert labels(zebra, "band") == ["95% interval, at once: at most 1.5"]
    band = zebra.spec["layer"][0]["data"]["values"][0]
    assert band["x"] < 1.0
    assert band["x2"] == 1.5


def test_artefacts_are_a_series_of_their_own_where_there_are_any():
    hops, _ = drawn(difficulty(1), **{"reasoning.threshold": THRESHOLD})
    assert labels(hops, "series")[2:] == ["no answer (at once)", "no answer (step by step)"]
    spoilt = [each for each in values(hops) if each["s"] >= 2]
    assert [each["y"] for each in spoilt] == [0.125] * 6
    assert {each["interval"] for each in spoilt} == {"counted"}
    without, _ = drawn(difficulty(1))
    assert labels(without, "threshold") == labels(without, "band") == []


def test_thresholds_name_the_family_the_mode_and_the_unit():
    (picture,) = drawn(THRESHOLD)
    rows = picture.spec["layer"][-1]["data"]["values"]
    assert [(each["x"], each["unit"]) for each in rows] == [
        ("hops, at once", "pointers"),
        ("hops, step by step", "pointers"),
        ("zebra, at once", "log10 of the arrangements"),
    ]


def test_token_limits_show_what_was_cut_off():
    measured = measurement("token_budget", ACCURACY, [shares(b // 16, 2, 6, family="hops", budget=b) for b in (16, 64)])
    (picture,) = drawn(measured)
    assert labels(picture, "series") == ["hops: right", "hops: no answer"]
    assert [each["y"] for each in values(picture) if each["s"] == 1] == [6 / 9, 6 / 12]


def test_the_drop_says_how_often_the_familiar_answer_was_given():
    measured = measurement(
        "paired_drop",
        FAMILIARITY_DROP,
        [ranged(0.4, 0.1, 0.6, kind="premise"), ranged(0.0, -0.2, 0.2, kind="numbers")],
        **{"familiar.premise": 0.75},
    )
    (picture,) = drawn(measured)
    rows = picture.spec["layer"][-1]["data"]["values"]
    assert [each["familiar"] for each in rows] == ["75.0% of wrong answers", "no wrong answer"]
    assert labels(picture, "threshold") == ["nothing is lost"]


def test_mediation_shows_accuracies_and_effects():
    points = [
        shares(1, 7, intervention="none", kept=0.0),
        shares(4, 4, intervention="truncated", kept=0.5),
        shares(7, 1, intervention="own", kept=5 / 6),
    ]
    effects = {"total": 0.75, "total_low": 0.4, "total_high": 0.9, "mediated": 0.5, "pairs": 8}
    accuracy, effect = drawn(measurement("mediation", CHAIN_EFFECT, points, **effects))
    rows = accuracy.spec["layer"][-1]["data"]["values"]
    assert [each["x"] for each in rows] == ["no steps", "own steps, cut after 50%", "own steps"]
    (row,) = effect.spec["layer"][-1]["data"]["values"]  # an effect without its interval is not drawn
    assert (row["x"], row["y"], row["low"], row["high"], row["n"]) == ("total: own − none", 0.75, 0.4, 0.9, 8)
    assert len(drawn(measurement("mediation", CHAIN_EFFECT, points))) == 1


def test_chains_carry_the_fitted_laws():
    measured = measurement("chain_by_length", CHAIN_SUCCESS, [shares(8 - n, n, steps=n) for n in (1, 2, 3)])
    law = theory.chain_success_by_steps([1, 2, 3], 0.1)
    finding = Finding(claim=law, measurement=measured, standing=Standing.AGREES, says="x")
    (picture,) = drawn(measured, finding)
    assert labels(picture, "theory") == ["REAS-1: error accumulation over steps"]
    assert labels(picture, "threshold") == ["half of the chains"]


def test_samples_carry_each_ceiling_in_its_policys_colour():
    points = [
        shares(5 + k, 5 - k, policy=policy, k=2**k) for policy in ("verifier", "program verifier") for k in (0, 1, 2)
    ]
    accepted = measurement("accepted_accuracy", ACCEPTED_ACCURACY, points)
    bound = theory.best_of_k(0.5, 0.9, 0.1)
    own = measurement("accepted_accuracy", ACCEPTED_ACCURACY, points[3:])
    finding = Finding(claim=bound, measurement=own, standing=Standing.AT_BOUND, says="x")
    (picture,) = drawn(accepted, finding)
    (key,) = (key for key in picture.legend if key.kind == "theory")
    assert (key.label, key.index) == ("REAS-5: ceiling of the program verifier, 90.0%", 1)
    best = measurement("best_of_k", ACCURACY, points, best_k=2)
    assert labels(drawn(best)[0], "threshold") == ["k at which right − wrong was largest (verifier): 2"]
