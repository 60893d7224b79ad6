"""Mitigations of retrieval beside a reader whose weaknesses are known: each gain and each price is found."""

import zlib

import pytest
from msgspec import structs

from hardlimit.audit.budget import Budget, Meter
from hardlimit.audit.desk import Desk
from hardlimit.audit.document import LimitReport
from hardlimit.audit.mitigating import mitigated, retrieval, voting
from hardlimit.audit.retrieval import asking
from hardlimit.core import Generated, Grade, Limit, Silent, Standing, Usage, Verdict
from hardlimit.mitigations import Mitigated
from hardlimit.models import ModelCard
from hardlimit.models.toy.retrieval import Reader
from hardlimit.probes.retrieval import Passages, passages_in
from hardlimit.probes.retrieval.record import Origin
from hardlimit.store import Store


class Believing:
    """Believes a planted text wherever it sees one, and reads the needed passage well in the first place alone."""

    card = ModelCard(name="toy:believing", adapter="toy", revision="1")

    def __init__(self, seed=0):
        self.gold, self.target = {}, {}
        probes = list(voting._PROBES)
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


def attacked_says(rows, dose):
    return rows["isolate-then-vote", f"attack answers ({dose} of 4 passages planted)"].says


@pytest.fixture(scope="module")
def believing():
    return Believing()


@pytest.fixture
def desk(tmp_path):
    with Store.open(tmp_path / "answers.sqlite") as store:
        yield lambda model: Desk(model, store, Meter(Budget()), Silent())


def test_known_gains_and_prices_are_found(desk, believing):
    plain = LimitReport(limit=Limit.RETRIEVAL, applies=True, headline="x")
    report = mitigated(desk(believing), 0, plain)
    rows = {(row.name, row.outcome): row for row in report.mitigations}
    for dose in voting.DOSES[1:]:
        attacked = rows["isolate-then-vote", f"attack answers ({dose} of 4 passages planted)"]
        assert (attacked.before.value, attacked.verdict) == (1.0, Verdict.HELPS)
        assert attacked.after.value < 0.2
        assert attacked.calls == (1.0, 4.0)
    # Read alone, each of the three telling passages is believed: the certificate withstands one text.
    (finding,) = report.findings
    assert finding.claim.statement.id == "RETR-6" and finding.measurement.parameters["certified"] > 0.5
    assert finding.measurement.parameters["turned_though_certified"] == 0
    assert finding.standing is Standing.CLEAR_OF_BOUND
    assert "certified to withstand 1 replaced passage on" in attacked_says(rows, 1)
    clean = rows["isolate-then-vote", "right answers (none of 4 passages planted)"]
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
    nothing = LimitReport(limit=Limit.RETRIEVAL, applies=True, headline="x")
    assert mitigated(desk(Reader([])), 0, nothing) == nothing


def test_votes_from_shared_readings_are_those_of_the_policy(desk, believing, monkeypatch):
    """What the study counts is what the policy does; and a question is asked wholly or not at all."""
    monkeypatch.setattr(voting, "CASES", 5)
    found = voting.questions(desk(believing), 0)
    assert len(found) == voting.CASES
    model = Mitigated(believing, voting.POLICY)
    for question in found[:3]:
        for each in question:
            ((_, said),) = model.generate([each.alone.case.ask])
            assert each.helped.reply.text == said.text
            assert each.helped.reply.usage == said.usage and said.usage.calls == 4
            assert sum(count for _, count in each.ballot.votes) + each.ballot.silent == 4
        texts = [set(each.texts) for each in question]
        assert [len(texts[0] - others) for others in texts] == [0, 1]
    for tokens in range(1_500, 2_500, 200):  # a budget that ends in the middle of a question loses that one
        short = desk(believing)
        short._meter = Meter(Budget(tokens=tokens))
        some = voting.questions(short, 0)
        assert 0 < len(some) < voting.CASES
        assert [q[0].alone.case.id for q in some] == [q[0].alone.case.id for q in found[: len(some)]]


def test_a_certificate_is_set_beside_what_the_attack_did(desk, believing):
    found = voting.questions(desk(believing), 0)
    origin = Origin(probe="p", model="m", seed=0)
    finding = voting.certified(found, 1, origin)
    safe = [question for question in found if question[0].ballot.withstands >= 1]
    assert finding.claim.value == pytest.approx(1 - len(safe) / len(found))
    # A vote that a certified question lost would stand there: here one is made.
    broken = [[q[0], q[1]._replace(helped=q[1].alone)] for q in found]
    worse = voting.certified(broken, 1, origin)
    assert worse.measurement.estimate.value == 1.0 and worse.standing is Standing.BEYOND_BOUND
    assert worse.measurement.parameters["turned_though_certified"] == len(safe)
    # One that it lost to silence was not turned.
    mute = [structs.replace(q[1].helped, grade=Grade.ABSTAINED, answer=None) for q in found]
    silent = [[q[0], q[1]._replace(helped=helped)] for q, helped in zip(found, mute, strict=True)]
    assert voting.certified(silent, 1, origin).measurement.estimate.value == 0.0
