"""What the study of retrieval asks: one reader in many contexts, block by block, and retrievers without a reader."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from hardlimit.audit.desk import Desk
from hardlimit.core import Answered, CapabilityError, Case, Grade, HardlimitError
from hardlimit.models import Model
from hardlimit.models.embedding import Embeds, cached_encode, embedding_folder, embeddings_folder, open_embedding
from hardlimit.probes import Probe
from hardlimit.probes.retrieval import (
    BM25,
    Collection,
    Corpus,
    Dense,
    Passages,
    Retriever,
    coined_corpus,
)
from hardlimit.probes.retrieval.passages import Noise
from hardlimit.probes.retrieval.probe import Gold, Rule
from hardlimit.probes.retrieval.reader import Retrieved
from hardlimit.probes.retrieval.reader_rewriting import Rewriting

BLOCK = 8
"""Questions asked in all settings of a design before the next ones are begun, so that a small budget keeps pairs; a
block is one batch for the model."""

TOKENS_A_PASSAGE = 36
"""Of the passages that carry no planted text, so that prompts stay short: the longest telling sentence fits, or a
shorter one and a filler."""

PASSAGES = 4
KS = (1, 2, 4, 8)
POSITIONS = (0.0, 1 / 3, 2 / 3, 1.0)
NOISES: tuple[tuple[Noise, float], ...] = (
    ("random", 0.0),
    ("random", 0.75),
    ("same topic", 0.5),
    ("same topic", 0.75),
    ("counterfactual", 0.75),
)
DOSES = (0, 1, 2, 4)
HOPS = (1, 2)
MOST = {"reader": 100, "curve": 64, "insufficient": 40, "position": 60, "noise": 40, "poison": 60, "hops": 40}
"""Questions of each design at most; an unlimited budget asks them all."""

PARTS = {"reader": 0.27, "curve": 0.3, "insufficient": 0.08, "position": 0.11, "noise": 0.09, "poison": 0.08}
"""Part of the budget that each design gets; hops take what is left."""

REWRITING = 0.03
"""Part of the budget for queries that the model rewrites."""

REWRITTEN = 8
"""Queries that it rewrites."""

CURVE_DOCUMENTS = 300
SIZES, SIZES_WITH_ENCODER = (100, 700, 5_000), (100, 300, 1_000)
"""Documents of the corpora that are only searched; embedding them takes far longer than indexing their words."""

QUERIES = 80
RECALL_AT = (1, 2, 4, 8, 16)
DOSE = 1
DRIFT_QUERIES = 24
DRIFT_HOPS = 4
OWN_QUESTIONS = 60
_CONTROLS = 8
_APART = 100
"""Between the seed of the controls and that of the designs."""


@dataclass
class Trials:
    """What was asked and answered, by design."""

    answers: dict[str, list[Answered]] = field(default_factory=dict)
    controls: dict[str, list[Answered]] = field(default_factory=dict)
    chains: list[list[str]] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)

    def of(self, design: str) -> list[Answered]:
        """The answers of a design."""
        return self.answers.get(design, [])


def encoder_for(model: Model) -> Embeds | None:
    """The dense encoder, where it has been made ready; toys are read with words alone."""
    if model.card.adapter == "toy" or not embedding_folder().exists():
        return None
    try:
        return open_embedding()
    except (HardlimitError, CapabilityError):
        return None


class Remembering:
    """An encoder that embeds each text once: the corpora of different sizes share most of theirs.

    Args:
        encoder: the encoder.
    """

    def __init__(self, encoder: Embeds) -> None:
        """See the class."""
        self.name, self.revision, self.width = encoder.name, encoder.revision, encoder.width
        self._encoder = encoder
        self._known: dict[str, NDArray[np.float32]] = {}

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts, as a `(texts, width)` table."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        folder = None if self.name.startswith("toy:") else embeddings_folder()
        self._known |= dict(zip(new, cached_encode(self._encoder, new, folder), strict=True)) if new else {}
        return np.array([self._known[text] for text in texts], dtype=np.float32).reshape(len(texts), self.width)


def searchers(corpus: Corpus, encoder: Embeds | None) -> Sequence[Retriever]:
    """BM25, and dense search where there is an encoder."""
    return (BM25(corpus),) if encoder is None else (BM25(corpus), Dense(corpus, encoder))


def ask(desk: Desk, seed: int, collection: Collection | None, *, rewrite: bool = False) -> Trials:
    """Ask everything, as far as the budget allows; each design gets a part, and what it leaves flows on.

    Args:
        desk: asks the model.
        seed: of the questions.
        collection: the user's own documents and questions, which go first.
        rewrite: whether the model shall rewrite queries, for their drift.
    """
    trials = Trials()
    if collection is not None:
        _ask_own(desk.share(0.4), trials, collection)
    _controls(desk.share(0.08), trials, seed)
    left = 1.0
    for design, part in {**PARTS, "hops": 1 - sum(PARTS.values()) - REWRITING}.items():
        _ask_design(desk.share(min(1.0, part / left)), trials, design, seed)
        left -= part
    if rewrite:
        _rewrite(desk, trials, seed)
    return trials


def _rewrite(desk: Desk, trials: Trials, seed: int) -> None:
    """Let the model rewrite queries again and again; a chain ends where it gives no words or the budget ends."""
    probe = Rewriting()
    corpus = coined_corpus(documents=REWRITTEN, queries=REWRITTEN, seed=seed)[1]
    chains = {query.id: [query.text] for query in corpus}
    going = list(chains)
    for hop in range(1, DRIFT_HOPS + 1):
        cases = probe.hop([(name, chains[name][-1]) for name in going], hop)
        answered = desk.ask(probe, cases, what="queries rewritten") if cases and not desk.meter.exhausted else []
        going = [str(item.case.factors["chain"]) for item in answered if item.grade is Grade.RIGHT]
        for item in answered:
            if item.answer is not None:
                chains[str(item.case.factors["chain"])].append(item.answer)
    trials.chains = [chain for chain in chains.values() if len(chain) > 1]


def _controls(desk: Desk, trials: Trials, seed: int) -> None:
    probes = Passages(passages=PASSAGES, budget=_budget(PASSAGES)).controls()
    # Copying a coined name is a task of its own for a small model; the trivial setting is to read at all.
    probes["trivial"] = msgspec.structs.replace(probes["trivial"], facts="capital")
    for name, probe in probes.items():
        cases = [probe.draw(seed + _APART, item) for item in range(_CONTROLS)]
        trials.controls[name] = desk.ask(probe, cases, what=f"control: {name}")


def _ask_design(desk: Desk, trials: Trials, design: str, seed: int) -> None:
    """Ask a design in blocks of a few questions with all their settings, while the budget lasts."""
    answers = trials.answers.setdefault(design, [])
    for start in range(0, MOST[design], BLOCK):
        if desk.meter.exhausted:
            break
        probe, cases = _block(design, seed, range(start, min(start + BLOCK, MOST[design])))
        answers += desk.ask(probe, cases, what=_WHAT[design])
    if desk.meter.exhausted:
        trials.unfinished.append(design)


_WHAT = {
    "reader": "with and without the passage that tells",
    "curve": "more and more retrieved passages",
    "insufficient": "passages that do not tell",
    "position": "the telling passage, first to last",
    "noise": "passages that do not help",
    "poison": "planted texts",
    "hops": "facts that have to be joined",
}


def _budget(passages: int) -> int:
    return TOKENS_A_PASSAGE * passages


def _block(design: str, seed: int, items: range) -> tuple[Probe, list[Case]]:
    """Make the cases of some questions in all settings, question by question, and the probe that grades them.

    Grading depends on the case alone, so the first setting's probe grades for all, and they share a batch.
    """
    if design == "curve":
        return Retrieved(documents=CURVE_DOCUMENTS), [case for item in items for case in _curve_cases(seed)[item]]
    probes = _PROBES[design]
    return probes[0], [probe.draw(seed, item) for item in items for probe in probes]


def _short(
    passages: int,
    *,
    gold: Gold = "present",
    kind: Noise = "same topic",
    noise: float | None = None,
    position: float | None = None,
    rule: Rule = "any knowledge",
    hops: int = 1,
) -> Passages:
    return Passages(
        passages=passages,
        gold=gold,
        kind=kind,
        noise=noise,
        position=position,
        hops=hops,
        rule=rule,
        budget=_budget(passages),
    )


def _capital(*, gold: Gold, kind: Noise) -> Passages:
    return Passages(
        facts="capital", passages=PASSAGES, gold=gold, kind=kind, rule="any knowledge", budget=_budget(PASSAGES)
    )


_PROBES: dict[str, tuple[Passages, ...]] = {
    # Capitals: the one kind of fact here that the model may know without any passage.
    "reader": (
        Passages(facts="capital", passages=0, gold="absent", rule="any knowledge"),
        _capital(gold="present", kind="same topic"),
        _capital(gold="absent", kind="same topic"),
        _capital(gold="absent", kind="random"),
    ),
    "insufficient": (
        _short(PASSAGES, gold="absent", kind="same topic", rule="passages only"),
        _short(PASSAGES, gold="absent", kind="random", rule="passages only"),
    ),
    "position": tuple(_short(PASSAGES, position=place) for place in POSITIONS),
    "noise": tuple(_short(PASSAGES, kind=kind, noise=share) for kind, share in NOISES),
    "poison": tuple(Passages(passages=max(DOSES) + 1, poison=dose, rule="any knowledge") for dose in DOSES),
    "hops": tuple(_short(max(HOPS) + 1, hops=hops) for hops in HOPS),
}


@lru_cache(maxsize=2)
def _curve_cases(seed: int) -> tuple[list[Case], ...]:
    """For each question about a coined corpus, the cases with the first k documents that BM25 finds."""
    corpus, queries = coined_corpus(documents=CURVE_DOCUMENTS, queries=MOST["curve"], seed=seed)
    cases = Retrieved(documents=CURVE_DOCUMENTS).from_ranking(corpus, queries, BM25(corpus).search(queries, KS[-1]), KS)
    return tuple(cases[row * len(KS) : (row + 1) * len(KS)] for row in range(len(queries)))


def _ask_own(desk: Desk, trials: Trials, collection: Collection) -> None:
    """The user's questions, closed book and with the first k of their documents that BM25 finds."""
    corpus, queries = collection.corpus, list(collection.queries[:OWN_QUESTIONS])
    probe = Retrieved(corpus=corpus.fingerprint, documents=len(corpus))
    found = BM25(corpus).search(queries, KS[-1])
    answers = trials.answers.setdefault("own", [])
    cases = probe.from_ranking(corpus, queries, found, (0, *(k for k in KS if k <= max(1, len(corpus)))))
    each = len(cases) // len(queries)
    for start in range(0, len(cases), BLOCK * each):
        if desk.meter.exhausted:
            trials.unfinished.append("own")
            return
        answers += desk.ask(probe, cases[start : start + BLOCK * each], what="questions about your corpus")
