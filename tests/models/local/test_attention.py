"""The row that is read is the row of the reference's matrix, and spans are found where the template puts them."""

import math

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from hardlimit.core import Attend, InvalidValueError, Message, ModelError, Span
from hardlimit.models import Attends, Scores
from hardlimit.models.attention import describe, row_attention
from hardlimit.models.local import adapt, open_local
from hardlimit.models.render import Renderer
from hardlimit.models.slots import ROWS, SHARED, SlotCache, Step

pytestmark = pytest.mark.local
TEXT = "The needle lies in the haystack. The secret word is amber. Which word is the secret word?"
READABLE = ("llama", "neox", "qwen2", "qwen3", "mistral", "gemma2", "gpt2")


def user(text):
    return (Message(role="user", content=text),)


def span(name, text, part, message=0):
    start = text.index(part)
    return Span(name=name, message=message, start=start, end=start + len(part))


def replies(pairs):
    found = dict(pairs)
    return [found[i] for i in range(len(found))]


def reference_weights(reference, ids):
    """Attention weights of the last token from `output_attentions=True`, `(layers, heads, keys)`."""
    model, _ = reference
    with torch.no_grad():
        output = model(torch.tensor([ids]), output_attentions=True)
    return np.stack([layer[0, :, -1].double().numpy() for layer in output.attentions])


