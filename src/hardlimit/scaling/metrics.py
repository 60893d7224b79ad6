"""What is known about the field's metrics and tasks: direction, range, and what guessing scores."""

from typing import Literal

from hardlimit.core import Value


class Metric(Value, frozen=True):
    """How a metric is read.

    Args:
        better: the direction a user wants.
        binary: a share of items each right or wrong, so that its noise follows from their number.
        best: the best possible value.
        logged: an exponential of a loss (a perplexity), read as its logarithm in nats.
    """

    better: Literal["higher", "lower"]
    binary: bool = False
    best: float = 0.0
    logged: bool = False


_SHARE = Metric(better="higher", binary=True, best=1.0)
_BOUNDED = Metric(better="higher", best=1.0)
_LOSS = Metric(better="lower")
_ERROR = Metric(better="lower", binary=True)
_PERPLEXITY = Metric(better="lower", logged=True)

METRICS: dict[str, Metric] = {
    **dict.fromkeys(
        ("acc", "acc_norm", "acc_bytes", "accuracy", "exact_match", "em", "mc1", "pass@1", "contains",
         "acc_mutual_info", "prompt_level_strict_acc", "prompt_level_loose_acc", "inst_level_strict_acc",
         "inst_level_loose_acc"),
        _SHARE,
    ),
    **dict.fromkeys(("f1", "mc2", "rouge1", "rouge2", "rougeL", "r@1", "r@2", "mrr", "score"), _BOUNDED),
    **dict.fromkeys(
        ("loss", "nll", "cross_entropy", "bits_per_byte", "bits_per_token", "brier_score", "likelihood_difference",
         "likelihood_diff"),
        _LOSS,
    ),
    **dict.fromkeys(("error", "error_rate", "pct_stereotype", "hallucination_rate"), _ERROR),
    **dict.fromkeys(("ppl", "perplexity", "word_perplexity", "byte_perplexity"), _PERPLEXITY),
}  # fmt: skip
"""Direction and range of the metrics of lm-evaluation-harness and their like, by name."""

_CHANCE = {
    "hendryckstest": 0.25, "mmlu": 0.25, "arc": 0.25, "openbookqa": 0.25, "hellaswag": 0.25, "sciq": 0.25,
    "logiqa": 0.25, "race": 0.25, "piqa": 0.5, "winogrande": 0.5, "wsc": 0.5, "wsc273": 0.5, "wnli": 0.5,
    "boolq": 0.5, "copa": 0.5, "rte": 0.5, "wic": 0.5, "qnli": 0.5, "mrpc": 0.5, "qqp": 0.5, "sst": 0.5,
    "cb": 1 / 3, "mnli": 1 / 3, "anli": 1 / 3, "xnli": 1 / 3, "xcopa": 0.5, "xstorycloze": 0.5, "xstory": 0.5,
    "storycloze": 0.5, "xwinograd": 0.5, "pawsx": 0.5, "paws": 0.5, "crows": 0.5, "social": 1 / 3, "siqa": 1 / 3,
    "commonsense": 0.2, "csqa": 0.2, "lambada": 0.0, "triviaqa": 0.0, "nq": 0.0, "gsm8k": 0.0, "naturalqs": 0.0,
}  # fmt: skip


def chance_of(task: str) -> float | None:
    """What guessing scores on a known multiple-choice task, by the first word of its name.

    >>> chance_of("hendrycksTest-anatomy"), chance_of("piqa"), chance_of("my_task")
    (0.25, 0.5, None)
    """
    first = task.lower().replace("-", "_").split("_")[0].split(" ")[0]
    return _CHANCE.get(first)
