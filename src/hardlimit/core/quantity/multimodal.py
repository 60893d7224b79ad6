"""Quantities of multimodal models."""

from hardlimit.core.quantity.kind import Quantity, probability

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
CAPTION_INFORMATION = Quantity(
    id="caption_information",
    name="information per caption",
    unit="bits",
    definition="Mutual information of an attribute and its mention in one caption.",
    low=0.0,
    high=1.0,
    better="higher",
)
PAIR_ACCURACY = probability(
    "pair_accuracy",
    "pair accuracy",
    "Share of pairs of pictures, alike but for what is asked, with both answers right.",
    "higher",
)
TEXT_PRIOR_GAP = Quantity(
    id="text_prior_gap",
    name="gain from seeing",
    unit="probability",
    definition="Accuracy with the picture minus accuracy from the question alone.",
    low=-1.0,
    high=1.0,
    better="higher",
)
CAPTION_GAP = Quantity(
    id="caption_gap",
    name="caption gap",
    unit="probability",
    definition="Accuracy with a description in place of the picture minus accuracy with the picture.",
    low=-1.0,
    high=1.0,
    better="lower",
)
YES_RATIO = probability(
    "yes_ratio", "share of yes", "Share of yes among the answers to yes-or-no questions, half of which are true."
)
FLIP_RATE = probability(
    "flip_rate",
    "flip rate",
    "Share of pictures of a familiar thing in an unusual colour whose colour is answered as shown.",
    "higher",
)
VISUAL_THRESHOLD = Quantity(
    id="visual_threshold",
    name="visual threshold",
    unit="score",
    definition="Difficulty at which half of the pairs are right, in the unit of the task's knob.",
    low=0.0,
)
STAGE_ERROR = probability(
    "stage_error", "error by stage", "Error rate that enters at one stage between the picture and the answer.", "lower"
)
COLLISIONS = probability(
    "collisions",
    "collisions",
    "Share of pairs of pictures with different answers that the vision encoder gives one and the same code.",
    "lower",
)
MODALITY_GAP = Quantity(
    id="modality_gap",
    name="modality gap",
    unit="ratio",
    definition="Distance between the mean picture token and the mean word, in standard deviations of the two.",
    low=0.0,
)
CHANNEL_FOLLOWED = probability(
    "channel_followed",
    "answers by one channel",
    "Share of answers that follow one channel where the other tells nothing; a coin gives one half.",
)
CHANNEL_SWAP = probability(
    "channel_swap",
    "answers moved by a channel",
    "Share of answers that change when all that one channel says is turned into its opposite.",
)
GRADIENT_SHARE = probability(
    "gradient_share",
    "caption's share of the gradient",
    "Norm of the loss gradient that reaches the caption as a share of its sum over caption and picture.",
)
