import pytest

from hardlimit.core import InsufficientDataError, InvalidValueError, Resource
from hardlimit.scaling import Curve, Reading, Record, ScalePoint, chance_of, count_from, curves_in, family_in, size_in


def record(model="fam-1b", value=0.5, **fields):
    return Record(**{"model": model, "task": "t", "metric": "acc", "value": value, "n": 100, **fields})


def family(values=(0.3, 0.4, 0.5, 0.55), models=("fam-100m", "fam-1b", "fam-3b", "fam-10b"), **fields):
    return [
        record(model, value, source=f"f line {i}", **fields)
        for i, (model, value) in enumerate(zip(models, values, strict=True), 1)
    ]


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("EleutherAI/pythia-v1.1-6.9b", 6.9e9),
        ("pythia-70m-deduped", 7e7),
        ("bloom-560m", 5.6e8),
        ("bloom-1b7", 1.7e9),
        ("bigscience/bloom-7b1", 7.1e9),
        ("facebook/xglm-564M", 5.64e8),
        ("facebook/opt-1.3b", 1.3e9),
        ("meta-llama/Llama-2-70b-hf", 7e10),
        ("Qwen/Qwen2.5-0.5B", 5e8),
        ("cerebras/Cerebras-GPT-111M", 1.11e8),
        ("SmolLM2-135M-Instruct", 1.35e8),
        ("gpt2-xl", None),
        ("Mixtral-8x7B", None),
        ("distilled-7b-to-1b", None),
        ("model-step143000", None),
    ],
)
def test_sizes_in_names(name, size):
    found = size_in(name)
    assert found is None if size is None else found == pytest.approx(size)


def test_families_in_names():
    assert family_in("EleutherAI/pythia-v1.1-6.9b") == family_in("EleutherAI/pythia-v1.1-70m")
    assert family_in("bloom-1b7") == family_in("bloom-560m") == "bloom-*"
    assert family_in("pythia-70m") != family_in("pythia-70m-deduped")


def test_a_curve_is_read():
    (curve,) = curves_in(family(task="piqa")).curves
    assert curve.scales.tolist() == [1e8, 1e9, 3e9, 1e10]
    assert curve.values.tolist() == [0.3, 0.4, 0.5, 0.55]
    assert (curve.better, curve.fraction, curve.best, curve.chance, curve.family) == ("higher", True, 1.0, 0.5, "fam-*")
    assert curve.items.tolist() == [100] * 4
    assert curve.losses.tolist() == pytest.approx([0.7, 0.6, 0.5, 0.45])


def test_counts_follow_from_standard_errors():
    # se² = p(1 − p)/(n − 1); a score of 1 has no error, and takes the count of the others.
    assert count_from(0.25, (0.25 * 0.75 / 99) ** 0.5) == 100
    rows = family((0.5, 0.6, 0.8, 1.0), n=None)
    rows = [
        Record(**{**{f: getattr(r, f) for f in r.__struct_fields__}, "stderr": (r.value * (1 - r.value) / 199) ** 0.5})
        for r in rows
    ]
    (curve,) = curves_in(rows).curves
    assert curve.items.tolist() == [200] * 4


def test_percentages_are_recognised_and_mixtures_refused():
    (curve,) = curves_in(family((30.0, 40.0, 50.0, 55.0))).curves
    assert curve.values.tolist() == pytest.approx([0.3, 0.4, 0.5, 0.55])
    with pytest.raises(InvalidValueError) as mixed:
        curves_in(family((0.3, 40.0, 50.0, 55.0)))
    assert str(mixed.value) == (
        "t/acc is a share of items, but its values run from 0.3 to 55: fractions and percentages seem mixed. Correct "
        "the file, or pass --percent acc if all are percentages."
    )
    (told,) = curves_in(family((0.9, 40.0, 50.0, 55.0)), Reading(percent=("acc",))).curves
    assert told.values[0] == pytest.approx(0.009)


def test_perplexities_are_read_as_nats():
    (curve,) = curves_in(family((20.0, 10.0, 8.0, 7.0), metric="ppl", stderr=0.5)).curves
    assert curve.metric == "ln ppl" and curve.better == "lower" and not curve.fraction
    assert curve.values.tolist() == pytest.approx([2.9957, 2.3026, 2.0794, 1.9459], abs=1e-4)
    assert curve.stderrs.tolist() == pytest.approx([0.025, 0.05, 0.0625, 0.5 / 7])


