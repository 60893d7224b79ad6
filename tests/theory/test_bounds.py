"""Architectures read from configurations, and the table of what they cannot do."""

import math

import pytest

from hardlimit.core import InvalidValueError, UnknownNameError
from hardlimit.theory.architecture import Architecture, architecture_from_config, find_known, known_architectures
from hardlimit.theory.bounds import Setting, architecture_bounds
from hardlimit.theory.counting import count_parameters

TABLE = known_architectures()
# Totals as published with the weights; the table holds sizes only, so each is a check of sizes and counting rule.
PUBLISHED = {
    "Llama-3.1-8B": 8_030_261_248, "Llama-3.1-70B": 70_553_706_496, "Llama-3.1-405B": 405_853_388_800,
    "Llama-3.2-1B": 1_235_814_400, "Llama-3.2-3B": 3_212_749_824, "Llama-2-7B": 6_738_415_616,
    "TinyLlama-1.1B": 1_100_048_384, "SmolLM2-135M": 134_515_008, "SmolLM2-360M": 361_821_120,
    "SmolLM2-1.7B": 1_711_376_384, "Mistral-7B-v0.1": 7_241_732_096, "Mistral-7B-v0.3": 7_248_023_552,
    "Mixtral-8x7B-v0.1": 46_702_792_704, "Qwen2.5-0.5B": 494_032_768, "Qwen2.5-1.5B": 1_543_714_304,
    "Qwen2.5-7B": 7_615_616_512, "Qwen3-8B": 8_190_735_360, "Gemma-2-2B": 2_614_341_888,
    "Gemma-2-9B": 9_241_705_984, "Pythia-160M": 162_322_944, "Pythia-1B": 1_011_781_632,
    "Pythia-6.9B": 6_857_302_016, "Pythia-12B": 11_846_072_320, "GPT-2": 124_439_808, "GPT-2-XL": 1_557_611_200,
    "Phi-2": 2_779_683_840, "Phi-3-mini-4k": 3_821_079_552, "OLMo-2-7B": 7_298_617_344,
    "DeepSeek-LLM-7B": 6_910_365_696,
}  # fmt: skip
LLAMA = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 100, "max_position_embeddings": 256,
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_totals(name):
    assert TABLE[name].parameters == PUBLISHED[name]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "Llama-3.1-8B"), ("meta-llama/Meta-Llama-3.1-70B", "Llama-3.1-70B"),
        ("google/gemma-2-2b-it", "Gemma-2-2B"), ("mistralai/Mistral-7B-Instruct-v0.3", "Mistral-7B-v0.3"),
        ("allenai/OLMo-2-1124-7B-Instruct", "OLMo-2-7B"), ("EleutherAI/pythia-160m-deduped", "Pythia-160M"),
        ("gpt2", "GPT-2"), ("TinyLlama-1.1B-Chat-v1.0", "TinyLlama-1.1B"), ("GPT-2-XL", "GPT-2-XL"),
    ],
)  # fmt: skip
def test_names_on_the_hub(asked, found):
    assert find_known(asked).name == found


def test_a_version_is_not_another():
    with pytest.raises(UnknownNameError, match=r"^No model in the table is named 'Mistral-7B-v0.2'\. Did you mean"):
        find_known("mistralai/Mistral-7B-v0.2")


def test_table_is_complete():
    assert len(TABLE) >= 20 and all(TABLE[name].source for name in TABLE)
    assert {TABLE[name].position for name in TABLE} == {"rope", "learned"}


@pytest.mark.local
@pytest.mark.parametrize(
    "kind",
    ["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3", "olmo", "olmo2", "smollm3",
     "granite", "mixtral", "gpt2", "gpt_neox", "phi"],
)  # fmt: skip
@pytest.mark.parametrize("tied", [False, True])
def test_counting_rule_is_the_library_s_own_count(kind, tied):
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = {**LLAMA, "tie_word_embeddings": tied, "head_dim": 24, "pad_token_id": 0, "bos_token_id": 0,
             "eos_token_id": 0}  # fmt: skip
    if kind in {"gpt_neox", "phi", "phi3", "olmo", "olmo2", "mixtral", "granite", "smollm3"}:
        sizes["head_dim"] = 16
    if kind in {"gpt2", "gpt_neox", "phi"}:
        sizes["num_key_value_heads"] = 4
    if kind == "gpt2":
        sizes = {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 100, "n_positions": 32}
    if kind == "mixtral":
        sizes |= {"num_local_experts": 4, "num_experts_per_tok": 2}
    sizes.pop("model_type", None)
    config = AutoConfig.for_model(kind, **sizes)
    model = AutoModelForCausalLM.from_config(config)
    counted = count_parameters({**config.to_dict(), "model_type": kind})
    assert counted == sum(p.numel() for p in model.parameters())


