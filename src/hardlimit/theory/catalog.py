"""Every claim: one catalog of statements, and one of what makes them run."""

from hardlimit.core import Catalog, Statement
from hardlimit.theory.context import entries as context
from hardlimit.theory.entry import Entry
from hardlimit.theory.hallucination import entries as hallucination
from hardlimit.theory.multimodal import entries as multimodal
from hardlimit.theory.paper import context as paper_context
from hardlimit.theory.paper import evaluation as paper_evaluation
from hardlimit.theory.paper import hallucination as paper_hallucination
from hardlimit.theory.paper import multimodal as paper_multimodal
from hardlimit.theory.paper import reasoning as paper_reasoning
from hardlimit.theory.paper import retrieval as paper_retrieval
from hardlimit.theory.reasoning import entries as reasoning
from hardlimit.theory.retrieval import entries as retrieval

_OURS = (hallucination, context, reasoning, retrieval, multimodal)
_PAPER = (paper_hallucination, paper_context, paper_reasoning, paper_retrieval, paper_multimodal, paper_evaluation)
_ALL = {entry.statement.id: entry for module in (*_OURS, *_PAPER) for entry in module.ENTRIES}

ENTRIES: Catalog[Entry] = Catalog("claim", _ALL)
CLAIMS: Catalog[Statement] = Catalog("claim", {name: entry.statement for name, entry in _ALL.items()})
