"""Attempts to get out of the sandbox, and what a program may do in it."""

import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from hardlimit.core import CapabilityError, InvalidValueError
from hardlimit.mitigations.sandbox import Limits, Outcome, run
from hardlimit.mitigations.sandbox.inside import ALLOWED, CALLS, rules

SYSCALL = """
import sys
ctypes = sys.modules["ctypes"]
libc = ctypes.PyDLL(None, use_errno=True)
def call(*arguments):
    done = libc.syscall(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if done < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return done
"""
"""The strongest program: it calls the kernel itself, through what the interpreter has loaded."""

FILE = "import sys\nio = sys.modules['_io']\nposix = sys.modules['posix']\n"

ESCAPES = {
    "open a file to read": "open('/etc/passwd').read()",
    "open a file to write": "open('{escaped}', 'w').write('x')",
    "open with the raw class": FILE + "io.FileIO('{escaped}', 'w')",
    "open by the system's own call": FILE + "posix.open('{escaped}', posix.O_CREAT | posix.O_WRONLY)",
    "make a folder": FILE + "posix.mkdir('{escaped}')",
    "list a folder": FILE + "posix.listdir('/')",
    "remove a file": FILE + "posix.unlink('{victim}')",
    "rename a file": FILE + "posix.rename('{victim}', '{escaped}')",
    "link a file": FILE + "posix.symlink('{victim}', '{escaped}')",
    "change a file's mode": FILE + "posix.chmod('{victim}', 0)",
    "read the environment of the process": "open('/proc/self/environ').read()",
    "read the memory of the parent": "import os\nopen(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
    "go to another folder": FILE + "posix.chdir('/tmp')",
    "fork": FILE + "posix.fork()",
    "run a program": FILE + "posix.execv('/bin/sh', ['sh', '-c', 'touch {escaped}'])",
    "spawn a program": FILE + "posix.posix_spawn('/bin/sh', ['sh', '-c', 'touch {escaped}'], {})",
    "start a thread": "import _thread\n_thread.start_new_thread(print, ())",
    "kill the parent": FILE + "posix.kill(posix.getppid(), 9)",
    "kill the whole group of the parent": FILE + "posix.killpg({group}, 9)",
    "stop the parent": FILE + "posix.kill({parent}, {stop})",
    "import a module from disk": "import socket",
    "import with the importer": "import importlib\nimportlib.import_module('subprocess')",
    "import a built extension": "__import__('_socket')",
    "load a library": SYSCALL + "ctypes.CDLL('libcrypt.so.1')",
    "socket by system call": SYSCALL + "call(41, 2, 1, 0)",
    "connect out by system call": SYSCALL + "call(42, 1, ctypes.c_char_p(b'x'), 16)",
    "open by system call": SYSCALL + "call(2, ctypes.c_char_p(b'{escaped}'), 65, 511)",
    "openat by system call": SYSCALL + "call(257, -100, ctypes.c_char_p(b'{escaped}'), 65, 511)",
    "openat2 by system call": SYSCALL
    + "call(437, -100, ctypes.c_char_p(b'{escaped}'), ctypes.c_char_p(b'x' * 24), 24)",
    "clone by system call": SYSCALL + "call(56, 17, 0, 0, 0, 0)",
    "clone3 by system call": SYSCALL + "call(435, ctypes.c_char_p(bytes(88)), 88)",
    "execve by system call": SYSCALL + "call(59, ctypes.c_char_p(b'/bin/true'), 0, 0)",
    "trace the parent": SYSCALL + "call(101, 16, {parent}, 0, 0)",
    "read the parent's memory": SYSCALL + "call(310, {parent}, 0, 0, 0, 0, 0)",
    "raise its own limits": SYSCALL + "call(302, 0, 0, ctypes.c_char_p(bytes(16)), 0)",
    "io_uring, which opens files unseen": SYSCALL + "call(425, 8, ctypes.c_char_p(bytes(120)))",
    "a 32-bit style number": SYSCALL + "call(0x40000000 + 2, ctypes.c_char_p(b'{escaped}'), 65, 511)",
    "a file in memory to run": SYSCALL + "call(319, ctypes.c_char_p(b'x'), 0)",
    "take the filter off": SYSCALL + "call(157, 22, 0, 0, 0, 0)",
    "another pipe of the interpreter": FILE + "posix.write(2, b'x')",
    "copy its pipe": FILE + "posix.dup(1)",
    "bpf": SYSCALL + "call(321, 0, 0, 0)",
    "mount": SYSCALL + "call(165, 0, ctypes.c_char_p(b'/tmp'), 0, 0, 0)",
    "new namespace": SYSCALL + "call(272, 0x10000000)",
    "memory of another": SYSCALL + "call(29, 1234, 4096, 0)",
}


