"""The study of retrieval: readers of known ability get the verdicts that follow from it."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest

from hardlimit.audit import AuditReport, LimitReport
from hardlimit.audit.budget import Budget, Meter
from hardlimit.audit.desk import Desk
from hardlimit.audit.judging import judge
from hardlimit.audit.plan import Plan, audit
from hardlimit.audit.retrieval import asking, gains
from hardlimit.audit.retrieval.findings import optimum, optimum_interval
from hardlimit.core import Generated, Resource, Silent, Standing, Tally, Verdict, dumps, loads
from hardlimit.models.toy.retrieval import BagOfLetters, Reader
from hardlimit.probes.retrieval import Collection, Query, coined_corpus
from hardlimit.probes.retrieval.facts import capitals
from hardlimit.probes.retrieval.fits import fit_reader_curve
from hardlimit.probes.retrieval.probe import TOKENS_PER_WORD
from hardlimit.probes.retrieval.relations import CAPITAL, RELATIONS
from hardlimit.store import Store
from hardlimit.theory import retrieval as theory


@dataclass
class Knows(Reader):
    """Knows some capitals by itself, and nothing that was coined."""

    def reads(self, case):
        known = case.factors.get("facts") == "capital" or bool(case.factors.get("passages"))
        return super().reads(case) if known else 0.0


@pytest.fixture
def small(monkeypatch):
    """Fewer questions and smaller corpora than an unlimited budget asks for."""
    monkeypatch.setattr(asking, "MOST", dict.fromkeys(asking.MOST, 16) | {"reader": 48, "curve": 40})
    for module in ("asking", "measuring"):
        monkeypatch.setattr(f"hardlimit.audit.retrieval.{module}.SIZES", (100, 400))
        monkeypatch.setattr(f"hardlimit.audit.retrieval.{module}.SIZES_WITH_ENCODER", (100, 200))


def studied(model, tmp_path, monkeypatch=None, **plan) -> LimitReport:
    with Store.open(tmp_path / "answers.sqlite") as store:
        report = audit(model, Plan(limits=("retrieval",), **{"budget": Budget(), **plan}), store, Silent())
    assert loads(dumps(report), AuditReport) == report
    return report.limits[0]


def verdicts(report: LimitReport) -> dict[Resource, Verdict]:
    return {verdict.resource: verdict.verdict for verdict in report.verdicts}


def measured(report: LimitReport, name: str):
    return next(m for m in report.measurements if m.name == f"retrieval.{name}")


@pytest.mark.usefixtures("small")
def test_a_reader_that_is_distracted_is_told_to_retrieve_little(tmp_path):
    """δ = 0.2: from 4 to 8 passages it loses 0.8³ − 0.8⁷ = 30 points, and it knows a twentieth of the capitals."""
    toy = Knows(a_rel=1.0, a_irr=0.02, closed_book=0.05, delta=0.2, gullible=0.7, abstains=0.5)
    report = studied(toy, tmp_path)
    judged = verdicts(report)
    assert judged[Resource.RETRIEVAL] == Verdict.HELPS
    assert judged[Resource.DOCUMENTS] == Verdict.HURTS
    assert judged[Resource.EMBEDDING] == judged[Resource.PRECISION] == Verdict.UNDETERMINED
    assert "Retrieve: it pays for this model." in report.advice
    because = next(v.because for v in report.verdicts if v.resource == Resource.RETRIEVAL)
    assert "n = 48) against the closed book" in because
    assert "Send about 2 passages, not what the window holds." in report.advice
    assert "Planted texts are believed: check where passages come from." in report.advice
    curve = measured(report, "accuracy_by_passages")
    assert curve.parameters["delta_low"] < 0.2 < curve.parameters["delta_high"]
    best = theory.optimal_passages(curve.parameters["p"], 0.2)
    assert curve.parameters["k_star_low"] <= best <= curve.parameters["k_star_high"]
    assert {f.claim.statement.id: f.standing for f in report.findings}["RETR-2"] is Standing.AGREES
    even = measured(report, "break_even").estimate
    # With 4 passages a_rel = 0.8³ = 0.51, a_irr = 0.02, a₀ = 0.05: r* = 0.06.
    assert theory.break_even_recall(0.05, 0.02, 0.8**3) in even.interval
    assert [exhibit.title for exhibit in report.exhibits] == [
        "The answer stood there",
        "The answer did not stand there, and it gave one",
        "A planted text was believed",
    ]
    assert {claim.statement.id for claim in report.claims} >= {"RETR-1", "RETR-4", "RETR-6"}
    assert not report.undecided[0].startswith("The budget")


@pytest.mark.usefixtures("small")
def test_a_model_that_knows_the_facts_is_told_not_to_retrieve(tmp_path):
    toy = Knows(a_rel=0.6, a_irr=0.3, closed_book=0.97, delta=0.0)
    report = studied(toy, tmp_path)
    judged = verdicts(report)
    assert judged[Resource.RETRIEVAL] == Verdict.HURTS
    assert judged[Resource.DOCUMENTS] != Verdict.HURTS
    assert "Do not retrieve for facts that the model knows" in report.advice
    assert measured(report, "break_even").parameters["never"] > 0.95


@pytest.mark.usefixtures("small")
def test_the_users_own_questions_decide_whether_retrieval_pays(tmp_path):
    corpus, queries = coined_corpus(documents=60, queries=24, seed=3)
    unnamed = [Query(id=query.id, text=query.text, answers=query.answers) for query in queries[:4]]
    collection = Collection(corpus=corpus, queries=(*unnamed, *queries[4:]))
    report = studied(Knows(a_rel=0.95, a_irr=0.0, closed_book=0.0, delta=0.02), tmp_path, collection=collection)
    on_retrieval = next(v for v in report.verdicts if v.resource == Resource.RETRIEVAL)
    assert on_retrieval.verdict == Verdict.HELPS
    assert on_retrieval.because.startswith("On your questions 4 retrieved documents change the accuracy by +")
    assert on_retrieval.basis == "measured"
    recall = measured(report, "own_recall_at_k")
    assert "For 4 of 24 questions the needed documents are not named" in recall.note
    assert recall.points[-1].tally.n == 24
    assert measured(report, "own_accuracy_by_passages").tally.n == 24
    assert measured(report, "own_reader").parameters["a0"] == 0.0


@pytest.mark.usefixtures("small")
def test_an_encoder_adds_dense_retrieval_margins_and_drift(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["hardlimit.audit.retrieval.study"], "encoder_for", lambda model: BagOfLetters())
    report = studied(Knows(), tmp_path, budget=Budget(tokens=20_000))
    names = {m.name.partition(".")[2] for m in report.measurements}
    assert {"margin", "drift", "recall_at_k", "recall_by_corpus", "poison_by_corpus"} <= names
    retrievers = {point.at["retriever"] for point in measured(report, "recall_at_k").points}
    assert retrievers == {"oracle", "bm25", "dense", "hybrid", "none"}
    drift = next(f for f in report.findings if f.claim.statement.id == "RETR-5")
    assert drift.standing is Standing.CLEAR_OF_BOUND
    laws = [f for f in report.findings if f.claim.statement.id == "RETR-3"]
    assert {point.at["retriever"] for f in laws for point in f.measurement.points} <= {"bm25", "dense"}
    assert laws
    assert report.undecided[0].startswith("The budget ended these designs before all their questions were asked: ")
    assert "rewritten by templates" in measured(report, "drift").note


def test_a_model_that_rewrites_makes_chains(tmp_path):
    """It adds a word each time, once says nothing, and its chain ends there."""

    def answer(request):
        query = request.messages[0].content.rpartition("Query: ")[2]
        return "" if query.count("more") == 2 else f"{query} more\nNote: done"

    class Rewriter(Knows):
        def generate(self, requests):
            for index, request in enumerate(requests):
                yield index, Generated(text=answer(request), finish="stop")

    with Store.open(tmp_path / "answers.sqlite") as store:
        trials = asking.Trials()
        asking._rewrite(Desk(Rewriter(), store, Meter(Budget()), Silent()), trials, 0)
    assert len(trials.chains) == asking.REWRITTEN
    for first, *later in trials.chains:
        assert later == [f"{first} more", f"{first} more more"]


def test_a_budget_that_ends_at_once_is_said(tmp_path):
    report = studied(Knows(), tmp_path, budget=Budget(tokens=1))
    assert report.applies is False
    assert report.headline.startswith("Not measured: the budget was spent")


def test_break_even_covers_the_truth():
    """300 draws of 40 questions at nominal 95 %: below 0.90 with probability 0.0004."""
    rng = np.random.default_rng(4)
    truth = np.array([0.4, 0.85, 0.15])
    wanted = theory.break_even_recall(0.4, 0.15, 0.85)
    inside = 0
    for _ in range(300):
        right = (rng.random((40, 3)) < truth).astype(float)
        spread = gains.summed_up(gains.break_even(gains.shares_drawn(right, rng, 1000)), 40, level=0.95)
        inside += wanted in spread.interval
    assert inside / 300 >= 0.90


def test_pairing_narrows_a_gain():
    rng = np.random.default_rng(0)
    first = (np.arange(60) % 2).astype(float)
    paired = gains.shares_drawn(np.column_stack([first, first]), rng)
    crossed = gains.shares_drawn(np.column_stack([first, np.repeat([0.0, 1.0], 30)]), rng)
    spread = [np.std(drawn[:, 1] - drawn[:, 0]) for drawn in (paired, crossed)]
    assert spread[0] < 0.6 * spread[1]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((20, 80), (70, 30), Verdict.HELPS),
        ((70, 30), (20, 80), Verdict.HURTS),
        ((400, 400), (404, 396), Verdict.CANNOT_PROGRESS),
        ((5, 5), (6, 4), Verdict.UNDETERMINED),
    ],
)
def test_a_change_of_recall_can_come_out_every_way(before, after, expected):
    tallies = [Tally(right=right, wrong=wrong) for right, wrong in (before, after)]
    assert judge(gains.difference(*tallies, np.random.default_rng(0))) == expected


def test_the_best_number_has_no_upper_end_where_nothing_distracts():
    assert optimum(0.3, 0.0) is None
    assert optimum(0.0, 0.1) is None
    ranks, right = [1, 1, 2, 1, 1, 2], np.ones((6, 3))
    right[[2, 5], 0] = 0.0
    low, high = optimum_interval(fit_reader_curve(ranks, (1, 2, 4), right, seed=0))
    assert high is None
    assert low > 0


def test_every_telling_sentence_fits_into_a_short_passage():
    names = {"x": "Aaaa Bbbb", "y": "Cccc Dddd"}
    told = [text.format(**names) for kind in RELATIONS for text in (*kind.statements, *kind.withdrawn)]
    told += [
        text.format(x=fact.subject, y=fact.answers[0])
        for fact in capitals(0)
        for text in (*CAPITAL.statements, *CAPITAL.withdrawn)
    ]
    assert max(round(len(text.split()) * TOKENS_PER_WORD) for text in told) <= asking.TOKENS_A_PASSAGE
