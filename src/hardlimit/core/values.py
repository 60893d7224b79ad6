"""Values: frozen, keyword-only, valid from birth, and strict when they travel as JSON."""

import math
from typing import Any, TypeVar

import msgspec

from hardlimit.core.errors import InvalidValueError

SCHEMA_VERSION = 1

T = TypeVar("T")


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every noun: immutable, compared by value, and never holding a NaN or an infinity.

    Absence is `None`, never a number, so a float field that is not finite is refused.

    >>> class Weight(Value, frozen=True):
    ...     grams: float
    >>> Weight(grams=float("nan"))
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.InvalidValueError: Weight.grams must be finite, got nan; absence is None.
    """

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not _is_finite(getattr(self, name)):
                raise InvalidValueError(
                    f"{type(self).__name__}.{name} must be finite, got {getattr(self, name)!r}; absence is None."
                )


def _is_finite(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, tuple):
        return all(_is_finite(item) for item in value)
    if isinstance(value, dict):
        return all(_is_finite(item) for item in value.values())
    return True


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    schema: int
    kind: str
    value: msgspec.Raw


def dumps(value: Value) -> str:
    """Write a value as strict JSON inside an envelope with its kind and schema version.

    >>> from hardlimit.core import Interval
    >>> text = dumps(Interval(low=0.25, high=0.5, level=0.95, method="exact"))
    >>> loads(text, Interval) == Interval(low=0.25, high=0.5, level=0.95, method="exact")
    True
    """
    envelope = {"schema": SCHEMA_VERSION, "kind": type(value).__name__, "value": value}
    return msgspec.json.format(msgspec.json.encode(envelope, order="deterministic"), indent=1).decode()


def loads(text: str | bytes, kind: type[T]) -> T:
    """Read a value back; a foreign, newer or damaged document is refused with the reason.

    >>> loads('{"schema": 99, "kind": "Interval", "value": {}}', Value)
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.InvalidValueError: This JSON has schema version 99; this hardlimit reads version 1. ...
    """
    try:
        envelope = msgspec.json.decode(text, type=_Envelope)
    except msgspec.MsgspecError as error:
        raise InvalidValueError(f"This is not a hardlimit JSON document: {error}.") from error
    if envelope.schema != SCHEMA_VERSION:
        raise InvalidValueError(
            f"This JSON has schema version {envelope.schema}; this hardlimit reads version {SCHEMA_VERSION}. "
            "Use the hardlimit version that wrote it."
        )
    if envelope.kind != kind.__name__:
        raise InvalidValueError(f"This JSON holds '{envelope.kind}', but '{kind.__name__}' was expected.")
    try:
        return msgspec.json.decode(envelope.value, type=kind)
    except msgspec.MsgspecError as error:
        raise InvalidValueError(f"This {kind.__name__} document is damaged: {error}.") from error


def canonical(value: Any) -> bytes:
    """Encode a value as JSON bytes with sorted keys: equal values give equal bytes (used for keys and hashes)."""
    return msgspec.json.encode(value, order="deterministic")
