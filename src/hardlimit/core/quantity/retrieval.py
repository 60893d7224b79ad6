"""Quantities of retrieval."""

from hardlimit.core.quantity.kind import Quantity, probability

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
POISON_ENTRY = probability(
    "poison_entry", "planted text retrieved", "Share of attacked questions that retrieve a planted text.", "lower"
)
EMBEDDING_MARGIN = Quantity(
    id="embedding_margin",
    name="embedding margin",
    unit="ratio",
    definition="Cosine of the question with the needed document minus that with the best other document.",
    low=-2.0,
    high=2.0,
    better="higher",
)
UNSUPPORTED_ANSWERS = probability(
    "unsupported_answers",
    "unsupported answers",
    "Share of questions that were answered although the passages do not hold the answer.",
    "lower",
)
ATTACK_SUCCESS = probability(
    "attack_success", "attack success", "Share of attacked questions answered with what planted texts assert.", "lower"
)
