import shutil
import sqlite3
from datetime import UTC, datetime

import msgspec
import pytest

from hardlimit.core import (
    Answered,
    Case,
    Estimate,
    Generate,
    Generated,
    Grade,
    InsufficientDataError,
    Interval,
    InvalidValueError,
    Message,
    Point,
    Tally,
    dumps,
)
from hardlimit.exchange import read_report, read_results, read_store
from hardlimit.models import ModelCard
from hardlimit.probes.hallucination import ShortFacts
from hardlimit.scaling import Reading, curves_in, pooled_by_subject
from hardlimit.store import Store, answer_key
from tests.report.sample import sample
from tests.report.sample_lab import experiment

SIZES = (10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000)


def counted_sample():
    """The sample report, its hallucination rate counted: 270 of 500 answers, 60 of 100 about cities."""
    report = sample()
    limit = report.limits[0]
    place = next(at for at, m in enumerate(limit.measurements) if m.name == "hallucination.facts")
    interval = Interval(low=0.5, high=0.58, level=0.95, method="clopper-pearson")
    cells = {"city": (60, 100), "lake": (1, 8)}
    points = tuple(
        Point(
            at={"family": family},
            estimate=Estimate(value=wrong / n, interval=interval, n=n),
            tally=Tally(right=n - wrong, wrong=wrong),
        )
        for family, (wrong, n) in cells.items()
    )
    facts = msgspec.structs.replace(
        limit.measurements[place],
        estimate=Estimate(value=270 / 500, interval=interval, n=500),
        tally=Tally(right=230, wrong=270, abstained=20),
        points=points,
    )
    measurements = (*limit.measurements[:place], facts, *limit.measurements[place + 1 :])
    limits = (msgspec.structs.replace(limit, measurements=measurements), *report.limits[1:])
    return msgspec.structs.replace(report, limits=limits)


def audited(folder, size, *, name="local:small"):
    """The folder of one audit: the sample report under another model's name."""
    folder.mkdir(parents=True)
    report = counted_sample()
    card = msgspec.structs.replace(report.model, name=name, parameters=size)
    (folder / "report.json").write_text(dumps(msgspec.structs.replace(report, model=card)), encoding="utf-8")
    return folder


def test_what_stands_beside_an_audit_is_passed_over_unless_it_is_named(tmp_path):
    folder = audited(tmp_path / "a", SIZES[0])
    (folder / "lab").mkdir()
    (folder / "lab" / "crowding.quick.json").write_text(dumps(experiment()), encoding="utf-8")
    assert read_results([folder]) == read_report(folder / "report.json")
    with pytest.raises(InvalidValueError, match="neither a result of lm-evaluation-harness"):
        read_results([folder / "lab" / "crowding.quick.json"])


def answered(index, grade, **factors):
    ask = Generate(messages=(Message(role="user", content=f"{index}?"),), max_tokens=4)
    case = Case(id=f"c{index}", ask=ask, gold=("x",), factors={"family": "city", **factors})
    return Answered(case=case, reply=Generated(text="x", finish="stop"), grade=grade, answer="x")


def stored(path, grades, *, size=1_000_000, setting="plain"):
    card = ModelCard(name=f"toy:m-{size}", adapter="toy", revision="1", parameters=size)
    probe = ShortFacts(family="city", setting=setting)
    with Store.open(path) as store:
        store.begin(card, seed=0, budget="1m", started=datetime(2026, 1, 1, tzinfo=UTC))
        for index, (grade, factors) in enumerate(grades):
            one = answered(index, grade, **factors)
            store.keep_answer(answer_key(card.fingerprint, probe, one.case), one, model=card.fingerprint, probe=probe)
    return path


