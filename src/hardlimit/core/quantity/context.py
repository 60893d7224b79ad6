"""Quantities of context compression."""

from hardlimit.core.quantity.kind import Quantity, probability

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
