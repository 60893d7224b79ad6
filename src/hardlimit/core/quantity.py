"""What is measured or bounded: the one thing that a claim and a measurement must share to be compared."""

from typing import Literal

from hardlimit.core.errors import InvalidValueError
from hardlimit.core.values import Value

Unit = Literal[
    "probability",
    "nats",
    "bits",
    "tokens",
    "bytes",
    "FLOPs",
    "facts",
    "steps",
    "documents",
    "ratio",
    "exponent",
    "score",
]


class Quantity(Value, frozen=True):
    """A named quantity with its unit and range; claims and measurements are joined by it.

    Args:
        id: the join key, a snake_case name.
        name: what a reader sees.
        unit: the unit of its values.
        definition: one sentence that a stranger understands.
        low: smallest possible value, or None where there is none.
        high: largest possible value, or None where there is none.
        better: the direction a user wants.
    """

    id: str
    name: str
    unit: Unit
    definition: str
    low: float | None = None
    high: float | None = None
    better: Literal["higher", "lower", "neither"] = "neither"

    def check(self, value: float) -> float:
        """Return the value if it lies in the quantity's range, else raise.

        >>> ACCURACY.check(0.5)
        0.5
        >>> ACCURACY.check(1.5)
        Traceback (most recent call last):
        ...
        hardlimit.core.errors.InvalidValueError: accuracy must lie in [0, 1], got 1.5.
        """
        low, high = self.low, self.high
        if not ((low is None or value >= low) and (high is None or value <= high)):
            span = f"[{'-∞' if low is None else f'{low:g}'}, {'∞' if high is None else f'{high:g}'}]"
            raise InvalidValueError(f"{self.name} must lie in {span}, got {value:g}.")
        return value


def probability(
    id: str, name: str, definition: str, better: Literal["higher", "lower", "neither"] = "neither"
) -> Quantity:
    """Make a quantity in [0, 1]."""
    return Quantity(id=id, name=name, unit="probability", definition=definition, low=0.0, high=1.0, better=better)


