"""Opening a model by name."""

from collections.abc import Callable

from hardlimit.core import Catalog, InvalidValueError
from hardlimit.models.protocols import Model

Opener = Callable[..., Model]
EMBEDDED = "SmolLM2-135M-Instruct"
"""The language model that comes with the package."""

EMBEDDED_EYES = "tiny-eyes"
"""The small vision–language model that comes with the package, with known faults."""


def _embedded(rest: str, **options: str) -> Model:
    """SmolLM2-135M-Instruct, or embedded:tiny-eyes, which takes pictures; needs the extra `local`."""
    if rest == EMBEDDED_EYES:
        from hardlimit.models.eyes import open_eyes

        return open_eyes(**options)
    if rest not in ("", EMBEDDED):
        raise InvalidValueError(
            f"The embedded models are {EMBEDDED} and {EMBEDDED_EYES} and take no path, got 'embedded:{rest}'. Use "
            f"embedded, embedded:{EMBEDDED_EYES}, or local:{rest}."
        )
    from hardlimit.models.embedded import open_embedded

    return open_embedded(**options)


def _local(rest: str, **options: str) -> Model:
    """local:PATH, any language or vision–language model of transformers by path or hub name; extra `local`."""
    if not rest:
        raise InvalidValueError("A local model needs a path: local:PATH, or a name on the Hugging Face hub.")
    from hardlimit.models.local import open_local
    from hardlimit.models.local_vision import is_vision, open_vision

    return open_vision(rest, **options) if is_vision(rest) else open_local(rest, **options)


def _toy(rest: str, **options: str) -> Model:
    """toy:NAME, models of known ability, to see what a probe makes of them."""
    _refuse(options)
    from hardlimit.models.toy import open_toy

    return open_toy(rest)


def _api(rest: str, **options: str) -> Model:
    """api:MODEL@URL, any OpenAI-compatible server; the key comes from HARDLIMIT_API_KEY."""
    _refuse(options)
    from hardlimit.models.api import open_api

    return open_api(rest)


def _refuse(options: dict[str, str]) -> None:
    if options:
        raise InvalidValueError(f"Only local and embedded models take {' and '.join(f'a {name}' for name in options)}.")


CATALOG: Catalog[Opener] = Catalog(
    "model",
    {"api": _api, "embedded": _embedded, "local": _local, "toy": _toy},
    group="hardlimit.models",
)
"""What opens the models of a kind: called with the text after the colon, and the options."""


def open_model(name: str, *, dtype: str | None = None, device: str | None = None) -> Model:
    """Open a model by name.

    Args:
        name: `embedded`, `local:PATH` (or a name on the Hugging Face hub), `toy:NAME`, `api:MODEL@URL`, or the kind
            and the rest that a plugin of the entry-point group `hardlimit.models` defines.
        dtype: of a local or embedded model's weights: `float32` (if None), `bfloat16` or `float16`.
        device: where a local or embedded model runs, as torch names it: `cpu` (if None), `cuda:0`, …

    Raises:
        UnknownNameError: if there is no such kind of model.
        InvalidValueError: if the name or an option makes no sense.
        ModelError: if the model cannot be reached or loaded.
        MissingExtraError: if the part of the installation that it needs is missing.

    >>> open_model("embeded")
    Traceback (most recent call last):
    ...
    hardlimit.core.errors.UnknownNameError: No model is named 'embeded'. Did you mean 'embedded'? Known: api, ...
    """
    kind, _, rest = name.partition(":")
    options = {key: value for key, value in (("dtype", dtype), ("device", device)) if value is not None}
    return CATALOG[kind](rest, **options)
