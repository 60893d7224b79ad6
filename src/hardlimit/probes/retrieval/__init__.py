"""Retrieval: passages whose sufficiency is known, retrievers from none to an oracle, and a user's own corpus."""

from hardlimit.probes.retrieval.corpus import (
    Collection,
    Corpus,
    Document,
    Query,
    coined_corpus,
    documents_with_answer,
    poison_texts,
    poisoned,
)
from hardlimit.probes.retrieval.dense import Dense, ladder
from hardlimit.probes.retrieval.drift import drift, rewrite_request, rewritten
from hardlimit.probes.retrieval.loading import CorpusError, load_collection, load_corpus, load_questions
from hardlimit.probes.retrieval.margin import margin
from hardlimit.probes.retrieval.probe import Passages, question_of
from hardlimit.probes.retrieval.prompt import Prompt, passages_in
from hardlimit.probes.retrieval.ranking import Gap, fit_gap
from hardlimit.probes.retrieval.recall import poison_by_corpus, recall_at_k, recall_by_corpus
from hardlimit.probes.retrieval.record import Origin
from hardlimit.probes.retrieval.retrievers import ABSENT, BM25, Hybrid, NoRetriever, Oracle, Retriever

__all__ = [
    "ABSENT",
    "BM25",
    "Collection",
    "Corpus",
    "CorpusError",
    "Dense",
    "Document",
    "Gap",
    "Hybrid",
    "NoRetriever",
    "Oracle",
    "Origin",
    "Passages",
    "Prompt",
    "Query",
    "Retriever",
    "coined_corpus",
    "documents_with_answer",
    "drift",
    "fit_gap",
    "ladder",
    "load_collection",
    "load_corpus",
    "load_questions",
    "margin",
    "passages_in",
    "poison_by_corpus",
    "poison_texts",
    "poisoned",
    "question_of",
    "recall_at_k",
    "recall_by_corpus",
    "rewrite_request",
    "rewritten",
]
