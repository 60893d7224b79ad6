"""Quantities of hallucination."""

from hardlimit.core.quantity.kind import Quantity, probability

HALLUCINATION_RATE = probability(
    "hallucination_rate",
    "hallucination rate",
    "Wrong answers as a share of the answers given: wrong / (wrong + right).",
    "lower",
)
FALSE_REFUSAL = probability(
    "false_refusal", "false refusal", "Share of answerable questions that the model declined.", "lower"
)
FALSE_ACCEPTANCE = probability(
    "false_acceptance",
    "false acceptance",
    "Share of questions about things that do not exist which the model answered as if they did.",
    "lower",
)
MISSING_MASS = probability(
    "missing_mass",
    "missing mass",
    "Probability that the next fact asked about never occurred in the training data.",
    "lower",
)
TAIL_EXPONENT = Quantity(
    id="tail_exponent",
    name="long-tail exponent",
    unit="exponent",
    definition="Exponent with which error falls as popularity grows.",
    better="neither",
)
DATA_EXPONENT = Quantity(
    id="data_exponent",
    name="data exponent",
    unit="exponent",
    definition="Exponent β with which error falls as n^(−β) in the training data.",
    low=0.0,
    better="higher",
)
DOCUMENTS = Quantity(
    id="documents",
    name="training documents",
    unit="documents",
    definition="Independent training documents (draws from the law of facts) that are needed.",
    low=0.0,
    better="lower",
)
HARDEST_TARGET_ACCURACY = probability(
    "hardest_target_accuracy",
    "accuracy on the hardest target",
    "Accuracy of the best model of a family on the target that is hardest for the family.",
    "higher",
)
FACT_ERROR = probability(
    "fact_error", "error on stored facts", "Share of many equally asked-for facts that come back wrong.", "lower"
)
STORABLE_FACTS = Quantity(
    id="storable_facts",
    name="storable facts",
    unit="facts",
    definition="Independent facts that a model can hold without error.",
    low=0.0,
    better="higher",
)
TABLE_SIZE = Quantity(
    id="table_size",
    name="table size",
    unit="facts",
    definition="Entries of the smallest lookup table that misses at most a given share of the queries.",
    low=0.0,
    better="lower",
)
CREATIVE_SHARE = probability(
    "creative_share",
    "valid novelty",
    "Share of what is written that is valid and not in the training data.",
    "higher",
)
FRONTIER = Quantity(
    id="frontier",
    name="factuality and novelty",
    unit="score",
    definition="A + (1 − ρ)·C: valid mass plus novelty, weighed so that a generator without information has 1.",
    low=0.0,
    high=2.0,
    better="higher",
)