def assert_equal_to_weights(reply, weights):
    """Every number of a reading follows from the weights of its row."""
    assert reply.error is None
    assert reply.keys == weights.shape[-1]
    assert np.allclose(reply.sink, weights[..., 0], atol=1e-5, rtol=0)
    safe = np.where(weights > 0, weights, 1)
    assert np.allclose(reply.entropy, -(weights * np.log(safe)).sum(-1), atol=1e-5, rtol=0)
    for found in reply.spans:
        first, end = found.tokens
        inside, outside = weights[..., first:end], np.delete(weights, np.s_[first:end], axis=-1)
        assert np.allclose(found.mass, inside.sum(-1), atol=1e-5, rtol=0)
        # Logits are weights up to a constant per row, which the margin does not see.
        assert np.allclose(found.margin, np.log(inside.max(-1)) - np.log(outside.sum(-1)), atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("template", ["chat", "plain"])
@pytest.mark.parametrize("kind", READABLE)
def test_a_row_equals_output_attentions(kind, template, opened, reference):
    text = "Which word is the secret word?" if kind in {"mistral", "gemma2"} else TEXT
    spans = (span("needle", text, "secret word"), span("last", text, "word?"))
    if kind in {"mistral", "gemma2"} and template == "chat":
        spans = spans[1:]  # the window of these models, 12 tokens, leaves the first span out
    model = opened(kind, template)
    (reply,) = replies(model.attend([Attend(messages=user(text), spans=spans)]))
    ids = model._renderer.tokens(model.prompt(user(text)))
    assert_equal_to_weights(reply, reference_weights(reference(kind, template), ids))
    assert [found.name for found in reply.spans] == [wanted.name for wanted in spans]
    assert reply.usage.prompt_tokens == len(ids)


@pytest.mark.parametrize("kind", ["llama", "neox", "qwen2"])
def test_many_readings_share_what_they_have_in_common(kind, opened, reference):
    model = opened(kind)
    ends = [" Which word?", " Who said it?", " Why?", " Why so?", " Where is Paris?", " Why?"]
    requests = [Attend(messages=user(TEXT + e), spans=(span("needle", TEXT, "amber"),)) for e in ends]
    found = replies(model.attend(requests))
    distinct = set()
    for request, reply in zip(requests, found, strict=True):
        ids = model._renderer.tokens(model.prompt(request.messages))
        assert_equal_to_weights(reply, reference_weights(reference(kind), ids))
        distinct |= {tuple(ids[:n]) for n in range(1, len(ids))}
    # Each prompt's last token is computed for itself, the others once each.
    computed = sum(reply.usage.prompt_tokens - reply.usage.cached_tokens for reply in found)
    assert computed == len(distinct) + len(ends)


def test_the_matrix_is_never_made(opened, monkeypatch):
    model = opened("llama")
    own = model._runner._model._model
    sizes, forward = [], own.forward

    def spy(**arguments):
        output = forward(**arguments)
        sizes.append((arguments["input_ids"].shape[1], output.attentions and output.attentions[0].shape))
        return output

    monkeypatch.setattr(own, "forward", spy)
    replies(model.attend([Attend(messages=user(TEXT), spans=(span("needle", TEXT, "amber"),))]))
    keys = len(model._renderer.tokens(model.prompt(user(TEXT))))
    assert sizes == [(keys - 1, None), (1, (1, 4, 1, keys))]


def test_the_models_attention_is_what_it_was_after_a_reading(opened, monkeypatch):
    model = opened("llama")
    own = model._runner._model._model
    request = Attend(messages=user(TEXT), spans=(span("needle", TEXT, "amber"),))
    replies(model.attend([request]))
    assert own.config._attn_implementation == SHARED
    used = []

    def fail(**arguments):
        used.append(own.config._attn_implementation)
        raise RuntimeError("lost")

    monkeypatch.setattr(own, "forward", fail)
    with pytest.raises(RuntimeError, match="lost"):
        model._runner._model.rows(SlotCache(), Step(np.arange(1), np.arange(1), np.ones((1, 1), dtype=np.bool_)))
    assert used == [ROWS]
    assert own.config._attn_implementation == SHARED


def test_a_prompt_of_one_token_has_no_margin_but_is_answered(opened):
    model = opened("llama", "plain")
    spanless, spanned = replies(
        model.attend(
            [
                Attend(messages=user("a"), spans=()),
                Attend(messages=user("a"), spans=(Span(name="all", message=0, start=0, end=1),)),
            ]
        )
    )
    assert (spanless.keys, spanless.sink) == (1, ((1.0,) * 4,) * 2)
    assert spanless.entropy == ((0.0,) * 4,) * 2
    assert spanned.error == (
        "The span 'all' has no finite margin in layer 0: it holds all or none of the keys that the last token can "
        "attend to there."
    )


def test_a_span_beyond_a_sliding_window_is_an_error_reply_and_others_go_on(opened):
    requests = [Attend(messages=user(TEXT), spans=(span(part, TEXT, part),)) for part in ("needle", "secret word?")]
    far, near = replies(opened("mistral", "plain").attend(requests))
    assert far.error == (
        "The span 'needle' has no finite margin in layer 0: it holds all or none of the keys that the last token can "
        "attend to there."
    )
    assert near.error is None


def test_an_overlong_prompt_is_an_error_reply(opened):
    model = opened("llama")
    text = "lies " * 300
    (reply,) = replies(model.attend([Attend(messages=user(text), spans=(span("x", text, "lies"),))]))
    n = len(model._renderer.tokens(model.prompt(user(text))))
    assert reply.error == f"The prompt has {n:,} tokens, but the window of {model.card.name} has 256."


def test_a_model_whose_attention_cannot_be_read_lacks_the_capability(opened, tiny):
    assert isinstance(opened("llama"), Attends)
    assert not isinstance(opened("bloom"), Attends)
    # Attention sinks are a term of the softmax that is not among the keys.
    sinks = open_local(str(tiny("gpt-oss")))
    assert isinstance(sinks, Scores)
    assert not isinstance(sinks, Attends)


@pytest.mark.parametrize("name", ["s_aux", "position_bias"])
def test_attention_with_an_unknown_term_is_refused(name):
    states = torch.zeros(1, 1, 1, 2)
    with pytest.raises(ModelError) as caught:
        row_attention(torch.nn.Identity(), states, states, states, torch.zeros(1, 1, 1, 1), **{name: torch.zeros(1)})
    assert str(caught.value) == f"The attention of Identity has a term that is not read: {name}."


@settings(deadline=None)
@given(
    logits=st.lists(st.floats(-30, 30), min_size=2, max_size=9),
    masked=st.integers(0, 3),
    ends=st.tuples(st.integers(0, 7), st.integers(1, 8)),
)
def test_a_description_follows_the_definitions(logits, masked, ends):
    keys = [float("-inf")] * masked + logits
    first = min(masked + ends[0], len(keys) - 1)
    end = min(first + ends[1], len(keys))
    if end - first == len(logits):
        return
    reply = describe(torch.tensor([[keys]], dtype=torch.float64), [("x", (first, end))])
    total = math.fsum(math.exp(x) for x in logits)
    weights = [math.exp(x) / total for x in keys]
    outside = math.fsum(math.exp(x) for i, x in enumerate(keys) if not first <= i < end)
    assert reply.spans[0].mass[0][0] == pytest.approx(math.fsum(weights[first:end]))
    assert reply.spans[0].margin[0][0] == pytest.approx(max(keys[first:end]) - math.log(outside))
    assert reply.entropy[0][0] == pytest.approx(-math.fsum(w * math.log(w) for w in weights if w), abs=1e-9)
    assert reply.sink[0][0] == pytest.approx(weights[0])


# ---- where a span lies ---------------------------------------------------------------------------------------------


def located(renderer, messages, spans):
    """The text of the tokens of each span, and of their neighbours."""
    ids, places = renderer.located(messages, spans)
    decode = renderer._tokenizer.decode
    assert ids == renderer.tokens(renderer.text(messages))
    return [decode(ids[first:end]) for first, end in places]


@pytest.fixture
def renderer(reference):
    return lambda template="chat": Renderer(reference("llama", template)[1])


def test_a_span_is_the_tokens_that_hold_its_characters(renderer):
    parts = ["needle", "amber", "amber. Which", "?", "T"]
    found = located(renderer(), user(TEXT), [span(part, TEXT, part) for part in parts])
    # Tokens hold a leading blank, and the first letters of a word may be one token with others.
    assert [text.strip() for text in found] == ["needle", "amber", "amber. Which", "?", "The"]
    half = TEXT.index("haystack") + 3
    assert located(renderer(), user(TEXT), [Span(name="x", message=0, start=half, end=half + 1)]) == [" haystack"]


@pytest.mark.parametrize("template", ["chat", "no system", "plain"])
def test_the_same_words_elsewhere_are_not_taken_for_the_span(template, renderer):
    messages = (
        Message(role="system", content="The word is amber."),
        Message(role="user", content="The word is amber."),
        Message(role="assistant", content="The word is amber."),
        Message(role="user", content="The word is amber. user assistant"),
    )
    spans = [span(str(i), messages[i].content, "amber", message=i) for i in range(4)]
    ids, places = renderer(template).located(messages, spans)
    every = [i for i in range(len(ids)) if renderer(template)._tokenizer.decode(ids[i]) == " amber"]
    assert places == [(i, i + 1) for i in every]


def test_blanks_that_the_template_strips_move_the_span(renderer):
    text = " \n\n  The word is amber.  "
    messages = (*user(text), Message(role="assistant", content="\tamber "), *user("Why?"))
    assert located(renderer(), messages, [span("x", text, "amber"), Span(name="y", message=1, start=1, end=6)]) == [
        " amber",
        "amber",
    ]
    assert located(renderer(), messages, [Span(name="x", message=0, start=0, end=8)]) == ["The"]


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (
            Span(name="x", message=0, start=0, end=2),
            "cannot be found in the rendered prompt: the chat template changes",
        ),
        (Span(name="x", message=0, start=8, end=8), "is message 0, characters 8 to 8, which the request's messages do"),
        (Span(name="x", message=0, start=3, end=99), "is message 0, characters 3 to 99, which the request's messages"),
        (Span(name="x", message=-1, start=0, end=1), "is message -1, characters 0 to 1, which the request's messages"),
        (Span(name="x", message=1, start=0, end=1), "is message 1, characters 0 to 1, which the request's messages do"),
    ],
)
def test_a_span_that_is_not_there_is_refused(wanted, says, renderer):
    with pytest.raises(InvalidValueError, match=f"^The span 'x' {says}"):
        renderer().located(user("   The word."), [wanted])


