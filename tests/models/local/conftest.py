"""Tiny models with random weights, saved to folders as a user would have them, with a tokenizer trained on the spot."""

import os
from importlib.util import find_spec

import pytest

# Before torch starts: threads that wait without spinning, since the machine may be busy.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

if all(find_spec(package) for package in ("torch", "transformers")):
    import tokenizers
    import torch
    import transformers
else:  # the extra `local` is not installed
    collect_ignore_glob = ["test_*.py"]

SENTENCES = [
    "The needle lies in the haystack, and the haystack lies in the field behind the house.",
    "Which word is the secret word? The secret word is amber, said the old keeper of the lighthouse.",
    "You are a helpful assistant. Answer in one word. system user assistant",
    "Numbers such as 12, 345 and 6789 stand in the long list; others do not.",
    "Paris is the capital of France, Nairobi of Kenya, Tokyo of Japan and Suva of Fiji.",
]
CHAT = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] | trim + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + CHAT
)
DROPS_SYSTEM = CHAT.replace("{% for m in messages %}", "{% for m in messages if m['role'] != 'system' %}")
TEMPLATES = {"chat": CHAT, "no system": NO_SYSTEM, "drops system": DROPS_SYSTEM, "plain": None}
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 256}
GATED = SMALL | {"num_key_value_heads": 2, "intermediate_size": 48}


def config(kind, vocabulary):
    """The configuration of a tiny model; the weights are spread widely, so that its answers are decided."""
    common = {"vocab_size": vocabulary, "initializer_range": 0.4, "bos_token_id": 0, "eos_token_id": 1}
    common["pad_token_id"] = 1
    match kind:
        case "llama":
            return transformers.LlamaConfig(**GATED, **common)
        case "neox":
            return transformers.GPTNeoXConfig(**SMALL, intermediate_size=48, **common)
        case "qwen2":
            return transformers.Qwen2Config(**GATED, **common)
        case "qwen3":
            return transformers.Qwen3Config(**GATED, head_dim=16, **common)
        case "mistral":
            return transformers.MistralConfig(**GATED, sliding_window=12, **common)
        case "gemma2":
            return transformers.Gemma2Config(**GATED, head_dim=8, sliding_window=12, **common)
        case "gpt2":
            return transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=256, **common)
        case "gpt-oss":
            return transformers.GptOssConfig(
                **GATED, head_dim=8, num_local_experts=2, num_experts_per_tok=1, sliding_window=12, **common
            )
        case "bloom":
            return transformers.BloomConfig(hidden_size=32, n_layer=2, n_head=4, **common)
    raise ValueError(kind)


def trained_tokenizer(template):
    """A byte-level BPE tokenizer of the sentences above."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|im_start|>", "<|im_end|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|im_start|>", eos_token="<|im_end|>"
    )
    fast.chat_template = TEMPLATES[template]
    return fast


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Function from kind of model and of template to the folder of a saved tiny model."""
    made = {}

    def folder(kind, template="chat"):
        if (kind, template) not in made:
            tokenizer = trained_tokenizer(template)
            with torch.random.fork_rng():
                torch.manual_seed(20)
                model = transformers.AutoModelForCausalLM.from_config(config(kind, len(tokenizer)))
            path = tmp_path_factory.mktemp(kind)
            model.save_pretrained(path)
            tokenizer.save_pretrained(path)
            made[kind, template] = path
        return made[kind, template]

    return folder


@pytest.fixture(scope="session")
def opened(tiny):
    """Function from kind of model and of template to an open tiny model."""
    from hardlimit.models.local import open_local

    made = {}

    def model(kind, template="chat"):
        if (kind, template) not in made:
            made[kind, template] = open_local(str(tiny(kind, template)))
        return made[kind, template]

    return model


@pytest.fixture(scope="session")
def reference(tiny):
    """Function from kind of model and of template to transformers' own model, with eager attention."""
    made = {}

    def model(kind, template="chat"):
        if (kind, template) not in made:
            path = tiny(kind, template)
            made[kind, template] = (
                transformers.AutoModelForCausalLM.from_pretrained(path, attn_implementation="eager").eval(),
                transformers.AutoTokenizer.from_pretrained(path),
            )
        return made[kind, template]

    return model
