"""Passages whose sufficiency is known: facts, prose, noise, planted texts, and what readers of known ability score."""

import itertools

import msgspec
import numpy as np
import pytest
from scipy import stats

from hardlimit.core import Generated, Grade, HardlimitError, InvalidValueError
from hardlimit.models.toy import Perfect
from hardlimit.models.toy.retrieval import Reader
from hardlimit.probes.hallucination.coining import exists
from hardlimit.probes.retrieval import Passages, facts, question_of
from hardlimit.probes.retrieval.facts import Coiner, Fact, chain
from hardlimit.probes.retrieval.passages import Passage, check_passages, off_topic
from hardlimit.probes.retrieval.relations import KINDS, RELATIONS, relations_of
from hardlimit.testing import check_probe

from .toys import asked

SETTINGS = [
    Passages(),
    Passages(gold="absent", kind="random", passages=3),
    Passages(passages=9, noise=0.5, hops=2, position=0.5, budget=900),
    Passages(passages=6, kind="counterfactual", poison=2),
    Passages(facts="capital", passages=4, gold="absent", rule="any knowledge"),
    Passages(facts="capital", passages=4, kind="counterfactual", poison=1, position=1.0),
]


def text_of(case):
    return case.ask.messages[-1].content


def passages_of(case):
    body = text_of(case).rpartition("\n\nQuestion: ")[0]
    return [part.partition(": ")[2] for part in body.split("\n\n")[1:]]


@pytest.mark.parametrize("probe", SETTINGS, ids=repr)
def test_the_probe_keeps_the_contract(probe):
    check_probe(probe, seed=5, n=8, harder=[Passages(passages=20, hops=7)])


def test_every_relation_can_be_asked_stated_and_taken_back():
    assert {relation.subject for relation in RELATIONS} == set(KINDS) == {relation.answer for relation in RELATIONS}
    for relation in RELATIONS:
        wordings = (*relation.statements, *relation.withdrawn)
        assert all(text.count("{x}") == 1 and text.count("{y}") == 1 for text in wordings)
        assert all(text.count("{x}") == 1 and "{y}" not in text for text in (*relation.questions, relation.noun))
        assert len(set(relation.statements)) == 4 and len(relation.questions) == 3
    assert all(len(relations_of(kind)) == 4 for kind in KINDS)


def test_coined_names_do_not_exist_and_share_no_word():
    coiner = Coiner(np.random.default_rng(2))
    names = [coiner.name(kind) for kind in ("person", "town", "company") for _ in range(25)]
    words = [word for name in names for word in name.split()]
    coined = [word for word in words if words.count(word) == 1]
    assert len(coined) >= len(names)
    assert not any(exists(word) for name in names[:50] for word in name.split())
    first = [name.split()[0] for name in names]
    assert len(set(first)) == len(first)


def test_what_is_taken_is_not_coined_again():
    taken = Coiner(np.random.default_rng(2)).name("town")
    assert Coiner(np.random.default_rng(2)).name("town") == taken
    assert Coiner(np.random.default_rng(2), taken=(f"Old {taken}",)).name("town") != taken


def test_noise_never_names_the_answer_even_where_words_are_few(monkeypatch):
    few = [f"Zor{first}{last}a" for first in "bdfgklmnpr" for last in "bdfgkl"]
    monkeypatch.setattr(facts, "coin_word", lambda kind, rng: few[int(rng.integers(len(few)))])
    for kind in ("same topic", "counterfactual", "random"):
        for case in Passages(passages=8, kind=kind, poison=1).cases(seed=0, n=20):
            words = [word for name in (*case.gold, *case.lures) for word in name.split() if word in few]
            assert len(set(words)) == len(words)


def test_a_pool_lets_names_share_words_and_never_repeats_one():
    coiner = Coiner(np.random.default_rng(0), pool=5)
    names = [coiner.name("person") for _ in range(20)]
    assert len(set(names)) == 20 and len({word for name in names for word in name.split()}) == 10
    with pytest.raises(HardlimitError, match="No further person could be coined: 25 names use up a pool of 5 words"):
        [coiner.name("person") for _ in range(6)]


