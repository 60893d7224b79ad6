"""An experiment that trains nothing and takes no time: two cells, one prediction that holds and one that fails."""

from typing import ClassVar

from hardlimit.core import Finding, Standing
from hardlimit.core.quantity import HOPS
from hardlimit.lab.experiment import Cell, Conclusion, Design, Experiment, column, mean
from hardlimit.theory import reasoning as theory


class Tiny(Experiment):
    name: ClassVar[str] = "tiny"
    says: ClassVar[str] = "Nothing is trained."
    measured: ClassVar[list[str]] = []
    interrupted_at: ClassVar[str | None] = None

    def design(self, scale):
        return Design(question="Is it?", claims=("REAS-3",), setting="None.", size="None.", would_refute="Anything.")

    def cells(self, scale):
        return (Cell(name="one"), Cell(name="two"))

    def measure(self, cell, scale, bench):
        if cell.name == self.interrupted_at:
            raise KeyboardInterrupt
        self.measured.append(cell.name)
        bench.progress.asking("nothing", 1)
        return [{"cell": cell.name, "seed": seed, "solved": 1.0 + 0.01 * seed} for seed in scale.members]

    def conclude(self, rows, scale):
        solved = self.measurement("solved", HOPS, scale, estimate=mean(column(rows, "solved")))
        bound = theory.hops_per_pass(1)
        findings = tuple(
            Finding(claim=bound, measurement=solved, standing=standing, says=f"It is {standing.name}.")
            for standing in (Standing.AGREES, Standing.DISAGREES)
        )
        return Conclusion(headline="One held, one failed.", findings=findings, measurements=(solved,))