def test_directions():
    (lower,) = curves_in(family(metric="pct_stereotype")).curves
    assert lower.better == "lower" and lower.best == 0.0 and lower.fraction
    with pytest.raises(InvalidValueError) as unknown:
        curves_in(family(metric="vibes"))
    assert str(unknown.value) == (
        "Whether more of the metric 'vibes' is better is not known. Say it with --better vibes=higher or --better "
        "vibes=lower."
    )
    (told,) = curves_in(family(metric="vibes"), Reading(better={"vibes": "higher"})).curves
    assert told.better == "higher" and told.best == 1.0
    (stated,) = curves_in(family((3.0, 2.0, 1.5, 1.0), metric="vibes", better="lower")).curves
    assert stated.better == "lower" and stated.best == 0.0


def test_sizes_from_the_file_a_table_or_a_pattern():
    stated = [
        record(f"model {name}", value, scale=scale)
        for name, value, scale in (("a", 0.3, 1e8), ("b", 0.4, 1e9), ("c", 0.5, 1e10))
    ]
    with pytest.raises(InvalidValueError, match="mix 3 families"):
        curves_in(stated)
    by_family = curves_in(stated, Reading(family="model"))
    assert by_family.curves[0].scales.tolist() == [1e8, 1e9, 1e10]
    table = Reading(scales={"model a": 1.0, "model b": 2.0, "model c": 3.0})
    assert curves_in(stated, table).curves[0].scales.tolist() == [1.0, 2.0, 3.0]
    odd = [record(f"net_{size}M_v2", value) for size, value in ((10, 0.3), (20, 0.4), (40, 0.5))]
    read = curves_in(odd, Reading(pattern=r"_(\d+M)_", family="net"))
    assert read.curves[0].scales.tolist() == [1e7, 2e7, 4e7]


def test_an_unknown_size_is_refused_with_the_way_out():
    rows = [*family(), record("fam-large", source="x.csv line 9")]
    with pytest.raises(InvalidValueError) as raised:
        curves_in(rows, Reading(family="fam"))
    assert str(raised.value) == (
        "The size of the model 'fam-large' is not known (x.csv line 9): its name does not state it once. Say it with "
        "--scale 'fam-large=1.3e9'."
    )


def test_mixed_families_are_refused_and_chosen_from():
    rows = family() + family(models=("other-100m", "other-1b", "other-3b", "other-10b"))
    with pytest.raises(InvalidValueError) as raised:
        curves_in(rows)
    assert str(raised.value) == (
        "These results mix 2 families of models: fam-* (4 results), other-* (4 results). A curve holds everything but "
        "the size fixed: choose one with --family TEXT, or say the sizes yourself with --scale NAME=PARAMETERS."
    )
    assert curves_in(rows, Reading(family="other")).curves[0].family == "other-*"
    with pytest.raises(InvalidValueError) as none:
        curves_in(rows, Reading(family="third"))
    assert str(none.value) == "No model's name holds 'third'. Families here: fam-*, other-*."


def test_duplicates_are_refused_or_averaged():
    rows = [*family(), record("fam-1b", 0.46, source="f line 9")]
    with pytest.raises(InvalidValueError) as raised:
        curves_in(rows)
    assert str(raised.value) == (
        "t/acc has 2 results at scale 1e+09 (f line 2, f line 9). Remove the extra ones, or pass --average if they are "
        "seeds of one setting."
    )
    (curve,) = curves_in(rows, Reading(average=True)).curves
    assert curve.values[1] == pytest.approx(0.43) and curve.items[1] == 200


def test_checkpoints_of_one_run_are_no_points():
    rows = [record("fam-1b", 0.3 + 0.01 * k, step=1000 * k) for k in range(1, 6)]
    with pytest.raises(InvalidValueError) as raised:
        curves_in(rows, Reading(resource=Resource.DATA))
    assert str(raised.value) == (
        "The 5 checkpoints of fam-1b come from one training run: they are not independent points, and a law fitted to "
        "them looks surer than it is (false floors rise from 5 % to 15 %). Give one finished run per amount of data; "
        "or pass --independent if these are separate runs."
    )
    told = Reading(resource=Resource.DATA, independent=True, tokens_per_step=2e6)
    assert curves_in(rows, told).curves[0].scales.tolist() == [2e9, 4e9, 6e9, 8e9, 1e10]
    with pytest.raises(InvalidValueError) as models:
        curves_in([*rows, record("fam-2b", step=1)], Reading(resource=Resource.DATA))
    assert str(models.value) == (
        "Training data is the resource, but these are 2 models: fam-1b, fam-2b. Choose one with --family TEXT."
    )


