"""Every claim: one catalog of statements, and one of what makes them run."""

from hardlimit.core import Catalog, Statement
from hardlimit.theory.context.entries import ENTRIES as CONTEXT
from hardlimit.theory.entry import Entry
from hardlimit.theory.hallucination.entries import ENTRIES as HALLUCINATION

ENTRIES: Catalog[Entry] = Catalog("claim", {entry.statement.id: entry for entry in (*HALLUCINATION, *CONTEXT)})
CLAIMS: Catalog[Statement] = Catalog("claim", {name: ENTRIES[name].statement for name in ENTRIES})
