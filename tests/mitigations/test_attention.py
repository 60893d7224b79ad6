"""Attention changed at inference: faithful where nothing is left out, right where something is."""

import copy
import math

import numpy as np
import pytest

from hardlimit.core import CapabilityError, InvalidValueError
from hardlimit.mitigations.attention import (
    BlockTopK,
    ChunkThenToken,
    Entmax,
    LogScaled,
    Rescaled,
    TopK,
    WindowSink,
)

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from hardlimit.mitigations.attention.gathered import chunk_then_token, window_sink  # noqa: E402
from hardlimit.mitigations.attention.opening import put_in  # noqa: E402
from hardlimit.mitigations.attention.rows import Rows, each_logit  # noqa: E402

pytestmark = pytest.mark.local
LENGTH = 90
COMMON = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 100,
    "initializer_range": 0.4,
    "max_position_embeddings": 256,
}
EVERYTHING = (
    TopK(keys=LENGTH),
    WindowSink(window=LENGTH, sinks=0),
    BlockTopK(block=8, chosen=12),
    ChunkThenToken(chunk=8, chosen=9),
    LogScaled(reference=LENGTH),
    Rescaled(kind="linear", factor=1),
    Rescaled(kind="ntk", factor=1),
    Rescaled(kind="yarn", factor=1),
)


@pytest.fixture(scope="module", params=["llama", "neox", "gemma2"])
def network(request):
    """A Llama with shared key–value heads, a GPT-NeoX, and a Gemma with capped logits and a sliding window."""
    config = {
        "llama": lambda: transformers.LlamaConfig(**COMMON, num_key_value_heads=2),
        "neox": lambda: transformers.GPTNeoXConfig(**COMMON, rotary_pct=1.0),
        "gemma2": lambda: transformers.Gemma2Config(**COMMON, num_key_value_heads=2, head_dim=8, sliding_window=12),
    }[request.param]()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()


@torch.inference_mode()
def logits(network, rows=2):
    """Of a padded batch, so that the mask matters."""
    ids = torch.as_tensor(np.random.default_rng(0).integers(0, 100, (rows, LENGTH)))
    mask = torch.ones_like(ids)
    mask[0, :7] = 0
    return network(input_ids=ids, attention_mask=mask).logits[:, 7:]


@pytest.mark.parametrize("change", EVERYTHING, ids=repr)
def test_with_everything_seen_it_is_the_models_own_attention(network, change):
    twin = copy.deepcopy(network)
    put_in(twin, change)
    own = logits(network)
    assert float((logits(twin) - own).abs().max()) < 1e-5 * float(own.abs().max())


@pytest.mark.parametrize(
    "change",
    [
        TopK(keys=4),
        WindowSink(window=8),
        BlockTopK(block=4, chosen=2),
        ChunkThenToken(chunk=4, chosen=2),
        Entmax(),
        LogScaled(reference=4),
        *(Rescaled(kind=kind, factor=4) for kind in ("linear", "ntk", "yarn")),
    ],
    ids=repr,
)
def test_with_less_seen_it_is_another(network, change):
    twin = copy.deepcopy(network)
    put_in(twin, change)
    assert float((logits(twin) - logits(network)).abs().max()) > 0.01


def rows(count=40, keys=90, group=2, shared=2, width=8, softcap=None):
    rng = torch.Generator().manual_seed(1)
    make = lambda *shape: torch.randn(*shape, generator=rng)  # noqa: E731
    queries = 2 * make(shared, group, count, width)
    return Rows(queries, make(shared, keys, width), make(shared, keys, width), width**-0.5, softcap)


def one_by_one(rows, seen_by):
    """The reference: each query by itself, softmax over the keys that `seen_by` names, nothing shared or gathered."""
    shared, group, count, _ = rows.queries.shape
    out = torch.zeros(shared, group, count, rows.values.shape[-1])
    for s in range(shared):
        for i in range(count):
            n = rows.first + i + 1
            dots = rows.queries[s, :, i] @ rows.keys[s, :n].T * rows.scale
            if rows.softcap is not None:
                dots = rows.softcap * torch.tanh(dots / rows.softcap)
            for g in range(group):
                seen = seen_by(s, i, g, dots)
                out[s, g, i] = dots[g, seen].softmax(0) @ rows.values[s, seen]
    return out


