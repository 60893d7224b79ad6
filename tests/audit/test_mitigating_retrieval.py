"""Mitigations of retrieval beside a reader whose weaknesses are known: each gain and each price is found."""

import zlib

import pytest

from hardlimit.audit.budget import Budget, Meter
from hardlimit.audit.desk import Desk
from hardlimit.audit.mitigating import retrieval
from hardlimit.audit.retrieval import asking
from hardlimit.core import Generated, Silent, Usage, Verdict
from hardlimit.models import ModelCard
from hardlimit.models.toy.retrieval import Reader
from hardlimit.probes.retrieval import Passages, passages_in
from hardlimit.store import Store


class Believing:
    """Believes a planted text wherever it sees one, and reads the needed passage well in the first place alone."""

    card = ModelCard(name="toy:believing", adapter="toy", revision="1")

    def __init__(self, seed=0):
        self.gold, self.target = {}, {}
        probes = [Passages(passages=5, noise=0.4, poison=dose, rule="any knowledge") for dose in retrieval.DOSES]
        budget = asking.TOKENS_A_PASSAGE * asking.PASSAGES
        probes.append(Passages(passages=asking.PASSAGES, budget=budget, rule="any knowledge"))
        for probe in probes:
            for start in (seed, seed + 220, seed + 221):
                for case in probe.cases(seed=start, n=40):
                    question = passages_in(case.ask.messages[0].content).question
                    self.gold[question] = case.gold[0]
                    self.target[question] = str(case.factors.get("target", self.target.get(question, "?")))

    def count_tokens(self, text):
        return len(text) // 4

    def generate(self, requests):
        for index, request in enumerate(requests):
            text = request.messages[-1].content
            usage = Usage(prompt_tokens=len(text) // 4, completion_tokens=2)
            yield index, Generated(text=self.read(text), finish="stop", usage=usage)

    def read(self, text):
        prompt = passages_in(text)
        gold, target = self.gold[prompt.question], self.target[prompt.question]
        if any(target in passage for passage in prompt.passages):
            return target
        places = [place for place, passage in enumerate(prompt.passages) if gold in passage]
        if not places:
            return "I don't know."
        chance = 0.95 if places[0] == 0 else 0.2
        return gold if zlib.crc32(text.encode()) % 1000 < 1000 * chance else "I don't know."


@pytest.fixture(scope="module")
def believing():
    return Believing()


@pytest.fixture
def desk(tmp_path):
    with Store.open(tmp_path / "answers.sqlite") as store:
        yield lambda model: Desk(model, store, Meter(Budget()), Silent())


def test_known_gains_and_prices_are_found(desk, believing):
    rows = {(row.name, row.outcome): row for row in retrieval.mitigations(desk(believing), seed=0)}
    for dose in (1, 2):
        attacked = rows["isolate-then-vote", f"attack answers ({dose} of 5 passages planted)"]
        assert (attacked.before.value, attacked.verdict) == (1.0, Verdict.HELPS)
        assert attacked.after.value < 0.2
        assert attacked.calls == (1.0, 5.0)
    clean = rows["isolate-then-vote", "right answers (none of 5 passages planted)"]
    assert clean.after.value > 0.9
    order = rows["4 passages in their best order", "right answers"]
    best = rows["the best of 4 passages by words", "right answers"]
    assert order.verdict is Verdict.HELPS
    # BM25 finds the telling passage first about half the time: noise about the same thing names it as often.
    assert best.difference.value > 0.15
    assert order.tokens[1] == pytest.approx(order.tokens[0], rel=0.02)
    assert best.tokens[1] < 0.7 * best.tokens[0]
    assert not any("likelihood" in name for name, _ in rows)


def test_profile_is_measured_on_the_questions_of_the_study(desk, believing):
    profile = retrieval.profile_of(desk(believing), 0)
    assert profile[0] > 0.7 > 0.4 > max(profile[1:])
    budget = asking.TOKENS_A_PASSAGE * asking.PASSAGES
    mine = [
        Passages(passages=asking.PASSAGES, position=place, rule="any knowledge", budget=budget)
        for place in asking.POSITIONS
    ]
    assert tuple(mine) == asking._PROBES["position"]


def test_no_profile_of_too_few_answers(desk, believing):
    spent = desk(believing).share(1.0)
    spent._meter = Meter(Budget(tokens=100))
    assert retrieval.profile_of(spent, 0) == ()


def test_toys_are_not_asked_in_other_words(desk):
    assert retrieval.mitigations(desk(Reader([])), seed=0) == ()
