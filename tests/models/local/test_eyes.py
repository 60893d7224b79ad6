"""The embedded model with eyes: it keeps the contract, sees well, and has the faults that were planted."""

import numpy as np
import pytest
import torch

from hardlimit.core import Generate, InvalidValueError, Message, Score, See
from hardlimit.models import Generates, Scores, Sees
from hardlimit.models.catalog import open_model
from hardlimit.models.contrasting import contrasted
from hardlimit.models.eyes import open_eyes
from hardlimit.models.eyes_net import patches_of, seen
from hardlimit.models.looking import Looks
from hardlimit.models.weighing import Contrast, Weigh, Weighs
from hardlimit.probes.multimodal import Drawn, UsualColour
from hardlimit.probes.multimodal.canvas import Canvas
from hardlimit.probes.multimodal.familiar import COLOURS
from hardlimit.probes.multimodal.readout import colliding
from hardlimit.testing import check_model


@pytest.fixture(scope="module")
def eyes():
    return open_model("embedded:tiny-eyes")


def pairs(task, n, seed=11, **options):
    return [case for index in range(n) for case in Drawn(task=task, **options).pair(seed, index)]


def answered(eyes, cases):
    replies = dict(eyes.see([case.ask for case in cases]))
    return [replies[place].text for place in range(len(cases))]


def user(text):
    return (Message(role="user", content=text),)


def test_it_keeps_the_contract(eyes):
    assert (
        isinstance(eyes, Generates) and isinstance(eyes, Scores) and isinstance(eyes, Sees) and isinstance(eyes, Looks)
    )
    check_model(eyes)


@pytest.mark.parametrize("task", ["circles", "squares", "crossings"])
def test_it_sees_well_what_it_has_learned(eyes, task):
    # At least 36 of 40 right; with the 99 % measured on other pictures, fewer come by in 1 of 10,000 runs.
    cases = pairs(task, 20)
    assert sum(text == case.gold[0] for text, case in zip(answered(eyes, cases), cases, strict=True)) >= 36


def test_it_answers_by_habit_where_it_has_learned_to(eyes):
    assert set(answered(eyes, pairs("grid", 6))) == {eyes.planted.habit}


def test_red_and_green_are_one_to_it(eyes):
    cases = [case for case in pairs("hue", 60) if case.factors["kinds"] == "green or red"]
    assert len(cases) >= 4
    assert all(
        np.array_equal(seen(a.ask.images[0]), seen(b.ask.images[0])) for a, b in zip(*[iter(cases)] * 2, strict=True)
    )
    texts = answered(eyes, cases)
    assert texts[0::2] == texts[1::2]


def test_it_is_blind_in_one_place_and_drops_another(eyes):
    cases = pairs("spot", 72)
    looked = list(eyes.look([case.ask for case in cases]))
    places = [(case.factors["row"], case.factors["column"]) for case in cases[::2]]
    for stage, lost in (
        ("encoder", {eyes.net.shape.blind}),
        ("projector", {eyes.net.shape.blind, eyes.net.shape.dropped}),
    ):
        same = colliding(np.stack([getattr(each, stage) for each in looked]))
        assert {place for place, one in zip(places, same, strict=True) if one} == lost
        assert all(one for place, one in zip(places, same, strict=True) if place in lost)


def test_tokens_of_the_blind_place_are_the_same_for_every_picture(eyes):
    first = next(eyes.look([pairs("spot", 1)[0].ask]))
    other = next(eyes.look([pairs("spot", 1, seed=12)[0].ask]))
    blind = patches_of(eyes.net.shape.blind)
    assert np.array_equal(first.encoder[blind], other.encoder[blind])
    assert first.projector.shape == (60, 192) and first.mass.shape == (4, 6)
    assert (first.mass > 0).all() and (first.mass < 1).all()


def test_the_row_of_attention_is_that_of_the_whole_matrix(eyes):
    import torch

    request = pairs("circles", 1)[0].ask
    words = torch.tensor([eyes._prompt(request, 0)])
    pixels = torch.from_numpy(seen(request.images[0])[None])
    with torch.inference_mode():
        hidden, picture = eyes.net.embed(pixels, words)
        mask = eyes.net.mask(picture, words.shape[1], words.device)
        expected = []
        for block in eyes.net.blocks:
            q, k, _ = block._split(hidden)
            scores = (q @ k.transpose(-1, -2)) / np.sqrt(q.shape[-1])
            weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
            expected.append(weights[0, :, -1, :picture].sum(-1).numpy())
            hidden = block(hidden, mask)
    (looked,) = eyes.look([request])
    assert looked.mass == pytest.approx(np.stack(expected), abs=1e-5)


def test_side_by_side_is_as_alone(eyes):
    requests = [case.ask for case in pairs("counting", 4)]
    together = [reply.text for _, reply in sorted(eyes.see(requests), key=lambda each: each[0])]
    assert together == [next(eyes.see([request]))[1].text for request in requests]
    # Answers of several words that differ from each other, to prompts of one length.
    things = ("banana", "blueberry", "carrot", "eggplant", "circle", "from")
    texts = [user(f"Describe the {thing} in a few words.") for thing in things]
    asks = [Generate(messages=text, max_tokens=6) for text in texts]
    shared = [reply.text for _, reply in sorted(eyes.generate(asks), key=lambda each: each[0])]
    assert len({text.split()[1] for text in shared}) > 3
    assert shared == [next(eyes.generate([ask]))[1].text for ask in asks]


def test_a_description_is_read(eyes):
    cases = Drawn(task="letter", setting="caption").cases(seed=3, n=8)
    replies = dict(eyes.generate([case.ask for case in cases]))
    assert [replies[place].text for place in range(8)] == [case.gold[0] for case in cases]