def close(a, b):
    return torch.allclose(a, b, atol=1e-5)


def test_top_k_sees_the_k_largest():
    given = rows()
    expected = one_by_one(given, lambda s, i, g, dots: dots[g].argsort(descending=True)[:5])
    assert close(each_logit(TopK(keys=5), given), expected)


@pytest.mark.parametrize("softcap", [None, 3.0])
def test_window_sink_sees_the_last_and_the_first(softcap):
    given = rows(softcap=softcap, count=70)
    many = given._replace(queries=torch.cat([given.queries] * 5, 2)[:, :, :300], keys=torch.cat([given.keys] * 4, 1))
    many = many._replace(values=torch.cat([given.values] * 4, 1))
    expected = one_by_one(
        many, lambda s, i, g, dots: [j for j in range(len(dots[0])) if j < 3 or j >= len(dots[0]) - 10]
    )
    assert close(window_sink(WindowSink(window=10, sinks=3), many), expected)


def test_block_top_k_sees_the_blocks_of_most_weight():
    given = rows()

    def seen(s, i, g, dots):
        n = dots.shape[1]
        blocks = [list(range(at, min(at + 8, n))) for at in range(0, n, 8)]
        best = sorted(blocks[:-1], key=lambda block: -float(dots[g, block].exp().sum()))[:2] + blocks[-1:]
        return [j for block in best for j in block]

    assert close(each_logit(BlockTopK(block=8, chosen=3), given), one_by_one(given, seen))