ACCURACY = probability(
    "accuracy", "accuracy", "Share of all cases answered right; artefacts stay in the denominator.", "higher"
)
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
ERROR_RATE = probability("error_rate", "error rate", "Share of all cases not answered right.", "lower")
RISK = probability("risk", "risk", "Share of the answered cases that are wrong.", "lower")
CALIBRATION_ERROR = probability(
    "calibration_error",
    "calibration error",
    "Mean gap between stated confidence and accuracy (ECE).",
    "lower",
)
TAIL_EXPONENT = Quantity(
    id="tail_exponent",
    name="long-tail exponent",
    unit="exponent",
    definition="Exponent with which error falls as popularity grows.",
    better="neither",
)
CHOW_SCORE = Quantity(
    id="chow_score",
    name="score at confidence threshold t",
    unit="score",
    definition="right − t/(1−t)·wrong as a share of all cases; abstaining scores 0.",
    high=1.0,
    better="higher",
)
EFFECTIVE_CONTEXT = Quantity(
    id="effective_context",
    name="effective context",
    unit="tokens",
    definition="Longest context at which accuracy is at least 85 % of the model's own short-context accuracy.",
    low=0.0,
    better="higher",
)
NEEDLE_MARGIN = Quantity(
    id="needle_margin",
    name="needle margin",
    unit="nats",
    definition="Logit of the needle minus log-sum-exp of the other keys: s* − LSE(distractors).",
    better="higher",
)
NEEDLE_WEIGHT = probability(
    "needle_weight", "needle attention", "Attention weight that a head puts on the needle.", "higher"
)
KV_BYTES = Quantity(
    id="kv_bytes",
    name="KV cache size",
    unit="bytes",
    definition="Bytes of keys and values that one sequence of this length occupies.",
    low=0.0,
    better="lower",
)
NEEDLE_GAP = Quantity(
    id="needle_gap",
    name="needle gap",
    unit="nats",
    definition="Logit of the needle minus the logit of the weakest distractor; of any, where distractors are alike.",
    better="higher",
)
ATTENDABLE_CONTEXT = Quantity(
    id="attendable_context",
    name="attendable context",
    unit="tokens",
    definition="Largest number of keys among which one key can still get the attention weight asked for.",
    low=0.0,
    better="higher",
)
NEEDLE_SCORE = Quantity(
    id="needle_score",
    name="needle score",
    unit="nats",
    definition="Logit of the needle above the mean logit of the distractors.",
    better="higher",
)
ATTENTION_CROSSOVER = Quantity(
    id="attention_crossover",
    name="attention crossover",
    unit="tokens",
    definition="Context length at which one decoding step spends as many FLOPs on attention as on the weights.",
    low=0.0,
    better="higher",
)
RECALL_ERROR = probability(
    "recall_error",
    "recall error",
    "Share of the items of a context that cannot be reproduced from what was kept.",
    "lower",
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
WRONG_RATE = probability(
    "wrong_rate", "wrong answers", "Share of all cases answered wrongly; abstaining is not wrong.", "lower"
)
DISTANCE_SHARE = probability(
    "distance_share",
    "share of long distances",
    "Share of the token pairs of a training window that lie at least a given distance apart.",
)
SELF_SIMILARITY = Quantity(
    id="self_similarity",
    name="self-similarity",
    unit="ratio",
    definition="Rotary score of a vector with itself at a distance, over its squared length.",
    low=-1.0,
    high=1.0,
)
INFLUENCE = Quantity(
    id="influence",
    name="influence of one token",
    unit="ratio",
    definition="Largest change of an attention read when one token of the context changes, in units of the values.",
    low=0.0,
)
COLLAPSE_LENGTH = Quantity(
    id="collapse_length",
    name="collapse length",
    unit="tokens",
    definition="Longest context in which one token can still move an attention read by a unit in the last place.",
    low=0.0,
    better="higher",
)
CHAIN_SUCCESS = probability("chain_success", "chain success", "Chance that a chain of steps ends right.", "higher")
COMPOSITION_DOMAIN = Quantity(
    id="composition_domain",
    name="composition domain",
    unit="facts",
    definition="Largest number of entries of two functions that one attention layer can compose without error.",
    low=0.0,
    better="higher",
)
HOPS = Quantity(
    id="hops",
    name="hops per forward pass",
    unit="steps",
    definition="Pointers that some model of this depth can follow within one forward pass.",
    low=0.0,
    better="higher",
)
LOSS_GAP = Quantity(
    id="loss_gap",
    name="loss gap",
    unit="nats",
    definition="Average loss per token of the shortcut above that of the true inference.",
    low=0.0,
)
CROSSOVER_TOKENS = Quantity(
    id="crossover_tokens",
    name="crossover tokens",
    unit="tokens",
    definition="Training tokens after which the true inference is a shorter description than the shortcut.",
    low=0.0,
    better="lower",
)
ACCEPTED_ACCURACY = probability(
    "accepted_accuracy", "accuracy of accepted answers", "Share right among the answers a verifier accepts.", "higher"
)
CHAIN_EFFECT = probability(
    "chain_effect", "effect of the chain", "Largest change of accuracy when the chain of thought is replaced."
)
RECALL_NEEDED = probability(
    "recall_needed", "break-even recall", "Recall above which retrieval beats the model alone.", "lower"
)
PASSAGES = Quantity(
    id="passages",
    name="best number of passages",
    unit="documents",
    definition="Number of retrieved passages in the context at which accuracy is highest.",
    low=0.0,
)
RETRIEVAL_RECALL = probability(
    "retrieval_recall", "retrieval recall", "Chance that all needed passages are among those retrieved.", "higher"
)
SCORE_GAP = Quantity(
    id="score_gap",
    name="score gap",
    unit="ratio",
    definition="Gold score above the mean distractor score, in standard deviations of the distractors.",
    better="higher",
)
EMBEDDING_WIDTH = Quantity(
    id="embedding_width",
    name="embedding dimensions",
    unit="ratio",
    definition="Dimensions in which every wanted set of documents can be retrieved.",
    low=0.0,
)
DRIFT_COSINE = Quantity(
    id="drift_cosine",
    name="cosine to the original query",
    unit="ratio",
    definition="Cosine between the original query and the query after several hops.",
    low=-1.0,
    high=1.0,
    better="higher",
)
ENTRY_SIMILARITY = Quantity(
    id="entry_similarity",
    name="entry similarity",
    unit="ratio",
    definition="Cosine with the query above which a text enters the top k.",
    low=-1.0,
    high=1.0,
)
CERTIFIED_REPLACEMENTS = Quantity(
    id="certified_replacements",
    name="certified replacements",
    unit="documents",
    definition="Replaced passages that a vote surely withstands.",
    low=0.0,
    better="higher",
)
CERTIFIED_INFORMATION = Quantity(
    id="certified_information",
    name="certified information",
    unit="nats",
    definition="Mutual information that a contrastive estimate reports.",
    low=0.0,
    better="higher",
)
VISUAL_MASS = probability("visual_mass", "attention on the image", "Attention weight on all image tokens together.")
LIKELIHOOD_RATIO = Quantity(
    id="likelihood_ratio",
    name="likelihood ratio",
    unit="ratio",
    definition="How many times likelier the evidence is under the atypical answer.",
    low=0.0,
    better="higher",
)
LEARNING_TIME = Quantity(
    id="learning_time",
    name="half-learning time",
    unit="ratio",
    definition="Time until half of a mode is learned, in units of the time constant.",
    low=0.0,
    better="lower",
)
LOCAL_EXPONENT = Quantity(
    id="local_exponent",
    name="local exponent",
    unit="exponent",
    definition="Slope −d ln L/d ln N of a loss at one scale.",
    better="higher",
)
CAPTION_INFORMATION = Quantity(
    id="caption_information",
    name="information per caption",
    unit="bits",
    definition="Mutual information of an attribute and its mention in one caption.",
    low=0.0,
    high=1.0,
    better="higher",
)
ACCURACY_SHIFT = probability(
    "accuracy_shift", "shift of accuracy", "Difference of accuracy between two distributions.", "lower"
)
