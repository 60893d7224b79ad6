"""D2 and D3: halting of all small Turing machines against a clock, and the program that contradicts its predictor."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from hardlimit.core import InvalidValueError
from hardlimit.demos.demonstration import Check, Demo, Figure, Series, Shown
from hardlimit.theory.domain import whole
from hardlimit.theory.hallucination import LONGEST_RUN, halting_times, machine_count, refute

_CHUNK = 1 << 18
"""Machines that are run side by side: their columns fit into a processor's cache."""
_BITS = 4
"""Bits of a machine's number for one entry of its table: at most 16 entries, for three states."""


def run_every_machine(states: int) -> dict[int, int]:
    """Run every n-state machine on the empty tape, each to its end or past S(n) steps, and count halting times.

    No table is shared between machines: this is what `halting_times`, which fills tables in only where they are
    needed, has to agree with.

    Args:
        states: n, 1 to 3.

    >>> run_every_machine(1)
    {1: 32}
    """
    n = whole("states", states, "[1, 3]")
    entries, slots = 4 * (n + 1), 2 * n
    counts: dict[int, int] = {}
    for start in range(0, entries**slots, _CHUNK):
        ranks = np.arange(start, min(start + _CHUNK, entries**slots), dtype=np.int64)
        for step, machines in _run(_tables(ranks, entries, slots), n).items():
            counts[step] = counts.get(step, 0) + machines
    return dict(sorted(counts.items()))