def test_a_family_of_audits_becomes_curves(tmp_path):
    folders = [audited(tmp_path / f"m{size}", size, name=f"local:m{size}") for size in SIZES]
    stored(folders[0] / "answers.sqlite", [(Grade.RIGHT, {})])
    records = read_results([tmp_path])
    # The report says all that the answers beside it say, so these are not read a second time.
    assert {record.source for record in records} == {f"{folder.name}/report.json" for folder in folders}
    table = curves_in(records, Reading(family="local:"))
    rate = next(curve for curve in table.curves if curve.task == "hallucination.facts")
    assert rate.scales.tolist() == [float(size) for size in SIZES]
    assert (rate.metric, rate.better, rate.best, rate.fraction) == ("hallucination_rate", "lower", 0.0, True)
    assert rate.values.tolist() == [0.54] * 4 and rate.items.tolist() == [500] * 4
    assert rate.apart and rate.subject == "hallucination"
    assert rate.stderrs[0] == pytest.approx(0.08 / 2 / 1.959964)
    cell = next(curve for curve in table.curves if curve.task == "hallucination.facts (family=city)")
    assert cell.values.tolist() == [0.6] * 4 and cell.items.tolist() == [100] * 4
    # Items of a cell are items of the whole: they must not be added up.
    assert pooled_by_subject(table.curves, at_least=2) == ()
    # A score is no share: the mean has no count behind it.
    score = next(curve for curve in table.curves if curve.task == "hallucination.score")
    assert (score.fraction, score.items) == (False, None)
    # A quantity without a best value (tokens of context), and one with no direction, have no loss.
    assert not [curve for curve in table.curves if curve.task in {"context.effective", "hallucination.tail_exponent"}]


def test_a_broken_measurement_is_no_result(tmp_path):
    report = sample()
    broken = [m.name for limit in report.limits for m in limit.measurements if m.broken]
    assert broken, "the sample has none, so this would test nothing"
    records = read_report(audited(tmp_path / "a", 10) / "report.json")
    assert not {record.task.split(" (")[0] for record in records} & set(broken)


def test_one_model_twice_and_one_file_twice(tmp_path):
    folders = [audited(tmp_path / name, 1_000_000) for name in ("a", "b")]
    with pytest.raises(InvalidValueError, match=r"has 2 results at scale 1e\+06 \(a/report.json, b/report.json\)"):
        curves_in(read_results(folders))
    assert read_results([folders[0], folders[0] / "report.json"]) == read_results([folders[0]])
    with pytest.raises(InsufficientDataError, match="No task was measured at 3 scales or more"):
        curves_in(read_results([folders[0]]))


def test_a_store_is_counted(tmp_path):
    plain = [(Grade.RIGHT, {})] * 3 + [(Grade.WRONG, {})] * 4 + [(Grade.MALFORMED, {})]
    again = [(Grade.RIGHT, {"about": "c0"})] * 5
    path = stored(tmp_path / "answers.sqlite", plain + again)
    stored(path, plain[:5], size=5_000_000)
    stored(path, plain, setting="stated")
    records = {record.model: record for record in read_store(path)}
    one = records["toy:m-1000000"]
    assert (one.task, one.metric, one.value, one.n) == ("ShortFacts (family=city)", "accuracy", 3 / 8, 8)
    assert (one.scale, one.better, one.best, one.counted) == (1e6, "higher", 1.0, True)
    assert (records["toy:m-5000000"].n, len(read_store(path))) == (5, 2)
    # The same model again in another folder is the same result twice.
    (tmp_path / "copy").mkdir()
    shutil.copy(path, tmp_path / "copy" / "answers.sqlite")
    with pytest.raises(InvalidValueError, match="has 2 results at scale 1e"):
        curves_in(read_results([tmp_path]), Reading(family="toy"))


def test_what_is_no_audit_is_refused(tmp_path):
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE t (x)")
    database.close()
    with pytest.raises(InvalidValueError) as foreign:
        read_results([other])
    assert str(foreign.value) == (
        f"{other} cannot be read as a store: {other} is not a store: it is the SQLite file of another program. It was "
        "left as it is; name another file."
    )
    empty = stored(tmp_path / "empty.sqlite", [])
    with pytest.raises(InvalidValueError) as nothing:
        read_store(empty)
    assert str(nothing.value) == (
        f"{empty} holds no graded answer to a question; run the audit that it belongs to first."
    )
    damaged = audited(tmp_path / "a", 10) / "report.json"
    damaged.write_text(damaged.read_text().replace('"seed": 7', '"seed": "x"', 1))
    with pytest.raises(
        InvalidValueError, match=r"is not the report of an audit that can be read: This AuditReport doc"
    ):
        read_results([damaged])
