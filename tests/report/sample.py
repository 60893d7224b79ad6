"""A whole audit with invented numbers: every measurement, every verdict word, every standing, every kind of gap."""

from hardlimit.audit import AuditReport, Exhibit, LimitReport, Published
from hardlimit.audit.document import Mitigation
from hardlimit.audit.mitigating import advice
from hardlimit.core import (
    Answered,
    Case,
    Estimate,
    Finding,
    Generate,
    Generated,
    Grade,
    Interval,
    Limit,
    Message,
    Resource,
    ResourceVerdict,
    Scored,
    Source,
    Standing,
    Usage,
    Verdict,
)
from hardlimit.core.quantity import ACCURACY, MISSING_MASS
from tests.report import sample_claims as claims
from tests.report.sample_measurements import (
    CARD,
    LENGTHS,
    context_measurements,
    hallucination_measurements,
    measurement,
    wilson,
)

PASSAGE = "The ferry left at dawn and nobody on the quay looked up. "
POPULARITY = tuple(3.0 * 10**d for d in (3, 4, 5, 6, 7))


def sample() -> AuditReport:
    """The whole report."""
    return AuditReport(
        model=CARD,
        limits=(
            hallucination(),
            context(),
            missing(Limit.REASONING, "Not measured: the budget of 10m was spent before it."),
            missing(Limit.RETRIEVAL, "Not measured: it was not asked for."),
            missing(Limit.MULTIMODAL, "Does not apply: toy:sample takes no images."),
        ),
        advice=advice((hallucination(), context())),
        seed=7,
        budget="10m",
        spent=Usage(
            prompt_tokens=412_331,
            cached_tokens=301_200,
            completion_tokens=38_412,
            calls=3_412,
            seconds=581.3,
            dollars=0.42,
        ),
        version="0.1.0",
        method=(
            "Every case follows from seed 7; no item is taken from a published set, so none can have been memorised.",
            "All artefacts (malformed, truncated, refused, failed) stay in the denominator and are shown as shares.",
            "Intervals are 95%: Wilson for shares, cluster bootstrap over haystacks for curves.",
        ),
        packages={"numpy": "2.3.1", "hardlimit": "0.1.0", "transformers": "5.1.0", "torch": "2.13.0"},
    )


def mitigations() -> tuple[Mitigation, ...]:
    def share(value):
        return Estimate(value=value, interval=wilson(value, 120).interval, n=120)

    change = Interval(low=-0.45, high=-0.28, level=0.95, method="tango score")
    cost = Interval(low=-0.12, high=0.03, level=0.95, method="tango score")
    common = {
        "name": "bounded-oracle retrieval, at most 1 text",
        "policy": "BoundedOracle(b=1)",
        "tokens": (42.0, 1051.0),
        "calls": (1.0, 2.0),
    }
    return (
        Mitigation(
            **common,
            outcome="wrong or unusable answers",
            better="lower",
            before=share(0.41),
            after=share(0.04),
            difference=Estimate(value=-0.37, interval=change, n=120),
            p_value=1e-9,
            verdict=Verdict.HELPS,
            says="With it, 5 of 120 are wrong instead of 49.",
        ),
        Mitigation(
            **common,
            outcome="answered questions",
            better="higher",
            before=share(0.9),
            after=share(0.86),
            difference=Estimate(value=-0.04, interval=cost, n=120),
            p_value=0.31,
            verdict=Verdict.UNDETERMINED,
            says="With it, 103 of 120 are answered instead of 108.",
        ),
    )


def missing(limit: Limit, why: str) -> LimitReport:
    return LimitReport(limit=limit, applies=False, headline=why)


def verdict(resource: Resource, word: Verdict, because: str, basis: str, *ids: str) -> ResourceVerdict:
    return ResourceVerdict(resource=resource, verdict=word, because=because, basis=basis, claims=ids)


