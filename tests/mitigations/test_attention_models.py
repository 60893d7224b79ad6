"""A local model with its attention changed is a model like any other, and leaves the one it came from alone."""

import numpy as np
import pytest

from hardlimit.core import Attend, Generate, InvalidValueError, Message, Score, Span
from hardlimit.mitigations.attention import ChunkThenToken, LogScaled, Rescaled, TopK, WindowSink
from hardlimit.models import Attends

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
import tokenizers  # noqa: E402

from hardlimit.mitigations.attention.opening import put_in, with_attention  # noqa: E402
from hardlimit.mitigations.attention.sequences import stretches  # noqa: E402
from hardlimit.models.local import adapt  # noqa: E402

pytestmark = pytest.mark.local
STORY = "The needle lies in the haystack, and the haystack lies in the field behind the house. " * 3
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 512}
SMALL |= {"num_key_value_heads": 2, "intermediate_size": 48, "vocab_size": 260, "initializer_range": 0.3}


def network():
    config = transformers.LlamaConfig(**SMALL, bos_token_id=0, eos_token_id=1, pad_token_id=1)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()


def tokenizer():
    """Each byte a token."""
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"<s>": 0, "</s>": 1, **{letter: 2 + i for i, letter in enumerate(letters)}}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>")


@pytest.fixture(scope="module")
def model():
    return adapt(network(), tokenizer(), name="local:tiny", revision="1")


def user(text):
    return (Message(role="user", content=text),)


def scores(model, requests):
    found = dict(model.score(requests))
    assert all(reply.error is None for reply in found.values())
    return [found[i].token_logprobs for i in range(len(found))]


ASKED = [
    Score(messages=user(STORY + "Where is the needle?"), continuation=" In the haystack."),
    Score(messages=user(STORY + "Where is the field?"), continuation=" Behind the house."),
    Score(messages=user(STORY[:150] + "Where?"), continuation=" Here."),
    Score(messages=user("What?"), continuation=" That."),
]


@pytest.mark.parametrize(
    "change",
    [
        TopK(keys=6),
        WindowSink(window=20, sinks=2),
        ChunkThenToken(chunk=16, chosen=2),
        LogScaled(reference=8),
        Rescaled(kind="yarn", factor=2.0),
    ],
    ids=repr,
)
def test_packed_asking_gives_what_a_plain_forward_pass_gives(model, change):
    """Whose tokens lie where in the shared cache must not matter, least of all to a choice by chunks."""
    changed = with_attention(model, change)
    assert changed.card.settings["asking"] == "shared prefixes"
    plain = network()
    put_in(plain, change)
    read = tokenizer()
    for request, got in zip(ASKED, scores(changed, ASKED), strict=True):
        prompt = read(model.prompt(request.messages)).input_ids
        ids = prompt + read(request.continuation).input_ids
        with torch.inference_mode():
            table = plain(torch.tensor([ids])).logits[0].log_softmax(-1)
        own = [float(table[at - 1, ids[at]]) for at in range(len(prompt), len(ids))]
        assert np.allclose(got, own, atol=1e-4)


def test_the_model_it_came_from_stays_as_it_was(model):
    before, card = scores(model, ASKED), model.card
    changed = with_attention(with_attention(model, TopK(keys=4)), Rescaled(kind="linear", factor=2.0))
    after = scores(changed, ASKED)
    assert scores(model, ASKED) == before and model.card == card
    assert max(abs(a - b) for x, y in zip(before, after, strict=True) for a, b in zip(x, y, strict=True)) > 0.1
    assert all(a is b for a, b in zip(weights(model), weights(changed), strict=True))


def weights(model):
    return list(model._runner.network.parameters())


def test_the_card_holds_the_change(model):
    chunks, positions = ChunkThenToken(chunk=16, chosen=2), Rescaled(kind="ntk", factor=3.0)
    first = with_attention(model, chunks)
    second = with_attention(first, positions)
    assert len({model.card.fingerprint, first.card.fingerprint, second.card.fingerprint}) == 3
    assert second.card.name == f"{positions!r} on {chunks!r} on local:tiny"
    assert second.card.settings["weights of attention"] == repr(chunks)
    assert second.card.settings["positions"] == repr(positions)
    assert (model.card.window, first.card.window, second.card.window) == (512, 512, 1536)
    assert second.card.parameters == model.card.parameters
    with pytest.raises(InvalidValueError) as refused:
        with_attention(second, Rescaled(factor=2.0))
    assert str(refused.value) == (
        f"The positions of {second.card.name} are changed already, by {positions!r}. Start without it."
    )


def test_answers_and_failures_come_as_from_any_model(model):
    changed = with_attention(model, ChunkThenToken(chunk=8, chosen=1))
    asks = [Generate(messages=user(STORY + each), max_tokens=8) for each in ("Where?", "Who?", "What is it?")]
    together = dict(changed.generate([*asks, Generate(messages=user(STORY * 3), max_tokens=8)]))
    assert together[3].error is not None and "window" in together[3].error
    for i, ask in enumerate(asks):
        ((_, alone),) = changed.generate([ask])
        assert alone.text == together[i].text and alone.error is None


def test_attention_is_read_where_it_has_a_margin(model):
    request = Attend(messages=user(STORY), spans=(Span(name="needle", message=0, start=4, end=10),))
    assert not isinstance(with_attention(model, TopK(keys=4)), Attends)
    ((_, own),) = model.attend([request])
    for reference, ratio in ((2, np.log(own.keys) / np.log(2)), (512, 1.0)):
        ((_, read),) = with_attention(model, LogScaled(reference=reference)).attend([request])
        # In the first layer the keys are the same, so that the logits are the model's own times the factor.
        gaps = np.array(read.spans[0].gap[0]) / np.array(own.spans[0].gap[0])
        assert np.allclose(gaps, ratio, rtol=1e-4)
    ((_, shifted),) = with_attention(model, Rescaled(factor=2.0)).attend([request])
    assert shifted.error is None and shifted.spans[0].gap != own.spans[0].gap


def test_stretches_of_padded_and_sliding_masks():
    padded = torch.tril(torch.ones(4, 4, dtype=torch.bool))
    padded[:, 0] = False
    (only,) = stretches(padded)
    assert (only.start, only.stop, only.keys.tolist()) == (1, 4, [1, 2, 3])
    sliding = torch.tril(torch.ones(4, 4, dtype=torch.bool)).triu(-1)
    cuts = [(each.start, each.stop, each.keys.tolist()) for each in stretches(sliding)]
    assert cuts == [(0, 2, [0, 1]), (2, 3, [1, 2]), (3, 4, [2, 3])]
    (whole,) = stretches(torch.ones(3, 5, dtype=torch.bool).tril(2))
    assert (whole.start, whole.stop, whole.keys) == (0, 3, None)


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 1, 0, 0], [1, 0, 1, 1]],  # one more key, but not the same ones
        [[1, 0, 0, 0], [1, 1, 1, 0]],  # two more keys: whose the first is, no row of its own tells
        [[0, 1, 0, 0], [1, 1, 0, 0]],  # one more key, before the others
    ],
)
def test_rows_of_different_sequences_are_cut_apart(rows):
    cuts = [(each.start, each.stop) for each in stretches(torch.tensor(rows, dtype=torch.bool))]
    assert cuts == [(0, 1), (1, 2)]
