"""The lab's part of an audit: small transformers, trained here, confront the mechanisms behind the audited limits."""

from collections.abc import Sequence
from pathlib import Path

from hardlimit.audit.document import LabSection
from hardlimit.core import Limit, Progress
from hardlimit.lab.experiment import Design, Scale
from hardlimit.lab.extra import require_lab
from hardlimit.store import Store
from hardlimit.theory import CLAIMS

REDUCED = Scale(extent="quick")
"""How large the experiments of an audit are."""

MINUTES_EACH = 2
"""What a reduced experiment takes at most on two cores."""


def home(design: Design) -> Limit:
    """Return the limit that an experiment belongs to: that of the first claim it names.

    >>> home(Design(question="?", claims=("CTX-3", "HALL-3"), setting="", size="", would_refute="")).value
    'context'
    """
    return CLAIMS[design.claims[0]].limit


def experiments_for(limits: Sequence[str]) -> tuple[tuple[Limit, str], ...]:
    """Name the experiments that belong to some limits, in the order of the limits.

    Args:
        limits: names of limits.

    Raises:
        MissingExtraError: the extra `lab` is not installed.
    """
    require_lab()
    from hardlimit.lab.catalog import EXPERIMENTS

    homes = {name: home(EXPERIMENTS[name]().design(REDUCED)) for name in EXPERIMENTS}
    return tuple((limit, name) for limit in Limit if limit.value in limits for name in homes if homes[name] is limit)


def unmeasured(experiments: Sequence[tuple[Limit, str]], store: Store) -> int:
    """Count the experiments of which the store does not hold every cell yet."""
    from hardlimit.lab.running import missing_cells

    return sum(missing_cells(name, REDUCED, store) > 0 for _, name in experiments)


def confront(
    experiments: Sequence[tuple[Limit, str]], store: Store, folder: Path, progress: Progress
) -> tuple[LabSection, ...]:
    """Run experiments in their reduced form; every cell that the store holds counts as measured.

    Args:
        experiments: from `experiments_for`.
        store: where measured cells and reports are kept.
        folder: for checkpoints, and for each report as a file.
        progress: who is told.
    """
    from hardlimit.lab.running import run

    sections = []
    for limit, name in experiments:
        report = run(name, REDUCED, folder, store=store, progress=progress)
        progress.settled(name, report.conclusion.headline)
        sections.append(LabSection(limit=limit, report=report))
    return tuple(sections)