def test_random_noise_is_about_another_kind_of_subject():
    rng = np.random.default_rng(1)
    for _ in range(40):
        steps = chain(2, rng, Coiner(rng))
        other = off_topic(steps, rng, Coiner(rng))
        assert other.relation not in {fact.relation for fact in steps}
        assert other.kind.subject != steps[-1].kind.subject


def test_a_chain_never_leads_back_by_a_mutual_relation():
    # Of 12 relations 2 are mutual, and each would be followed by itself in a quarter of the cases.
    rng = np.random.default_rng(0)
    for _ in range(40):
        steps = list(itertools.pairwise(chain(4, rng, Coiner(rng))))
        assert all(a.answer == b.subject for a, b in steps)
        assert all(not (a.kind.mutual and a.relation == b.relation) for a, b in steps)


@pytest.mark.parametrize("kind", ["random", "same topic", "counterfactual"])
@pytest.mark.parametrize("hops", [1, 3])
def test_sufficiency_is_what_is_said(kind, hops):
    present = Passages(passages=8, kind=kind, hops=hops).cases(seed=1, n=12)
    absent = Passages(passages=8, kind=kind, hops=hops, gold="absent").cases(seed=1, n=12)
    for with_gold, without in zip(present, absent, strict=True):
        answer = with_gold.factors["answer"]
        assert with_gold.gold == (answer,) and without.gold == ()
        assert (with_gold.factors["sufficient"], without.factors["sufficient"]) == (True, False)
        assert [answer in text for text in passages_of(with_gold)].count(True) == 1
        assert answer not in text_of(without)
        assert answer in passages_of(with_gold)[with_gold.factors["place"]]
        assert question_of(with_gold) == question_of(without)
        assert len(passages_of(with_gold)) == len(passages_of(without)) == 8
        assert len(set(passages_of(with_gold))) == 8


def test_what_is_missing_stays_missing_however_often_the_rest_is_stated():
    for case in Passages(passages=8, hops=3, noise=0.25, gold="absent").cases(seed=1, n=6):
        assert case.factors["answer"] not in text_of(case) and case.factors["noise"] == 0.25


def test_distractors_share_the_topic_and_counterfactuals_take_back():
    kinds = ("same topic", "counterfactual", "random")
    cases = [Passages(passages=5, kind=kind, position=0.0).cases(seed=4, n=20) for kind in kinds]
    marks = ("struck out", "invented", "correction", "disproved")
    for same, counter, other in zip(*cases, strict=True):
        gold, *taken_back = passages_of(counter)
        # The subject is what all counterfactual passages and the question name.
        subject = max(_names(question_of(counter)), key=lambda name: sum(name in text for text in taken_back))
        assert all(subject in text for text in [gold, *taken_back])
        assert [sum(mark in text for mark in marks) for text in [gold, *taken_back]] == [0, 1, 1, 1, 1]
        told = [name for name in counter.lures if name in text_of(counter)]
        assert len(told) == 4 and all(sum(name in text for text in taken_back) == 1 for name in told)
        # Of the passages on the same topic every second is about the same subject; of random ones none.
        assert [subject in text for text in passages_of(same)[1:]].count(True) == 2
        assert not any(subject in text for text in passages_of(other)[1:])


def _names(text):
    return [word.strip(".,;?") for word in text.split()[1:] if word[0].isupper()]


