"""What sharing prefixes saves: a plain transformers loop, lm-evaluation-harness and hardlimit on the same requests.

Usage: python bench/prefix.py [--quick] [--only context|choice|answers]

lm-evaluation-harness is asked where it is installed (pip install lm-eval peft); it counts the prompt's last line break
into the continuation, so its log-likelihoods lie about 0.001 lower. Times are of the processor, all of one process in
one run, so that they compare on a busy machine too; `--quick` asks fewer questions on a shorter text.
"""

import argparse
import contextlib
import io
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from rich.console import Console
from rich.table import Table
from transformers import AutoModelForCausalLM, AutoTokenizer

from hardlimit.core import Generate, Message, Score
from hardlimit.models.embedded import open_embedded, prepare
from hardlimit.models.local import LocalModel

NAMES = ("Anna", "Boris", "Clara", "David", "Edith", "Felix", "Greta", "Hugo", "Irene", "Jonas", "Karin", "Leo", "Mona")
TRADES = ("baker", "miller", "tailor", "sailor", "farmer", "mason", "weaver", "hunter", "singer", "printer")
Scores = list[float]


class Result(NamedTuple):
    """Seconds and what came out."""

    seconds: float
    values: list[Any]


def user(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def haystack(tokens: int, model: LocalModel) -> str:
    """Plain sentences, of about so many tokens."""
    text, i = "", 0
    while model.count_tokens(text) < tokens:
        text += f"{NAMES[i % 13]} the {TRADES[i % 10]} has lived in house number {i * 37 % 991} since the spring. "
        i += 1
    return text


def context_requests(model: LocalModel, tokens: int, questions: int) -> list[Score]:
    """Questions on one text: N + Q·q tokens where the text is shared, Q·(N + q) where it is not."""
    text = haystack(tokens, model)
    asked = [f"{name} the {TRADES[(i + shift) % 10]}" for shift in (0, 3) for i, name in enumerate(NAMES)][:questions]
    return [
        Score(messages=user(f"{text}\nIn which house does {who} live? Answer with a number."), continuation="37")
        for who in asked
    ]


def choice_requests(shots: int, questions: int) -> list[Score]:
    """Multiple choice with examples in front, four answers each."""

    def item(i: int) -> tuple[str, list[str]]:
        options = [TRADES[(i * 3 + k) % 10] for k in range(4)]
        return f"What is {NAMES[i % 13]} number {i}? Options: {', '.join(options)}.\nAnswer:", options

    examples = "\n\n".join(f"{item(i)[0]} {item(i)[1][i % 4]}" for i in range(shots))
    return [
        Score(messages=user(f"{examples}\n\n{item(i)[0]}"), continuation=option)
        for i in range(shots, shots + questions)
        for option in item(i)[1]
    ]


def timed(work: Callable[[], list[Any]]) -> Result:
    began = time.process_time()
    values = work()
    return Result(time.process_time() - began, values)


class Peers:
    """The other two ways, on the same weights and the same rendered prompts."""

    def __init__(self, model: LocalModel) -> None:
        folder = prepare()
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
        self._render = model.prompt

    def ids(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    @torch.inference_mode()
    def score_one_by_one(self, requests: Sequence[Score]) -> Scores:
        scores = []
        for request in requests:
            prompt, answer = self.ids(self._render(request.messages)), self.ids(request.continuation)
            logits = self.model(torch.tensor([prompt + answer]), logits_to_keep=len(answer) + 1).logits[0, :-1]
            table = logits.log_softmax(-1)
            scores.append(float(table[torch.arange(len(answer)), torch.tensor(answer)].sum()))
        return scores

    def score_with_harness(self, requests: Sequence[Score]) -> Scores | None:
        try:
            from lm_eval.api.instance import Instance  # type: ignore[import-not-found,unused-ignore]
            from lm_eval.models.huggingface import HFLM  # type: ignore[import-not-found,unused-ignore]
        except ImportError:
            return None
        logging.getLogger("lm_eval").setLevel(logging.ERROR)
        harness = HFLM(pretrained=self.model, tokenizer=self.tokenizer, batch_size=8, max_length=8192)
        instances = [
            Instance("loglikelihood", {}, (self._render(r.messages), r.continuation), i) for i, r in enumerate(requests)
        ]
        with contextlib.redirect_stderr(io.StringIO()):
            return [value for value, _ in harness.loglikelihood(instances, disable_tqdm=True)]

    @torch.inference_mode()
    def generate_one_by_one(self, requests: Sequence[Generate]) -> list[str]:
        texts = []
        for request in requests:
            ids = torch.tensor([self.ids(self._render(request.messages))])
            out = self.model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=request.max_tokens, do_sample=False
            )
            texts.append(self.tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))
        return texts


