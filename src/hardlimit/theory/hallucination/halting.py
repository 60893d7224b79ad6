"""HALL-2: undecidable questions leave every computable answerer with infinitely many errors or abstentions.

Halting is the example that can be run: all small Turing machines are simulated at once, and any predictor of halting
that a user supplies is made to fail on a program built from itself.
"""

import math
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import (
    Effect,
    Impossibility,
    InvalidValueError,
    Limit,
    Resource,
    Scalar,
    Shape,
    Statement,
    Status,
    Value,
    Verdict,
)
from hardlimit.core.quantity import ERROR_RATE
from hardlimit.theory.domain import vector, whole
from hardlimit.theory.sources import derived, paper, textbook

HALL_2 = Statement(
    id="HALL-2",
    name="undecidable questions",
    limit=Limit.HALLUCINATION,
    status=Status.CORRECTED,
    says=(
        "Whatever computable system answers an undecidable question such as 'does this program halt?', it is wrong "
        "on infinitely many inputs or declines infinitely many. Simulating for t steps and saying 'I don't know' "
        "afterwards is never wrong, and declines less the larger t is."
    ),
    formula=(
        "L undecidable, h total and computable:  {x : h(x) ≠ L(x)} is infinite, and as undecidable as L\n"
        "h with abstention and never wrong:      {x : h(x) = ?} is infinite\n"
        "'halts within T steps' is right on all n-state machines  ⟺  T ≥ S(n),  S = 1, 6, 21, 107, 47176870"
    ),
    hypotheses=("the question is undecidable on its whole domain", "the answerer is a program"),
    sources=(
        textbook("Turing (1936), Rice (1953)"),
        textbook("Busy beaver step counts S(1…5)", "S(5): bbchallenge (2024)"),
        derived("patching: finitely many errors could be corrected by a table, which would decide L"),
        paper("Thm 3"),
    ),
    silent_on=(
        "No rate follows: whether the share of errors is zero depends on how inputs are encoded. Decidable parts can "
        "be answered perfectly, and for machines of a given size a large enough simulation is always right."
    ),
    falsified_by="A predictor that is right about the program built from it, or a machine count that differs.",
    paper=(
        "The paper's theorem holds for answerers that never abstain. In general it is errors together with "
        "abstentions that are infinite."
    ),
    effects=(
        Effect(
            resource=Resource.PARAMETERS,
            verdict=Verdict.CANNOT_PROGRESS,
            when="to zero errors and zero abstentions",
        ),
        Effect(resource=Resource.DATA, verdict=Verdict.CANNOT_PROGRESS, when="to zero errors and zero abstentions"),
        Effect(resource=Resource.INFERENCE_STEPS, verdict=Verdict.HELPS, when="on the decidable part"),
        Effect(resource=Resource.VERIFIER, verdict=Verdict.HELPS, when="it turns errors into abstentions"),
        Effect(resource=Resource.VERIFIER, verdict=Verdict.CANNOT_PROGRESS, when="to zero errors and zero abstentions"),
    ),
    worked="All 16,777,216 three-state machines: 5 steps misjudge 0.576 %, 10 steps 0.0171 %, 21 steps none.",
)

LONGEST_RUN = {1: 1, 2: 6, 3: 21, 4: 107, 5: 47_176_870}
"""S(n): most steps that an n-state, 2-symbol machine makes before it halts (the halting transition counts)."""


def machine_count(states: int) -> int:
    """Return the number of n-state, 2-symbol Turing machines, (4(n + 1))^(2n).

    >>> machine_count(3)
    16777216
    """
    n = whole("states", states, "[1, ∞)")
    return int((4 * (n + 1)) ** (2 * n))


def table_bits(states: int) -> float:
    """Return the bits that write down the table of an n-state machine, 2n·log₂(4(n + 1)).

    >>> round(table_bits(5), 1)
    45.8
    """
    n = whole("states", states, "[1, ∞)")
    return 2 * n * math.log2(4 * (n + 1))


def smallest_failing_class(steps: int) -> int:
    """Return the fewest states of a machine that runs longer than `steps` and then halts.

    Args:
        steps: T, >= 0 and below S(5) = 47,176,870 (beyond that the answer is not known to be 6).

    >>> smallest_failing_class(1_000_000)
    5
    """
    t = whole("steps", steps, f"[0, {LONGEST_RUN[5] - 1}]")
    return next(n for n, longest in LONGEST_RUN.items() if longest > t)