def _tables(ranks: NDArray[np.int64], entries: int, slots: int) -> NDArray[np.int32]:
    """Write the machine's rank in base `entries`, one digit for each slot of its table."""
    if entries == 1 << _BITS:
        return ranks.astype(np.int32)
    codes = np.zeros(ranks.size, dtype=np.int64)
    for slot in range(slots):
        codes |= (ranks // entries**slot % entries) << (_BITS * slot)
    return codes.astype(np.int32)


def _run(codes: NDArray[np.int32], n: int) -> dict[int, int]:
    state = np.zeros(codes.size, dtype=np.int32)
    tape, head = np.zeros(codes.size, dtype=np.int64), np.full(codes.size, LONGEST_RUN[n] + 1, dtype=np.int64)
    counts = {}
    for step in range(1, LONGEST_RUN[n] + 2):
        here = np.int64(1) << head
        read = (tape & here) != 0
        action = (codes >> (_BITS * (2 * state + read))) & (2**_BITS - 1)
        tape = np.where(action & 1, tape | here, tape & ~here)
        head += (action & 2) - 1
        state = action >> 2
        going = state != n
        halted = int(going.size - np.count_nonzero(going))
        if halted:
            counts[step] = halted
            codes, state, tape, head = codes[going], state[going], tape[going], head[going]
    return counts


def _clocked(seed: int) -> Shown:
    lazy = {n: halting_times(n) for n in (2, 3)}
    brute = {n: run_every_machine(n) for n in (2, 3)}
    late = {n: _late(brute[n], LONGEST_RUN[n] + 1) for n in (2, 3)}
    error = {n: [count / machine_count(n) for count in late[n]] for n in (2, 3)}
    checks = [
        Check(
            asks="the lazy count agrees with running every machine by itself",
            holds=lazy == brute,
            found=f"{machine_count(2):,} and {machine_count(3):,} machines were run",
        ),
        Check(
            asks="the longest runs are S(2) = 6 and S(3) = 21 steps",
            holds=(max(brute[2]), max(brute[3])) == (6, 21),
            found=f"{max(brute[2])} and {max(brute[3])}",
        ),
        Check(
            asks="every clock below S(n) misjudges some machine",
            holds=all(min(late[n][: LONGEST_RUN[n]]) > 0 for n in (2, 3)),
            found=f"at S(n) − 1 steps it misjudges {late[2][5]} and {late[3][20]} machines",
        ),
        Check(
            asks="a clock of S(n) steps misjudges none",
            holds=all(late[n][LONGEST_RUN[n]] == 0 for n in (2, 3)),
            found=f"misjudged at S(n): {late[2][6]} and {late[3][21]}",
            control=True,
        ),
    ]
    steps = (1, 2, 3, 5, 6, 10, 15, 20, 21)
    return Shown(
        computed="Every Turing machine with 2 and with 3 states and 2 symbols was run on the empty tape, and compared "
        "with the predictor 'it halts if it halts within T steps'.",
        checks=tuple(checks),
        figure=Figure(
            title="Machines that a clock of T steps misjudges",
            x="steps simulated, T",
            y="share of all machines misjudged",
            series=tuple(
                Series(label=f"{n} states", points=tuple((float(t), e) for t, e in enumerate(error[n]))) for n in (2, 3)
            ),
            log_y=True,
        ),
        head=("T", "2 states", "3 states"),
        rows=tuple((t, error[2][min(t, 6)], error[3][t]) for t in steps),
        values={"halting_2": sum(brute[2].values()), "halting_3": sum(brute[3].values())},
    )


def _late(times: Mapping[int, int], until: int) -> list[int]:
    """Return how many machines halt after more than t steps, for t = 0…until."""
    return [sum(count for time, count in times.items() if time > t) for t in range(until + 1)]


Program = Callable[[], None]


def _always(_program: Program) -> bool:
    return True


def _never(_program: Program) -> bool:
    return False


def _by_its_name(program: Program) -> bool:
    return len(program.__name__) % 2 == 0


def _run_a_while(program: Program) -> bool | None:
    """Run the program for 2,000 lines; say that it halts if it does, and that it loops otherwise."""
    from hardlimit.theory.hallucination.halting import clocked

    return clocked(program, 2000)[0]


def _careful(program: Program) -> bool | None:
    """Run the program for 2,000 lines; say that it halts if it does, and decline otherwise."""
    return _run_a_while(program) or None


def _silent(_program: Program) -> None:
    return None


PREDICTORS: dict[str, tuple[Callable[[Program], bool | None], bool]] = {
    "says that every program halts": (_always, True),
    "says that no program halts": (_never, True),
    "judges by the program's name": (_by_its_name, True),
    "runs it a while, else says that it loops": (_run_a_while, True),
    "runs it a while, else declines": (_careful, False),
    "declines always": (_silent, False),
}
"""Predictors of halting, and whether each always answers."""


def _refuted(seed: int) -> Shown:
    found = {name: refute(predictor, lines=20_000) for name, (predictor, _) in PREDICTORS.items()}
    return _refutations({name: (r.answer, r.halts, r.wrong, "") for name, r in found.items()}, _honest(found))


def _honest(found: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(name for name in found if not PREDICTORS[name][1])


def refutation(name: str, answer: bool | None, halts: bool, why: str = "") -> Shown:
    """Show what a predictor of the user's said about the program built from it, beside one that declines.

    Args:
        name: of the predictor.
        answer: what it said: True, False, or None for no answer.
        halts: what the program does.
        why: why there was no answer.

    >>> [check.holds for check in refutation("mine", answer=True, halts=False).checks]
    [True, True]
    """
    if answer not in (True, False, None):
        raise InvalidValueError(f"A predictor of halting says True, False or None, got {answer!r}.")
    silent = refute(_silent, lines=20_000)
    rows = {
        name: (answer, halts, answer is not None and answer != halts, why),
        "declines always": (silent.answer, silent.halts, silent.wrong, ""),
    }
    return _refutations(rows, ("declines always",))


def _refutations(found: Mapping[str, tuple[bool | None, bool, bool, str]], honest: tuple[str, ...]) -> Shown:
    right = [name for name, (answer, halts, _, _) in found.items() if answer is not None and answer == halts]
    words = {True: "halts", False: "loops", None: "no answer"}
    rows = tuple(
        (
            name,
            words[answer] + (f" ({why})" if why else ""),
            words[halts],
            "wrong" if wrong else "declined" if answer is None else "right",
        )
        for name, (answer, halts, wrong, why) in found.items()
    )
    wrong = sum(wrong for _, _, wrong, _ in found.values())
    return Shown(
        computed=f"For {len(found)} predictors of halting, the program was built that asks the predictor about itself "
        "and does the opposite. A predictor that does not answer within its limit has declined.",
        checks=(
            Check(
                asks="no predictor is right about the program built from it",
                holds=not right,
                found=f"{wrong} wrong, {len(found) - wrong - len(right)} declined, {len(right)} right",
            ),
            Check(
                asks="a predictor that declines is never wrong",
                holds=not any(found[name][2] for name in honest),
                found=f"{len(honest)} that decline: none of them is wrong, and none of them answers",
                control=True,
            ),
        ),
        figure=Figure(
            title="What each predictor said, and what the program did (1 halts, 0 loops, ½ declined)",
            x="predictor",
            y="halts",
            series=(
                Series(
                    label="said",
                    points=tuple(
                        (float(i), 0.5 if a is None else float(a)) for i, (a, *_) in enumerate(found.values())
                    ),
                ),
                Series(label="did", points=tuple((float(i), float(h)) for i, (_, h, *_) in enumerate(found.values()))),
            ),
        ),
        head=("predictor", "says", "the program", "so it is"),
        rows=rows,
        values={"wrong": wrong},
    )


HALTING = Demo(
    name="halting",
    number="D2",
    claims=("HALL-2",),
    says=(
        "'It halts if it halts within T steps' is right about all n-state machines exactly from T = S(n) on: more "
        "steps help on what is decidable, and no fixed number is enough for every size."
    ),
    refuted_by=(
        "No error for some T < S(n), a lazy count that differs from running every machine, or S(2) ≠ 6, S(3) ≠ 21."
    ),
    control="T = S(n): no error at all.",
    work=_clocked,
    takes=20,
)

REFUTE = Demo(
    name="refute",
    number="D3",
    claims=("HALL-2",),
    says=(
        "Every predictor of halting that answers is wrong about the program built from it; one that may decline need "
        "never be wrong, but declines there."
    ),
    refuted_by="A predictor that is right about its own diagonal program within the limit.",
    control="A predictor that declines is never wrong.",
    work=_refuted,
)