def test_settings_are_paired_and_reach_where_they_point():
    first = Passages(passages=5, position=0.0).cases(seed=0, n=8)
    last = Passages(passages=5, position=1.0).cases(seed=0, n=8)
    many = Passages(passages=30, position=0.5).cases(seed=0, n=8)
    for a, b, c in zip(first, last, many, strict=True):
        assert a.cluster == b.cluster == c.cluster and len({a.id, b.id, c.id}) == 3
        assert (a.factors["place"], b.factors["place"]) == (0, 4) and c.factors["place"] in (14, 15)
        assert passages_of(a)[0] == passages_of(b)[4]
        assert set(passages_of(a)) == set(passages_of(b))
    half = Passages(passages=10, noise=0.7, position=0.0).cases(seed=0, n=8)
    for case in half:
        told = [case.gold[0] in text for text in passages_of(case)]
        assert told == [True] * 3 + [False] * 7
        assert case.factors["noise"] == pytest.approx(0.7)


def test_a_budget_fills_each_share_and_refuses_what_cannot_hold_a_sentence():
    for budget in (400, 2_000):
        for case in Passages(passages=5, budget=budget).cases(seed=0, n=6):
            sizes = [len(text.split()) * 1.4 for text in passages_of(case)]
            assert all(budget / 5 - 30 < size < budget / 5 + 2 for size in sizes)
    with pytest.raises(InvalidValueError, match=r"its share of the budget is 4\. Use a larger budget"):
        Passages(passages=5, budget=20).cases(seed=0, n=1)
    for index in range(6):
        counted = Passages(passages=2, budget=600).draw(0, index, count=len)
        assert all(200 < len(text) <= 300 for text in passages_of(counted))


def test_planted_texts_repeat_the_question_and_assert_one_wrong_answer():
    for clean, case in zip(
        Passages(passages=6).cases(seed=2, n=10), Passages(passages=6, poison=3).cases(seed=2, n=10), strict=True
    ):
        planted = [text for text in passages_of(case) if question_of(case) in text]
        assert len(planted) == 3 == len(set(planted))
        assert all(case.factors["target"] in text for text in planted)
        assert case.factors["target"] not in case.gold and case.factors["target"] in case.lures
        assert "target" not in clean.factors and question_of(clean) == question_of(case)
        assert sum(case.factors["target"] in text for text in passages_of(case)) == 3


def test_a_broken_construction_is_noticed():
    one = (Fact(relation="twin", subject="Zubmar", answer="Karholm"),)
    gold = Passage(text="Zubmar and Karholm are twins.", role="gold", names="Karholm", hop=0)
    leak = Passage(text="Karholm is nice.", role="random", names="Loswick")
    check_passages(one, [gold], sufficient=True)
    check_passages(one, [], sufficient=False)
    mute = msgspec.structs.replace(gold, text="Zubmar has a twin.")
    for passages, sufficient in (
        ([gold, leak], True),
        ([leak], False),
        ([gold], False),
        ([], True),
        ([mute], True),
    ):
        with pytest.raises(HardlimitError, match="Passages about 'Karholm' were made wrongly"):
            check_passages(one, passages, sufficient=sufficient)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"noise": 1.5}, "Passages.noise must lie in [0, 1] or be None, got 1.5."),
        ({"position": -0.1}, "Passages.position must lie in [0, 1] or be None, got -0.1."),
        ({"hops": 0}, "Passages needs passages >= 0, poison >= 0, hops >= 1 and budget >= 1 or None, got passages=5, "
                      "poison=0, hops=0, budget=None."),
        ({"facts": "capital", "hops": 2}, "Capitals are facts of one hop, got hops=2. Use facts='coined'."),
        ({"passages": 3, "hops": 2, "poison": 2}, "3 passages cannot hold 2 that state needed facts and 2 planted "
                                                  "ones. Use more passages, fewer hops, or a larger share of noise."),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(fields, says):
    with pytest.raises(InvalidValueError) as caught:
        Passages(**fields)
    assert str(caught.value) == says


def test_there_are_only_so_many_capitals():
    with pytest.raises(InvalidValueError, match=r"n >= 1 and <= \d+, the capitals that can be asked for, got 1000"):
        Passages(facts="capital").cases(seed=0, n=1000)