def hallucination() -> LimitReport:
    found = {each.name: each for each in hallucination_measurements()}
    missing_mass = measurement("hallucination.missing_mass", MISSING_MASS, wilson(0.19, 12))
    findings = (
        Finding(
            claim=claims.long_tail_law(POPULARITY),
            measurement=found["hallucination.accuracy_by_popularity"],
            standing=Standing.AGREES,
            says="Accuracy falls with rarity as the long-tail law predicts, in all three families.",
        ),
        Finding(
            claim=claims.tail_bound(),
            measurement=found["hallucination.tail_exponent"],
            standing=Standing.DISAGREES,
            says="The measured exponent 0.21 [0.15, 0.27] is not the 0.115 that a Zipf exponent of 1.13 predicts.",
        ),
        Finding(
            claim=claims.score_bound(),
            measurement=found["hallucination.score"],
            standing=Standing.BEYOND_BOUND,
            says="The score at t = 0.75 is below 0, so the model's confidence is not calibrated.",
        ),
        Finding(
            claim=claims.acceptance_bound(),
            measurement=found["hallucination.false_acceptance"],
            standing=Standing.CLEAR_OF_BOUND,
            says="False acceptance 61% [53%, 68%] is far above the floor of 20%.",
        ),
        Finding(
            claim=claims.floor_bound(),
            measurement=found["hallucination.facts"],
            standing=Standing.VACUOUS,
            says="With 900 facts the Good–Turing half-width is wider than the estimate.",
        ),
        Finding(
            claim=claims.missing_mass(),
            measurement=missing_mass,
            standing=Standing.UNDETERMINED,
            says="Twelve facts are too few to compare.",
        ),
    )
    return LimitReport(
        limit=Limit.HALLUCINATION,
        applies=True,
        headline="Of the answers it gives, 54.0% are wrong [49.7%, 58.2%] (n = 520).",
        mitigations=mitigations(),
        ceiling="Facts never seen in training cannot be known: missing mass (HALL-5), and the long tail (HALL-9).",
        sureness="sure: all three families agree",
        advice="Let it abstain below a log-probability threshold, and retrieve rare facts; a larger model will not do.",
        verdicts=(
            verdict(
                Resource.PARAMETERS, Verdict.SATURATES, "The long-tail law flattens at this size.", "theory", "HALL-9"
            ),
            verdict(
                Resource.DATA, Verdict.HELPS, "Error falls with exposures as a power law.", "both", "HALL-9", "HALL-5"
            ),
            verdict(
                Resource.ABSTENTION,
                Verdict.HELPS,
                "The score at t = 0.75 rises from −1.07 to 0.16.",
                "measured",
                "HALL-10",
            ),
            verdict(Resource.SAMPLES, Verdict.UNDETERMINED, "Self-consistency was asked on too few items.", "measured"),
            verdict(Resource.RETRIEVAL, Verdict.HELPS, "One indexed copy replaces many exposures.", "theory", "HALL-9"),
        ),
        findings=findings,
        measurements=(*found.values(), missing_mass),
        claims=(claims.missing_mass(),),
        exhibits=(
            exhibit(
                "A country it does not know",
                "What is the capital of Chad? Answer with the name alone, or say that you do not know.",
                ("N'Djamena",),
                "The capital of Chad is Lagos.",
                Grade.WRONG,
                "Lagos",
                "A fluent, confident answer, with a log-probability of −0.9: the signal does not warn here.",
            ),
            exhibit(
                "A city that does not exist",
                "What is the population of the city of Velmora in Peru?",
                (),
                "I could not find a city of that name, so I do not know.",
                Grade.ABSTAINED,
                None,
            ),
        ),
        published=(
            Published(
                title="HalluLens, short facts, %",
                source=Source(title="Bang et al., HalluLens, 2025", locator="Table 1", url="arXiv:2504.17550"),
                columns=("model", "false refusal", "hallucinated", "correct"),
                rows=(("Llama-3.1-8B", 83.09, 48.37, 8.73), ("GPT-4o", 4.13, 45.15, None)),
                caution="Other questions: compare the pattern, not the digits.",
            ),
        ),
        undecided=("Self-consistency over five samples: 40 of the 200 items that were needed were asked.",),
    )


