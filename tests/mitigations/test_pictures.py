"""Policies about pictures: what they ask, what they answer, what it costs; planted priors fall as Bayes' rule says."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardlimit.core import (
    CapabilityError,
    Generate,
    Generated,
    Grade,
    InvalidValueError,
    Message,
    ModelError,
    See,
    Usage,
)
from hardlimit.mitigations import CaptionFirst, LookAgain, MitigatedSight, VisualContrast
from hardlimit.mitigations.pictures import DESCRIBE, Weights, WriteWeights, options_in, weights_in
from hardlimit.models import Generates, ModelCard, Sees
from hardlimit.models.toy import Sighted
from hardlimit.models.toy.beholding import Beholder
from hardlimit.models.weighing import Weigh, Weighed, Weighs
from hardlimit.probes.multimodal import Drawn, UsualColour
from hardlimit.probes.multimodal.canvas import Canvas, opened
from hardlimit.probes.multimodal.familiar import COLOURS, THINGS
from hardlimit.probes.multimodal.tasks import TASKS

PRIORS = dict(zip(THINGS, (0.5, 0.6, 0.7, 0.8, 0.95, 0.97, 0.98, 0.99), strict=True))
LISTING = "What colour is the lemon? Answer blue, yellow or dark green."


def ask(text=LISTING, images=(b"png",), turns=()):
    return See(messages=(*turns, Message(role="user", content=text)), images=images, max_tokens=24)


class Script:
    """A model with eyes that answers from a list, in reverse order as a server may, and notes what it was asked."""

    card = ModelCard(name="toy:script", adapter="toy", revision="1")

    def __init__(self, *rounds):
        self.rounds, self.asked = list(rounds), []

    def count_tokens(self, text):
        return len(text)

    def _take(self, requests):
        self.asked.append(list(requests))
        replies = self.rounds.pop(0)
        for index in reversed(range(len(requests))):
            yield index, replies[index]

    def see(self, requests):
        for index, text in self._take(requests):
            usage = Usage(prompt_tokens=10, completion_tokens=2, seconds=0.5)
            reply = text if isinstance(text, Generated) else Generated(text=text, finish="stop")
            yield index, msgspec.structs.replace(reply, usage=usage)

    def weigh(self, requests):
        for index, table in self._take(requests):
            reply = table if isinstance(table, Weighed) else Weighed(log_likelihoods=table)
            yield index, msgspec.structs.replace(reply, usage=Usage(prompt_tokens=7, seconds=0.25))

    def contrast(self, requests):
        for index, text in self._take(requests):
            yield index, Generated(text=text, finish="stop", usage=Usage(prompt_tokens=20, calls=2))


def one(policy, *rounds, request=None):
    script = Script(*rounds)
    ((index, reply),) = MitigatedSight(script, policy).see([request or ask()])
    assert index == 0 and not script.rounds, "not everything was asked"
    return reply, script.asked


def test_description_is_asked_for_before_the_question_is_known():
    earlier = (Message(role="system", content="Be brief."),)
    reply, asked = one(CaptionFirst(max_tokens=7), ["A blue lemon. "], ["blue"], request=ask(turns=earlier))
    (describing,), (answering,) = asked
    assert [turn.content for turn in describing.messages] == ["Be brief.", DESCRIBE]
    assert describing.images == answering.images == (b"png",)
    assert (describing.max_tokens, answering.max_tokens) == (7, 24)
    assert answering.messages[-1].content == f"A description of the picture: A blue lemon.\n\n{LISTING}"
    assert answering.messages[0] == earlier[0]
    assert (reply.text, reply.usage) == ("blue", Usage(prompt_tokens=20, completion_tokens=4, calls=2, seconds=1.0))


def test_description_alone_takes_the_picture_away():
    _, asked = one(CaptionFirst(keeps="description"), ["A blue lemon."], ["blue"])
    assert (asked[0][0].images, asked[1][0].images) == ((b"png",), ())


@pytest.mark.parametrize("finish", ["error", "refused"])
def test_a_failed_description_stays_a_failure(finish):
    reply, asked = one(CaptionFirst(), [Generated(text="", finish=finish, error="no")])
    assert (reply.finish, reply.error, len(asked)) == (finish, "no", 1)


@pytest.mark.parametrize("policy", [CaptionFirst(), VisualContrast(alpha=1.0)])
def test_without_a_picture_the_question_is_asked_as_it_is(policy):
    blind = ask(images=())
    reply, asked = one(policy, ["yellow"], request=blind)
    assert asked == [[blind]] and reply.text == "yellow"


def test_a_reminder_stands_behind_the_question():
    _, asked = one(LookAgain(), ["blue"])
    assert asked[0][0].messages[-1].content.startswith(f"{LISTING}\n\nLook at the picture")


def test_contrast_weighs_every_option_in_both_spellings_with_and_without():
    spelled = ("blue", "Blue", "yellow", "Yellow", "dark green", "Dark green")
    seen = tuple(math.log(p) for p in (0.1, 0.1, 0.3, 0.4, 0.05, 0.05))
    instead = tuple(math.log(p) for p in (0.01, 0.01, 0.5, 0.4, 0.04, 0.04))
    reply, asked = one(VisualContrast(alpha=1.0), [seen, instead])
    messages = ask().messages
    assert asked == [
        [
            Weigh(messages=messages, images=(b"png",), options=spelled),
            Weigh(messages=messages, images=(), options=spelled),
        ]
    ]
    # Blue: 0.2²/0.02 = 2; yellow: 0.7²/0.9 = 0.54; dark green: 0.1²/0.08 = 0.13.
    assert (reply.text, reply.usage) == ("blue", Usage(prompt_tokens=14, calls=2, seconds=0.5))
    assert one(VisualContrast(alpha=0.0), [seen, instead])[0].text == "yellow"
    assert one(VisualContrast(alpha=1.0, cutoff=0.3), [seen, instead])[0].text == "yellow"
    written, _ = one(WriteWeights(), [seen, instead])
    weights = weights_in(written)
    assert weights.options == ("blue", "yellow", "dark green")
    assert np.exp(weights.seen) == pytest.approx([0.2, 0.7, 0.1])
    assert np.exp(weights.instead) == pytest.approx([0.02, 0.9, 0.08])


def test_a_grey_picture_of_the_same_size_may_stand_on_the_other_side():
    png = Canvas(48, (200, 30, 30)).png()
    policy = VisualContrast(alpha=1.0, instead="grey picture", options=("7", "8"))
    reply, asked = one(policy, [(0.0, -1.0), (0.0, 0.0)], request=ask("How many?", (png,)))
    other = opened(asked[0][1].images[0])
    assert other.size == (48, 48) and set(other.get_flattened_data()) == {(128, 128, 128)}
    assert asked[0][0].options == ("7", "8") and reply.text == "7"
    # What is no picture is left for the model to refuse.
    _, asked = one(policy, [(0.0, -1.0), (0.0, 0.0)], request=ask("How many?", (b"none",)))
    assert asked[0][1].images == (b"none",)


def test_a_question_without_a_list_is_decoded_token_by_token():
    request = ask("How many? Answer with a number.")
    reply, asked = one(VisualContrast(alpha=0.5, cutoff=0.2), ["4"], request=request)
    ((contrast,),) = asked
    assert (contrast.see, contrast.instead, contrast.alpha, contrast.cutoff) == (request, (), 0.5, 0.2)
    assert (reply.text, reply.usage.calls) == ("4", 2)
    assert one(WriteWeights(), request=request)[0].text == ""


def test_a_failed_weighing_is_a_failure():
    failed = Weighed(log_likelihoods=(), error="too long")
    for policy in (VisualContrast(alpha=1.0), WriteWeights()):
        reply, _ = one(policy, [(0.0,) * 6, failed])
        assert (reply.finish, reply.error) == ("error", "too long")


numbers = st.floats(-20, 0)


@settings(max_examples=60)
@given(
    table=st.lists(st.tuples(numbers, numbers), min_size=2, max_size=5),
    alpha=st.floats(0, 4),
    cutoff=st.floats(0, 1),
)
def test_best_is_the_largest_contrast_among_what_is_plausible(table, alpha, cutoff):
    seen, instead = (tuple(column) for column in zip(*table, strict=True))
    weights = Weights(options=tuple(map(str, range(len(table)))), seen=seen, instead=instead)
    place = int(weights.best(alpha, cutoff))
    plausible = [i for i in range(len(table)) if math.exp(seen[i] - max(seen)) >= cutoff]
    scores = {i: seen[i] + alpha * (seen[i] - instead[i]) for i in plausible}
    assert place in plausible and scores[place] == pytest.approx(max(scores.values()), abs=1e-9)
    for most in (weights.best(alpha, 1.0), weights.best(0.0, cutoff)):
        assert seen[int(most)] == pytest.approx(max(seen), abs=1e-9)


def test_options_are_read_from_every_question_that_lists_them():
    for case in UsualColour().cases(seed=1, n=16):
        assert options_in(case.ask) == COLOURS
    listed = {task: options_in(Drawn(task=task, pixels=64).cases(seed=0, n=1)[0].ask) for task in TASKS}
    assert listed["circles"] == listed["spot"] == ("yes", "no")
    assert listed["hue"] == ("red", "green", "blue", "yellow", "orange", "purple")
    assert {task for task, options in listed.items() if options} == {"circles", "spot", "hue"}


@pytest.mark.parametrize("text", ["Answer a, b or c, then say why. Now!", "Answer red or red.", "Answer freely.", ""])
def test_what_is_no_list_of_options_is_none(text):
    assert options_in(ask(f"Which? {text}")) == ()


def test_many_questions_keep_their_order_and_replies_are_counted():
    numbers = range(150)
    # The dialogues of 64 questions go out together, both turns of each.
    sizes = (64, 64, 22)
    rounds, start = [], 0
    for size in sizes:
        rounds += [[f"d{start + i}" for i in range(size)], [f"a{start + i}" for i in range(size)]]
        start += size
    script = Script(*rounds)
    replies = dict(MitigatedSight(script, CaptionFirst()).see([ask(str(i)) for i in numbers]))
    assert [replies[i].text for i in numbers] == [f"a{i}" for i in numbers]
    assert script.asked[3][0].messages[-1].content == "A description of the picture: d64\n\n64"

    class Lazy(Script):
        def see(self, requests):
            yield 0, Generated(text="x", finish="stop")

    with pytest.raises(ModelError, match=r"^toy:script left 1 of 2 requests without a reply\."):
        list(MitigatedSight(Lazy(), LookAgain()).see([ask(), ask()]))


def test_it_is_a_model_with_eyes_under_a_name_of_its_own():
    toy = Sighted(UsualColour(pixels=64).cases(seed=0, n=4))
    model = MitigatedSight(toy, CaptionFirst())
    assert isinstance(model, Sees) and isinstance(model, Generates) and not isinstance(model, Weighs)
    assert model.card.name == "CaptionFirst(keeps='picture and description', max_tokens=64) on toy:sighted"
    assert model.card.fingerprint != toy.card.fingerprint
    assert model.card.fingerprint != MitigatedSight(toy, CaptionFirst(max_tokens=65)).card.fingerprint
    told = UsualColour(setting="caption").cases(seed=0, n=2)
    model.study(told)
    requests = [case.ask for case in told]
    assert list(model.generate(requests)) == list(toy.generate(requests)), "words go through as they are"


def test_a_model_that_cannot_weigh_says_who_can():
    toy = Sighted(UsualColour(pixels=64).cases(seed=0, n=4))
    with pytest.raises(CapabilityError, match=r"lacks the capability Weighs; embedded:tiny-eyes and local"):
        list(MitigatedSight(toy, VisualContrast(alpha=1.0)).see([ask()]))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: VisualContrast(alpha=-0.1), "VisualContrast needs alpha >= 0"),
        (lambda: VisualContrast(alpha=1.0, cutoff=1.1), "cutoff in [0, 1]"),
        (lambda: CaptionFirst(max_tokens=0), "CaptionFirst.max_tokens must be >= 1"),
        (lambda: Weigh(messages=ask().messages, images=(), options=()), "one option"),
        (lambda: Beholder([], {"lemon": 0.5}, ratio=0.5), "ratio and told >= 1"),
    ],
)
def test_settings_that_mean_nothing_are_refused(make, says):
    with pytest.raises(InvalidValueError) as caught:
        make()
    assert says in str(caught.value)


# A planted prior: four colours, the usual one with π and the others even, and a picture worth Λ to 1.

PROBE = UsualColour(pixels=64)
CASES = PROBE.cases(seed=3, n=16 * len(THINGS))


def right(model, member):
    replies = dict(model.see([case.ask for case in CASES]))
    found = {name: [] for name in THINGS}
    for place, case in enumerate(CASES):
        if case.factors["member"] == member:
            found[str(case.factors["thing"])].append(PROBE.grade(case, replies[place])[0] is Grade.RIGHT)
    return {name: float(np.mean(hits)) for name, hits in found.items()}


def odds(name):
    return 3 * PRIORS[name] / (1 - PRIORS[name])


@pytest.mark.parametrize("alpha", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("cutoff", [0.0, 0.2])
@pytest.mark.parametrize("freely", [False, True])
def test_a_planted_prior_is_overturned_up_to_where_theory_says(alpha, cutoff, freely):
    toy = Beholder(CASES, PRIORS, ratio=27.0)
    assert right(toy, 1) == {name: float(odds(name) < 27) for name in THINGS}
    model = MitigatedSight(toy, VisualContrast(alpha=alpha, cutoff=cutoff))
    if freely:
        # The same rule token by token: the toy's answers are single ones.
        replies = dict(model.see([unlisted(case.ask) for case in CASES]))
        found = [replies[i].text == case.gold[0] for i, case in enumerate(CASES)]
        got = {
            name: float(np.mean([hit for hit, case in zip(found, CASES, strict=True) if against(case, name)]))
            for name in THINGS
        }
    else:
        got = right(model, 1)
    assert got == {name: float(27 ** (1 + alpha) > odds(name) and 27 / odds(name) >= min(cutoff, 1)) for name in THINGS}
    assert set(right(model, 0).values()) == {1.0}, "what is as usual costs nothing"


def against(case, name):
    return case.factors["member"] == 1 and case.factors["thing"] == name


def unlisted(request):
    text = request.messages[-1].content.partition(" Answer ")[0]
    return msgspec.structs.replace(request, messages=(Message(role="user", content=text),))


@pytest.mark.parametrize("told", [1.0, 5.0])
def test_a_description_helps_where_words_add_evidence(told):
    toy = Beholder(CASES, PRIORS, ratio=9.0, told=told)
    both = right(MitigatedSight(toy, CaptionFirst()), 1)
    alone = right(MitigatedSight(toy, CaptionFirst(keeps="description")), 1)
    assert both == {name: float(9 * told > odds(name)) for name in THINGS}
    assert alone == {name: float(told > odds(name)) for name in THINGS}


def test_what_is_seen_wrongly_stays_wrong():
    toy = Beholder(CASES, PRIORS, ratio=1e4, acuity=0.6, told=50.0)
    before = [right(toy, member) for member in (0, 1)]
    assert 0.4 < np.mean(list(before[1].values())) < 0.8
    for policy in (VisualContrast(alpha=2.0), CaptionFirst(), LookAgain()):
        assert [right(MitigatedSight(toy, policy), member) for member in (0, 1)] == before


def test_a_toy_without_pictures_knows_its_prior_alone():
    toy = Beholder(CASES, PRIORS, ratio=9.0)
    ((_, reply),) = toy.generate([Generate(messages=CASES[0].ask.messages, max_tokens=4)])
    assert reply.text == CASES[0].factors["usual"]
    ((_, weighed),) = toy.weigh([Weigh(messages=CASES[0].ask.messages, images=(), options=COLOURS)])
    assert sum(map(math.exp, weighed.log_likelihoods)) == pytest.approx(1.0)
