"""Reading passages: measurements of readers of known ability, and fits that find what was planted."""

from dataclasses import dataclass

import numpy as np
import pytest

from hardlimit.core import Answered, Generated, Grade, InsufficientDataError, InvalidValueError
from hardlimit.models.toy.retrieval import Reader
from hardlimit.probes.retrieval import BM25, Corpus, Document, Oracle, Origin, Passages, Query, coined_corpus, measure
from hardlimit.probes.retrieval.fits import Belief, fit_belief, fit_hit, fit_reader_curve
from hardlimit.probes.retrieval.reader import LONGEST_DOCUMENT, Retrieved, needed_ranks_or_answers
from hardlimit.testing.probes import check_probe

from .toys import ask

ORIGIN = Origin(probe="Passages()", model="toy", seed=0)


@dataclass
class Knows(Reader):
    """Knows some capitals by itself, and nothing that was coined."""

    def reads(self, case):
        known = case.factors.get("facts") == "capital" or bool(case.factors["passages"])
        return super().reads(case) if known else 0.0


def asked(toy, *probes, n=60, seed=0):
    return [item for probe in probes for item in ask(toy, probe, probe.cases(seed=seed, n=n))]


def test_retrieved_passages_keep_the_contract_of_probes():
    check_probe(Retrieved(documents=30, passages=2), n=8)


def test_sufficiency_of_what_was_retrieved_is_what_the_prompt_holds():
    corpus, queries = coined_corpus(documents=150, queries=30, seed=1)
    found = BM25(corpus).search(queries, 2)
    cases = Retrieved(documents=150).from_ranking(corpus, queries, found, (0, 1, 2))
    assert {case.factors["rank"] for case in cases} == {0, 1, 2}
    texts = {document.id: document.text for document in corpus.documents}
    by_id = {query.id: query for query in queries}
    assert len(cases) == 3 * len(queries)
    for case in cases:
        (gold,) = by_id[str(case.factors["question"])].gold
        prompt = case.ask.messages[0].content
        assert case.factors["sufficient"] is (texts[gold] in prompt)
        assert prompt.count("Passage ") == case.factors["passages"] == case.factors["shown"]
        if case.factors["sufficient"]:
            place = int(case.factors["place"])
            assert prompt.split("Passage ")[1 + place].startswith(f"{place + 1}: {texts[gold]}")
    sufficient = [bool(case.factors["sufficient"]) for case in cases]
    assert 0 < sum(sufficient) < len(sufficient)


def test_prompts_of_one_question_share_their_beginning():
    corpus, queries = coined_corpus(documents=40, queries=3, seed=0)
    cases = Retrieved(documents=40).from_ranking(corpus, queries, Oracle(corpus).search(queries, 1), (0, 1))
    alone = cases[0].ask.messages[0].content
    assert "Passage" not in alone
    assert alone.endswith(queries[0].text)
    found = BM25(corpus).search(queries, 4)
    two, four = (
        case.ask.messages[0].content.rpartition("\n\nQuestion: ")[0]
        for case in Retrieved(documents=40).from_ranking(corpus, queries[:1], found[:1], (2, 4))
    )
    assert four.startswith(two)


def test_ranks_need_every_named_document_or_any_with_the_answer():
    corpus = Corpus(
        name="four",
        documents=tuple(
            Document(id=name, text=text)
            for name, text in zip("abcd", ("It is Oslo.", "No.", "Oslo again.", "Nothing."), strict=True)
        ),
    )
    both = Query(id="1", text="Where?", answers=("Oslo",), gold=("a", "d"))
    unnamed = Query(id="2", text="Where?", answers=("Oslo",))
    nowhere = Query(id="3", text="Where?", answers=("Bergen",))
    found = np.array([[0, 1, 3], [1, 2, 0], [0, 1, 2]])
    assert needed_ranks_or_answers(corpus, (both, unnamed, nowhere), found).tolist() == [3, 2, 0]
    assert needed_ranks_or_answers(corpus, (both,), found[:1, :2]).tolist() == [0]


def test_long_documents_are_cut_and_counted():
    corpus = Corpus(name="one", documents=(Document(id="a", text="word " * LONGEST_DOCUMENT),))
    queries = (Query(id="1", text="Where?", answers=("here",), gold=("a",)),)
    (case,) = Retrieved(corpus="x").from_ranking(corpus, queries, np.array([[0]]), (1,))
    assert case.factors["cut"] == 1
    assert len(case.ask.messages[0].content) < LONGEST_DOCUMENT + 200


