"""Dimension: how many dimensions training needs to retrieve every pair, and how many geometry needs (RETR-4)."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hardlimit.core import Finding, Impossibility, Resource, ResourceVerdict, Standing, Verdict, stand
from hardlimit.core.quantity import EMBEDDING_WIDTH, RETRIEVAL_RECALL
from hardlimit.lab.bench import Bench
from hardlimit.lab.experiment import (
    Cell,
    Conclusion,
    Design,
    Experiment,
    Row,
    Scale,
    column,
    curve,
    mean,
    values,
    where,
)
from hardlimit.lab.transformer import INITIAL
from hardlimit.theory import retrieval as theory

SIZE = 2
"""Documents that one query wants."""

LARGEST_COUNTED = 12
"""Documents up to which theory counts the pairs that three dimensions retrieve; more documents hold such a dozen."""

FORMATS = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


class Dimension(Experiment):
    """Free embeddings, trained to retrieve every pair, against the moment curve."""

    name = "dimension"
    says = "How many embedding dimensions does training need to retrieve every pair, beside what geometry needs?"

    def design(self, scale: Scale) -> Design:
        """What is decided beforehand."""
        documents, widths = self._documents(scale), self._widths(scale)
        return Design(
            question="Four dimensions can retrieve every pair of any number of documents. Does training find them, in "
            "how many dimensions does it retrieve all pairs, and what does a coarser number format cost?",
            claims=("RETR-4",),
            setting=f"{documents} documents, and one query for each of their {len(pairs(documents)):,} pairs; all "
            f"vectors are free, of length 1, in {widths[0]} to {widths[-1]} dimensions, trained by Adam on a softmax "
            f"over documents whose temperature falls, for {self._steps(scale):,} steps. A pair is retrieved if its two "
            "scores lie above all others. The construction on the moment curve stands beside them.",
            size=f"{len(scale.members)} starts per width; every pair is asked.",
            would_refute="More than 3n − 6 pairs of n documents on a sphere retrieved in 3 dimensions, or a "
            "pair that the moment curve misses in float64.",
        )

    def cells(self, scale: Scale) -> tuple[Cell, ...]:
        """One cell per width."""
        return tuple(Cell(name=f"width-{width}", settings={"width": width}) for width in self._widths(scale))

    def measure(self, cell: Cell, scale: Scale, bench: Bench) -> list[Row]:
        """Optimise, and count the pairs that are retrieved in each number format."""
        width, documents = int(cell.settings["width"]), self._documents(scale)
        found = optimised(documents, width, scale.members, self._steps(scale), bench)
        wanted = torch.tensor(pairs(documents), device=bench.device)
        rows: list[Row] = []
        sources = {"trained": found}
        if width == 2 * SIZE:
            sources["moment curve"] = moment_curve(documents, len(scale.members), bench.device)
        for source, (docs, queries) in sources.items():
            for name, kind in FORMATS.items():
                right = retrieved(docs.to(kind).double(), queries.to(kind).double(), wanted)
                for member, seed in enumerate(scale.members):
                    own: Row = {"source": source, "format": name, "width": width, "seed": seed}
                    rows.append(own | {"right": int(right[member].sum()), "n": len(wanted)})
        return rows

    def conclude(self, rows: Sequence[Row], scale: Scale) -> Conclusion:
        """Set the widths that training needs beside the width that geometry needs."""
        trained = where(rows, source="trained")
        recall = self.measurement("retrieved", RETRIEVAL_RECALL, scale, points=curve(trained, ["format", "width"]))
        curve_rows = where(rows, source="moment curve")
        moment = self.measurement("moment_curve", RETRIEVAL_RECALL, scale, points=curve(curve_rows, ["format"]))
        documents = self._documents(scale)
        needed = [smallest(where(trained, seed=seed, format="float32")) for seed in values(rows, "seed")]
        beyond = max(self._widths(scale))
        width = mean([float(beyond if one is None else one) for one in needed])
        bound = theory.sufficient_width(documents, SIZE)
        measured = self.measurement("width_needed", EMBEDDING_WIDTH, scale, estimate=width)
        never = sum(one is None for one in needed)
        three = theory.three_dimensions_fail(min(documents, LARGEST_COUNTED))
        at_three = column(where(trained, width=3, format="float32"), "right")
        total = len(pairs(documents))
        says = (
            f"Training retrieves all {total:,} pairs from {width.value:.1f} dimensions on (mean over starts"
            + (f"; {never} starts not even in {beyond}" if never else "")
            + f"), where {bound.value:.0f} are enough for a constructed embedding: "
            + (
                "a gap of training, not of geometry."
                if width.value > bound.value
                else "training finds what geometry allows."
            )
        )
        findings = (
            Finding(claim=bound, measurement=measured, standing=stand(bound, measured), says=says),
            self._three(three, at_three, total, scale),
        )
        exact = {str(p.at["format"]): p.estimate.value for p in moment.points}
        return Conclusion(
            headline=f"{says} On the moment curve in 4 dimensions, "
            + ", ".join(f"{name} retrieves {share:.0%}" for name, share in exact.items())
            + " of the pairs.",
            findings=findings,
            measurements=(recall, moment),
            verdicts=(self._verdict(trained, scale),),
            cautions=(
                "Free embeddings are a best case: a model has to produce these vectors from text.",
                "The bound is about what exists; a width that training needs beyond it counts as beyond the bound only "
                "because the bound's assumption, that vectors are chosen freely and exactly, is not met by training.",
            ),
        )

    @staticmethod
    def _documents(scale: Scale) -> int:
        return scale.choose(10, 20, 46)

    @staticmethod
    def _widths(scale: Scale) -> tuple[int, ...]:
        return (3, 4) if scale.extent == "smoke" else (2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32)

    @staticmethod
    def _steps(scale: Scale) -> int:
        return scale.choose(100, 600, 4000)

    def _three(self, claim: Impossibility, right: NDArray[np.float64], total: int, scale: Scale) -> Finding:
        failed = bool((right <= 3 * self._documents(scale) - 6).all())
        share = curve([{"right": int(r), "n": total} for r in right], [])
        return Finding(
            claim=claim,
            measurement=self.measurement("three_dimensions", RETRIEVAL_RECALL, scale, points=share),
            standing=Standing.AGREES if failed else Standing.DISAGREES,
            says=f"In 3 dimensions the best start retrieves {int(right.max()):,} of {total:,} pairs; points on a "
            f"sphere have 3n − 6 = {3 * self._documents(scale) - 6} such pairs at most.",
        )

    def _verdict(self, rows: Sequence[Row], scale: Scale) -> ResourceVerdict:
        exact = where(rows, format="float32")
        low, high = min(self._widths(scale)), max(self._widths(scale))
        first, last = (
            column(where(exact, width=w), "right").mean() / len(pairs(self._documents(scale))) for w in (low, high)
        )
        return ResourceVerdict(
            resource=Resource.EMBEDDING,
            verdict=Verdict.HELPS if last > first + 0.1 else Verdict.UNDETERMINED,
            because=f"pairs retrieved rise from {first:.0%} in {low} dimensions to {last:.0%} in {high}.",
            basis="measured",
            claims=("RETR-4",),
        )


def pairs(documents: int) -> list[tuple[int, int]]:
    """All pairs of documents.

    >>> pairs(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    return [(a, b) for a, b in combinations(range(documents), SIZE)]


def optimised(documents: int, width: int, seeds: Sequence[int], steps: int, bench: Bench) -> tuple[Tensor, Tensor]:
    """Train free document and query vectors so that each query scores its pair above all others.

    Returns:
        Unit vectors of documents (seeds, documents, width) and queries (seeds, pairs, width).
    """
    wanted = torch.tensor(pairs(documents), device=bench.device)
    count = documents + len(wanted)
    start = [np.random.default_rng([seed, INITIAL, width]).standard_normal((count, width)) for seed in seeds]
    free = torch.tensor(np.stack(start), dtype=torch.float32, device=bench.device, requires_grad=True)
    optimiser = torch.optim.Adam([free], lr=0.02)
    bench.progress.asking(f"{count:,} free vectors of width {width}", None)
    for step in range(steps):
        docs, queries = unit(free)[:, :documents], unit(free)[:, documents:]
        heat = 10 * 100 ** (step / steps)
        scores = heat * queries @ docs.transpose(1, 2)
        chosen = scores.gather(2, wanted.expand(len(seeds), -1, -1))
        others = scores.scatter(2, wanted.expand(len(seeds), -1, -1), -torch.inf).logsumexp(2, keepdim=True)
        loss = torch.nn.functional.softplus(others - chosen).mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        optimiser.param_groups[0]["lr"] = 0.02 * (1 - step / steps) + 1e-4
    vectors = unit(free.detach())
    return vectors[:, :documents], vectors[:, documents:]


def unit(vectors: Tensor) -> Tensor:
    """Vectors of length 1."""
    return torch.nn.functional.normalize(vectors, dim=-1)


def moment_curve(documents: int, copies: int, device: str) -> tuple[Tensor, Tensor]:
    """The construction in 2k dimensions, repeated for each seed."""
    docs = theory.moment_documents(documents, SIZE)
    queries = np.stack([theory.moment_query(pair, documents, SIZE) for pair in pairs(documents)])
    return tuple(torch.from_numpy(part).to(device).expand(copies, -1, -1) for part in (docs, queries))  # type: ignore[return-value]


def retrieved(docs: Tensor, queries: Tensor, wanted: Tensor) -> NDArray[np.bool_]:
    """Whether each query scores its documents strictly above all others, (seeds, queries)."""
    scores = queries @ docs.transpose(1, 2)
    index = wanted.expand(scores.shape[0], -1, -1)
    least = scores.gather(2, index).amin(2)
    rest = scores.scatter(2, index, -torch.inf).amax(2)
    return np.asarray((least > rest).cpu())


def smallest(rows: Sequence[Row]) -> int | None:
    """Least width from which on every pair is retrieved, or None where there is none.

    >>> smallest([{"width": w, "right": r, "n": 3} for w, r in ((2, 3), (3, 1), (4, 3), (5, 3))])
    4
    """
    least = None
    for row in sorted(rows, key=lambda row: -float(row["width"])):
        if row["right"] != row["n"]:
            break
        least = int(row["width"])
    return least
