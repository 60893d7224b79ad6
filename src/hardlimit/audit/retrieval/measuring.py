"""The measurements of the study of retrieval: of the reader, and of retrievers without one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from hardlimit.audit.retrieval import gains
from hardlimit.audit.retrieval.asking import (
    DOSE,
    DRIFT_HOPS,
    DRIFT_QUERIES,
    KS,
    OWN_QUESTIONS,
    PASSAGES,
    QUERIES,
    RECALL_AT,
    SIZES,
    SIZES_WITH_ENCODER,
    Trials,
    searchers,
)
from hardlimit.core import Control, Estimate, InsufficientDataError, InvalidValueError, Measurement, Tally, quantity
from hardlimit.models.embedding import Embeds
from hardlimit.probes.retrieval import (
    Collection,
    Corpus,
    Dense,
    Hybrid,
    NoRetriever,
    Oracle,
    Origin,
    Passages,
    Query,
    Retriever,
    coined_corpus,
    drift,
    margin,
    measure,
    poison_by_corpus,
    recall_at_k,
    recall_by_corpus,
    rewritten,
)
from hardlimit.probes.retrieval.fits import ReaderCurve
from hardlimit.probes.retrieval.reader import Retrieved, needed_ranks_or_answers
from hardlimit.probes.retrieval.record import hit_point


@dataclass
class Found:
    """What was measured, by name, and the reader's curve with its draws."""

    measurements: dict[str, Measurement] = field(default_factory=dict)
    curve: ReaderCurve | None = None
    own_curve: ReaderCurve | None = None
    encoder: str | None = None

    def add(self, measurement: Measurement) -> None:
        """Take a measurement in."""
        self.measurements[measurement.name] = measurement

    def get(self, name: str) -> Measurement | None:
        """A measurement by its name without the limit's."""
        return self.measurements.get(f"retrieval.{name}")


def measure_reader(trials: Trials, found: Found, *, model: str, seed: int) -> None:
    """Measure everything that the model's answers tell."""
    controls = tuple(measure.control(name, answers) for name, answers in trials.controls.items() if answers)
    origin = _origin(model, seed, controls)
    _try(found, lambda: measure.reader(trials.of("reader"), origin))
    _try(found, lambda: break_even(trials, origin))
    if trials.of("curve"):
        read, found.curve = measure.accuracy_by_passages(trials.of("curve"), _retrieved(model, seed))
        found.add(read)
        _try(found, lambda: measure.best_passages(trials.of("curve"), _retrieved(model, seed)))
    for design, made in (
        ("insufficient", measure.insufficient),
        ("position", measure.accuracy_by_position),
        ("noise", measure.accuracy_by_noise),
        ("poison", measure.poisoning),
        ("hops", measure.hops),
    ):
        if trials.of(design):
            _try(found, lambda made=made, design=design: made(trials.of(design), origin))  # type: ignore[misc]


def _origin(model: str, seed: int, controls: tuple[Control, ...]) -> Origin:
    return Origin(probe=repr(Passages(passages=PASSAGES)), model=model, seed=seed, controls=controls)


def _retrieved(model: str, seed: int) -> Origin:
    return Origin(probe=repr(Retrieved()), model=model, seed=seed)


def _try(found: Found, make: Callable[[], Measurement]) -> None:
    """Take a measurement in where there is enough to make it from."""
    try:
        found.add(make())
    except InsufficientDataError:
        return


def break_even(trials: Trials, origin: Origin) -> Measurement:
    """Recall from which on retrieval beats the model alone, from the questions asked in all three conditions.

    Raises:
        InsufficientDataError: no such question.
    """
    wanted = (measure.CLOSED_BOOK, measure.GOLD, measure.DISTRACTORS)
    right = measure.paired_rights(trials.of("reader"), measure.condition_of, wanted)
    if not len(right):
        raise InsufficientDataError("Break-even recall needs questions asked in all three conditions.")
    drawn = gains.break_even(gains.shares_drawn(right, np.random.default_rng([origin.seed, 31])))
    a0, a_rel, a_irr = right.mean(axis=0).tolist()
    spread = gains.summed_up(drawn, len(right), level=0.95)
    value = float(gains.break_even(right.mean(axis=0)[None, :])[0])
    return origin.measurement(
        "break_even",
        quantity.RECALL_NEEDED,
        Tally(),
        value=msgspec.structs.replace(spread, value=value),
        parameters={
            "a0": a0,
            "a_rel": a_rel,
            "a_irr": a_irr,
            "never": float((drawn >= 1).mean()),
            "always": float((drawn <= 0).mean()),
        },
        note="0 where retrieval always pays, 1 where it never does. `never` and `always` are the posterior chances.",
    )


