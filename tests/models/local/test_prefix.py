"""Asking with shared prefixes gives what asking one by one gives, and computes what is shared once."""

import inspect
import itertools

import numpy as np
import pytest
import torch
import transformers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hardlimit.core import Generate, Message, Score
from hardlimit.models.decode import Scoring
from hardlimit.models.local import adapt
from hardlimit.models.prefix import Limits, common_prefix, grouped
from hardlimit.models.work import Work

pytestmark = pytest.mark.local
HAYSTACK = "The needle lies in the haystack, and the haystack lies in the field behind the house. " * 4
TIGHT = Limits(chunk=7, rows=3, slots=150)


def user(text):
    return (Message(role="user", content=text),)


def replies(pairs):
    found = dict(pairs)
    return [found[i] for i in range(len(found))]


@pytest.fixture
def adapted(tiny):
    """Function from kind of model and limits to an open tiny model of one's own."""

    def make(kind, limits=None):
        own = transformers.AutoModelForCausalLM.from_pretrained(tiny(kind)).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(tiny(kind))
        return adapt(own, tokenizer, name="local:tiny", revision="1", limits=limits)

    return make


@pytest.fixture
def passes(monkeypatch):
    """Function that records the forward passes of a model: tokens of each, and logits asked for."""

    def record(model):
        own = model._runner._model._model
        seen, forward = [], own.forward

        def spy(**arguments):
            output = forward(**arguments)
            seen.append((arguments["input_ids"].shape[1], output.logits.shape[1]))
            return output

        spy.__signature__ = inspect.signature(forward)
        monkeypatch.setattr(own, "forward", spy)
        return seen

    return record


MIXED = [
    *(Generate(messages=user(HAYSTACK + q), max_tokens=n, logprobs=True) for q, n in (("Why?", 5), ("Who?", 1))),
    *(Generate(messages=user(q), max_tokens=7, logprobs=True) for q in ("", "W", "Why?", "Why is it so?", "Zoo")),
    *(Generate(messages=user("Which?"), max_tokens=6, temperature=0.9, seed=s, logprobs=True) for s in range(4)),
    Generate(messages=(Message(role="system", content="S"), *user(HAYSTACK)), max_tokens=3, logprobs=True),
]
SCORED = [
    *(Score(messages=user(HAYSTACK + q), continuation=c) for q in ("A", "B") for c in ("Paris", "Paris is", "Suva")),
    *(Score(messages=user("Which?"), continuation=c) for c in ("Paris", "Paris", "", "a longer one, of many tokens.")),
]


@pytest.mark.parametrize("limits", [Limits(), TIGHT, Limits(chunk=1, rows=1, slots=1)], ids=["wide", "tight", "one"])
@pytest.mark.parametrize("kind", ["llama", "neox", "qwen2", "qwen3", "mistral", "gemma2", "gpt2"])
def test_shared_asking_equals_asking_one_by_one(kind, limits, adapted):
    model, alone = adapted(kind, limits), adapted(kind)
    assert model.card.settings["asking"] == "shared prefixes"
    for request, reply in zip(MIXED, replies(model.generate(MIXED)), strict=True):
        (expected,) = replies(alone.generate([request]))
        assert (reply.text, reply.finish) == (expected.text, expected.finish)
        assert reply.token_logprobs == pytest.approx(expected.token_logprobs, abs=1e-4)
    for request, reply in zip(SCORED, replies(model.score(SCORED)), strict=True):
        (expected,) = replies(alone.score([request]))
        assert reply.token_logprobs == pytest.approx(expected.token_logprobs, abs=1e-4)
        assert reply.greedy == expected.greedy


