"""The theory, executable: every theorem is a pure function from numbers to a claim.

One package per limit. `CLAIMS` has every statement by id, `ENTRIES` what makes it run.
"""

from hardlimit.theory.catalog import CLAIMS, ENTRIES
from hardlimit.theory.entry import Check, Entry

__all__ = ["CLAIMS", "ENTRIES", "Check", "Entry"]