def measure_retrievers(found: Found, encoder: Embeds | None, chains: Sequence[Sequence[str]], *, seed: int) -> None:
    """Measure retrieval without a reader: on coined corpora, with planted texts, and on rewritten queries."""
    sizes = SIZES if encoder is None else SIZES_WITH_ENCODER
    corpus, queries = coined_corpus(documents=sizes[-1], queries=QUERIES, seed=seed)
    origin = Origin(probe=corpus.name, model=encoder.name if encoder is not None else "bm25", seed=seed)
    whole = tuple(searchers(corpus, encoder))
    dense = next((each for each in whole if isinstance(each, Dense)), None)
    ladder: list[Retriever] = [Oracle(corpus), *whole]
    if dense is not None:
        ladder.append(Hybrid(whole))
    found.add(recall_at_k([*ladder, NoRetriever()], corpus, queries, RECALL_AT, origin))

    def build(part: Corpus) -> Sequence[Retriever]:
        return searchers(part, encoder)

    found.add(recall_by_corpus(build, corpus, queries, sizes=sizes, ks=(1, PASSAGES), origin=origin))
    found.add(
        poison_by_corpus(build, corpus, queries[:DRIFT_QUERIES], sizes=sizes, k=PASSAGES, dose=DOSE, origin=origin)
    )
    if dense is not None and encoder is not None:
        found.encoder = encoder.name
        width = encoder.width
        narrower = [width // step for step in (8, 4, 2) if width // step >= 2]
        found.add(margin(dense, corpus, queries, origin=origin, dimensions=narrower))
        made = "The model rewrote the queries."
        if sum(len(chain) > 2 for chain in chains) < 2:
            chains = [rewritten(query.text, hops=DRIFT_HOPS, seed=seed) for query in queries[:DRIFT_QUERIES]]
            made = "The queries were rewritten by templates: wrapped, added to, or robbed of a word."
        drifted = drift(chains, encoder, origin)
        found.add(msgspec.structs.replace(drifted, note=f"{drifted.note} {made}"))


def measure_own(trials: Trials, found: Found, collection: Collection, encoder: Embeds | None, *, model: str) -> None:
    """Measure recall and reading on the user's own documents and questions."""
    corpus, queries = collection.corpus, list(collection.queries[:OWN_QUESTIONS])
    origin = Origin(probe=repr(Retrieved(corpus=corpus.fingerprint, documents=len(corpus))), model=model, seed=0)
    found.add(_own_recall(corpus, queries, encoder, origin))
    answers = trials.of("own")
    read = [item for item in answers if item.case.factors["passages"]]
    if read:
        made, found.own_curve = measure.accuracy_by_passages(answers, origin, name="own_accuracy_by_passages")
        cut = sum(int(item.case.factors["cut"]) > 0 for item in read)
        if cut:
            made = msgspec.structs.replace(made, note=f"{made.note} {cut} prompts hold documents that were cut.")
        found.add(made)
    at_k = [item for item in answers if item.case.factors["passages"] in (0, PASSAGES)]
    try:
        reader = measure.reader(at_k, origin)
    except (InsufficientDataError, InvalidValueError):
        return
    note = (
        f"Of your questions, those whose needed document is among the first {PASSAGES} that BM25 finds are 'gold in "
        "context', the others 'distractors only': the two are different questions."
    )
    found.add(msgspec.structs.replace(reader, name="retrieval.own_reader", note=note))


def _own_recall(corpus: Corpus, queries: Sequence[Query], encoder: Embeds | None, origin: Origin) -> Measurement:
    points = []
    ks = [k for k in KS if k <= len(corpus)]
    asked = list(queries)
    for retriever in searchers(corpus, encoder):
        ranks = needed_ranks_or_answers(corpus, asked, retriever.search(asked, ks[-1]))
        points += [hit_point({"retriever": retriever.name, "k": k}, (ranks > 0) & (ranks <= k)) for k in ks]
    last = points[-1]
    guessed = sum(not query.gold for query in asked)
    note = f"Recall in your corpus of {len(corpus):,} documents."
    if guessed:
        note += (
            f" For {guessed} of {len(asked)} questions the needed documents are not named; any that contains an "
            "accepted answer counts, which may be by chance."
        )
    value: Estimate = last.estimate
    return origin.measurement(
        "own_recall_at_k",
        quantity.RETRIEVAL_RECALL,
        last.tally or Tally(),
        value=value,
        points=points,
        note=note,
    )
