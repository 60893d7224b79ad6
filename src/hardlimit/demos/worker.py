"""Code of the user's, run in a process of its own: it may be slow, loop, print, or crash, and costs only a time limit.

Run as a program, this module is that process: it reads one order a line and writes one JSON answer a line.
"""

import importlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from hardlimit.core import InvalidValueError, Value

IMPORT_SECONDS = 60.0
"""Time for a module to be imported."""
PATIENCE = 2
"""So many time limits and crashes that one predictor may run into before it is asked no further."""
MOST_PREDICTORS = 200

_LATE, _ENDED = "no answer", "ended Python"
_LOST = (_LATE, _ENDED)
"""How a reason begins after which the process has to be started again."""

Label = bool | int | float | str


class Answer(Value, frozen=True):
    """What a predictor said to one input.

    Args:
        value: its answer, or None where it gave none.
        why: why it gave none.
    """

    value: Label | None = None
    why: str = ""

    @property
    def answered(self) -> bool:
        """Whether it answered."""
        return self.value is not None


class Worker:
    """The other process, as this one sees it; it is started again after every time limit or crash."""

    def __init__(self, place: str, kind: str, folder: Path | None = None) -> None:
        """Start it and import the user's module.

        Args:
            place: `module:attribute`.
            kind: `family` or `halting`.
            folder: where the module lies; the working directory by default.

        Raises:
            InvalidValueError: a place that is malformed, cannot be imported, or holds something else.
        """
        module, colon, attribute = place.partition(":")
        if not colon or not all(part.isidentifier() for part in (*module.split("."), *attribute.split("."))):
            raise InvalidValueError(
                f"Predictors are named as module:attribute, such as mymodule:models; got '{place}'."
            )
        self._place, self._kind, self._folder = place, kind, folder or Path.cwd()
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.names: tuple[str, ...] = ()
        self._start()

    def _start(self) -> None:
        path = os.pathsep.join(filter(None, (str(self._folder), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__, self._place, self._kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self._process.stdout is not None
        self._lines = queue.Queue()
        threading.Thread(target=_pump, args=(self._process.stdout, self._lines), daemon=True).start()
        ready = self._next(IMPORT_SECONDS)
        if "why" in ready:
            self.close()
            raise InvalidValueError(
                f"'{self._place}' cannot be used: importing it took more than {IMPORT_SECONDS:g} s, or ended Python."
            )
        if "error" in ready:
            self.close()
            raise InvalidValueError(f"'{self._place}' cannot be used: {ready['error']}")
        self.names = tuple(ready["names"])

    def _next(self, seconds: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            return {"why": f"{_LATE} within {seconds:g} s"}
        return {"why": _ENDED} if line is None else dict(json.loads(line))

    def ask(self, order: Sequence[int], seconds: float) -> dict[str, Any]:
        """Send an order and return the answer, or `{"why": …}` where none came in time."""
        if self._process is None:
            self._start()
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(list(order)) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self.close()
            return {"why": _ENDED}
        answer = self._next(seconds)
        if answer.get("why", "").startswith(_LOST):
            self.close()
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    _close(stream)
            self._process = None


def _close(stream: IO[str]) -> None:
    try:
        stream.close()
    except BrokenPipeError:
        return


def _pump(stream: IO[str], lines: "queue.Queue[str | None]") -> None:
    try:
        for line in stream:
            lines.put(line)
    except ValueError:  # closed while it was read
        pass
    lines.put(None)


@contextmanager
def working(place: str, kind: str, folder: Path | None = None) -> Iterator[Worker]:
    """Give a worker, and end it afterwards."""
    worker = Worker(place, kind, folder)
    try:
        yield worker
    finally:
        worker.close()


def ask_family(
    place: str, seconds: float = 1.0, *, inputs: int | None = None, folder: Path | None = None
) -> tuple[list[list[Answer]], tuple[str, ...]]:
    """Ask every predictor of a user's family every input.

    Args:
        place: `module:attribute` of a list of functions from a whole number to a label, or of a function that
            returns such a list.
        seconds: time for one answer; a predictor that takes longer abstains, and after two such inputs (or two that
            ended Python) is not asked the others.
        inputs: how many inputs (0, 1, 2, …) each is asked; at least one per predictor, 16 or more by default.
        folder: where the module lies; the working directory by default.

    Returns:
        `(answers, names)`: one row per predictor, and what they are called.
    """
    if not seconds > 0:
        raise InvalidValueError(f"The time limit must be more than 0 s, got {seconds:g}.")
    with working(place, "family", folder) as worker:
        names = worker.names
        count = max(16, len(names)) if inputs is None else inputs
        if count < len(names):
            raise InvalidValueError(f"{len(names)} predictors need at least {len(names)} inputs, got {count}.")
        rows = []
        for i in range(len(names)):
            # The input made for predictor i is asked first, so that patience never runs out before it.
            said: dict[int, Answer] = {}
            for x in (i, *(x for x in range(count) if x != i)):
                if sum(answer.why.startswith(_LOST) for answer in said.values()) >= PATIENCE:
                    said[x] = Answer(why="not asked, after two time limits or crashes")
                else:
                    said[x] = Answer(**worker.ask((i, x), seconds))
            rows.append([said[x] for x in range(count)])
    return rows, names


def ask_halting(place: str, seconds: float = 10.0, folder: Path | None = None) -> dict[str, Any]:
    """Build the program that does the opposite of what a user's predictor of halting says, and ask the predictor.

    Returns:
        `{"answer", "halts", "wrong"}`; `why` where the time limit counted as declining.
    """
    if not seconds > 0:
        raise InvalidValueError(f"The time limit must be more than 0 s, got {seconds:g}.")
    with working(place, "halting", folder) as worker:
        found = worker.ask((), seconds)
    if "error" in found:
        raise InvalidValueError(f"'{place}': {found['error']}")
    # The program gives the predictor the same time and then ends: without an answer it has nothing to contradict.
    return found if "answer" in found else {"answer": None, "halts": True, "wrong": False, "why": found["why"]}


def _main(place: str, kind: str) -> None:
    """Serve orders until the input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # whatever the user's code prints must not mix with the answers

    def send(value: object) -> None:
        out.write(json.dumps(value) + "\n")
        out.flush()

    try:
        found = _load(place, kind)
    except InvalidValueError as error:
        send({"error": str(error)})
        return
    send({"names": [_called(predictor, i) for i, predictor in enumerate(found)]})
    for line in sys.stdin:
        order = json.loads(line)
        send(_refuted(found[0]) if kind == "halting" else _said(found[order[0]], order[1]))


def _load(place: str, kind: str) -> list[Callable[..., Any]]:
    module, _, attribute = place.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
        if kind == "family" and callable(found):
            found = found()
    except ModuleNotFoundError as error:
        raise InvalidValueError(
            f"there is no module '{error.name}'. It is looked for in the working directory and among what is installed."
        ) from None
    except AttributeError as error:
        raise InvalidValueError(f"{error}.") from None
    except BaseException as error:  # noqa: BLE001 the user's module may fail in any way, and is told so
        raise InvalidValueError(f"loading it raised {type(error).__name__}: {error}") from None
    if kind == "halting":
        if not callable(found):
            raise InvalidValueError(f"a predictor of halting is a function of one program, got {type(found).__name__}.")
        return [found]
    if isinstance(found, dict):
        found = list(found.values())
    if not isinstance(found, list | tuple) or not found or not all(map(callable, found)):
        raise InvalidValueError("a family is a list of functions from a whole number to a label, or makes one.")
    if len(found) > MOST_PREDICTORS:
        raise InvalidValueError(f"a family has at most {MOST_PREDICTORS} predictors, got {len(found)}.")
    return list(found)


def _called(predictor: Callable[..., Any], index: int) -> str:
    return f"{index}: {getattr(predictor, '__name__', type(predictor).__name__)}"[:40]


def _said(predictor: Callable[[int], Any], x: int) -> dict[str, object]:
    try:
        value = predictor(x)
    except BaseException as error:  # noqa: BLE001 then it did not answer
        return {"why": f"raised {type(error).__name__}"}
    if value is None:
        return {"why": "declined"}
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()  # a number of numpy's or torch's
    plain = isinstance(value, bool | int | str) or (isinstance(value, float) and value - value == 0.0)
    return {"value": value if plain else repr(value)}


def _refuted(predictor: Callable[..., Any]) -> dict[str, object]:
    from hardlimit.theory.hallucination import refute

    try:
        found = refute(predictor)
    except InvalidValueError as error:
        return {"error": str(error)}
    except BaseException as error:  # noqa: BLE001 then it did not answer
        return {"why": f"raised {type(error).__name__}"}
    return {"answer": found.answer, "halts": found.halts, "wrong": found.wrong}


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