def context() -> LimitReport:
    found = {each.name: each for each in context_measurements()}
    findings = (
        Finding(
            claim=claims.margin_law(LENGTHS),
            measurement=found["context.margin"],
            standing=Standing.AT_BOUND,
            says="The best head's margin meets the margin that half the weight needs at about 2,000 tokens.",
        ),
        Finding(
            claim=claims.kv_law(LENGTHS),
            measurement=found["context.kv_bytes"],
            standing=Standing.AGREES,
            says="23,040 bytes a token: 180 MiB at the full window.",
        ),
        Finding(
            claim=claims.crowding(),
            measurement=found["context.needle_weight"],
            standing=Standing.UNDETERMINED,
            says="Whether attention is frozen was not decided: the spread of the logits was read in one haystack only.",
        ),
    )
    haystack = PASSAGE * 40 + "Ida keeps the lighthouse key. " + PASSAGE * 40
    return LimitReport(
        limit=Limit.CONTEXT,
        applies=True,
        headline="It really uses about 1,410 tokens [1,020, 1,950] of its 8,192 (n = 240).",
        ceiling="Softmax needs 0.69 nats more margin for each doubling of the context (CTX-3).",
        sureness="likely: three haystacks, one language",
        advice="Do not buy a longer window: retrieve, and keep prompts below 1,000 tokens.",
        verdicts=(
            verdict(
                Resource.CONTEXT,
                Verdict.CANNOT_PROGRESS,
                "Accuracy falls below 85% of its base at 1,410 tokens, and the margin shrinks as length grows.",
                "both",
                "CTX-3",
            ),
            verdict(
                Resource.DOCUMENTS, Verdict.HURTS, "The distractor variant loses 26 points at 1,000 tokens.", "measured"
            ),
            verdict(Resource.RETRIEVAL, Verdict.HELPS, "Fewer keys need less margin.", "theory", "CTX-3"),
            verdict(
                Resource.MARGIN, Verdict.HELPS, "A larger margin moves the needle above the rest.", "theory", "CTX-3"
            ),
            verdict(Resource.PARAMETERS, Verdict.UNDETERMINED, "One size was measured.", "measured"),
        ),
        findings=findings,
        measurements=tuple(found.values()),
        claims=(claims.crowding(), claims.kv_law(LENGTHS)),
        exhibits=(
            exhibit(
                "A needle at half depth in 2,000 tokens",
                haystack + "\n\nWho can open the tower on the coast?",
                ("Ida",),
                "The ferry.",
                Grade.WRONG,
                "The ferry",
                cut="length",
            ),
        ),
        published=(
            Published(
                title="NoLiMa: accuracy by context length, %",
                source=Source(title="Modarressi et al., NoLiMa, 2025", url="arXiv:2502.05167"),
                columns=("model", "claimed", "effective", "base", "1K", "2K", "4K", "8K", "16K", "32K"),
                rows=(
                    ("GPT-4o", "128K", "8K", 99.3, 98.1, 98.0, 95.7, 89.2, 81.6, 69.7),
                    ("Llama-3.1-8B", "128K", "1K", 76.7, 65.7, 54.4, 44.1, 31.9, 22.6, 14.2),
                ),
                caution="The same rule, but other associations and another haystack.",
            ),
        ),
    )


def exhibit(title, question, gold, said, grade, answer, comment="", cut="stop") -> Exhibit:
    ask = Generate(messages=(Message(role="user", content=question),), max_tokens=32)
    case = Case(
        id="sample-0", ask=ask, gold=gold, lures=("Lagos",) if gold else (), factors={"length": 2000, "depth": 0.5}
    )
    reply = Generated(
        text=said, finish=cut, token_logprobs=(-0.5, -0.4), usage=Usage(prompt_tokens=31, completion_tokens=8)
    )
    return Exhibit(title=title, answered=Answered(case=case, reply=reply, grade=grade, answer=answer), comment=comment)


def bare() -> AuditReport:
    """A report with next to nothing in it: no window, no points, no packages, a scored exhibit without an answer."""
    case = Case(id="s", ask=Generate(messages=(Message(role="user", content="?"),), max_tokens=1), gold=("x",))
    failed = Scored(token_logprobs=(), greedy=False, error="the server closed the connection")
    limit = LimitReport(
        limit=Limit.EVALUATION,
        applies=True,
        headline="Nothing could be measured.",
        measurements=(measurement("evaluation.none", ACCURACY, None, note="Every answer failed."),),
        exhibits=(Exhibit(title="A failure", answered=Answered(case=case, reply=failed, grade=Grade.FAILED)),),
    )
    card = CARD.__class__(name="toy:bare", adapter="toy", revision="1")
    return AuditReport(
        model=card, limits=(limit,), seed=0, budget="1s", spent=Usage(calls=0), version="0", method=(), packages={}
    )
