"""Mitigations: what moves a limit, as models around models; each counts its calls and tokens."""

from hardlimit.mitigations.abstaining import Abstain, Signal
from hardlimit.mitigations.oracle import BoundedOracle, Library, Oracle
from hardlimit.mitigations.passages import Ballot, IsolateThenVote, Reorder, Rerank, Select
from hardlimit.mitigations.pictures import CaptionFirst, LookAgain, MitigatedSight, VisualContrast
from hardlimit.mitigations.policy import Dialogue, Mitigated, Policy, mitigate
from hardlimit.mitigations.programs import Programs
from hardlimit.mitigations.reranking import Cross, Reranked
from hardlimit.mitigations.sampling import BestOf, Vote
from hardlimit.mitigations.scratchpad import Scratchpad

__all__ = [
    "Abstain",
    "Ballot",
    "BestOf",
    "BoundedOracle",
    "CaptionFirst",
    "Cross",
    "Dialogue",
    "IsolateThenVote",
    "Library",
    "LookAgain",
    "Mitigated",
    "MitigatedSight",
    "Oracle",
    "Policy",
    "Programs",
    "Reorder",
    "Rerank",
    "Reranked",
    "Scratchpad",
    "Select",
    "Signal",
    "VisualContrast",
    "Vote",
    "mitigate",
]
