"""Reading a JSON file of others."""

import json
from pathlib import Path
from typing import Any

import msgspec

from hardlimit.core import InvalidValueError


def read_json(path: Path) -> Any:
    """Decode a JSON file; NaN and Infinity, which Python's own writer leaves in result files, are read as such.

    Raises:
        InvalidValueError: the file cannot be read, or is not JSON.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidValueError(f"{path} cannot be read: {error.strerror}.") from error
    return decode_json(content, path)


def decode_json(content: bytes, path: Path) -> Any:
    """Decode the bytes of a JSON file; `path` is for the message."""
    try:
        return msgspec.json.decode(content)
    except RecursionError as error:
        raise InvalidValueError(f"{path} is not JSON that can be read: it is nested too deeply.") from error
    except msgspec.DecodeError as error:
        if b"NaN" in content or b"Infinity" in content:
            try:
                return json.loads(content)
            except (ValueError, RecursionError):
                pass
        raise InvalidValueError(f"{path} is not JSON: {error}.") from error
