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
}

SURENESS = {"sure": 3, "likely": 2, "in part": 2, "not decided": 1, "not to be believed": 0}
"""How many of three bars are filled for the words that a sureness begins with."""


def entry(measurement: Measurement) -> Entry:
    """Return what a measurement is called and how its picture is read.

    An unknown name is told with its quantity, and explained by the quantity's definition.
    """
    known = MEASUREMENTS.get(measurement.name)
    if known is not None:
        return known
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