def test_a_template_that_rewrites_the_content_is_refused_rather_than_guessed(reference, opened):
    tokenizer = transformers.AutoTokenizer.from_pretrained(reference("llama")[1].name_or_path)
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] | upper }}{% endfor %}"
    with pytest.raises(InvalidValueError) as caught:
        Renderer(tokenizer).located(user("The word."), [Span(name="x", message=0, start=4, end=8)])
    assert str(caught.value) == (
        "The span 'x' cannot be found in the rendered prompt: the chat template changes the content of message 0."
    )
    own = reference("llama")[0]
    model = adapt(own, tokenizer, name="local:x", revision="1")
    (reply,) = replies(model.attend([Attend(messages=user("The word."), spans=(span("x", "The word.", "word"),))]))
    own.set_attn_implementation("eager")
    assert reply.error == str(caught.value)


CONTENT = st.text(alphabet=st.sampled_from("ab \n\tß🙂⟦0¦"), min_size=1, max_size=12)


@settings(deadline=None, max_examples=60)
@given(contents=st.lists(CONTENT, min_size=1, max_size=4), data=st.data())
def test_any_span_of_any_conversation_is_found_or_blank(reference, contents, data):
    renderer = Renderer(reference("llama")[1])
    messages = [Message(role=("user", "assistant")[i % 2], content=c) for i, c in enumerate(contents)]
    i = data.draw(st.integers(0, len(contents) - 1))
    start = data.draw(st.integers(0, len(contents[i]) - 1))
    end = data.draw(st.integers(start + 1, len(contents[i])))
    wanted = contents[i][start:end]
    try:
        ids, ((first, last),) = renderer.located(messages, [Span(name="x", message=i, start=start, end=end)])
    except InvalidValueError:
        stripped = contents[i].strip()
        lead = len(contents[i]) - len(contents[i].lstrip())
        assert end <= lead or start >= lead + len(stripped)
        return
    assert wanted.strip() in renderer._tokenizer.decode(ids[first:last])