@pytest.mark.parametrize("summary", ["bounds", "mean"])
@pytest.mark.parametrize("softcap", [None, 3.0])
@pytest.mark.parametrize("count", [1, 40, 90])
def test_chunk_then_token_sees_the_chunks_that_score_best(summary, softcap, count):
    given = rows(softcap=softcap, count=count)
    chunk, chosen = 8, 2

    def score(s, i, block):
        keys = given.keys[s, block * chunk : (block + 1) * chunk]
        asked = given.queries[s, :, i]
        if summary == "mean":
            return float((asked @ keys.mean(0)).max())
        # The largest dot product with any point of the box that holds the keys.
        return float((asked[:, None] * torch.stack([keys.amax(0), keys.amin(0)])).amax(1).sum(-1).max())

    def seen(s, i, g, dots):
        n = dots.shape[1]
        own = (n - 1) // chunk
        always = {0, own - 1, own} & set(range(own + 1))
        best = sorted(range(1, own - 1), key=lambda block: -score(s, i, block))[:chosen]
        return [j for j in range(n) if j // chunk in always | set(best)]

    change = ChunkThenToken(chunk=chunk, chosen=chosen, summary=summary)
    assert close(chunk_then_token(change, given), one_by_one(given, seen))


def test_what_comes_later_changes_nothing():
    """A choice made for a block of queries together would let the earlier ones see what the later ones ask."""
    given = rows(count=90)
    for change, attend in ((ChunkThenToken(chunk=8, chosen=1), chunk_then_token), (TopK(keys=3), each_logit)):
        whole = attend(change, given)
        for stop in (45, 61, 88):
            cut = given._replace(
                queries=given.queries[:, :, :stop], keys=given.keys[:, :stop], values=given.values[:, :stop]
            )
            assert close(attend(change, cut), whole[:, :, :stop])


def test_log_scaling_multiplies_the_logits():
    given = rows()

    def weights(n):
        return max(1.0, math.log(n) / math.log(16))

    scaled = each_logit(LogScaled(reference=16), given)
    for i in range(40):
        n = given.first + i + 1
        dots = given.queries[1, 0, i] @ given.keys[1, :n].T * given.scale * weights(n)
        assert close(scaled[1, 0, i], dots.softmax(0) @ given.values[1, :n])


def test_entmax_leaves_keys_out():
    pytest.importorskip("entmax")
    given = rows(count=1)
    changed = each_logit(Entmax(), given._replace(values=torch.eye(90).expand(2, 90, 90)))
    weights = changed[0, 0, 0]
    dots = (given.queries[0, 0, 0] @ given.keys[0].T * given.scale).double()
    support = weights > 0
    assert 1 < int(support.sum()) < 45
    assert float(weights.sum()) == pytest.approx(1, abs=1e-5)
    # The defining equation of order 1.5: the root of a weight is half its logit above a threshold common to all.
    thresholds = dots[support] / 2 - weights[support].double().sqrt()
    assert float(thresholds.max() - thresholds.min()) < 1e-4
    assert bool((dots[~support] / 2 <= thresholds.mean() + 1e-4).all())


def test_rescaled_frequencies():
    config = transformers.LlamaConfig(**COMMON | {"hidden_size": 256})  # heads of width 64
    plain = transformers.AutoModelForCausalLM.from_config(config)

    def frequencies(change):
        twin = copy.deepcopy(plain)
        put_in(twin, change)
        assert twin.config.max_position_embeddings == 256 * change.factor
        return twin.model.rotary_emb.inv_freq.double(), twin.model.rotary_emb.attention_scaling

    own = plain.model.rotary_emb.inv_freq.double()
    linear, _ = frequencies(Rescaled(kind="linear", factor=4))
    assert torch.allclose(linear, own / 4)
    ntk, sharp = frequencies(Rescaled(kind="ntk", factor=4))
    base = 10000 * 4 ** (64 / 62)
    assert torch.allclose(ntk, base ** -(torch.arange(0, 64, 2).double() / 64))
    assert sharp == 1.0
    yarn, sharp = frequencies(Rescaled(kind="yarn", factor=4))
    # A frequency that turns over 32 times within the window stays, one that turns less than once is divided.
    turns = 256 * own / (2 * math.pi)
    assert torch.allclose(yarn[turns > 32], own[turns > 32])
    assert torch.allclose(yarn[turns < 0.5], own[turns < 0.5] / 4)
    assert bool(((yarn <= own + 1e-9) & (yarn >= own / 4 - 1e-9)).all())
    assert sharp == pytest.approx(0.1 * math.log(4) + 1)
    longer, _ = frequencies(Rescaled(kind="yarn", factor=4, original=8))
    assert torch.allclose(longer[1:], own[1:] / 4)  # within 8 tokens, only the first turns even once


@pytest.mark.parametrize("kind", ["gpt2", "bloom"])
def test_what_cannot_be_changed_says_so(kind):
    config = {
        "gpt2": lambda: transformers.GPT2Config(n_embd=32, n_layer=1, n_head=4, vocab_size=50),
        "bloom": lambda: transformers.BloomConfig(hidden_size=32, n_layer=1, n_head=4, vocab_size=50),
    }[kind]()
    network = transformers.AutoModelForCausalLM.from_config(config).eval()
    with pytest.raises(CapabilityError, match="no single set of rotary positions"):
        put_in(network, Rescaled())
    if kind == "bloom":
        with pytest.raises(CapabilityError):
            put_in(network, TopK())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WindowSink(window=0), "WindowSink.window must be >= 1, got 0."),
        (lambda: WindowSink(sinks=-1), "WindowSink.sinks must be >= 0, got -1."),
        (lambda: BlockTopK(block=0), "BlockTopK.block must be >= 1, got 0."),
        (lambda: ChunkThenToken(chosen=0), "ChunkThenToken.chosen must be >= 1, got 0."),
        (lambda: LogScaled(reference=1), "LogScaled.reference must be >= 2, got 1."),
        (lambda: Rescaled(factor=0.5), "Rescaled.factor must be >= 1, got 0.5."),
        (lambda: Rescaled(original=1), "Rescaled.original must be >= 2 tokens, got 1."),
    ],
)
def test_nonsense_is_refused(make, message):
    with pytest.raises(InvalidValueError) as refused:
        make()
    assert str(refused.value) == message
