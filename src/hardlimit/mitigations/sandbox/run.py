"""Running a program of a stranger, and taking what it says for a text and no more."""

import json
import os
import platform
import secrets
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

import msgspec

from hardlimit.core import CapabilityError, InvalidValueError, Value
from hardlimit.mitigations.sandbox.inside import CALLS

_INSIDE = Path(__file__).with_name("inside.py")
LONGEST_PROGRAM = 100_000

Ending = Literal["finished", "raised", "timed out", "out of bounds"]


class Limits(Value, frozen=True):
    """What a program may use.

    Args:
        seconds: of wall-clock time, > 0; processor time is limited to the same, rounded up.
        megabytes: of address space, >= 64.
        output: characters it may write, >= 1.
    """

    seconds: float = 2.0
    megabytes: int = 256
    output: int = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seconds <= 0 or self.megabytes < 64 or self.output < 1:
            raise InvalidValueError(
                "Limits need seconds > 0, megabytes >= 64 and output >= 1, got "
                f"seconds={self.seconds:g}, megabytes={self.megabytes} and output={self.output}."
            )


class Outcome(Value, frozen=True):
    """How a program ended. All text in it is the program's own and must be treated as hostile.

    Args:
        ending: `finished`; `raised` an exception; `timed out`; or `out of bounds`: killed for its memory, its output or
            a crash.
        value: its result as text, empty where it has none.
        output: what it printed.
        error: the exception, or why it was stopped.
        seconds: wall-clock time, starting the process included.
    """

    ending: Ending
    value: str = ""
    output: str = ""
    error: str = ""
    seconds: float = 0.0

    @property
    def answer(self) -> str | None:
        """The result: its value, else the last line that it printed; None where it did not finish or said nothing."""
        if self.ending != "finished":
            return None
        lines = self.output.strip().splitlines()
        return self.value.strip() or (lines[-1].strip() if lines else None) or None


class _Result(msgspec.Struct):
    value: str = ""
    error: str = ""


def run(program: str, limits: Limits | None = None) -> Outcome:
    r"""Run Python source in a process that can do nothing but compute and write its result.

    The process runs an isolated interpreter with an empty environment. Before the program is even compiled, the kernel
    takes from it, for good: every system call but those for memory, signals, the clock, its own exit, and writing to
    its one pipe (a seccomp filter, under `no_new_privs`); so it can open no file, no socket, no process, and signal
    nobody. Resource limits bound its memory and processor time; the process group is killed at the wall-clock limit.
    The modules `math`, `fractions`, `itertools`, `re`, `statistics` and a dozen like them can be imported.

    Args:
        program: Python source. Its result is the value of its last expression, what `solution()` returns, or `answer`.
        limits: time, memory and output.

    Returns:
        How it ended. A program that is wrong, hostile or endless is an outcome, never an exception.

    Raises:
        CapabilityError: this machine has no such sandbox (it takes Linux on x86-64 or ARM64); nothing was run.
        InvalidValueError: the program is longer than 100,000 characters.

    >>> run("from math import comb\ncomb(10, 3) + 1").answer
    '121'
    >>> run("open('/etc/passwd').read()").error
    "PermissionError: [Errno 1] Operation not permitted: '/etc/passwd'"
    """
    limits = limits or Limits()
    machine = platform.machine()
    if sys.platform != "linux" or machine not in CALLS:
        raise CapabilityError(
            f"Programs of a model are run only where the kernel can lock them in: Linux on x86-64 or ARM64, not "
            f"{sys.platform} on {machine}. Run hardlimit in a Linux container, or leave program-aided reasoning out."
        )
    if len(program) > LONGEST_PROGRAM:
        raise InvalidValueError(f"A program may have {LONGEST_PROGRAM:,} characters, got {len(program):,}.")
    mark = secrets.token_hex(16)
    order = {"program": program, "mark": mark, "seconds": int(limits.seconds + 1), "megabytes": limits.megabytes}
    began = time.monotonic()
    said, stopped, status = _watched(json.dumps(order).encode(), limits)
    seconds = time.monotonic() - began
    head, locked, rest = said.partition("ready\nlocked\n")
    if not locked or head:
        if stopped:
            return Outcome(ending="timed out", error=stopped, seconds=seconds)
        raise CapabilityError(
            "The kernel of this machine refused the sandbox's filter of system calls (seccomp), so nothing was run. "
            "Containers often forbid it: allow seccomp, or leave program-aided reasoning out."
        )
    output, marked, verdict = rest.rpartition(f"\n{mark}")
    if not marked:
        ending: Ending = "timed out" if stopped.startswith("It ran") or status == -signal.SIGXCPU else "out of bounds"
        why = stopped or f"It ended by itself without a result ({_status(status)})."
        return Outcome(ending=ending, output=rest[: limits.output], error=why, seconds=seconds)
    try:
        result = msgspec.json.decode(verdict.strip(), type=_Result)
    except msgspec.MsgspecError:
        why = "It wrote something in the place of its result that cannot be read."
        return Outcome(ending="out of bounds", output=output, error=why, seconds=seconds)
    if result.error:
        return Outcome(ending="raised", output=output, error=result.error, seconds=seconds)
    return Outcome(ending="finished", output=output, value=result.value[: limits.output], seconds=seconds)


def _watched(order: bytes, limits: Limits) -> tuple[str, str, int]:
    """What the process wrote, why it was stopped (or nothing), and its exit status."""
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", "-X", "utf8", str(_INSIDE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        close_fds=True,
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None
    started = time.monotonic()
    written, stopped = bytearray(), ""
    try:
        try:
            process.stdin.write(order)
            process.stdin.close()
        except BrokenPipeError:
            pass
        file = process.stdout.fileno()
        deadline = None
        while True:
            # Starting an interpreter takes as long as it takes on a busy machine; the program's time begins after it.
            if deadline is None and b"locked\n" in written:
                deadline = time.monotonic() + limits.seconds
            left = (started + 30 if deadline is None else deadline) - time.monotonic()
            if left <= 0:
                stopped = f"It ran longer than {limits.seconds:g} s."
                break
            if not select.select([file], [], [], left)[0]:
                continue
            part = os.read(file, 65536)
            if not part:
                break
            written += part
            if len(written) > 4 * limits.output + 1000:
                stopped = f"It wrote more than {limits.output:,} characters."
                break
    finally:
        if process.poll() is None and stopped:
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return written.decode("utf-8", errors="replace"), stopped, process.returncode


def _status(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
