"""Models over HTTP against a real server: `transformers serve` with the embedded model's weights, on loopback."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from hardlimit.core import Generate, Message, ModelError
from hardlimit.models import Generates, Scores, Sees
from hardlimit.models.api import ApiSettings, Key, connect
from hardlimit.testing import check_model

pytestmark = [pytest.mark.serve, pytest.mark.slow, pytest.mark.embedded, pytest.mark.local, pytest.mark.timeout(600)]

QUESTIONS = (
    "What is the capital of France?",
    "What is the capital of Japan? Answer with one word.",
    "Write the numbers from one to five.",
    "Was ist die Hauptstadt von Österreich? 🏔️",
)
MAX_TOKENS = 12
STARTS_WITHIN_SECONDS = 400


def weights():
    embedded = pytest.importorskip("hardlimit.models.embedded")
    folder = embedded.weights_folder()
    if not folder.is_dir():
        pytest.skip("the embedded model is not in the cache: python -m hardlimit.models.embedded")
    return str(folder)


@pytest.fixture(scope="module")
def folder():
    return weights()


@pytest.fixture(scope="module")
def address(folder, tmp_path_factory):
    """Start the server, wait until it answers, and stop it at the end."""
    program = Path(sys.executable).parent / "transformers"
    if not program.exists():
        pytest.skip("the extra `serve` is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    command = [program, "serve", folder, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    log = tmp_path_factory.mktemp("serve") / "log"
    with log.open("wb") as lines:
        server = subprocess.Popen(command, stdout=lines, stderr=lines, stdin=subprocess.DEVNULL, env=environment)
        try:
            _wait(server, f"http://127.0.0.1:{port}/health", log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            server.wait(30)


def _wait(server, health, log):
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, f"the server ended: {log.read_text()[-2000:]}"
        try:
            if httpx.get(health, timeout=5.0, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise AssertionError(f"the server did not start: {log.read_text()[-2000:]}")


@pytest.fixture(scope="module")
def model(address, folder):
    return connect(ApiSettings(model=folder, url=address, concurrency=2), Key(None))


def asks(max_tokens=MAX_TOKENS):
    turns = [(Message(role="user", content=question),) for question in QUESTIONS]
    return [Generate(messages=messages, max_tokens=max_tokens) for messages in turns]


@pytest.fixture(scope="module")
def reference(folder):
    """Greedy answers of transformers itself, in the dtype of the weights, as the server loads them."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    network = AutoModelForCausalLM.from_pretrained(folder, dtype="auto", local_files_only=True)
    answers = []
    for ask in asks():
        turns = [{"role": message.role, "content": message.content} for message in ask.messages]
        inputs = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        length = inputs["input_ids"].shape[1]
        ids = network.generate(**inputs, max_new_tokens=ask.max_tokens, do_sample=False)[0, length:]
        answers.append((tokenizer.decode(ids, skip_special_tokens=True), length, len(ids)))
    return answers


def test_greedy_answers_equal_those_of_the_model_itself(model, reference):
    replies = dict(model.generate(asks()))
    for index, (text, prompt, written) in enumerate(reference):
        reply = replies[index]
        assert reply.text == text
        assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (prompt, written)
        assert reply.finish == ("length" if written == MAX_TOKENS else "stop")


def test_greedy_answers_equal_those_of_the_local_adapter(model, folder):
    from hardlimit.models.local import open_local

    here = dict(open_local(folder, dtype="float16").generate(asks()))
    there = dict(model.generate(asks()))
    for index in range(len(QUESTIONS)):
        assert there[index].text == here[index].text
        assert there[index].finish == here[index].finish
        assert there[index].usage.prompt_tokens == here[index].usage.prompt_tokens


def test_the_model_knows_the_capital_of_france(model):
    assert "Paris" in dict(model.generate(asks()))[0].text


def test_what_the_server_can_do_is_found_out(model, address, folder):
    assert isinstance(model, Generates)
    assert not isinstance(model, Sees)
    text = connect(ApiSettings(model=folder, url=address, endpoint="completions"), Key(None))
    assert isinstance(text, Generates)
    assert not isinstance(text, Scores)
    start = (Message(role="user", content="The capital of France is"),)
    ((_, reply),) = text.generate([Generate(messages=start, max_tokens=4)])
    assert "Paris" in reply.text


def test_tokens_are_counted_as_the_server_does(model, reference):
    question = "She wrote each number down twice, once in a book and once on the lid. " * 20
    ((_, reply),) = model.generate([Generate(messages=(Message(role="user", content=question),), max_tokens=1)])
    overhead = reference[0][1] - 7
    assert model.count_tokens(question) == pytest.approx(reply.usage.prompt_tokens - overhead, rel=0.15)


def test_stop_texts_end_the_answer(model):
    ask = Generate(messages=asks()[0].messages, max_tokens=MAX_TOKENS, stop=("Paris",))
    ((_, reply),) = model.generate([ask])
    assert (reply.text, reply.finish) == ("The capital of France is ", "stop")


def test_another_model_is_refused_with_the_servers_list(address, folder):
    with pytest.raises(ModelError) as error:
        connect(ApiSettings(model="gpt-oss", url=address), Key(None))
    assert str(error.value) == (
        f"The server at {address} does not answer for the model 'gpt-oss': HTTP 400: Server is pinned to '{folder}'; "
        f"requested 'gpt-oss'. It lists: {folder}."
    )


def test_the_contract_of_models_is_kept(model):
    check_model(model)