def test_configuration_of_a_model_that_sees():
    config = {"text_config": LLAMA, "vision_config": {"image_size": 336, "patch_size": 14}}
    assert architecture_from_config(config, "sees").image_tokens == 576
    assert architecture_from_config({**config, "mm_tokens_per_image": 256}, "sees").image_tokens == 256
    assert architecture_from_config(LLAMA, "blind").image_tokens is None


@pytest.mark.parametrize(
    ("more", "window", "layers"),
    [
        ({}, None, 0),
        ({"sliding_window": 32}, 32, 2),
        ({"sliding_window": 32, "use_sliding_window": False}, None, 0),
        ({"sliding_window": 32, "layer_types": ["sliding_attention", "full_attention"]}, 32, 1),
        ({"sliding_window": 32, "model_type": "gemma2", "num_hidden_layers": 5}, 32, 3),
        ({"sliding_window": 32, "model_type": "gemma3_text", "num_hidden_layers": 26}, 32, 22),
    ],
)
def test_sliding_layers(more, window, layers):
    found = architecture_from_config({**LLAMA, **more}, "slides")
    assert (found.sliding_window, found.sliding_layers) == (window, layers)


def test_rotary_base_is_found_where_configurations_put_it():
    bases = [{"rope_theta": 5e5}, {"rope_parameters": {"rope_theta": 5e5}},
             {"rope_parameters": {"full_attention": {"rope_theta": 5e5}}}, {"rotary_emb_base": 500_000}]  # fmt: skip
    for base in bases:
        assert architecture_from_config({**LLAMA, **base}, "turns").rope_base == 5e5
    assert architecture_from_config(LLAMA, "turns").rope_base == 1e4


def test_compressed_keys_and_values():
    config = {**LLAMA, "model_type": "deepseek_v3", "kv_lora_rank": 512, "qk_rope_head_dim": 64}
    found = architecture_from_config(config, "latent", parameters=10**9)
    assert found.kv_numbers == 576 and found.parameters == 10**9


REFUSED = [
    (
        {k: v for k, v in LLAMA.items() if k != "num_hidden_layers"},
        "m: the configuration has no num_hidden_layers or n_layer, so it describes no decoder that bounds can be "
        "computed for.",
    ),
    ({**LLAMA, "hidden_size": "64"}, "The configuration's hidden_size must be a whole number, got '64'."),
    ({**LLAMA, "num_attention_heads": -4}, "The configuration's num_attention_heads must be at least 1, got -4."),
    ({**LLAMA, "vocab_size": 1}, "m: vocabulary must be at least 2, got 1; this describes no model."),
    (
        {**LLAMA, "model_type": "rwkv"},
        "m: parameters of model type 'rwkv' cannot be counted from its configuration. Say how many it has, with "
        "--parameters.",
    ),
    (
        {k: v for k, v in LLAMA.items() if k != "intermediate_size"},
        "m: parameters cannot be counted, the configuration lacks or misstates 'intermediate_size'. Say how many it "
        "has, with --parameters.",
    ),
    ([1, 2], "m: a model's configuration is a JSON object, got list."),
]


@pytest.mark.parametrize("case", range(len(REFUSED)))
def test_configurations_that_describe_no_model(case):
    config, message = REFUSED[case]
    with pytest.raises(InvalidValueError) as error:
        architecture_from_config(config, "m")
    assert str(error.value) == message


def test_more_sliding_layers_than_layers():
    sizes = {"parameters": 1, "layers": 2, "heads": 1, "kv_heads": 1, "head_width": 1, "width": 1, "vocabulary": 2,
             "window": 8}  # fmt: skip
    with pytest.raises(InvalidValueError, match=r"^m: 3 sliding layers of 2 layers; this describes no model\.$"):
        Architecture(name="m", sliding_layers=3, **sizes)


def row(name, claim, question, **setting):
    rows = architecture_bounds(TABLE[name], Setting(**setting))
    return next(r for r in rows if r.claim.statement.id == claim and question in r.question)


