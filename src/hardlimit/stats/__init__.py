"""Statistics: counts in, intervals out; exact for small n, clustered where cases share material."""

from hardlimit.stats.calibration import (
    Bin,
    CoveragePoint,
    RiskCoverage,
    auroc,
    brier,
    expected_calibration_error,
    reliability,
    risk_coverage,
)
from hardlimit.stats.conformal import conformal_threshold, selective_threshold
from hardlimit.stats.intervals import (
    bootstrap_mean,
    clopper_pearson,
    clustered_proportion,
    estimate,
    mean_interval,
    wilson,
)
from hardlimit.stats.multiple import benjamini_hochberg, holm
from hardlimit.stats.paired import (
    Paired,
    cluster_bootstrap,
    cluster_sums,
    compare_clustered,
    compare_paired,
    mcnemar_p,
    paired_difference_interval,
    sign_flip_p,
)
from hardlimit.stats.power import mcnemar_power, n_for_mcnemar, n_for_width, n_per_arm
from hardlimit.stats.sequential import confidence_sequence, log_e_value

__all__ = [
    "Bin",
    "CoveragePoint",
    "Paired",
    "RiskCoverage",
    "auroc",
    "benjamini_hochberg",
    "bootstrap_mean",
    "brier",
    "clopper_pearson",
    "cluster_bootstrap",
    "cluster_sums",
    "clustered_proportion",
    "compare_clustered",
    "compare_paired",
    "confidence_sequence",
    "conformal_threshold",
    "estimate",
    "expected_calibration_error",
    "holm",
    "log_e_value",
    "mcnemar_p",
    "mcnemar_power",
    "mean_interval",
    "n_for_mcnemar",
    "n_for_width",
    "n_per_arm",
    "paired_difference_interval",
    "reliability",
    "risk_coverage",
    "selective_threshold",
    "sign_flip_p",
    "wilson",
]
