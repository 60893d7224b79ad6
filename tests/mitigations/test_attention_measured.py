"""Changed attention measured beside the model alone, on haystacks too long for it."""

import pytest

from hardlimit.audit.budget import Budget, Meter
from hardlimit.audit.desk import Desk
from hardlimit.audit.document import LimitReport
from hardlimit.audit.mitigating import context, mitigated
from hardlimit.audit.mitigating.measuring import Trial, measured
from hardlimit.core import Estimate, Interval, Limit, Measurement, Silent, Tally, Verdict
from hardlimit.core.quantity import EFFECTIVE_CONTEXT
from hardlimit.models.toy import Abstaining, FiniteMemory, Perfect
from hardlimit.probes.context import Needle
from hardlimit.store import Store


@pytest.fixture
def desk_of(tmp_path):
    opened = []

    def make(model, budget=None):
        store = Store.open(tmp_path / f"{len(opened)}.sqlite").__enter__()
        opened.append(store)
        return Desk(model, store, Meter(budget or Budget()), Silent())

    yield make
    for store in opened:
        store.__exit__(None, None, None)


@pytest.mark.parametrize(("tokens", "length"), [(300, 512), (900, 2048)])
def test_the_length_beyond_the_effective_context_is_found(desk_of, tokens, length):
    """A memory of m tokens holds m / N of the needles: less than three quarters from N = 4m/3 on."""
    assert context.beyond(desk_of(FiniteMemory(tokens=tokens)), seed=0) == length


def test_there_is_no_such_length_without_a_base_without_a_loss_or_without_a_budget(desk_of):
    assert context.beyond(desk_of(Abstaining()), seed=0) is None
    assert context.beyond(desk_of(Perfect()), seed=0) is None
    assert context.beyond(desk_of(FiniteMemory(tokens=400), Budget(tokens=600)), seed=0) is None


def test_a_model_that_is_asked_instead_is_compared_on_the_same_cases(desk_of):
    desk = desk_of(FiniteMemory(tokens=300))
    cases = Needle(variant="literal", length=1024).cases(seed=0, n=80)
    longer = FiniteMemory(tokens=5000)
    (found,) = measured(
        desk, Needle(variant="literal", length=1024), cases, [Trial("a longer memory", longer, rewords=False)]
    )
    assert (found.name, found.policy) == ("a longer memory", "toy:finite-memory-5000")
    assert found.before.value < 0.5 and found.after.value == 1.0
    assert found.verdict is Verdict.HELPS and found.p_value < 0.005 and found.difference.n == 80


def test_what_does_not_run_here_cannot_be_changed(desk_of):
    nothing = LimitReport(limit=Limit.CONTEXT, applies=True, headline="x")
    assert mitigated(desk_of(FiniteMemory(tokens=300)), 0, nothing) == nothing


@pytest.mark.local
def test_a_local_model_is_measured_with_every_change(desk_of, monkeypatch):
    """Its weights are random, so that none of them helps; each is asked all the same cases."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    import tokenizers

    from hardlimit.models.local import adapt

    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    bytewise = tokenizers.Tokenizer(tokenizers.models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    bytewise.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = tokenizers.decoders.ByteLevel()
    config = transformers.LlamaConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=256
    )
    network = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=bytewise)
    model = adapt(network, fast, name="local:tiny", revision="1")
    monkeypatch.setattr(context, "HAYSTACKS", 5)
    monkeypatch.setattr(context, "NEEDLES", 2)
    monkeypatch.setattr(context, "beyond", lambda desk, seed: 320)
    desk = desk_of(model)
    found = context.mitigations(desk, 0)
    assert [each.policy.partition("(")[0] for each in found] == [
        "LogScaled",
        "Rescaled",
        "ChunkThenToken",
        "TopK",
        "WindowSink",
    ]
    assert {each.difference.n for each in found} == {10}
    assert all(each.verdict is not Verdict.HELPS and each.policy.endswith(" on local:tiny") for each in found)
    asked = desk.meter.spent.calls
    assert asked == 10 * 6
    monkeypatch.setattr(context, "beyond", lambda desk, seed: None)
    assert context.mitigations(desk, 0) == () and desk.meter.spent.calls == asked


@pytest.mark.parametrize(("tokens", "length"), [(300.0, 640), (1000.0, 2048), (120.0, None), (1e5, None)])
def test_the_length_follows_from_what_the_study_found(desk_of, tokens, length):
    interval = Interval(low=tokens / 2, high=2 * tokens, level=0.95, method="m")
    estimate = Estimate(value=tokens, interval=interval, n=40)
    effective = Measurement(
        name="context.effective",
        quantity=EFFECTIVE_CONTEXT,
        probe="p",
        model="m",
        seed=0,
        estimate=estimate,
        tally=Tally(right=40),
    )
    report = LimitReport(limit=Limit.CONTEXT, applies=True, headline="x", measurements=(effective,))
    desk = desk_of(FiniteMemory(tokens=600))
    assert context._twice_the_effective(desk, report) == length
    assert context._twice_the_effective(desk, None) is None