def in_order(pairs: Any) -> list[Any]:
    found = dict(pairs)
    return [found[i] for i in range(len(found))]


def row(table: Table, name: str, result: Result | None, ours: Result, difference: str) -> None:
    if result is None:
        table.add_row(name, "not installed", "", "")
    else:
        table.add_row(name, f"{result.seconds:.1f}", f"{result.seconds / ours.seconds:.1f}×", difference)


def scoring(console: Console, model: LocalModel, peers: Peers, title: str, requests: Sequence[Score]) -> None:
    replies: list[Any] = []

    def ask() -> list[Any]:
        replies.extend(in_order(model.score(requests)))
        return [reply.log_likelihood for reply in replies]

    ours = timed(ask)
    naive = timed(lambda: peers.score_one_by_one(requests))
    began = time.process_time()
    values = peers.score_with_harness(requests)
    harness = None if values is None else Result(time.process_time() - began, values)
    prompt = sum(reply.usage.prompt_tokens for reply in replies)
    computed = sum(reply.usage.computed_tokens for reply in replies)
    table = Table(title=f"{title}\n{len(requests)} requests of {prompt:,} tokens, of which {computed:,} are computed")
    for column in ("", "CPU seconds", "ratio", "log-likelihood differs by"):
        table.add_column(column, justify="left" if not column else "right")
    row(table, "hardlimit", ours, ours, "")
    for name, result in (("transformers, one by one", naive), ("lm-evaluation-harness (hf)", harness)):
        apart = max(abs(a - b) for a, b in zip(ours.values, result.values, strict=True)) if result else 0.0
        row(table, name, result, ours, f"{apart:.1e}")
    console.print(table)


def generating(console: Console, model: LocalModel, peers: Peers, questions: int) -> None:
    requests = [
        Generate(messages=user(f"Write one sentence about a {TRADES[i % 10]} called {NAMES[i % 13]}."), max_tokens=24)
        for i in range(questions)
    ]
    ours = timed(lambda: [reply.text for reply in in_order(model.generate(requests))])
    naive = timed(lambda: peers.generate_one_by_one(requests))
    same = sum(a == b for a, b in zip(ours.values, naive.values, strict=True))
    table = Table(title=f"Greedy answers of up to 24 tokens: {questions} requests")
    for column in ("", "CPU seconds", "ratio", "same texts"):
        table.add_column(column, justify="left" if not column else "right")
    row(table, "hardlimit", ours, ours, "")
    row(table, "transformers, one by one", naive, ours, f"{same} of {questions}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description="What sharing prefixes saves.")
    parser.add_argument("--quick", action="store_true", help="fewer questions on a shorter text")
    parser.add_argument("--only", choices=["context", "choice", "answers"], help="one of the three tables")
    options = parser.parse_args()
    quick, only = options.quick, options.only
    console = Console()
    console.print(f"SmolLM2-135M-Instruct, 32-bit floats, {torch.get_num_threads()} thread(s)")
    model = open_embedded()
    peers = Peers(model)
    tokens, questions = (512, 6) if quick else (2048, 26)
    if only in {None, "context"}:
        title = f"Context probe, one text of {tokens:,} tokens"
        scoring(console, model, peers, title, context_requests(model, tokens, questions))
    if only in {None, "choice"}:
        scoring(console, model, peers, "Multiple choice with 12 examples", choice_requests(12, 5 if quick else 20))
    if only in {None, "answers"}:
        generating(console, model, peers, 8 if quick else 32)


if __name__ == "__main__":
    main()