def test_the_reader_measurement_finds_the_planted_accuracies():
    """Each planted value lies in its exact 95 % interval; with this seed all do."""
    toy = Knows(a_rel=0.8, a_irr=0.2, closed_book=0.4, seed=2)
    settings = [
        Passages(facts="capital", passages=k, gold=gold, kind=kind, rule="any knowledge")
        for k, gold, kind in ((0, "absent", "random"), (3, "present", "random"), (3, "absent", "same topic"))
    ]
    settings.append(Passages(facts="capital", passages=3, gold="absent", kind="random", rule="any knowledge"))
    answered = asked(toy, *settings)
    made = measure.reader(answered, ORIGIN)
    shares = {point.at["condition"]: point.estimate for point in made.points}
    assert list(shares) == ["closed book", "gold in context", "distractors only", "all noise"]
    for condition, planted in zip(shares, (0.4, 0.8, 0.2, 0.2), strict=True):
        assert planted in shares[condition].interval
    assert made.estimate == shares["gold in context"]
    assert made.parameters["a0"] == shares["closed book"].value
    assert made.parameters["a_irr"] == shares["distractors only"].value
    right = measure.paired_rights(answered, measure.condition_of, ("closed book", "gold in context"))
    assert right.shape == (60, 2)
    assert right.mean(axis=0).tolist() == [shares["closed book"].value, shares["gold in context"].value]


def test_answers_without_support_are_counted_where_abstaining_is_right():
    toy = Reader(abstains=0.7, seed=1)
    answered = asked(toy, *(Passages(gold="absent", kind=kind) for kind in ("random", "same topic")))
    made = measure.insufficient(answered, ORIGIN)
    assert made.estimate is not None
    assert 0.3 in made.estimate.interval
    assert {point.at["kind"] for point in made.points} == {"random", "same topic"}
    assert made.tally.right + made.tally.wrong == 120
    assert made.estimate.value == made.tally.wrong / 120


def test_positions_noise_and_hops_are_read_off_as_planted():
    toy = Reader(a_rel=1.0, a_irr=0.0, profile=(1.0, 0.0, 1.0))
    places = asked(toy, *(Passages(passages=3, position=p, rule="any knowledge") for p in (0.0, 0.5, 1.0)), n=12)
    made = measure.accuracy_by_position(places, ORIGIN)
    assert [(p.at["position"], p.estimate.value) for p in made.points] == [(0.0, 1.0), (0.5, 0.0), (1.0, 1.0)]
    assert made.estimate is not None
    assert made.estimate.value == pytest.approx(2 / 3)
    noisy = asked(Reader(a_rel=1.0), *(Passages(passages=4, noise=n, kind="random") for n in (0.0, 0.5)), n=8)
    assert [p.at for p in measure.accuracy_by_noise(noisy, ORIGIN).points] == [
        {"kind": "none", "noise": 0.0},
        {"kind": "random", "noise": 0.5},
    ]
    hops = measure.hops(asked(Reader(a_rel=1.0, delta=0.0), *(Passages(hops=h) for h in (1, 2)), n=6), ORIGIN)
    assert [(p.at["hops"], p.estimate.value) for p in hops.points] == [(1, 1.0), (2, 1.0)]


def test_belief_in_planted_texts_is_found():
    toy = Reader(a_rel=0.9, gullible=0.4, seed=3)
    answered = asked(toy, *(Passages(passages=5, poison=dose, rule="any knowledge") for dose in (0, 1, 2, 4)))
    made = measure.poisoning(answered, ORIGIN)
    assert [point.at["dose"] for point in made.points] == [1, 2, 4]
    for point, dose in zip(made.points, (1, 2, 4), strict=True):
        assert 1 - 0.6**dose in point.estimate.interval
    p = made.parameters
    assert p["each_low"] < 0.4 < p["each_high"]
    assert p["dose50_low"] < np.log(0.5) / np.log(0.6) < p["dose50_high"]
    assert p["accuracy.0"] > p["accuracy.4"]


@pytest.mark.parametrize(
    ("grade", "answer", "expected"),
    [
        (Grade.WRONG, "the Loswick", True),
        (Grade.WRONG, "Loswick or Karholm", False),
        (Grade.WRONG, "Karholm", False),
        (Grade.RIGHT, "Loswick", False),
        (Grade.ABSTAINED, None, False),
    ],
)
def test_misled_is_only_who_answers_the_target(grade, answer, expected):
    (case,) = Passages(passages=3, poison=1).cases(seed=0, n=1)
    factors = {**case.factors, "target": "Loswick"}
    case = type(case)(id="x", ask=case.ask, gold=case.gold, factors=factors)
    item = Answered(case=case, reply=Generated(text="", finish="stop"), grade=grade, answer=answer)
    assert measure.misled(item) is expected


@pytest.mark.parametrize(
    ("name", "right", "passed"),
    [("trivial", 8, True), ("trivial", 2, False), ("impossible", 0, True), ("impossible", 8, False)],
)
def test_controls_can_fail(name, right, passed):
    (case,) = Passages(passages=1).cases(seed=0, n=1)
    reply = Generated(text="x", finish="stop")
    answers = [
        Answered(case=case, reply=reply, grade=Grade.RIGHT if i < right else Grade.WRONG, answer="x") for i in range(8)
    ]
    assert measure.control(name, answers).passed is passed
    assert measure.control(name, []).passed is False


KS = (1, 2, 4, 8, 16)


