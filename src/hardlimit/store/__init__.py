"""The store: every graded answer durable on disk before it counts, so that a rerun asks only for what is missing."""

from hardlimit.store.keys import answer_key, failure_of, reply_key
from hardlimit.store.store import Kept, Run, Store

__all__ = ["Kept", "Run", "Store", "answer_key", "failure_of", "reply_key"]