def test_a_shared_text_is_computed_once(adapted):
    """N + Q·q tokens, counted exactly: each question's own tokens begin where the first two questions part."""
    model = adapted("llama")
    questions = [f" {first} is the secret word?" for first in ("the", "word", "said", "France", "list")]
    requests = [Generate(messages=user(HAYSTACK.strip() + q), max_tokens=1) for q in questions]
    usages = [reply.usage for reply in replies(model.generate(requests))]
    prompts = [model._renderer.tokens(model.prompt(r.messages)) for r in requests]
    shared = len(prompts[0]) - len(model._renderer.tokens(questions[0] + "<|im_end|>\n<|im_start|>assistant\n"))
    assert all(prompt[:shared] == prompts[0][:shared] for prompt in prompts)
    assert len({prompt[shared] for prompt in prompts}) == len(prompts)
    assert [usage.prompt_tokens for usage in usages] == [len(prompt) for prompt in prompts]
    assert sorted(usage.cached_tokens for usage in usages) == [0, *[shared] * 4]
    computed = sum(usage.prompt_tokens - usage.cached_tokens for usage in usages)
    assert computed == shared + sum(len(prompt) - shared for prompt in prompts)


@pytest.mark.parametrize("limits", [Limits(), Limits(rows=1), Limits(rows=2, chunk=5), Limits(slots=120)])
def test_every_node_of_the_prefix_tree_is_computed_once_however_groups_are_cut(limits, adapted):
    model = adapted("llama", limits)
    texts = [HAYSTACK + q for q in ("Why?", "Who?", "Where is it?")] + ["A", "Which?", "Who?", "the word", "the list"]
    requests = [Generate(messages=user(text), max_tokens=2) for text in texts]
    usages = [reply.usage for reply in replies(model.generate(requests))]
    prompts = [model._renderer.tokens(model.prompt(r.messages)) for r in requests]
    nodes = {tuple(prompt[:n]) for prompt in prompts for n in range(1, len(prompt) + 1)}
    assert sum(usage.prompt_tokens - usage.cached_tokens for usage in usages) == len(nodes)


def test_a_prompt_asked_again_is_computed_again_by_its_last_token_alone(adapted):
    """Within a group even that is shared; across groups its logits are gone."""
    requests = [Generate(messages=user("Which?"), max_tokens=2, temperature=1.0, seed=s) for s in range(4)]
    computed = {}
    for rows in (48, 2, 1):
        usages = [reply.usage for reply in replies(adapted("llama", Limits(rows=rows)).generate(requests))]
        computed[rows] = sum(usage.prompt_tokens - usage.cached_tokens for usage in usages)
    prompt = usages[0].prompt_tokens
    assert computed == {48: prompt, 2: prompt + 1, 1: prompt + 3}


def test_usage_counts_what_was_really_computed(adapted, passes):
    model = adapted("llama")
    seen = passes(model)
    usages = [reply.usage for reply in replies(model.generate(MIXED))]
    # The last token of an answer is chosen but never computed.
    expected = sum(usage.computed_tokens - 1 for usage in usages)
    assert sum(tokens for tokens, _ in seen) == expected
    assert expected < sum(usage.prompt_tokens + usage.completion_tokens - 1 for usage in usages)


def test_forward_passes_are_bounded_and_logits_few(adapted, passes):
    model = adapted("llama", TIGHT)
    seen = passes(model)
    generated = replies(model.generate(MIXED))
    assert max(tokens for tokens, _ in seen) <= TIGHT.chunk
    needed = sum(reply.usage.completion_tokens for reply in generated)
    # A chunk of which no logits are needed still gives one.
    assert sum(logits for _, logits in seen) <= needed + len(seen)


def works(sequences, needs=None, room=0):
    made = []
    for i, sequence in enumerate(sequences):
        tokens = np.asarray(sequence, dtype=np.int64)
        need = len(tokens) - 1 if needs is None else needs[i]
        made.append(Work(index=i, tokens=tokens, needs=need, room=room, task=Scoring(sequence, 1)))
    return made


SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), min_size=1, max_size=12)


@given(SEQUENCES)
def test_the_sorted_walk_visits_every_node_of_the_prefix_tree_once(sequences):
    (group,) = grouped(works(sequences), Limits())
    new = len(group[0].tokens) + sum(
        len(b.tokens) - common_prefix(a.tokens, b.tokens) for a, b in itertools.pairwise(group)
    )
    assert new == len({tuple(s[:n]) for s in sequences for n in range(1, len(s) + 1)})


