"""Ranking anew: by the model's likelihood, by a cross-encoder, in a prompt and in a search."""

import json

import numpy as np
import pytest

from hardlimit.core import Generate, Generated, InvalidValueError, Message, ModelError, Scored, Usage
from hardlimit.mitigations import Cross, Mitigated, Rerank, Reranked
from hardlimit.mitigations.reranking import LIKELIHOOD
from hardlimit.models import ModelCard
from hardlimit.probes.retrieval import BM25, NoRetriever, Oracle, Prompt, coined_corpus, passages_in
from hardlimit.probes.retrieval.ranking import ranks_of
from hardlimit.testing import check_mitigation

QUESTION = "What is the capital of Fiji?"


class Liking:
    """Likes texts by the number that they hold, and says which passages it was given."""

    card = ModelCard(name="toy:liking", adapter="toy", revision="1")

    def __init__(self):
        self.scored = []

    def count_tokens(self, text):
        return len(text)

    def generate(self, requests):
        for index, request in enumerate(requests):
            said = "|".join(passages_in(request.messages[-1].content).passages)
            yield index, Generated(text=said, finish="stop")

    def score(self, requests):
        for index, request in reversed(list(enumerate(requests))):
            self.scored.append(request)
            digits = "".join(c for c in request.messages[-1].content if c.isdigit())
            yield index, Scored(token_logprobs=(float(digits or 0) - 99,), greedy=False, usage=Usage(prompt_tokens=7))


def replied(policy, *passages):
    text = Prompt(rule="Use them.", passages=passages, question=QUESTION).write()
    ask = Generate(messages=(Message(role="user", content=text),), max_tokens=16)
    ((_, reply),) = Mitigated(Liking(), policy).generate([ask])
    return reply


def test_passages_are_put_best_first_and_cut():
    texts = ("It is 3.", "It is 9.", "It is 5.", "It is 9.")
    reply = replied(Rerank(), *texts)
    assert reply.text == "It is 9.|It is 9.|It is 5.|It is 3." and reply.usage.calls == 5
    assert replied(Rerank(k=2), *texts).text == "It is 9.|It is 9."
    assert replied(Rerank(k=3, by="as given"), *texts).text == "|".join(texts[:3])
    assert replied(Rerank(k=1), "It is 3.").usage.calls == 1
    with pytest.raises(InvalidValueError, match=r"Rerank\.k"):
        Rerank(k=0)
    check_mitigation(Rerank(k=2))


def test_a_search_is_put_in_order_down_to_its_depth_and_no_further():
    corpus, queries = coined_corpus(documents=60, queries=12, seed=3)
    first = BM25(corpus)
    model = Liking()
    before = first.search(queries, 9)
    after = Reranked(first, corpus, "model", depth=4, model=model)
    found = after.search(queries, 9)
    liked = {}
    for ask in model.scored:
        text = ask.messages[0].content
        liked[text] = float("".join(c for c in text if c.isdigit()) or 0)
    for query, old, new in zip(queries, before, found, strict=True):
        texts = [LIKELIHOOD.format(text=corpus.documents[place].text) for place in old[:4]]
        best = sorted(range(4), key=lambda place: (-liked[texts[place]], place))
        assert list(new) == [old[place] for place in best] + list(old[4:])
        assert all(
            any(ask.continuation == query.text and ask.messages[0].content == t for ask in model.scored) for t in texts
        )
    assert after.usage.calls == 48 and after.usage.prompt_tokens == 48 * 7
    assert after.name == "bm25, 4 re-ranked by likelihood of the question"
    # A search for fewer than the depth still looks down to it.
    assert (after.search(queries, 2) == found[:, :2]).all()
    with pytest.raises(InvalidValueError, match="needs a model"):
        Reranked(first, corpus, "model")


def test_what_the_first_search_does_not_bring_is_not_found():
    corpus, queries = coined_corpus(documents=40, queries=6, seed=0)
    few = Reranked(Oracle(corpus), corpus, "words", depth=5)
    assert (ranks_of(few, corpus, queries, 5) == ranks_of(Oracle(corpus), corpus, queries, 5)).all()
    alone = Reranked(Oracle(corpus), corpus, "model", depth=5, model=Liking())
    assert (alone.search(queries, 3) == Oracle(corpus).search(queries, 3)).all()
    assert alone.usage.calls == 0  # one document has no order
    assert (Reranked(NoRetriever(), corpus, "words", depth=3).search(queries, 3) == -1).all()


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A cross-encoder of random weights over letters, saved as transformers saves one."""
    pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    import tokenizers
    import torch

    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghijklmnopqrstuvwxyz?. "]
    words = tokenizers.Tokenizer(
        tokenizers.models.BPE({mark: i for i, mark in enumerate(marks)}, [], unk_token="[UNK]")
    )
    words.normalizer = tokenizers.normalizers.Lowercase()
    words.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    torch.manual_seed(0)

    def save(labels):
        folder = tmp_path_factory.mktemp(f"cross{labels}")
        config = transformers.BertConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            vocab_size=len(marks),
            max_position_embeddings=96,
            num_labels=labels,
            initializer_range=0.5,
        )
        transformers.BertForSequenceClassification(config).save_pretrained(folder)
        fast.save_pretrained(folder)
        return folder

    return save


@pytest.mark.local
def test_a_cross_encoder_ranks_by_its_own_logits(encoder):
    import torch
    import transformers

    folder = encoder(1)
    texts = ("Nadi has an airport.", "The capital of Fiji is Suva.", "Kava.", "Fiji " * 60)
    found = Cross(path=str(folder)).scores(QUESTION, texts)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    for text, score in zip(texts, found, strict=True):
        pair = tokenizer(QUESTION, text, truncation=True, max_length=94, return_tensors="pt")
        with torch.no_grad():
            assert score == pytest.approx(float(model(**pair).logits[0, 0]), abs=1e-4)
    assert len({round(score, 3) for score in found}) == 4
    reply = replied(Rerank(by=Cross(path=str(folder))), *texts[:3])
    assert reply.text.split("|") == [texts[place] for place in np.argsort(found[:3])[::-1]]
    assert reply.usage.calls == 1


@pytest.mark.local
def test_of_two_outputs_the_second_says_relevant_and_others_are_refused(encoder, tmp_path):
    import transformers

    from hardlimit.models.crossing import CrossEncoder

    folder = encoder(2)
    both = CrossEncoder(folder)
    (score,) = both.relevance(QUESTION, ["The capital of Fiji is Suva."])
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    pair = transformers.AutoTokenizer.from_pretrained(folder)(
        QUESTION, "The capital of Fiji is Suva.", return_tensors="pt"
    )
    logits = model.eval()(**pair).logits[0].detach()
    assert score == pytest.approx(float(logits[1] - logits[0]), abs=1e-4)
    with pytest.raises(ModelError, match=r"one output or two, .* has 3"):
        CrossEncoder(encoder(3))
    with pytest.raises(ModelError, match="cannot be loaded as a cross-encoder"):
        CrossEncoder(tmp_path)
    with pytest.raises(InvalidValueError, match="needs a question"):
        both.relevance("", ["text"])


@pytest.mark.local
def test_a_model_without_a_trained_head_is_refused(encoder):
    import transformers

    from hardlimit.models.crossing import CrossEncoder

    folder = encoder(1)
    transformers.BertModel.from_pretrained(folder).save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_labels": 1, "id2label": {"0": "x"}}))
    with pytest.raises(ModelError, match=r"no trained head: .*classifier"):
        CrossEncoder(folder)