def drawn(rng, *, p, a, delta, questions):
    """Questions with geometric ranks, cut off at 16, and answers by the law of RETR-2."""
    ranks = rng.geometric(p, size=questions)
    chance = a * (1 - delta) ** (np.array(KS) - 1)
    right = (rng.random((questions, len(KS))) < chance) & (ranks[:, None] <= np.array(KS))
    return np.where(ranks <= KS[-1], ranks, 0).tolist(), right.astype(float)


def test_the_reader_curve_covers_what_was_planted(rng):
    """120 fits at nominal 95 %: below 0.88 each with probability 0.0015 at most."""
    inside = np.zeros(2)
    values = []
    for seed in range(120):
        ranks, right = drawn(rng, p=0.35, a=0.85, delta=0.06, questions=50)
        curve = fit_reader_curve(ranks, KS, right, seed=seed)
        inside += [0.35 in curve.hit_interval, 0.06 in curve.loss_interval]
        values.append((curve.hit, curve.scale, curve.loss))
    assert (inside / 120 >= 0.88).all(), inside
    assert np.median(values, axis=0) == pytest.approx([0.35, 0.85, 0.06], abs=0.03)


def test_belief_covers_what_was_planted(rng):
    """400 fits at nominal 95 %: below 0.91 with probability 0.0005."""
    doses, n = (1, 2, 4), (20, 20, 20)
    inside = 0
    for _ in range(400):
        successes = [int(rng.binomial(20, 1 - 0.75**dose)) for dose in doses]
        belief = fit_belief(doses, successes, n)
        inside += belief.low <= 0.25 <= belief.high
    assert inside / 400 >= 0.91


def test_fits_at_the_edges():
    assert fit_belief([1, 2], [0, 0], [10, 10]).low == 0.0
    assert 0 < fit_belief([1, 2], [0, 0], [10, 10]).high < 0.2
    certain = fit_belief([1, 2], [10, 10], [10, 10])
    assert certain.each == certain.high == 1.0
    assert 0.7 < certain.low < 1.0
    assert Belief.half(certain.each) == 0.0
    assert fit_hit([0, 0, 3], 4)[0] == pytest.approx(1 / 11)
    with pytest.raises(InvalidValueError, match=r"Ranks must lie in \[0, depth\]"):
        fit_hit([5], 4)
    with pytest.raises(InsufficientDataError, match="A reader's curve needs 2 numbers of passages and 2 questions"):
        fit_reader_curve([0, 0], [1, 2], np.zeros((2, 2)), seed=0)


def test_few_answers_that_are_all_right_leave_room_for_distraction():
    """Ten questions, always right: δ could still be some per cent, and any number of passages the best."""
    curve = fit_reader_curve([1] * 10, (1, 2, 4), np.ones((10, 3)), seed=0)
    assert (curve.scale, curve.loss, curve.loss_interval.low) == (1.0, 0.0, 0.0)
    assert 0.01 < curve.loss_interval.high < 0.2
    corpus, queries = coined_corpus(documents=60, queries=10, seed=2)
    probe = Retrieved(documents=60)
    cases = probe.from_ranking(corpus, queries, Oracle(corpus).search(queries, 1), (1, 2, 4))
    best = measure.best_passages(ask(Reader(a_rel=1.0), probe, cases), ORIGIN)
    assert (best.estimate.value, best.estimate.interval.low, best.estimate.interval.high) == (1, 1, 4)


def test_accuracy_without_the_passage_is_part_of_the_curve():
    ranks, right = [1, 1, 0, 0], np.array([[1.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    assert fit_reader_curve(ranks, (1, 2), right, seed=0).without == 0.5
    assert fit_reader_curve(ranks[:2], (1, 2), right[:2], seed=0).without == 0.0


def test_accuracy_by_passages_reports_best_recall_and_fit():
    toy = Reader(a_rel=0.95, a_irr=0.0, delta=0.12, seed=4)
    corpus, queries = coined_corpus(documents=150, queries=40, seed=2)
    probe = Retrieved(documents=150)
    cases = probe.from_ranking(corpus, queries, BM25(corpus).search(queries, 16), (0, *KS))
    answered = ask(toy, probe, cases)
    made, curve = measure.accuracy_by_passages(answered, ORIGIN)
    assert curve is not None
    assert [point.at["passages"] for point in made.points] == list(KS)
    assert 0.12 in curve.loss_interval
    best = max(made.points, key=lambda point: point.estimate.value)
    assert made.parameters["best"] == best.at["passages"]
    ranks, _, _ = measure.curve_table(answered)
    assert made.parameters["recall.2"] == np.mean([0 < rank <= 2 for rank in ranks])
    number = measure.best_passages(answered, ORIGIN)
    assert number.estimate is not None
    assert number.estimate.value == best.at["passages"]
    assert number.estimate.interval.high < 16
    one, none = measure.accuracy_by_passages(answered[1:2], ORIGIN)
    assert none is None
    assert "p" not in one.parameters
