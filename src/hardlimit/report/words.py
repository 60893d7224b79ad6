"""The words of the report: what each verdict, grade, standing, status and measurement is called and means."""

from hardlimit.core import Grade, Limit, Measurement, Standing, Status, Value, Verdict


class Entry(Value, frozen=True):
    """A word of the report: how it is written, and what it means."""

    word: str
    meaning: str


VERDICTS = {
    Verdict.HELPS: Entry(word="HELPS", meaning="More of it keeps paying: the next factor improves the result."),
    Verdict.SATURATES: Entry(
        word="SATURATES", meaning="It paid so far; the next factor pays less than the margin that matters."
    ),
    Verdict.CANNOT_PROGRESS: Entry(
        word="CANNOT PROGRESS", meaning="No amount of it moves this limit; something else must change."
    ),
    Verdict.HURTS: Entry(word="HURTS", meaning="More of it makes the result worse."),
    Verdict.UNDETERMINED: Entry(
        word="UNDETERMINED", meaning="What was measured does not decide it; more asking, or other data, could."
    ),
}

GRADES = {
    Grade.RIGHT: Entry(word="right", meaning="The answer is one of the accepted ones."),
    Grade.WRONG: Entry(word="wrong", meaning="An answer was given, and it is not an accepted one."),
    Grade.ABSTAINED: Entry(word="abstained", meaning="The model said that it does not know."),
    Grade.MALFORMED: Entry(word="malformed", meaning="Artefact: no answer could be read out of the reply."),
    Grade.TRUNCATED: Entry(word="truncated", meaning="Artefact: the reply hit its token limit before an answer."),
    Grade.REFUSED: Entry(word="refused", meaning="Artefact: the model or a filter declined the question as such."),
    Grade.FAILED: Entry(word="failed", meaning="Artefact: no reply came (an error, a time-out)."),
}

STANDINGS = {
    Standing.AT_BOUND: Entry(
        word="At the bound", meaning="The interval reaches the bound: the limit may be what holds the model back."
    ),
    Standing.CLEAR_OF_BOUND: Entry(
        word="Clear of the bound", meaning="The whole interval is away from the bound: other causes dominate."
    ),
    Standing.BEYOND_BOUND: Entry(
        word="Beyond the bound",
        meaning="The whole interval is on the forbidden side: a hypothesis of the theorem does not hold here.",
    ),
    Standing.AGREES: Entry(word="Agrees", meaning="The measurement is what the claim predicts."),
    Standing.DISAGREES: Entry(word="Disagrees", meaning="The measurement is not what the claim predicts."),
    Standing.VACUOUS: Entry(word="Says nothing here", meaning="The claim is true but empty at this size."),
    Standing.UNDETERMINED: Entry(word="Undetermined", meaning="The measurement is too uncertain to compare."),
}

PREDICTIONS = {
    Standing.AGREES: "held",
    Standing.DISAGREES: "failed",
    Standing.AT_BOUND: "held",
    Standing.CLEAR_OF_BOUND: "held",
    Standing.BEYOND_BOUND: "failed",
    Standing.VACUOUS: "says nothing here",
    Standing.UNDETERMINED: "not decided",
}
"""What became of a claim's prediction in an experiment of the lab."""

STATUSES = {
    Status.PROVED: Entry(word="proved", meaning="A theorem, under the hypotheses that are listed with it."),
    Status.CORRECTED: Entry(word="corrected", meaning="A theorem whose published form needed a correction."),
    Status.ASSUMPTION: Entry(word="assumption", meaning="Assumed, not proved; a measurement may break it."),
    Status.EMPIRICAL: Entry(word="empirical", meaning="Observed on other models, not proved."),
    Status.REFUTED: Entry(word="refuted", meaning="Shown to be false; listed so that nobody relies on it."),
}

BASES = {
    "measured": Entry(word="measured", meaning="A curve of this model shows it."),
    "theory": Entry(word="theory", meaning="A claim whose hypotheses hold for this model says it."),
    "both": Entry(word="measured + theory", meaning="The curve and the claim say the same."),
}