def halting_times(states: int) -> dict[int, int]:
    """Count, by number of steps, all n-state machines that halt on the empty tape.

    Tables are filled in only where a run reaches them: a run that meets an empty entry branches over all values of
    it, and a run that halts counts for every machine that agrees with it so far.

    Args:
        states: n, 1 to 3.

    Returns:
        Machines by halting time; together with the machines that never halt they are `machine_count(n)`.

    >>> halting_times(2)
    {1: 6912, 2: 2304, 3: 384, 4: 128, 5: 16, 6: 40}
    """
    n = whole("states", states, "[1, 3]")
    entries = 4 * (n + 1)
    machines = _Partial.start(n)
    counts: dict[int, int] = {}
    for step in range(1, LONGEST_RUN[n] + 1):
        machines = machines.filled(entries)
        halted, machines = machines.stepped(n)
        if halted.size:
            counts[step] = int(sum(entries ** (2 * n - int(filled)) for filled in halted))
    return counts


class _Partial:
    """Many machines in the middle of their runs, with tables known only as far as they were needed."""

    def __init__(self, table: NDArray[np.int8], state: NDArray[np.int8], tape: NDArray[np.int64]) -> None:
        self.table, self.state, self.tape = table, state, tape
        self.head = np.full(len(state), 31, dtype=np.int64)

    @classmethod
    def start(cls, n: int) -> "_Partial":
        return cls(np.full((1, 2 * n), -1, np.int8), np.zeros(1, np.int8), np.zeros(1, np.int64))

    def _chosen(self, rows: NDArray[Any]) -> "_Partial":
        chosen = _Partial(self.table[rows], self.state[rows], self.tape[rows])
        chosen.head = self.head[rows]
        return chosen

    def _entry(self) -> NDArray[np.int64]:
        return 2 * self.state.astype(np.int64) + ((self.tape >> self.head) & 1)

    def filled(self, entries: int) -> "_Partial":
        """Branch every run that stands before an empty entry over all values of that entry."""
        at = self._entry()
        empty = self.table[np.arange(len(at)), at] < 0
        repeats = np.where(empty, entries, 1)
        machines = self._chosen(np.repeat(np.arange(len(at)), repeats))
        branched = np.flatnonzero(np.repeat(empty, repeats))
        machines.table[branched, machines._entry()[branched]] = np.tile(
            np.arange(entries, dtype=np.int8), int(empty.sum())
        )
        return machines

    def stepped(self, n: int) -> tuple[NDArray[np.int64], "_Partial"]:
        """Make one step; return how many entries each halted machine had filled, and those that run on."""
        action = self.table[np.arange(len(self.state)), self._entry()].astype(np.int64)
        write, move, goal = action & 1, (action >> 1) & 1, action >> 2
        halts = goal == n
        halted = (self.table[halts] >= 0).sum(axis=1)
        self.tape = (self.tape & ~(1 << self.head)) | (write << self.head)
        self.head = self.head + 2 * move - 1
        self.state = goal.astype(np.int8)
        return halted, self._chosen(~halts)


def clocked_error(states: int, steps: int) -> float:
    """Return the share of all n-state machines misjudged by 'it halts if it halts within T steps'.

    Args:
        states: n, 1 to 3.
        steps: T, >= 0.

    Source:
        HALL-2, by counting.

    >>> clocked_error(2, 6), round(clocked_error(2, 3), 5)
    (0.0, 0.00887)
    """
    t = whole("steps", steps, "[0, ∞)")
    late = sum(machines for time, machines in halting_times(states).items() if time > t)
    return late / machine_count(states)