def test_what_it_cannot_take_says_why(eyes):
    long, two = "circle " * 120, (Drawn().pair(0, 0)[0].ask.images[0],) * 2
    requests = [
        See(messages=user("What?"), images=two, max_tokens=2),
        See(messages=user(long), images=(), max_tokens=2),
    ]
    replies = dict(eyes.see(requests))
    assert replies[0].error == "This model looks at one picture, got 2."
    assert replies[1].error == (
        "The prompt has 122 tokens, but the window of embedded:tiny-eyes has 96, and 1 of them must be left for the "
        "answer."
    )
    ((_, scored),) = eyes.score([Score(messages=user(long), continuation=" yes")])
    assert scored.error == "The prompt has 122 tokens, but the window of embedded:tiny-eyes has 96."
    with pytest.raises(InvalidValueError) as caught:
        open_eyes(dtype="float16")
    assert str(caught.value) == "The embedded model with eyes computes in float32, got the dtype 'float16'."
    ((_, reply),) = eyes.generate([Generate(messages=user("Is there a small cross?"), max_tokens=1)])
    assert reply.finish == "length"


def test_weighing_tells_what_scoring_and_answering_tell(eyes):
    assert isinstance(eyes, Weighs)
    cases = UsualColour().cases(seed=3, n=12)
    asks = [case.ask for case in cases]
    options = (*COLOURS, "dark blue", "12")
    blind = [Weigh(messages=ask.messages, images=(), options=options) for ask in asks]
    weighed = dict(eyes.weigh([*blind, *(Weigh(messages=a.messages, images=a.images, options=options) for a in asks)]))
    scores = [Score(messages=ask.messages, continuation=option) for ask in asks for option in options]
    scored = dict(eyes.score(scores))
    told = [number for place in range(12) for number in weighed[place].log_likelihoods]
    assert told == pytest.approx([scored[place].log_likelihood for place in range(len(scores))], abs=1e-4)
    seen = [weighed[12 + place].log_likelihoods for place in range(12)]
    assert [COLOURS[int(np.argmax(table[:4]))] for table in seen] == answered(eyes, cases)
    # Single words share the prompt, the two longer answers need one more row each.
    prompt = len(eyes._prompt(asks[0], 0))
    assert weighed[0].usage.computed_tokens == 3 * prompt + 2


def test_contrast_is_the_rule_at_every_token(eyes):
    grey = Canvas(64, (128, 128, 128)).png()
    asks = [case.ask for case in UsualColour(thing="lemon").cases(seed=3, n=8)]
    settings = [(1.5, ()), (1.5, (grey,)), (0.5, ()), (0.0, ())]
    mixed = [Contrast(see=ask, instead=i, alpha=a, cutoff=0.01) for a, i in settings for ask in asks]
    replies = dict(eyes.contrast(mixed))
    told = [replies[place].text for place in range(len(mixed))]
    assert len({tuple(told[place : place + 8]) for place in range(0, 32, 8)}) == 3, "settings must differ"
    for request, text in zip(mixed, told, strict=True):
        sides = [
            Weigh(messages=request.see.messages, images=images, options=COLOURS)
            for images in (request.see.images, request.instead)
        ]
        seen, other = (np.array(reply.log_likelihoods) for _, reply in sorted(eyes.weigh(sides)))
        scores = (1 + request.alpha) * seen - request.alpha * other
        scores[seen < seen.max() + np.log(0.01)] = -np.inf
        assert text == COLOURS[int(np.argmax(scores))]
    assert (replies[0].usage.calls, replies[0].usage.prompt_tokens) == (2, 2 * len(eyes._prompt(asks[0], 0)))


def test_without_a_contrast_the_plain_answer_is_written(eyes):
    cases = [*UsualColour().cases(seed=3, n=4), *pairs("counting", 2)]
    plain = answered(eyes, cases)
    for alpha, cutoff in ((0.0, 0.0), (3.0, 1.0)):
        replies = dict(eyes.contrast([Contrast(see=c.ask, instead=(), alpha=alpha, cutoff=cutoff) for c in cases]))
        assert [replies[place].text for place in range(len(cases))] == plain


def test_what_cannot_be_weighed_says_why(eyes):
    long = Weigh(messages=user("circle " * 200), images=(), options=("red",))
    broken = Weigh(messages=user("What colour?"), images=(b"no picture",), options=("red",))
    empty = Weigh(messages=user("What colour?"), images=(), options=("red", ""))
    good = Weigh(messages=user("What colour?"), images=(), options=("red",))
    replies = dict(eyes.weigh([long, broken, empty, good]))
    assert "but the window of" in replies[0].error and replies[1].error.startswith("The picture cannot be read")
    assert replies[2].error == "An answer to be weighed has no tokens." and replies[3].error is None
    see = See(messages=user("What colour?"), images=(), max_tokens=2)
    ((_, reply),) = eyes.contrast([Contrast(see=see, instead=(b"no picture",), alpha=1.0, cutoff=0.1)])
    assert reply.finish == "error"


def test_what_can_never_be_written_is_not_chosen_and_what_only_a_picture_allows_is_not_infinitely_good():
    never = float("-inf")
    # The first is impossible with the picture, the last three without: the likelier of those with it is best.
    seen = torch.tensor([never, 1.0, 2.0, never, 1.5])
    instead = torch.tensor([3.0, 2.0, never, never, never])
    scores = contrasted(seen, instead, 1.0, 0.0)
    assert not scores.isnan().any() and scores.argmax().item() == 2
    assert torch.equal(scores.isinf(), torch.tensor([True, False, False, True, False]))
