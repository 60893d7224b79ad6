"""The study of retrieval: whether it pays for this model, how many passages, in which order, and against what odds."""

from collections.abc import Sequence

import msgspec

from hardlimit.audit.desk import Desk
from hardlimit.audit.document import Exhibit, LimitReport
from hardlimit.audit.judging import percent
from hardlimit.audit.published import POISONED_RAG, SUFFICIENT_CONTEXT
from hardlimit.audit.retrieval.asking import PASSAGES, Remembering, Trials, ask, encoder_for
from hardlimit.audit.retrieval.findings import certified, claims, findings, optimum, optimum_interval, order
from hardlimit.audit.retrieval.measuring import Found, measure_own, measure_reader, measure_retrievers
from hardlimit.audit.retrieval.verdicts import best_recall, known_break_even, verdicts
from hardlimit.core import Grade, Limit, Resource, ResourceVerdict, Verdict
from hardlimit.models.embedding import Embeds
from hardlimit.probes.retrieval import Collection, measure

_SHOWN = (
    "reader",
    "own_reader",
    "break_even",
    "accuracy_by_passages",
    "own_accuracy_by_passages",
    "best_passages",
    "recall_at_k",
    "own_recall_at_k",
    "recall_by_corpus",
    "insufficient",
    "accuracy_by_position",
    "accuracy_by_noise",
    "poisoning",
    "poison_by_corpus",
    "hops",
    "margin",
    "drift",
)
"""The measurements in the order of the report."""


def study(desk: Desk, seed: int, *, collection: Collection | None = None, encoder: Embeds | None = None) -> LimitReport:
    """Ask questions with passages whose sufficiency is known, and search corpora without a reader.

    Args:
        desk: asks the model.
        seed: of everything.
        collection: the user's own documents and questions.
        encoder: for dense retrieval; the packaged one where it has been made ready and the model is no toy.
    """
    encoder = encoder or encoder_for(desk.model)
    trials = ask(desk, seed, collection, rewrite=encoder is not None)
    if not trials.of("reader") and not trials.of("own"):
        return LimitReport(
            limit=Limit.RETRIEVAL,
            applies=False,
            headline="Not measured: the budget was spent before the first question was answered. Give it more.",
        )
    encoder = None if encoder is None else Remembering(encoder)
    found = Found()
    measure_reader(trials, found, model=desk.model.card.fingerprint, seed=seed)
    measure_retrievers(found, encoder, trials.chains, seed=seed)
    if collection is not None:
        measure_own(trials, found, collection, encoder, model=desk.model.card.fingerprint)
    _note_order(found)
    _note_best(found)
    judged = verdicts(found, trials, seed)
    return LimitReport(
        limit=Limit.RETRIEVAL,
        applies=True,
        headline=_headline(found),
        ceiling=_ceiling(found),
        sureness=_sureness(found, judged),
        advice=_advice(found, judged),
        verdicts=judged,
        findings=findings(found, trials),
        measurements=tuple(m for name in _SHOWN if (m := found.get(name)) is not None),
        claims=claims(found),
        exhibits=_exhibits(trials),
        published=(POISONED_RAG, SUFFICIENT_CONTEXT),
        undecided=_undecided(trials, found, judged),
    )


def _note_order(found: Found) -> None:
    """Say in the profile of positions which order of the passages it implies."""
    profile, best = found.get("accuracy_by_position"), order(found)
    if profile is None or best is None:
        return
    places, value, by_rank = best
    written = ", ".join(str(place + 1) for place in places)
    found.add(
        msgspec.structs.replace(
            profile,
            parameters={**profile.parameters, "best_order": written, "best_order_gain": value - by_rank},
            note=f"{profile.note} By rearrangement the passages of rank 1, 2, … belong at the places {written}; "
            f"against the order of the ranks that would change accuracy by {100 * (value - by_rank):+.1f} points, if "
            "the profile were exact.",
        )
    )


def _note_best(found: Found) -> None:
    """Put the law's best number of passages beside the curve that it was fitted to."""
    for name, curve in (("accuracy_by_passages", found.curve), ("own_accuracy_by_passages", found.own_curve)):
        measured = found.get(name)
        best = optimum(curve.hit, curve.loss) if curve is not None else None
        if measured is None or curve is None or best is None:
            continue
        low, high = optimum_interval(curve)
        ends = {"k_star_low": low} | ({} if high is None else {"k_star_high": high})
        found.add(msgspec.structs.replace(measured, parameters={**measured.parameters, "k_star": best, **ends}))


