"""Mitigations: what moves a limit, as models around models; each counts its calls and tokens."""

from hardlimit.mitigations.abstaining import Abstain, Signal
from hardlimit.mitigations.oracle import BoundedOracle, Library, Oracle
from hardlimit.mitigations.passages import Ballot, IsolateThenVote, Reorder, Select
from hardlimit.mitigations.policy import Dialogue, Mitigated, Policy, mitigate
from hardlimit.mitigations.programs import Programs
from hardlimit.mitigations.sampling import BestOf, Vote
from hardlimit.mitigations.scratchpad import Scratchpad

__all__ = [
    "Abstain",
    "Ballot",
    "BestOf",
    "BoundedOracle",
    "Dialogue",
    "IsolateThenVote",
    "Library",
    "Mitigated",
    "Oracle",
    "Policy",
    "Programs",
    "Reorder",
    "Scratchpad",
    "Select",
    "Signal",
    "Vote",
    "mitigate",
]
