"""Under which key an answer is stored: a hash of everything that the answer depends on."""

import hashlib

from hardlimit.core import Attend, Case, Generated, Reply, Score, Value, canonical
from hardlimit.probes import Probe


def answer_key(model: str, probe: Probe, case: Case) -> bytes:
    """Key a graded answer: the model, the probe with its parameters and version, and the whole case.

    The whole case counts, and not only its id and request: a grade also depends on what counts as right, and a stored
    answer carries the factors that a later analysis groups by.

    Args:
        model: the model's fingerprint.
        probe: who made the case and grades it.
        case: what is asked.

    Returns:
        32 bytes (SHA-256 of canonical JSON). Any difference in any part gives another key.
    """
    return _digest("answer", model, probe.name, repr(probe), probe.version, case)


def reply_key(model: str, request: Attend | Score) -> bytes:
    """Key an ungraded reply: the model and the request.

    >>> from hardlimit.core import Message
    >>> ask = Score(messages=(Message(role="user", content="2 + 2 ="),), continuation=" 4")
    >>> reply_key("aaaa", ask) == reply_key("aaaa", ask), reply_key("aaaa", ask) == reply_key("bbbb", ask)
    (True, False)
    """
    return _digest("reply", model, request)


def cell_key(experiment: str, version: int, cell: Value, scale: Value) -> bytes:
    """Key a measured cell of the lab: the experiment with its version, the cell's settings, and how large the run is.

    Args:
        experiment: its name.
        version: of the way in which it measures.
        cell: what is measured in one piece.
        scale: extent and seeds.
    """
    return _digest("cell", experiment, version, cell, scale)


def run_key(experiment: str, scale: Value) -> bytes:
    """Key the report of a run of the lab: the experiment, and how large the run is."""
    return _digest("lab report", experiment, scale)


def failure_of(reply: Reply) -> str | None:
    """Say why a reply is no reply, or None where it is one.

    >>> failure_of(Generated(text="", finish="error", error="The server sent nothing."))
    'The server sent nothing.'
    >>> failure_of(Generated(text="Paris", finish="stop"))
    """
    if isinstance(reply, Generated) and reply.finish != "error":
        return None
    return reply.error or "The model gave no reason." if isinstance(reply, Generated) else reply.error


def _digest(*parts: object) -> bytes:
    return hashlib.sha256(canonical(parts)).digest()
