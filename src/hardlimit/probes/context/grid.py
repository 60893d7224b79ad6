"""The full protocol: every length at every depth in several haystacks."""

from collections.abc import Sequence

import msgspec

from hardlimit.core import Case, InvalidValueError, Value
from hardlimit.probes.context.haystack import Count
from hardlimit.probes.context.needle import Needle


class Grid(Value, frozen=True):
    """A needle probe at every combination of length and depth, in several haystacks.

    Args:
        probe: what is asked; the grid sets its length and its depths.
        lengths: in tokens, ascending.
        depths: how many, evenly spaced; a multiple of the probe's needles, so that each haystack holds needles at
            some of them.
        haystacks: per length and depth, >= 2.

    >>> grid = Grid(lengths=(256, 512), depths=16, haystacks=2)
    >>> grid.size, len(grid.cases(seed=0))
    (64, 64)
    >>> sorted({case.factors["depth"] for case in grid.cases(seed=0)})[:3]
    [0.0, 0.0666..., 0.1333...]
    """

    probe: Needle = Needle()
    lengths: tuple[int, ...] = (256, 512, 1024, 2048, 4096, 8192, 16384, 32768)
    depths: int = 24
    haystacks: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.lengths or list(self.lengths) != sorted(set(self.lengths)) or self.lengths[0] < 1:
            raise InvalidValueError(f"Grid.lengths must be ascending and >= 1, got {self.lengths}.")
        if self.depths < 2 or self.depths % self.probe.needles or self.haystacks < 2:
            raise InvalidValueError(
                f"Grid needs haystacks >= 2 and depths a multiple of the probe's {self.probe.needles} needles, got "
                f"haystacks={self.haystacks}, depths={self.depths}."
            )

    @property
    def size(self) -> int:
        """Number of cases."""
        return len(self.lengths) * self.depths * self.haystacks

    def cases(self, *, seed: int, count: Count | None = None) -> Sequence[Case]:
        """Make every case, haystack by haystack, the short ones first.

        Args:
            seed: of the haystacks. The same needles are asked about at every length.
            count: counts tokens as the model under test does; an estimate from words if None.
        """
        groups = self.depths // self.probe.needles
        cases: list[Case] = []
        for length in self.lengths:
            for index in range(self.haystacks * groups):
                depths = tuple(place / (self.depths - 1) for place in range(index % groups, self.depths, groups))
                here = msgspec.structs.replace(self.probe, length=length, depths=depths)
                cases += here.haystack(seed, index, count)
        return cases
