"""`hardlimit bounds MODEL`: what an architecture cannot do, before anything is run."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from hardlimit.theory.architecture import Architecture
    from hardlimit.theory.bounds import BoundRow


def bounds_command(
    model: str,
    *,
    context: int | None = None,
    facts: float = 1e9,
    documents: int = 1_000_000,
    training_tokens: float | None = None,
    precision: Literal["bf16", "fp16", "fp32", "int8"] = "bf16",
    parameters: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Tell what an architecture cannot do, before anything is run.

    Args:
        model: a config.json or the folder it is in, the name of a model in the local hub cache (org/name), or one of
            the models of the packaged table.
        context: tokens of context; the model's window if not given.
        facts: facts that it should know by heart.
        documents: documents that an index of its embeddings should tell apart.
        training_tokens: tokens of training, where they are not published.
        precision: number format of weights and cache.
        parameters: parameters, where the configuration does not tell.
        json: print JSON.
    """
    from hardlimit.theory.bounds import Setting, architecture_bounds

    architecture = find_architecture(model, parameters)
    setting = Setting(
        context=context, facts=facts, documents=documents, training_tokens=training_tokens, precision=precision
    )
    rows = architecture_bounds(architecture, setting)
    if json:
        import msgspec

        document = {"architecture": architecture, "setting": setting, "bounds": rows}
        print(msgspec.json.format(msgspec.json.encode(document, order="deterministic"), indent=1).decode())
    else:
        _print(architecture, rows)
    return 0


def find_architecture(model: str, parameters: int | None = None) -> "Architecture":
    """Find an architecture by path, by hub name in the local cache, or in the packaged table.

    Args:
        model: as `bounds_command` takes it; `local:PATH` and `embedded` are understood too.
        parameters: of the language model, where the configuration does not tell.

    Raises:
        UnknownNameError: nothing of this name is known; the message says what is.
        ModelError: a file cannot be read.
        InvalidValueError: a file is no configuration of a decoder.
    """
    from hardlimit.core import UnknownNameError
    from hardlimit.theory.architecture import architecture_from_config, find_known

    name = model.removeprefix("local:")
    path = _config_path(name)
    if path is not None:
        return architecture_from_config(_read(path), name, parameters=parameters, source=str(path))
    try:
        return find_known("SmolLM2-135M" if name.startswith("embedded") else name)
    except UnknownNameError as error:
        raise UnknownNameError(
            f"{error} Or give the path of a config.json or of the folder it is in; '{name}' is neither a path nor a "
            "model in the local hub cache."
        ) from error


def _config_path(name: str) -> Path | None:
    """Return the configuration that a path or a cached hub name leads to, if there is one."""
    path = Path(name).expanduser()
    if path.is_dir():
        return path / "config.json"
    if path.is_file():
        return path
    if name.count("/") != 1:
        return None
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface")).expanduser()
    hub = Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()
    snapshots = sorted((hub / f"models--{name.replace('/', '--')}" / "snapshots").glob("*/config.json"))
    return max(snapshots, key=lambda file: file.stat().st_mtime, default=None)


def _read(path: Path) -> dict[str, Any]:
    import json

    from hardlimit.core import InvalidValueError, ModelError

    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}). Name a config.json, or a folder that holds one."
        ) from error
    except ValueError as error:
        raise InvalidValueError(f"{path} is not a JSON file ({error}), so it is no model's configuration.") from error
    if not isinstance(config, dict):
        raise InvalidValueError(f"{path} holds a JSON {type(config).__name__}, not a model's configuration.")
    return config


def _print(architecture: "Architecture", rows: "tuple[BoundRow, ...]") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    a = architecture
    console.print(
        f"[bold]{escape(a.name)}[/]: {a.parameters:,} parameters, {a.layers} layers, {a.heads} heads of width "
        f"{a.head_width} ({a.kv_heads} for keys and values), width {a.width:,}, window {a.window:,} tokens.",
        highlight=False,
    )
    if a.source:
        console.print(f"[dim]{escape(a.source)}[/]", highlight=False)
    console.print()
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    table.add_column("question", ratio=2)
    table.add_column("what the theory says", ratio=5)
    table.add_column("claim", no_wrap=True)
    for row in rows:
        says = escape(row.says)
        if row.claim.vacuous:
            says = f"[dim]{says}\nvacuous here: {escape(row.claim.vacuous)}[/]"
        table.add_row(row.question, says, row.claim.statement.id)
    console.print(table)
    console.print("\n'hardlimit explain CLAIM' tells what each rests on and what it does not say.", highlight=False)
