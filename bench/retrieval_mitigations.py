"""The mitigations of retrieval on a model within the budget that an audit gives them: gains with intervals, and costs.

Usage: python bench/retrieval_mitigations.py [--model embedded] [--budget 60s] [--seed 0] [--store FOLDER]

With a folder, answers are kept there, so that a run that was interrupted goes on. The profile behind the best order is
asked first, beyond the budget, as the study of retrieval does in an audit.
"""

import argparse
import tempfile

from hardlimit.audit.budget import Budget, Meter
from hardlimit.audit.desk import Desk
from hardlimit.audit.document import LimitReport
from hardlimit.audit.mitigating import mitigated
from hardlimit.audit.mitigating.retrieval import profile_of
from hardlimit.core import Limit, Silent
from hardlimit.models.catalog import open_model
from hardlimit.store import Store


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--budget", default="60s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", default="")
    asked = parser.parse_args()
    model = open_model(asked.model)
    with tempfile.TemporaryDirectory() as folder, Store.open(f"{asked.store or folder}/answers.sqlite") as store:
        desk = Desk(model, store, Meter(Budget()), Silent())
        print("accuracy by place:", profile_of(desk, asked.seed), flush=True)
        print(f"asked for it: {desk.meter.spent.calls} calls, {desk.meter.spent.seconds:.0f} s", flush=True)
        meter = Meter(Budget.parse(asked.budget))
        desk._meter = meter  # what was asked above is in the store, and counted
        report = mitigated(desk, asked.seed, LimitReport(limit=Limit.RETRIEVAL, applies=True, headline=""))
        print(f"mitigations: {meter.spent.calls} calls, {meter.spent.seconds:.0f} s of {asked.budget}")
    for row in report.mitigations:
        found = row.difference
        print(
            f"{row.name}, {row.outcome}: {row.before.value:.2f} → {row.after.value:.2f}, "
            f"{found.value:+.2f} [{found.interval.low:+.2f}, {found.interval.high:+.2f}], n = {found.n}, "
            f"p = {row.p_value:.3f} (Holm), {row.verdict}; tokens {row.tokens[0]:.0f} → {row.tokens[1]:.0f}, "
            f"calls {row.calls[0]:.0f} → {row.calls[1]:.0f}"
        )
    for finding in report.findings:
        print(f"{finding.standing}: {finding.says}")


if __name__ == "__main__":
    main()