LIMITS = {
    Limit.HALLUCINATION: Entry(word="Hallucination", meaning="How often does it state what is false?"),
    Limit.CONTEXT: Entry(word="Context", meaning="How much of a long input does it really use?"),
    Limit.REASONING: Entry(word="Reasoning", meaning="How many steps can it chain before it breaks?"),
    Limit.RETRIEVAL: Entry(word="Retrieval", meaning="Does it use what is retrieved, and only that?"),
    Limit.MULTIMODAL: Entry(word="Multimodal", meaning="Does it see what is in the picture?"),
    Limit.EVALUATION: Entry(word="Evaluation", meaning="How far can the measuring itself be trusted?"),
}

MEASUREMENTS = {
    "hallucination.facts": Entry(
        word="Wrong answers among the answers given",
        meaning="One dot for each family of facts, with its interval. Further right is worse.",
    ),
    "hallucination.false_refusal": Entry(
        word="Answerable questions declined",
        meaning="The price of caution: questions with a known answer, not answered.",
    ),
    "hallucination.false_acceptance": Entry(
        word="Answers about things that do not exist",
        meaning="The things asked about were coined for this audit. Every answer is an invention; declining is right.",
    ),
    "hallucination.accuracy_by_popularity": Entry(
        word="Accuracy by popularity",
        meaning="Each point is a bin of facts of like popularity. A curve that falls to the left is the long tail.",
    ),
    "hallucination.tail_exponent": Entry(
        word="How fast error falls with popularity",
        meaning="An exponent near 0 means that popularity hardly matters; a larger one, that rare facts are lost.",
    ),
    "hallucination.score": Entry(
        word="Score when wrong answers cost something",
        meaning="A wrong answer costs t/(1−t). Where “abstain below t” is above “as asked”, abstaining pays.",
    ),
    "hallucination.risk_coverage": Entry(
        word="Risk against coverage",
        meaning="Answer only the most confident share of questions: a useful signal bends the curve down to the left.",
    ),
    "hallucination.calibration": Entry(
        word="Is its confidence honest?",
        meaning="On the diagonal, confidence equals accuracy. Points below it are overconfident.",
    ),
    "hallucination.missing_mass": Entry(
        word="Facts that training never showed",
        meaning="The chance that the next fact asked about never occurred in training; no model can know it.",
    ),
    "context.effective": Entry(
        word="Effective context",
        meaning="The longest context at which the model keeps at least 85% of its own short-context accuracy.",
    ),
    "context.accuracy_by_length": Entry(
        word="Accuracy against context length",
        meaning="Can one sentence be found in a long text? In “no overlap” the question shares no word with it; "
        "“literal” is the control in which it does.",
    ),
    "context.accuracy_by_depth": Entry(
        word="Accuracy by depth and length",
        meaning="Where in the text the needle stands (depth 0% is the beginning), against the length of the text.",
    ),
    "context.margin": Entry(
        word="Needle margin against length",
        meaning="How far the needle's attention logit stands above all other keys together, in the best heads. "
        "Below the claim's curve, softmax cannot put the named weight on the needle.",
    ),
    "context.needle_weight": Entry(
        word="Which heads find the needle",
        meaning="Attention weight on the needle, one cell for each head; the few that stand out are retrieval heads.",
    ),
    "context.kv_bytes": Entry(
        word="Memory of the context",
        meaning="Bytes of keys and values for one sequence; the rule marks the model's window.",
    ),
    "reasoning.threshold": Entry(
        word="How hard a problem may get",
        meaning="The difficulty at which accuracy is half way between 1 and guessing, at once and step by step.",
    ),
    "reasoning.accuracy_by_difficulty": Entry(
        word="Accuracy against difficulty",
        meaning="One panel for each family; answers that were cut off or of no use are drawn apart.",
    ),
    "reasoning.token_budget": Entry(
        word="Accuracy against the room to think",
        meaning="The same problems under smaller token limits: what looks like a collapse may be a cut.",
    ),
    "reasoning.paired_drop": Entry(
        word="Pattern completion against inference",
        meaning="What accuracy loses where the familiar answer is wrong, on pairs of one problem in two forms.",
    ),
    "reasoning.mediation": Entry(
        word="Does the chain matter?",
        meaning="Accuracy after the model's own chain was shortened, falsified or exchanged for another one's.",
    ),
    "reasoning.chain_by_length": Entry(
        word="How long a chain survives",
        meaning="Share of chains without an error up to each step, with three laws of how errors add up.",
    ),
    "reasoning.best_of_k": Entry(
        word="Many samples, and who picks one",
        meaning="Some sample right, the commonest answer, or the first that a verifier accepts, by their number.",
    ),
    "reasoning.accepted_accuracy": Entry(
        word="Right among what the verifier accepts",
        meaning="The ceiling of any number of samples: the verifier's odds times the model's.",
    ),
    "retrieval.reader": Entry(
        word="With and without the passage that tells",
        meaning="The same questions without passages, with the needed one among others, and with others only. "
        "Retrieval can pay where the second is above the first.",
    ),
    "retrieval.own_reader": Entry(
        word="Your questions, with and without the document that tells",
        meaning="Your questions without documents, and with those that were retrieved, apart by whether the needed one "
        "was among them.",
    ),
    "retrieval.break_even": Entry(
        word="Break-even recall",
        meaning="Retrieval beats this model alone where a retriever's recall is above it. Lower is better.",
    ),
    "retrieval.accuracy_by_passages": Entry(
        word="Accuracy against the number of passages",
        meaning="More passages find the needed one more often, and distract more. The law's curve is fitted; its best "
        "number is marked beside the best one measured.",
    ),
    "retrieval.own_accuracy_by_passages": Entry(
        word="Your questions: accuracy against the number of documents",
        meaning="Your questions with the first documents that were retrieved, and the fitted law's best number.",
    ),
    "retrieval.best_passages": Entry(
        word="Best number of passages", meaning="Where accuracy was highest, among the numbers that were tried."
    ),
    "retrieval.recall_at_k": Entry(
        word="Recall of the retrievers",
        meaning="How often everything needed is among the first k. Above the rule at r*, retrieval pays here.",
    ),
    "retrieval.own_recall_at_k": Entry(
        word="Recall in your corpus", meaning="How often what your question needs is among the first k documents."
    ),
    "retrieval.recall_by_corpus": Entry(
        word="Recall against the size of the corpus",
        meaning="The same questions among more and more documents, with the law of one score gap fitted to them.",
    ),
    "retrieval.insufficient": Entry(
        word="Answers that no passage supports",
        meaning="The passages do not hold the answer, and the model was told to say so. Every answer is unsupported.",
    ),
    "retrieval.accuracy_by_position": Entry(
        word="Accuracy by place of the needed passage",
        meaning="A curve that sags in the middle is a reader that is lost there: put the likeliest passages elsewhere.",
    ),
    "retrieval.accuracy_by_noise": Entry(
        word="Accuracy against noise",
        meaning="The rest of the passages is about something else, about the same topic, or takes a wrong claim back.",
    ),
    "retrieval.poisoning": Entry(
        word="Attack success by dose",
        meaning="Planted texts stand beside the true passage and assert one wrong answer. How often is that answered?",
    ),
    "retrieval.poison_by_corpus": Entry(
        word="Does a larger corpus dilute a planted text?",
        meaning="How often a question retrieves the text that was planted for it. A flat line is no dilution.",
    ),
    "retrieval.hops": Entry(
        word="Accuracy by facts to be joined",
        meaning="All needed passages are there; the answer to one is the subject of the next.",
    ),
    "retrieval.margin": Entry(
        word="How far the needed document stands out",
        meaning="Cosine of the question with the needed document minus that with the best other one, in fewer bits and "
        "in fewer dimensions.",
    ),
    "retrieval.drift": Entry(
        word="Drift of a query that is rewritten",
        meaning="Cosine to the original query after so many rewritings, each of the one before.",
    ),
    "retrieval.accuracy_by_recall": Entry(
        word="Accuracy from recall",
        meaning="Half of the questions, beside what the accuracies of the other half predict at their recall.",
    ),
    "multimodal.pair_accuracy": Entry(
        word="Pairs of pictures with both answers right",
        meaning="One question, two pictures that differ in nothing but the answer. Guessing is right in 25% of pairs, "
        "a fixed answer in none.",
    ),
    "multimodal.accuracy": Entry(
        word="Single pictures answered right",
        meaning="The same answers, one by one: a fixed answer is right in half of them or fewer.",
    ),
    "multimodal.error_by_stage": Entry(
        word="Where the answer is lost",
        meaning="Each bar is the error on held-out pictures: what the encoder is proved to lose, what the projector "
        "loses of the rest, what lies behind it and is not answered, and what was not located.",
    ),
    "multimodal.readable": Entry(
        word="What can be read at each stage",
        meaning="Simple readouts of the encoder's and the projector's tokens, on pictures that they were not trained "
        "on, beside the whole model. Each is a lower bound of what is there.",
    ),
    "multimodal.collisions": Entry(
        word="Pictures with one code and two answers",
        meaning="Where the encoder gives both pictures of a pair the same code, nothing behind it can tell them apart.",
    ),
    "multimodal.flip_rate": Entry(
        word="Unusual colours answered as shown",
        meaning="Familiar things in a colour that is not theirs, against how usual the usual colour is to the model "
        "before it sees the picture.",
    ),
    "multimodal.accuracy_by_place": Entry(
        word="Where in the picture it sees",
        meaning="Pairs right by the place of a small cross. A dark map is good; a pale cell is a blind place.",
    ),
    "multimodal.text_prior_gap": Entry(
        word="What seeing adds",
        meaning="Accuracy with the picture minus accuracy on the same questions without one.",
    ),
    "multimodal.caption_gap": Entry(
        word="What reading has over seeing",
        meaning="Accuracy with a description that tells the answer minus accuracy with the picture.",
    ),
    "multimodal.yes_ratio": Entry(
        word="Share of yes", meaning="Half of the yes-or-no questions have yes as their answer."
    ),
    "multimodal.threshold": Entry(
        word="How fine it sees",
        meaning="For each task the knob at which half of the pairs are right, in the knob's own unit.",
    ),
    "multimodal.visual_mass": Entry(
        word="Attention on the picture",
        meaning="Share of the attention of the last token before the answer that lies on picture tokens, by layer.",
    ),
    "multimodal.modality_gap": Entry(
        word="Gap between picture tokens and words",
        meaning="How far the mean picture token lies from the mean word, in their standard deviation.",
    ),
}

SURENESS = {"sure": 3, "likely": 2, "in part": 2, "not decided": 1, "not to be believed": 0}
"""How many of three bars are filled for the words that a sureness begins with."""


def entry(measurement: Measurement) -> Entry:
    """Return what a measurement is called and how its picture is read.

    An unknown name is told with its quantity, one of the lab by its last words; both are explained by the quantity's
    definition.
    """
    known = MEASUREMENTS.get(measurement.name)
    if known is not None:
        return known
    if measurement.name.startswith("lab."):
        title = measurement.name.split(".", 2)[-1].replace("_", " ").capitalize()
    else:
        name = measurement.quantity.name
        title = f"{name[:1].upper()}{name[1:]} ({measurement.name})"
    return Entry(word=title, meaning=measurement.quantity.definition)


def sureness_level(text: str) -> int | None:
    """Return how many of three bars a sureness fills, or None where its first words are not the known ones.

    >>> sureness_level("likely: one haystack"), sureness_level("surely not")
    (2, None)
    """
    lowered = text.lower()
    for word, level in SURENESS.items():
        rest = lowered.removeprefix(word)
        if rest != lowered and not rest[:1].isalpha():
            return level
    return None