@given(SEQUENCES, st.randoms(use_true_random=False), st.integers(1, 4), st.integers(1, 30), st.integers(0, 3))
def test_groups_do_not_depend_on_the_order_of_requests(sequences, chance, rows, slots, room):
    limits = Limits(rows=rows, slots=slots)
    groups = grouped(works(sequences, room=room), limits)
    assert sorted(work.index for group in groups for work in group) == list(range(len(sequences)))
    shuffled = list(sequences)
    chance.shuffle(shuffled)
    again = grouped(works(shuffled, room=room), limits)
    assert [[w.tokens.tolist() for w in g] for g in groups] == [[w.tokens.tolist() for w in g] for g in again]
    for group in groups:
        assert len(group) <= rows or room == 0
        assert len(group) == 1 or sum(_new(group)) + room * len(group) <= slots


def _new(group):
    yield len(group[0].tokens)
    for a, b in itertools.pairwise(group):
        yield len(b.tokens) - common_prefix(a.tokens, b.tokens)


class Latest:
    """Chance that always takes the highest."""

    def randint(self, low, high):
        return high


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["neox", "mistral"]),
    sequences=st.lists(st.lists(st.integers(2, 4), min_size=2, max_size=20), min_size=1, max_size=8),
    limits=st.builds(Limits, chunk=st.integers(1, 9), rows=st.integers(1, 4), slots=st.sampled_from([1, 20, 60, 1000])),
    boundaries=st.randoms(use_true_random=False),
)
@example(  # the second sequence lies behind the first, and the path that the third keeps of it beyond a window
    kind="mistral",
    sequences=[[2] * 16, [2, 2, 2, 3, *[2] * 16], [2, 2, 2, 3, *[2] * 12, 3, 3, 3]],
    limits=Limits(slots=32, chunk=15),
    boundaries=Latest(),
)
def test_any_tree_of_token_sequences_is_scored_as_by_the_model_itself(
    opened, reference, kind, sequences, limits, boundaries
):
    engine = type(opened(kind)._runner)(opened(kind)._runner._model, limits)
    made = []
    for i, sequence in enumerate(sequences):
        boundary = boundaries.randint(1, len(sequence) - 1)
        task = Scoring(sequence, boundary)
        tokens = np.asarray(sequence[:-1], dtype=np.int64)
        made.append(Work(index=i, tokens=tokens, needs=boundary - 1, room=0, task=task))
    done = {work.index: work for work in engine.run(made)}
    assert len(done) == len(sequences)
    for i, sequence in enumerate(sequences):
        with torch.no_grad():
            table = reference(kind)[0](torch.tensor([sequence])).logits[0].log_softmax(-1)
        start = made[i].needs + 1
        expected = [float(table[p - 1, sequence[p]]) for p in range(start, len(sequence))]
        assert done[i].reply().token_logprobs == pytest.approx(expected, abs=1e-4)


def fail_when(model, monkeypatch, condition, error):
    own = model._runner._model._model
    forward = own.forward

    def broken(**arguments):
        if condition(arguments["input_ids"]):
            raise error
        return forward(**arguments)

    monkeypatch.setattr(own, "forward", broken)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            torch.OutOfMemoryError("Tried to allocate 3.00 GiB.\nMore lines."),
            "OutOfMemoryError: Tried to allocate 3.00 GiB.",
        ),
        (RuntimeError(""), "RuntimeError: no reason given"),
        (MemoryError("full"), "MemoryError: full"),
    ],
)
def test_a_failure_ends_its_group_and_no_other(adapted, monkeypatch, error, says):
    model = adapted("llama", Limits(rows=1))
    questions = ["Why?", "Zoo", HAYSTACK + "Who?", HAYSTACK + "Why?"]
    requests = [Generate(messages=user(q), max_tokens=4, logprobs=True) for q in questions]
    expected = replies(model.generate(requests))
    bad = model._renderer.tokens("Zoo")[0]
    fail_when(model, monkeypatch, lambda ids: bool((ids == bad).any()), error)
    found = replies(model.generate(requests))
    assert found[1].finish == "error"
    assert found[1].error == f"The model failed on this request: {says}"
    for i in (0, 2, 3):
        assert found[i].text == expected[i].text
        assert found[i].token_logprobs == pytest.approx(expected[i].token_logprobs, abs=1e-4)
    # After a failure nothing is in the cache, so nothing is counted as shared.
    computed = sum(r.usage.prompt_tokens - r.usage.cached_tokens for r in found if r.finish != "error")
    assert computed > sum(r.usage.prompt_tokens - r.usage.cached_tokens for i, r in enumerate(expected) if i != 1)