def error_by_steps(states: int, steps: Sequence[int]) -> Shape:
    """Tell how the share of misjudged machines falls with the steps simulated.

    Args:
        states: n, 1 to 3.
        steps: T, increasing, each >= 0.

    Returns:
        A shape of `ERROR_RATE` along `steps`, exactly 0 from S(n) on.

    Source:
        HALL-2, by counting.

    >>> [round(y, 5) for _, y in error_by_steps(2, [1, 3, 6]).points]
    [0.1385, 0.00887, 0.0]
    """
    times, total = halting_times(states), machine_count(states)
    points = tuple(
        (float(t), sum(machines for time, machines in times.items() if time > t) / total)
        for t in vector("steps", steps, "[0, ∞)", whole=True)
    )
    parameters: dict[str, Scalar] = {
        "states": states,
        "machines": total,
        "halting": sum(times.values()),
        "longest_run": max(times),
    }
    return Shape(statement=HALL_2, quantity=ERROR_RATE, along="steps", points=points, parameters=parameters)


Program = Callable[[], None]


class _OutOfLinesError(BaseException):
    """The budget of lines is spent; not an Exception, so that a predictor does not catch it by accident."""


class _Clock:
    """A trace function that counts lines, and those of the clock around it too."""

    def __init__(self, lines: int, around: Any) -> None:
        self.left = lines
        self.around = around if isinstance(around, _Clock) else None

    def __call__(self, frame: FrameType, event: str, argument: Any) -> "_Clock":
        if event == "line":
            self.tick()
        return self

    def tick(self) -> None:
        self.left -= 1
        if self.around is not None:
            self.around.tick()
        if self.left < 0:
            raise _OutOfLinesError


def clocked(function: Callable[[], Any], lines: int) -> tuple[bool, Any]:
    """Run Python code for at most so many lines.

    Args:
        function: code without arguments.
        lines: most lines that may run, >= 1. Time spent inside C code is not counted.

    Returns:
        Whether it finished, and its result (None where it did not).

    >>> clocked(lambda: 1 + 1, 100)
    (True, 2)
    """
    before = sys.gettrace()
    sys.settrace(_Clock(whole("lines", lines, "[1, ∞)"), before))
    try:
        return True, function()
    except _OutOfLinesError:
        return False, None
    finally:
        sys.settrace(before)


class Refutation(Value, frozen=True):
    """What a predictor of halting said about the program built from it.

    Args:
        answer: what it said: that the program halts, that it does not, or None for no answer within the budget.
        halts: what the program does.
        wrong: whether it answered, and wrongly.
    """

    answer: bool | None
    halts: bool
    wrong: bool


def refute(predictor: Callable[[Program], bool | None], lines: int = 100_000) -> Refutation:
    """Build a program that does the opposite of what a predictor of halting says about it.

    Args:
        predictor: from a program to True (halts), False (runs for ever) or None (declines).
        lines: Python lines that the predictor may use; more counts as declining.

    Returns:
        What it said and what the program does: a predictor that answers is wrong, one that declines is not. An
        error inside the predictor counts as declining.

    Source:
        HALL-2; Turing (1936).

    >>> refute(lambda program: False)
    Refutation(answer=False, halts=True, wrong=True)
    >>> refute(lambda program: None)
    Refutation(answer=None, halts=True, wrong=False)
    """

    def says() -> bool | None:
        try:
            answer: bool | None = clocked(lambda: predictor(contrary), lines)[1]
        except Exception:  # noqa: BLE001 a predictor of the caller's may fail in any way; then it did not answer
            return None
        return answer

    def contrary() -> None:
        if says() is True:
            while True:
                pass

    answer = says()
    if answer not in (True, False, None):
        raise InvalidValueError(f"A predictor of halting must return True, False or None, got {answer!r}.")
    # Told that it halts, the program loops; told anything else or nothing, it returns.
    halts = clocked(contrary, 10 * lines)[0]
    return Refutation(answer=answer, halts=halts, wrong=answer is not None and answer != halts)


def no_halting_predictor(predictor: Callable[[Program], bool | None], lines: int = 100_000) -> Impossibility:
    """Show that a given predictor of halting is not right and complete, by the program built from it.

    Args:
        predictor: from a program to True, False or None.
        lines: Python lines that it may use.

    Source:
        HALL-2.

    >>> no_halting_predictor(lambda program: True).witness
    {'answered': 'halts', 'program': 'runs for ever'}
    """
    found = refute(predictor, lines)
    answered = "nothing" if found.answer is None else "halts" if found.answer else "runs for ever"
    return Impossibility(
        statement=HALL_2,
        at={"lines": lines},
        witness={"answered": answered, "program": "halts" if found.halts else "runs for ever"},
    )