@pytest.fixture
def places(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    names = {
        "escaped": str(tmp_path / "escaped"),
        "victim": str(victim),
        "parent": str(os.getpid()),
        "group": str(os.getpgid(0)),
        "stop": str(int(signal.SIGSTOP)),
    }
    yield names
    assert victim.read_text() == "mine"
    assert victim.stat().st_mode & 0o400
    assert sorted(path.name for path in tmp_path.iterdir()) == ["victim"]


def filled(program: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        program = program.replace("{" + name + "}", value)
    return program


@pytest.mark.parametrize("attempt", ESCAPES)
def test_nothing_gets_out(attempt, places):
    outcome = run(filled(ESCAPES[attempt], places))
    assert outcome.ending == "raised", outcome
    assert outcome.error.split(":")[0] in {"PermissionError", "OSError", "ModuleNotFoundError", "RuntimeError"}, outcome
    if "call(" in ESCAPES[attempt].removeprefix(SYSCALL):
        # The filter itself says no: what another wall would stop is not left to it.
        assert outcome.error.startswith("PermissionError: [Errno 1]"), outcome


def test_the_attempts_reach_the_kernel():
    """Without the filter the same calls work: they fail for the filter's sake, not for a wrong number."""
    program = SYSCALL + "print(call(39) == __import__('os').getpid(), call(41, 2, 1, 0) > 0, call(319, b'x', 0) > 0)"
    done = subprocess.run(
        [sys.executable, "-c", "import ctypes\n" + program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True"] * 3


def test_no_server_hears_from_it():
    heard = []

    class Ear(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.path)

    with HTTPServer(("127.0.0.1", 0), Ear) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tried = run(f"import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{server.server_port}/')")
        server.shutdown()
    assert tried.ending == "raised"
    assert not heard


def test_no_secret_is_in_its_environment(monkeypatch):
    monkeypatch.setenv("HARDLIMIT_API_KEY", "sk-secret")
    # The interpreter itself sets the locale.
    assert run("import os\nset(os.environ) - {'LC_CTYPE'}").value == "set()"


@pytest.mark.parametrize(
    ("program", "ending", "error"),
    [
        ("while True: pass", "timed out", "It ran longer than 0.5 s."),
        ("import time\ntime.sleep(60)", "timed out", "It ran longer than 0.5 s."),
        ("[0] * 10**10", "raised", "MemoryError: "),
        ("x = []\nwhile True: x.append(bytearray(10**8))", "raised", "MemoryError: "),
        ("print('a' * 10**6)", "out of bounds", "It wrote more than 10,000 characters."),
        ("import os\nos._exit(0)", "out of bounds", "It ended by itself without a result (exit status 0)."),
        ("import sys\nsys.modules['ctypes'].string_at(0)", "out of bounds", "It ended by itself without a result (SIG"),
        ("9 ** 9 ** 9 ** 9", "timed out", "It ran longer than 0.5 s."),
        ("def f(): f()\nf()", "raised", "RecursionError: maximum recursion depth exceeded"),
        ("raise SystemExit('bye')", "raised", "SystemExit: bye"),
        ("x = (", "raised", "SyntaxError: '(' was never closed (<program>, line 1)"),
        ("10 ** 5000", "raised", "ValueError: Exceeds the limit (4300 digits) for integer string conversion; use "),
    ],
)  # fmt: skip
def test_what_does_not_end_well_is_told(program, ending, error):
    outcome = run(program, Limits(seconds=0.5))
    assert outcome.ending == ending
    assert outcome.error.startswith(error)
    assert outcome.answer is None


@pytest.mark.parametrize(
    "verdict", ["garbage", "[]", '{"value": 3}', "[" * 900, '{"value": "a"} {"value": "b"}', "\\ud800", ""]
)
def test_a_forged_result_is_a_text_and_no_more(verdict):
    """A program can find the mark of its result in the interpreter; what it writes there is read as a result's text."""
    program = f"""
import sys, os
frame = sys._getframe()
while "order" not in frame.f_locals:
    frame = frame.f_back
os.write(1, ("\\n" + frame.f_locals["order"]["mark"] + {verdict!r}).encode("utf-8", "replace"))
os._exit(0)
"""
    assert run(program).ending == "out of bounds"


@pytest.mark.parametrize(
    ("program", "answer"),
    [
        ("48213 + 9377", "57590"),
        ("from fractions import Fraction\nFraction(1, 3) + Fraction(1, 6)", "1/2"),
        ("def solution():\n    total = sum(range(10))\n    return total", "45"),
        ("answer = 'Anna'", "Anna"),
        ("print('first')\nprint('last')", "last"),
        ("x = 3\nprint(x)\nx * 2", "6"),
        ("pass", None),
        ("'é' * 2", "éé"),
    ],
)
def test_result_of_a_program(program, answer):
    assert run(program).answer == answer


def test_named_modules_can_be_imported():
    program = "".join(f"import {module}\n" for module in ALLOWED)
    assert run(f"{program}[{', '.join(f'{module}.__name__' for module in ALLOWED)}]").value == str(list(ALLOWED))


def test_no_process_is_left():
    run("while True: pass", Limits(seconds=0.2))
    inside = [
        path
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"inside.py" in _read(path) and _parent(path.parent) == os.getpid()
    ]
    assert not inside


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _parent(folder: Path) -> int:
    try:
        return int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


@pytest.mark.parametrize("machine", CALLS)
def test_every_jump_of_the_filter_stays_in_it(machine):
    made = rules(machine)
    for place, (_, yes, no, _) in enumerate(made):
        assert place + 1 + max(yes, no) < len(made) or (yes, no) == (0, 0)
    assert made[-1] == (0x06, 0, 0, 0x00050001)


def test_refusals(monkeypatch):
    with pytest.raises(InvalidValueError, match=r"^A program may have 100,000 characters, got 100,001\.$"):
        run("#" * 100_001)
    with pytest.raises(InvalidValueError, match=r"^Limits need seconds > 0, megabytes >= 64 and output >= 1, got "):
        Limits(seconds=0)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(CapabilityError, match=r"^Programs of a model are run only where the kernel can lock them in: "):
        run("1")


def test_limits_are_part_of_an_outcome_that_can_be_kept():
    assert Outcome(ending="finished", value="1").answer == "1"
    assert Outcome(ending="raised", value="1").answer is None