def test_a_failure_half_way_keeps_the_replies_that_were_ready(adapted, monkeypatch):
    model = adapted("llama")
    requests = [Generate(messages=user("Why?"), max_tokens=n) for n in (1, 6)]
    fail_when(model, monkeypatch, lambda ids: ids.shape[1] == 1, RuntimeError("lost"))
    short, long = replies(model.generate(requests))
    assert (short.finish, long.finish) == ("length", "error")
    assert long.error == "The model failed on this request: RuntimeError: lost"


def test_after_a_failure_nothing_is_taken_from_the_cache(opened, reference, monkeypatch):
    """The failing group is asked the same as the one before, so it had cut the cache shorter than the next would."""
    sequences = [[2, 3, 4, 5, 6], [2, 3, 4, 5, 6], [2, 3, 4, 5, 6, 7, 8]]
    engine = type(opened("llama")._runner)(opened("llama")._runner._model, Limits(slots=1))
    passes = itertools.count()
    fail_when(opened("llama"), monkeypatch, lambda ids: next(passes) == 1, RuntimeError("lost"))
    made = [
        Work(index=i, tokens=np.array(s[:-1]), needs=len(s) - 2, room=0, task=Scoring(s, len(s) - 1))
        for i, s in enumerate(sequences)
    ]
    first, second, third = (work.reply() for work in sorted(engine.run(made), key=lambda work: work.index))
    assert second.error == "The model failed on this request: RuntimeError: lost"
    for sequence, reply in ((sequences[0], first), (sequences[2], third)):
        with torch.no_grad():
            table = reference("llama")[0](torch.tensor([sequence])).logits[0].log_softmax(-1)
        assert reply.token_logprobs == pytest.approx([float(table[-2, sequence[-1]])], abs=1e-4)
    assert third.usage.cached_tokens == 0


def test_an_interrupt_passes_through_and_the_model_goes_on(adapted, monkeypatch):
    model = adapted("llama")
    request = Generate(messages=user("Why?"), max_tokens=4)
    expected = replies(model.generate([request]))
    with monkeypatch.context() as patch:
        fail_when(model, patch, lambda ids: ids.shape[1] == 1, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            list(model.generate([request]))
    assert [r.text for r in replies(model.generate([request]))] == [r.text for r in expected]


def test_replies_come_as_soon_as_they_are_ready_and_closing_abandons_the_rest(adapted, passes):
    model = adapted("llama", Limits(rows=1))
    seen = passes(model)
    asked = model.generate([Generate(messages=user(q), max_tokens=1) for q in ("A", "B", "C")])
    assert seen == []
    next(asked)
    assert len(seen) == 1
    asked.close()
    assert len(seen) == 1


def test_short_answers_of_a_group_come_before_long_ones(adapted):
    requests = [Generate(messages=user("Why?"), max_tokens=n) for n in (9, 2, 5)]
    assert [index for index, _ in adapted("llama").generate(requests)] == [1, 2, 0]


def test_the_model_is_left_outside_inference_mode(adapted):
    asked = adapted("llama").generate([Generate(messages=user("Why?"), max_tokens=2)])
    next(asked)
    assert not torch.is_inference_mode_enabled()
