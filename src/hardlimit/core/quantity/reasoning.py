"""Quantities of reasoning."""

from hardlimit.core.quantity.kind import Quantity, probability

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
CIRCUIT_COST = Quantity(
    id="circuit_cost",
    name="cost of the circuit",
    unit="nats",
    definition="Nats by which the code of all labels is longer where a circuit has to be learned; each label is coded "
    "before it is learned.",
    low=0.0,
    better="lower",
)
ACCEPTED_ACCURACY = probability(
    "accepted_accuracy", "accuracy of accepted answers", "Share right among the answers a verifier accepts.", "higher"
)
CHAIN_EFFECT = probability(
    "chain_effect", "effect of the chain", "Largest change of accuracy when the chain of thought is replaced."
)
REASONING_THRESHOLD = Quantity(
    id="reasoning_threshold",
    name="reasoning threshold",
    unit="score",
    definition="Difficulty at which accuracy is half way between chance and 1, in the unit of the family of problems.",
    low=0.0,
    better="higher",
)
FAMILIARITY_DROP = Quantity(
    id="familiarity_drop",
    name="drop off the familiar",
    unit="probability",
    definition="Accuracy on problems in their familiar form minus accuracy where the familiar answer is wrong.",
    low=-1.0,
    high=1.0,
    better="lower",
)