def test_numbers_of_the_table():
    assert row("Llama-3.1-8B", "HALL-3", "fit into").claim.value == pytest.approx(2 * 8030261248 / math.log2(365))
    assert row("Llama-3.1-8B", "CTX-6", "memory").claim.value == 16 * 2**30
    assert row("Llama-3.1-8B", "CTX-6", "memory", precision="int8").claim.value == 8 * 2**30
    assert row("Llama-3.1-8B", "CTX-6", "memory", context=1024).claim.value == 2**27
    assert row("Llama-3.1-8B", "CTX-3", "stand out").claim.value == pytest.approx(math.log(131071))
    assert row("Llama-3.1-8B", "CTX-6", "cost more").claim.value == pytest.approx(8030261248 / (64 * 4096))
    assert row("Llama-3.1-8B", "REAS-2", "compose").claim.value == 5334
    assert row("Mixtral-8x7B-v0.1", "CTX-6", "cost more").claim.value == pytest.approx(12.88e9 / (64 * 4096), rel=1e-3)


def test_sliding_layers_keep_less_and_see_less():
    assert row("Mistral-7B-v0.1", "CTX-6", "memory").claim.value == 4096 * 131072
    assert row("Mistral-7B-v0.1", "CTX-3", "stand out").claim.at["keys"] == 4096
    gemma = TABLE["Gemma-2-2B"]
    assert gemma.kept_tokens(8192) == 13 * 8192 + 13 * 4096 and gemma.keys_seen(8192) == 8192
    assert "13 of 26 layers keep the last 4,096 tokens only." in row("Gemma-2-2B", "CTX-6", "memory").says


def test_rows_say_where_they_say_nothing():
    big, small = row("Llama-3.1-8B", "HALL-3", "wanted"), row("SmolLM2-135M", "HALL-3", "wanted")
    assert big.claim.vacuous == "error on stored facts can never fall below 0, so nothing is excluded"
    assert small.claim.vacuous is None and small.says == "Of 1 billion random facts it must get at least 92.3% wrong."
    assert row("Llama-3.1-8B", "REAS-3", "hops").claim.vacuous == (
        "more hops than its window has tokens, so depth excludes nothing here"
    )
    assert row("Qwen3-8B", "CTX-3", "normalised").claim.vacuous == (
        "the window is shorter than this, so nothing is excluded"
    )
    assert row("GPT-2", "CTX-5", "vanish").claim.vacuous == "the context is shorter than this, so nothing is excluded"
    assert row("Llama-3.1-8B", "CTX-5", "vanish").claim.vacuous is None


def test_rows_that_only_some_models_have():
    questions = {name: [r.question for r in architecture_bounds(TABLE[name])] for name in ("Gemma-3-4B", "GPT-2")}
    assert any("image" in question for question in questions["Gemma-3-4B"])
    assert not any("image" in question or "normalised" in question for question in questions["GPT-2"])


def test_training_tokens_from_the_table_or_the_user():
    assert "Trained on 300 billion tokens" in row("Pythia-1B", "HALL-9", "rare").says
    assert "not published" in row("GPT-2", "HALL-9", "rare").says
    assert "Trained on 9 billion tokens" in row("GPT-2", "HALL-9", "rare", training_tokens=9e9).says


def test_few_dimensions_for_many_documents():
    assert "576 dimensions can retrieve all sets of up to 2 of" in row("SmolLM2-135M", "RETR-4", "vectors").says
    tiny = architecture_from_config({**LLAMA, "hidden_size": 16}, "tiny")
    says = next(r.says for r in architecture_bounds(tiny) if r.claim.statement.id == "RETR-4")
    assert says == (
        "As an embedding, 16 dimensions are fewer than the 55 that are surely enough for 1,000,000 documents at "
        "ordinary margins; exact geometry needs 2."
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"context": 1}, "context must be at least 2, got 1."),
        ({"facts": 0}, "facts must be at least 1, got 0."),
        ({"documents": 1}, "documents must be at least 2, got 1."),
        ({"facts": math.nan}, "Setting.facts must be finite, got nan; absence is None."),
    ],
)
def test_settings_that_make_no_sense(setting, message):
    with pytest.raises(InvalidValueError) as error:
        Setting(**setting)
    assert str(error.value) == message


def test_context_beyond_the_window():
    with pytest.raises(InvalidValueError) as error:
        architecture_bounds(TABLE["GPT-2"], Setting(context=2048))
    assert str(error.value) == "context must be at most the window of GPT-2, 1,024 tokens, got 2,048."
