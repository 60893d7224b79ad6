"""Stored answers as a Parquet table, for DuckDB, pandas, Polars and the like."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from hardlimit.core import Generated, MissingExtraError, StoreError, canonical
from hardlimit.models import ModelCard
from hardlimit.store.keys import failure_of
from hardlimit.store.store import Kept

try:
    import pyarrow
    import pyarrow.parquet
except ImportError as error:
    raise MissingExtraError.for_extra("parquet", "pyarrow") from error

_ROWS_A_GROUP = 4096
_COLUMNS = pyarrow.schema(
    [
        ("row", pyarrow.int64()),
        ("model", pyarrow.string()),
        ("model_name", pyarrow.string()),
        ("probe", pyarrow.string()),
        ("version", pyarrow.int32()),
        ("case_id", pyarrow.string()),
        ("cluster", pyarrow.string()),
        ("factors", pyarrow.string()),
        ("gold", pyarrow.list_(pyarrow.string())),
        ("grade", pyarrow.string()),
        ("answer", pyarrow.string()),
        ("text", pyarrow.string()),
        ("finish", pyarrow.string()),
        ("error", pyarrow.string()),
        ("log_likelihood", pyarrow.float64()),
        ("prompt_tokens", pyarrow.int64()),
        ("cached_tokens", pyarrow.int64()),
        ("completion_tokens", pyarrow.int64()),
        ("calls", pyarrow.int64()),
        ("seconds", pyarrow.float64()),
        ("dollars", pyarrow.float64()),
    ]
)


def export(answers: Iterable[Kept], cards: Mapping[str, ModelCard], path: Path) -> int:
    """Write answers to a Parquet file, one row each, in pieces, so that memory does not grow with their number.

    Args:
        answers: what to write.
        cards: of the models, by fingerprint, for their names.
        path: of the file; it appears when it is complete, and replaces one that is there.

    Returns:
        How many rows were written.
    """
    written = 0
    with _replacing(path) as draft, pyarrow.parquet.ParquetWriter(draft, _COLUMNS, compression="zstd") as writer:
        rows = (_row(kept, cards.get(kept.model)) for kept in answers)
        while group := list(islice(rows, _ROWS_A_GROUP)):
            writer.write_table(pyarrow.Table.from_pylist(group, schema=_COLUMNS))
            written += len(group)
    return written


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a file to write, and put it in the place of `path` once everything went well."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            yield draft
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError(
            f"The Parquet file {path} cannot be written ({os.strerror(error.errno) if error.errno else error}). "
            "Name a file in a directory that exists and is writable."
        ) from error


def _row(kept: Kept, card: ModelCard | None) -> dict[str, Any]:
    answered = kept.answered
    case, reply = answered.case, answered.reply
    text, finish = (reply.text, reply.finish) if isinstance(reply, Generated) else (None, None)
    failure = failure_of(reply)
    unscored = failure is not None or reply.token_logprobs is None
    return {
        "row": kept.row,
        "model": kept.model,
        "model_name": None if card is None else card.name,
        "probe": kept.probe,
        "version": kept.version,
        "case_id": case.id,
        "cluster": case.cluster,
        "factors": canonical(case.factors).decode(),
        "gold": list(case.gold),
        "grade": str(answered.grade),
        "answer": answered.answer,
        "text": text,
        "finish": finish,
        "error": failure,
        "log_likelihood": None if unscored else sum(reply.token_logprobs or ()),
        "prompt_tokens": reply.usage.prompt_tokens,
        "cached_tokens": reply.usage.cached_tokens,
        "completion_tokens": reply.usage.completion_tokens,
        "calls": reply.usage.calls,
        "seconds": reply.usage.seconds,
        "dollars": reply.usage.dollars,
    }
