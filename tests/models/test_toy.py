"""Toys do what their names say, with exactly the ability they claim."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from hardlimit.core import Case, Generate, InvalidValueError, Message, Score, See, UnknownNameError
from hardlimit.models import Attends, Generates, Scores, Sees, Studies
from hardlimit.models.toy import (
    NAMES,
    Abstaining,
    Calibrated,
    FiniteMemory,
    Flaky,
    Guessing,
    Overconfident,
    Perfect,
    Psychometric,
    Sighted,
    open_toy,
)
from hardlimit.models.toy.writing import coin

FALSE_ALARM = 1e-6
"""Each statistical test below fails by chance with at most this probability; its seed is fixed anyway."""


def user(text):
    return (Message(role="user", content=text),)


def case(index, *, gold=("Lisbon",), lures=("Porto", "Braga", "Faro"), prompt="", max_tokens=16, **factors):
    ask = Generate(messages=user(f"{prompt}Question {index}?"), max_tokens=max_tokens, logprobs=True)
    return Case(id=f"c{index}", ask=ask, gold=gold, lures=lures, factors=factors)


def replies(toy, cases):
    toy.study(cases)
    found = dict(toy.generate([c.ask for c in cases]))
    assert sorted(found) == list(range(len(cases)))
    return [found[index] for index in range(len(cases))]


def rights(toy, cases):
    return sum(any(gold in reply.text for gold in c.gold) for c, reply in zip(cases, replies(toy, cases), strict=True))


def assert_share(hits, n, probability):
    """Accept hits that a binomial count with this probability shows with probability >= FALSE_ALARM."""
    assert binom.cdf(hits, n, probability) > FALSE_ALARM / 2
    assert binom.sf(hits - 1, n, probability) > FALSE_ALARM / 2


CASES = [case(index) for index in range(1000)]


@pytest.mark.parametrize(
    ("toy", "probability"),
    [
        (Perfect(accuracy=0.8), 0.8),
        (Guessing(), 0.25),
        (Guessing(options=2), 0.5),
        (Overconfident(elsewhere=0.3), 0.3),
        (FiniteMemory(tokens=5), 0.25),
        (Calibrated(low=0.6, high=0.6), 0.6),
        (Psychometric(guess=0.1, lapse=0.1), 0.9),
        (Flaky(Perfect(), fail_rate=0.2, malformed_rate=0.1, truncate_rate=0.0), 0.7),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, float) else str(value),
)
def test_ability_is_what_the_toy_says(toy, probability):
    assert_share(rights(toy, CASES), len(CASES), probability)


def test_perfect_is_always_right_and_abstains_where_that_is_right():
    assert rights(Perfect(), CASES) == len(CASES)
    (reply,) = replies(Perfect(), [case(0, gold=())])
    assert reply.text in {"I don't know.", "I'm not sure.", "I do not have enough information to answer that."}


def test_wrong_answers_are_lures_or_coined_and_never_gold():
    toy = Perfect(accuracy=0.0)
    for reply in replies(toy, CASES[:50]):
        assert any(lure in reply.text for lure in CASES[0].lures)
    for reply in replies(toy, [case(index, gold=("42",), lures=()) for index in range(50)]):
        assert "42" not in reply.text
        assert any(character.isdigit() for character in reply.text)


def test_answers_are_the_same_for_the_same_seed_and_differ_for_another():
    once = [reply.text for reply in replies(Guessing(), CASES[:100])]
    assert once == [reply.text for reply in replies(Guessing(), CASES[:100])]
    assert once != [reply.text for reply in replies(Guessing(seed=1), CASES[:100])]


def test_a_draw_belongs_to_the_messages_and_not_to_the_id():
    others = [case(index, prompt="Really: ") for index in range(200)]
    renamed = [Case(id=f"again-{c.id}", ask=c.ask, gold=c.gold, lures=c.lures) for c in CASES[:200]]
    texts = [[reply.text for reply in replies(Guessing(), cases)] for cases in (CASES[:200], others, renamed)]
    assert texts[0] != texts[1]
    assert texts[0] == texts[2]


@pytest.mark.parametrize(("form", "mine", "others"), [("percent", "80", "20"), ("true or false", "True", "False")])
def test_asked_how_sure_it_is_a_toy_states_its_confidence(form, mine, others):
    toy = Perfect(accuracy=0.8)
    said = [next(city for city in ("Lisbon", "Porto", "Braga", "Faro") if city in r.text) for r in replies(toy, CASES)]

    def about(c, proposed):
        ask = Generate(messages=user(f"{c.id}: Proposed answer: {proposed}. How sure?"), max_tokens=8)
        return Case(id=f"{c.id}/sure", ask=ask, gold=("x",), factors={"about": c.id, "form": form})

    own = [about(c, answer) for c, answer in zip(CASES[:50], said, strict=False)]
    assert all(mine in reply.text for reply in replies(toy, own))
    assert all(others in reply.text for reply in replies(toy, [about(c, "Évora") for c in CASES[:50]]))
    samples = [Case(id=f"{c.id}/s", ask=c.ask, gold=c.gold, lures=c.lures, factors={"about": c.id}) for c in CASES]
    assert rights(toy, samples) == said.count("Lisbon")


def test_temperature_draws_afresh_with_the_request_seed():
    toy = Guessing()
    toy.study(CASES[:1])
    (messages,) = {c.ask.messages for c in CASES[:1]}
    asks = [Generate(messages=messages, max_tokens=16, temperature=1.0, seed=seed) for seed in range(400)]
    texts = [reply.text for _, reply in toy.generate(asks)]
    assert_share(sum("Lisbon" in text for text in texts), 400, 0.25)
    assert texts == [reply.text for _, reply in toy.generate(asks)]


@pytest.mark.parametrize("after", [0, 1, 2, 3, 50, 777])
def test_finite_memory_is_right_exactly_while_the_needle_is_within_reach(after):
    c = case(0, prompt="It rains in Lisbon. " * 3 + "." * after)
    prompt = c.ask.messages[0].content
    reach = math.ceil((len(prompt) - prompt.rindex("Lisbon")) / 4)
    assert rights(FiniteMemory(tokens=reach, otherwise="abstain"), [c]) == 1
    assert rights(FiniteMemory(tokens=reach - 1, otherwise="abstain"), [c]) == 0


def test_finite_memory_out_of_reach_guesses_or_abstains():
    toy = FiniteMemory(tokens=1, otherwise="abstain")
    assert {reply.text for reply in replies(toy, CASES[:30])} <= {
        "I don't know.",
        "I'm not sure.",
        "I do not have enough information to answer that.",
    }
    assert toy.ability(CASES[0]) == 0.0
    assert toy.ability(case(0, gold=())) == 1.0
    assert FiniteMemory(tokens=1).ability(case(0, gold=())) == 0.0
    assert FiniteMemory(tokens=1).ability(CASES[0]) == 0.25


def test_overconfident_errs_by_the_power_law_and_claims_the_same():
    toy = Overconfident(scale=1000.0, exponent=0.5)
    assert toy.ability(case(0, popularity=100_000.0)) == pytest.approx(0.9)
    assert toy.ability(case(0, popularity=10.0)) == 0.0
    assert toy.ability(case(0, gold=())) == 0.0
    cases = [case(index, popularity=100_000.0) for index in range(1000)]
    assert_share(rights(toy, cases), 1000, 0.9)
    for reply in replies(toy, cases[:20]):
        assert sum(reply.token_logprobs) == pytest.approx(math.log(0.99))


def test_calibrated_states_the_probability_with_which_it_is_right():
    toy = Calibrated()
    claims, hits = [], []
    for c, reply in zip(CASES, replies(toy, CASES), strict=True):
        claims.append(math.exp(sum(reply.token_logprobs)))
        hits.append("Lisbon" in reply.text)
        assert claims[-1] == pytest.approx(toy.ability(c))
    # The claims spread over (0, 1), and hits exceed chance where the claim is high: Hoeffding at FALSE_ALARM.
    assert min(claims) < 0.01
    assert max(claims) > 0.99
    slack = math.sqrt(math.log(2 / FALSE_ALARM) / (2 * len(CASES)))
    assert abs(sum(hits) - sum(claims)) / len(CASES) < slack
    high = [hit for claim, hit in zip(claims, hits, strict=True) if claim > 0.8]
    low = [hit for claim, hit in zip(claims, hits, strict=True) if claim < 0.2]
    assert sum(high) / len(high) > 0.75
    assert sum(low) / len(low) < 0.25


def test_psychometric_follows_its_curve():
    toy = Psychometric(threshold=1000.0, slope=2.0, guess=0.1, lapse=0.1)
    assert toy.ability(case(0, length=1000)) == pytest.approx(0.5)
    assert toy.ability(case(0, length=3000)) == pytest.approx(0.1 + 0.8 / 10)
    assert toy.ability(case(0)) == pytest.approx(0.9)
    assert toy.ability(case(0, length=10**30)) == pytest.approx(0.1)
    assert toy.accuracy_at(toy.effective(0.85)) == pytest.approx(0.85 * 0.9)
    assert_share(rights(toy, [case(index, length=3000) for index in range(1000)]), 1000, 0.18)
    with pytest.raises(InvalidValueError) as error:
        Psychometric(guess=0.9).effective()
    assert str(error.value) == "This curve never falls to 0.85 of its top: guess is 0.9."


def test_the_doubt_lies_on_the_token_where_the_answer_begins():
    cases = [case(index) for index in range(30)]
    found = replies(Perfect(accuracy=0.5), cases)
    starts = set()
    for reply in found:
        doubtful = [index for index, logprob in enumerate(reply.token_logprobs) if logprob < 0]
        assert [reply.token_logprobs[index] for index in doubtful] == [pytest.approx(math.log(0.5))]
        answer = next(city for city in ("Lisbon", "Porto", "Braga", "Faro") if city in reply.text)
        assert doubtful == [reply.text.index(answer) // 4]
        starts.update(doubtful)
    assert starts == {0, 3}


def test_a_coined_answer_is_never_the_right_one():
    word = coin((), np.random.default_rng(3))
    assert coin((word,), np.random.default_rng(3)) != word


def test_abstaining_answers_nothing_even_what_it_has_not_studied():
    (reply,) = dict(Abstaining().generate([CASES[0].ask])).values()
    assert reply.finish == "stop"
    assert "Lisbon" not in reply.text
    assert reply.text.startswith(("I don't know", "I'm not sure", "I do not have"))


@pytest.mark.parametrize("cls", [Perfect, Guessing, FiniteMemory, Overconfident, Calibrated, Psychometric, Sighted])
def test_an_unstudied_question_is_an_error_reply_that_says_what_to_do(cls):
    toy = cls()
    (reply,) = dict(toy.generate([CASES[0].ask])).values()
    expected = f"{toy.card.name} has not studied this question; call study(cases) with the cases first."
    assert (reply.finish, reply.error) == ("error", expected)
    (scored,) = dict(toy.score([Score(messages=CASES[0].ask.messages, continuation=" Lisbon")])).values()
    assert scored.error == expected


def test_flaky_faults_have_their_rates_and_repeat():
    toy = Flaky(Perfect(), fail_rate=0.2, malformed_rate=0.15, truncate_rate=0.1)
    found = replies(toy, CASES)
    assert_share(sum(reply.finish == "error" for reply in found), 1000, 0.2)
    assert_share(sum(reply.finish == "stop" and reply.text == "" for reply in found), 1000, 0.15)
    assert_share(sum(reply.finish == "length" for reply in found), 1000, 0.1)
    assert found == replies(toy, CASES)
    assert {reply.error for reply in found if reply.finish == "error"} == {
        "The toy server dropped the connection (this toy fails on purpose)."
    }
    for reply in found:
        if reply.finish == "length":
            assert "Lisbon" not in reply.text
            assert len(reply.token_logprobs) == reply.usage.completion_tokens == math.ceil(len(reply.text) / 4)
    scores = [Score(messages=c.ask.messages, continuation=" Lisbon") for c in CASES]
    assert_share(sum(reply.error is not None for _, reply in toy.score(scores)), 1000, 0.2)


def test_scores_rank_what_the_toy_believes_first():
    toy = Perfect(accuracy=0.9)
    toy.study(CASES)
    best = []
    for c in CASES[:200]:
        options = (*c.gold, *c.lures)
        asks = [Score(messages=c.ask.messages, continuation=f" {option}") for option in options]
        scored = dict(toy.score(asks))
        assert sum(math.exp(reply.log_likelihood) for reply in scored.values()) == pytest.approx(1.0)
        top = max(scored, key=lambda index: scored[index].log_likelihood)
        assert [reply.greedy for _, reply in sorted(scored.items())].count(True) == 1
        assert scored[top].greedy
        (said,) = dict(toy.generate([c.ask])).values()
        assert options[top] in said.text
        best.append(options[top])
    assert_share(best.count("Lisbon"), 200, 0.9)


def test_score_cases_with_the_same_messages_keep_their_own_gold():
    ask = user("Is 7 prime?")
    yes = Case(id="yes", ask=Score(messages=ask, continuation=" yes"), gold=("yes",))
    no = Case(id="no", ask=Score(messages=ask, continuation=" no"), gold=("no",))
    other = Score(messages=ask, continuation=" perhaps")
    scored = dict(Perfect([yes, no]).score([yes.ask, no.ask, other]))
    assert [scored[index].greedy for index in range(3)] == [True, True, False]


def test_answers_keep_to_max_tokens_and_stop_texts():
    for limit in range(1, 12):
        cases = [case(index, max_tokens=limit) for index in range(20)]
        for reply in replies(Perfect(), cases):
            assert reply.usage.completion_tokens <= limit
            assert len(reply.token_logprobs) == reply.usage.completion_tokens
            assert ("Lisbon" in reply.text) == (limit >= 2)
            assert reply.finish == ("stop" if limit >= 2 else "length")
    c = case(0, gold=("a\nb",))
    toy = Perfect([c])
    (reply,) = dict(toy.generate([Generate(messages=c.ask.messages, max_tokens=16, stop=("\n",))])).values()
    assert reply.finish == "stop"
    assert reply.text.endswith("a")


def test_a_window_too_small_is_an_error_reply():
    toy = Perfect([CASES[0]], window=10)
    (reply,) = dict(toy.generate([CASES[0].ask])).values()
    assert reply.error == "The prompt of 3 tokens and 16 to write exceed the window of 10."


def test_sighted_sees_and_does_not_answer_without_an_image():
    def look(image, gold):
        ask = See(messages=user("What is drawn?"), images=image, max_tokens=16)
        return Case(id=gold, ask=ask, gold=(gold,), lures=("square", "circle"))

    toy = Sighted()
    seen = [look((b"one",), "circle"), look((b"two",), "square")]
    toy.study(seen)
    texts = [reply.text for _, reply in toy.see([c.ask for c in seen])]
    assert "circle" in texts[0]
    assert "square" in texts[1]
    assert toy.ability(look((), "circle")) == pytest.approx(1 / 3)
    assert isinstance(toy, Sees)
    assert not isinstance(Perfect(), Sees)


@pytest.mark.parametrize("name", [name.replace("-N", "-3") for name in NAMES])
def test_every_name_opens_and_has_the_capabilities(name):
    toy = open_toy(name)
    assert isinstance(toy, Generates)
    assert isinstance(toy, Scores)
    assert isinstance(toy, Studies)
    assert not isinstance(toy, Attends)
    before = toy.card.fingerprint
    toy.study(CASES[:3])
    assert toy.card.fingerprint == before
    assert open_toy(name.removeprefix("toy:")).card == toy.card


def test_settings_that_change_answers_change_the_fingerprint():
    toys = [Perfect(), Perfect(seed=1), Perfect(accuracy=0.5), Flaky(), Flaky(seed=1), Flaky(Perfect(seed=1))]
    toys += [FiniteMemory(tokens=5), FiniteMemory(tokens=6), Guessing(), Guessing(options=3)]
    assert len({toy.card.fingerprint for toy in toys}) == len(toys)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Perfect(accuracy=1.5), "Perfect.accuracy must lie in [0, 1], got 1.5."),
        (lambda: Guessing(options=1), "Guessing.options must be >= 2, got 1."),
        (
            lambda: open_toy("toy:finite-memory-0"),
            "FiniteMemory needs tokens >= 1 and otherwise 'guess' or 'abstain', got tokens=0, otherwise='guess'.",
        ),
        (
            lambda: Overconfident(scale=0.0),
            "Overconfident needs scale > 0 and exponent >= 0, got scale=0.0, exponent=0.3.",
        ),
        (lambda: Calibrated(low=0.6, high=0.4), "Calibrated needs low <= high, got low=0.6, high=0.4."),
        (
            lambda: Psychometric(guess=0.6, lapse=0.6),
            "Psychometric needs threshold > 0, slope > 0 and guess + lapse <= 1, got "
            "threshold=1024.0, slope=4.0, guess=0.6, lapse=0.6.",
        ),
        (
            lambda: Flaky(fail_rate=0.6, malformed_rate=0.6),
            "Flaky needs fail_rate + malformed_rate + truncate_rate <= 1, got 0.6 + 0.6 + 0.1.",
        ),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(InvalidValueError) as error:
        make()
    assert str(error.value) == message


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UnknownNameError) as error:
        open_toy("toy:finite-memory-x")
    assert str(error.value) == (
        "No toy is named 'toy:finite-memory-x'. Did you mean 'toy:finite-memory-N'? Known: " + ", ".join(NAMES) + "."
    )


def test_toys_are_values_whose_repr_shows_the_settings():
    assert repr(Perfect(accuracy=0.5)) == "Perfect(seed=0, window=None, accuracy=0.5)"
    assert replace(Perfect(), cases=(), accuracy=0.5) == Perfect(accuracy=0.5)