def grade(probe, case, text):
    return probe.grade(case, Generated(text=text, finish="stop"))


def test_the_grader_knows_the_target_the_way_and_the_abstention():
    probe = Passages(passages=6, hops=2, poison=1)
    for case in probe.cases(seed=3, n=10):
        target, answer = case.factors["target"], case.gold[0]
        assert grade(probe, case, f"The answer is {target}.") == (Grade.WRONG, target)
        assert grade(probe, case, f"It is {answer}.") == (Grade.RIGHT, answer)
        assert grade(probe, case, "I don't know.")[0] is Grade.ABSTAINED
        assert grade(probe, case, f"{answer} or {target}")[0] is Grade.WRONG
    missing = msgspec.structs.replace(probe, gold="absent")
    for case in missing.cases(seed=3, n=10):
        assert grade(missing, case, f"The answer is {case.factors['answer']}.")[0] is Grade.WRONG
        assert grade(missing, case, "The passages do not say.")[0] is Grade.RIGHT


def share(items, wanted):
    return sum(item.grade is wanted for item in items)


@pytest.mark.parametrize(
    ("probe", "chance"),
    [
        (Passages(passages=1), 0.9),
        (Passages(passages=5), 0.9 * 0.95**4),
        (Passages(passages=5, position=0.5), 0.9 * 0.95**4 * 0.5),
        (Passages(passages=5, position=1.0), 0.9 * 0.95**4 * 0.8),
        (Passages(passages=3, gold="absent"), 0.7),
        (Passages(passages=3, gold="absent", rule="any knowledge"), 0.2),
        (Passages(passages=0, gold="absent", rule="any knowledge"), 0.4),
        (Passages(passages=5, poison=2, position=0.0), 0.64 * 0.9 * 0.95**4),
    ],
    ids=repr,
)
def test_a_reader_of_known_accuracy_is_measured_as_such(probe, chance):
    """Eight exact binomial tests, each with a false alarm of 1e-5."""
    profile = (1.0, 0.5, 0.8) if probe.position is not None else (1.0,)
    toy = Reader(a_rel=0.9, a_irr=0.2, closed_book=0.4, delta=0.05, profile=profile, abstains=0.7, gullible=0.2)
    items = asked(toy, probe, seed=7, n=100)
    assert stats.binomtest(share(items, Grade.RIGHT), 100, chance).pvalue > 1e-5
    believed = sum(item.answer == item.case.factors.get("target", "") for item in items)
    # A wrong answer may be the target by chance too: it is one of the lures.
    assert believed == 0 if not probe.poison else stats.binomtest(believed, 100, 0.4).pvalue > 1e-5


def test_the_readers_law_is_the_one_it_states():
    toy = Reader(a_rel=0.9, a_irr=0.2, closed_book=0.4, delta=0.1, profile=(1.0, 0.5), abstains=0.7, gullible=0.3)
    (case,) = Passages(passages=5, position=0.5, poison=2).cases(seed=0, n=1)
    assert toy.believes_target(case) == pytest.approx(1 - 0.7**2)
    assert toy.reads(case) == pytest.approx(0.9 * 0.9**4 * 0.75)
    assert toy.ability(case) == pytest.approx(0.7**2 * 0.9 * 0.9**4 * 0.75)
    (alone,) = Passages(passages=1).cases(seed=0, n=1)
    assert toy.ability(alone) == pytest.approx(0.9)


def test_readers_refuse_what_is_no_probability():
    with pytest.raises(InvalidValueError, match=r"Reader.gullible must lie in \[0, 1\], got 2"):
        Reader(gullible=2.0)
    with pytest.raises(InvalidValueError, match=r"Reader.profile needs at least one multiplier"):
        Reader(profile=())


def test_a_perfect_reader_is_right_everywhere():
    for probe in (Passages(hops=3, passages=7, poison=2), Passages(gold="absent", poison=5)):
        assert share(asked(Perfect(), probe, n=20), Grade.RIGHT) == 20
