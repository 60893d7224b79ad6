"""The store: every graded answer durable on disk before it counts, so that a rerun asks only for what is missing.

What the lab measures is kept beside the answers, cell by cell.
"""

from hardlimit.store.cells import Measured
from hardlimit.store.keys import answer_key, cell_key, failure_of, reply_key, run_key
from hardlimit.store.store import ANSWERS, Kept, Run, Store

__all__ = [
    "ANSWERS",
    "Kept",
    "Measured",
    "Run",
    "Store",
    "answer_key",
    "cell_key",
    "failure_of",
    "reply_key",
    "run_key",
]
