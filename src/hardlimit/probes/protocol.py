"""What every probe is: a frozen value that makes cases from a seed and grades answers."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol, runtime_checkable

from hardlimit.core import Case, Generated, Grade, Limit, Quantity, Scored


@runtime_checkable
class Probe(Protocol):
    """A procedurally generated test of one limit.

    A probe is a frozen `Value` whose fields are its parameters; its `repr` rebuilds it. `version` is raised whenever
    the same seed would give other cases or the same answer another grade.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    limit: ClassVar[Limit]
    quantity: ClassVar[Quantity]

    def cases(self, *, seed: int, n: int) -> Sequence[Case]:
        """Make `n` cases; equal arguments give equal cases, and another seed gives fresh ones."""

    def grade(self, case: Case, reply: Generated | Scored) -> tuple[Grade, str | None]:
        """Grade a reply by program: the grade, and what was taken as the answer (None where there is none)."""

    def controls(self) -> Mapping[str, "Probe"]:
        """The probe in a setting that every able model passes (`trivial`), and that none passes (`impossible`)."""