def _headline(found: Found) -> str:
    reader = found.get("reader")
    if reader is None:
        own = found.get("own_accuracy_by_passages")
        best = f": {percent(own.estimate)} at {own.parameters['best']} documents" if own and own.estimate else ""
        return f"Only your own questions were asked{best}."
    shares = {str(point.at["condition"]): point.estimate for point in reader.points}
    parts = [f"right in {percent(shares[measure.GOLD])} with the needed passage among {PASSAGES}"]
    if measure.DISTRACTORS in shares:
        parts.append(f"in {percent(shares[measure.DISTRACTORS])} with others only")
    if measure.CLOSED_BOOK in shares:
        parts.append(f"in {percent(shares[measure.CLOSED_BOOK])} without any")
    return f"It is {', '.join(parts)}."


def _ceiling(found: Found) -> str:
    even, recall = known_break_even(found), best_recall(found)
    if even is None or recall is None:
        return "RETR-1: retrieval pays only above a break-even recall; these few answers do not tell where it lies."
    return (
        f"RETR-1: retrieval pays from a recall of {percent(even)} on; {recall.at['retriever']} reaches "
        f"{percent(recall.estimate)} at {PASSAGES} passages on a coined corpus."
    )


def _sureness(found: Found, judged: Sequence[ResourceVerdict]) -> str:
    broken = list(
        dict.fromkeys(control.name for m in found.measurements.values() for control in m.controls if not control.passed)
    )
    if broken:
        return f"with reserve: the {' and the '.join(broken)} control failed"
    settled = sum(v.verdict is not Verdict.UNDETERMINED for v in judged)
    return f"{'sure' if settled == len(judged) else 'in part'}: {settled} of {len(judged)} verdicts decided"


def _advice(found: Found, judged: Sequence[ResourceVerdict]) -> str:
    says = {resource.resource: resource.verdict for resource in judged}
    parts = []
    retrieval = says.get(Resource.RETRIEVAL)
    if retrieval is Verdict.HELPS:
        parts.append("Retrieve: it pays for this model.")
    elif retrieval in (Verdict.HURTS, Verdict.CANNOT_PROGRESS):
        parts.append("Do not retrieve for facts that the model knows: passages do not make it better.")
    curve = found.own_curve or found.curve
    best = optimum(curve.hit, curve.loss) if curve is not None else None
    if best is not None and says.get(Resource.DOCUMENTS) in (Verdict.HURTS, Verdict.SATURATES):
        parts.append(f"Send about {max(1, round(best))} passages, not what the window holds.")
    if says.get(Resource.RETRIEVER) is Verdict.HELPS:
        parts.append("A better retriever pays.")
    poison, vote = found.get("poisoning"), certified(found)
    if poison is not None and poison.estimate is not None and (poison.estimate.interval.low or 0) > 0.25:
        parts.append("Planted texts are believed: check where passages come from.")
        if vote is not None and vote > 0.5:
            parts.append(
                f"Ten clean passages read one by one and outvoted by majority withstand two planted ones in "
                f"{100 * vote:.0f} % of questions (RETR-6)."
            )
    return " ".join(parts) or "Nothing measured here is decided yet; spend more budget on the undecided verdicts."


def _exhibits(trials: Trials) -> tuple[Exhibit, ...]:
    shown = []
    for design, wanted, title in (
        (
            "reader",
            lambda item: item.grade is Grade.WRONG and item.case.factors["sufficient"],
            "The answer stood there",
        ),
        ("insufficient", lambda item: item.grade is Grade.WRONG, "The answer did not stand there, and it gave one"),
        ("poison", measure.misled, "A planted text was believed"),
    ):
        items = [item for item in trials.of(design) if wanted(item)]
        if items:
            shown.append(Exhibit(title=title, answered=min(items, key=lambda item: int(item.case.factors["tokens"]))))
    return tuple(shown)


def _undecided(trials: Trials, found: Found, judged: Sequence[ResourceVerdict]) -> tuple[str, ...]:
    said = []
    if trials.unfinished:
        asked = ", ".join(trials.unfinished)
        said.append(f"The budget ended these designs before all their questions were asked: {asked}.")
    if found.encoder is None:
        said.append("Dense retrieval, its margins and drift were not measured: no embedding was at hand.")
    still = [str(v.resource) for v in judged if v.verdict is Verdict.UNDETERMINED]
    if still:
        said.append(f"Without a verdict: {', '.join(still)}.")
    return tuple(said)
