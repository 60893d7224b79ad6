"""What the pages say of an experiment of the lab."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from hardlimit.audit import AuditReport, LimitReport
from hardlimit.core import Limit, Measurement
from hardlimit.lab.experiment import LabReport
from hardlimit.report import words
from hardlimit.report.charts import Picture, lab_pictures


def outcomes(experiment: LabReport) -> tuple[tuple[str, int], ...]:
    """Count the predictions of an experiment by what became of them, those that failed first."""
    counts = Counter(words.PREDICTIONS[finding.standing] for finding in experiment.conclusion.findings)
    order = ("failed", "held", "not decided", "says nothing here")
    return tuple((word, counts[word]) for word in order if counts[word])


def drawn(experiment: LabReport) -> Callable[[LimitReport, Measurement], tuple[Picture, ...]]:
    """Make what draws a measurement of an experiment, in place of what draws one of a limit."""

    def pictures(_: LimitReport, measurement: Measurement) -> tuple[Picture, ...]:
        return lab_pictures(measurement, experiment.conclusion.findings)

    return pictures


def beside(report: AuditReport) -> Callable[[LimitReport], tuple[LabReport, ...]]:
    """Make what finds the experiments beside a limit of an audit."""
    return lambda limit: tuple(section.report for section in report.lab if section.limit == limit.limit)


def claims_of(experiments: Sequence[LabReport]) -> LimitReport:
    """Gather the claims of experiments where the templates look for the cards of claims."""
    findings = tuple(finding for experiment in experiments for finding in experiment.conclusion.findings)
    return LimitReport(limit=Limit.EVALUATION, applies=True, headline="", findings=findings)


def anchor(experiment: LabReport) -> str:
    """Identify a run on the page, by its name and by how large it is where that is not the usual."""
    scale = experiment.scale
    told = [experiment.experiment]
    told += [scale.extent] if scale.extent != "full" else []
    told += [f"seeds {scale.seeds}"] if scale.seeds is not None else []
    told += [f"from {scale.first_seed}"] if scale.first_seed else []
    return "lab-" + re.sub(r"[^A-Za-z0-9]+", "-", " ".join(told)).strip("-")