def test_the_last_common_checkpoint_is_read():
    rows = [
        record(model, 0.3 + step / 1000, step=step) for step in (10, 20) for model in ("fam-100m", "fam-1b", "fam-3b")
    ]
    rows.append(record("fam-100m", 0.9, step=30))
    read = curves_in(rows)
    assert read.curves[0].values.tolist() == pytest.approx([0.32] * 3)
    assert read.notes == ("Read at training step 20; checkpoints of one run are not independent points.",)
    assert curves_in(rows, Reading(step=10)).curves[0].values[0] == pytest.approx(0.31)
    with pytest.raises(InvalidValueError) as missing:
        curves_in(rows, Reading(step=30))
    assert str(missing.value) == "Not every model has step 30. Steps that all have: [10, 20]."
    apart = [record("fam-100m", step=5), record("fam-1b", step=6)]
    with pytest.raises(InvalidValueError) as none:
        curves_in(apart)
    assert str(none.value) == (
        "The models share no training step: fam-100m ends at 5, fam-1b ends at 6. A curve over sizes needs equal "
        "training; choose files of one step."
    )


def test_shots_make_separate_tasks_and_short_tasks_are_skipped():
    rows = family(shots=0) + family(shots=5) + [record("fam-1b", task="rare"), record("fam-3b", task="rare")]
    read = curves_in(rows)
    assert [curve.task for curve in read.curves] == ["t (0-shot)", "t (5-shot)"]
    assert read.skipped == (("rare/acc", "2 scales; 3 are needed"),)


def test_subjects():
    rows = []
    for task in ("mmlu-a", "crows_x_1", "crows_x_2", "crows_x_3", "alone_task"):
        rows += family(task=task)
    rows += family(task="given", subject="mine")
    subjects = {curve.task: curve.subject for curve in curves_in(rows).curves}
    assert subjects == {
        "mmlu-a": "mmlu", "crows_x_1": "crows", "crows_x_2": "crows", "crows_x_3": "crows",
        "alone_task": "alone_task", "given": "mine",
    }  # fmt: skip


def test_chance_and_ceilings():
    assert chance_of("hendrycksTest-anatomy") == 0.25 and chance_of("unknown") is None
    (curve,) = curves_in(family(task="mine"), Reading(chance={"mine": 0.2}, best={"mine": 0.95})).curves
    assert curve.chance == 0.2 and curve.best == 0.95
    assert curve.losses[0] == pytest.approx(0.65)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: curves_in([]),
            InsufficientDataError,
            "The results hold no number at all; give at least one file with results.",
        ),
        (
            lambda: curves_in(family()[:1]),
            InsufficientDataError,
            "No task was measured at 3 scales or more (1 have fewer, such as t/acc); a curve needs results of at least "
            "3 sizes of one family.",
        ),
        (
            lambda: curves_in(family((1.0, 0.9, 3.0, 2.0), metric="ppl")),
            InvalidValueError,
            "A perplexity must be > 1, got 1 (f line 1).",
        ),
        (
            lambda: curves_in(family((300.0, 400.0, 500.0, 600.0), metric="acc")),
            InvalidValueError,
            "t/acc is known as a share of items, but its values run from 300 to 600, which are neither fractions nor "
            "percentages. Correct the file, or, if this is another metric, give it a name of its own and say --better "
            "NAME=higher or lower.",
        ),
        (
            lambda: curves_in(family((0.1, 0.0, 0.3, 0.2), metric="loss")),
            InsufficientDataError,
            "No curve can be judged. t/loss: a value of 0 reaches or passes the best possible one (0), and the number "
            "of items behind it is not known. Give n, or a best value that cannot be reached (--best TASK=…).",
        ),
        (
            lambda: ScalePoint(scale=0.0, value=1.0, model="m"),
            InvalidValueError,
            "A scale must be > 0, got 0 for m.",
        ),
        (
            lambda: Curve.of([1.0, 1.0], [2.0, 1.0]),
            InsufficientDataError,
            "task/loss was measured at 1 scale; a curve needs at least 2 different ones.",
        ),
        (
            lambda: Curve(
                task="t",
                metric="acc",
                points=(ScalePoint(scale=1.0, value=50.0), ScalePoint(scale=2.0, value=60.0)),
            ),
            InvalidValueError,
            "t/acc is a share of items, so its values must lie in [0, 1]; got [50.0, 60.0]. Percentages must be "
            "divided by 100.",
        ),
        (
            lambda: ScalePoint(scale=1.0, value=float("nan")),
            InvalidValueError,
            "ScalePoint.value must be finite, got nan; absence is None.",
        ),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
