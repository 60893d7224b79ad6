"""Models over HTTP: what is sent, what comes back, and how a batch runs."""

import signal
import threading
import time

import pytest

from hardlimit.core import CapabilityError, Generate, Message, Score, See, Usage
from hardlimit.models import Attends, Generates, Scores, Sees, require
from hardlimit.models.api import Prices
from hardlimit.models.picture import half_black_png
from hardlimit.testing import check_model

SECRET = "sk-test-5f2a9c7d1e"


def user(text):
    return (Message(role="user", content=text),)


def ask(text="Say blue", **fields):
    messages = (Message(role="user", content=text),)
    return Generate(messages=messages, max_tokens=fields.pop("max_tokens", 16), **fields)


def one(model, request=None):
    ((index, reply),) = model.generate([request or ask()])
    assert index == 0
    return reply


class TestAnswers:
    def test_a_chat_answer_with_its_cost(self, server, opened):
        model = opened(server, prices=Prices(prompt=1.0, completion=10.0, cached=0.5))
        reply = one(model, ask("What is blue", logprobs=True))
        assert reply.text == "You said: blue"
        assert reply.finish == "stop"
        assert reply.error is None
        assert reply.token_logprobs == (-0.25, -0.25, -0.25)
        usage = reply.usage
        assert (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens, usage.calls) == (6, 3, 3, 1)
        assert usage.dollars == pytest.approx((3 * 1.0 + 3 * 0.5 + 3 * 10.0) / 1e6)
        assert usage.seconds > 0

    def test_what_is_sent(self, server, opened):
        model = opened(server, key=SECRET)
        one(model, ask("Say blue", stop=("\n",), logprobs=True))
        (path, headers, body) = server.seen[0]
        assert path == "/v1/chat/completions"
        assert headers["Authorization"] == f"Bearer {SECRET}"
        assert body == {
            "model": "alpha",
            "messages": [{"role": "user", "content": "Say blue"}],
            "max_tokens": 16,
            "temperature": 0.0,
            "stop": ["\n"],
            "logprobs": True,
        }
        one(model, ask("Say blue", temperature=0.7, seed=5))
        assert (server.bodies[1]["temperature"], server.bodies[1]["seed"], server.bodies[1]["top_p"]) == (0.7, 5, 1)

    def test_without_a_key_none_is_sent(self, server, opened):
        one(opened(server))
        assert all("Authorization" not in headers for _, headers, _ in server.seen)

    def test_hitting_the_limit_is_length(self, server, opened):
        assert one(opened(server), ask(max_tokens=2)).finish == "length"

    def test_a_stop_text_that_the_server_ignores_is_cut_off_here(self, server, faulty, opened):
        model = opened(server)
        choice = {"message": {"content": "red green\nblue"}, "finish_reason": "length"}
        tokens = [{"token": t, "logprob": -0.5} for t in ("red", " green", "\n", "blue")]
        server.faults.append(faulty.changed(choices=[{**choice, "logprobs": {"content": tokens}}]))
        reply = one(model, ask(stop=("\n",), logprobs=True))
        assert (reply.text, reply.finish, reply.token_logprobs) == ("red green", "stop", (-0.5, -0.5))

    @pytest.mark.parametrize(
        ("reason", "finish"),
        [
            ("stop", "stop"),
            ("length", "length"),
            ("content_filter", "refused"),
            (None, "stop"),
            ("eos_token", "stop"),
            ("max_tokens", "length"),
        ],
    )
    def test_finish_reasons(self, server, faulty, reason, finish, opened):
        model = opened(server)
        server.faults.append(faulty.changed(choices=[{"message": {"content": "blue"}, "finish_reason": reason}]))
        assert one(model).finish == finish

    @pytest.mark.parametrize(
        ("message", "reason", "expected"),
        [
            ({"content": None}, "content_filter", ("", "refused")),
            ({"content": None, "refusal": "I will not."}, "stop", ("I will not.", "refused")),
            ({"content": None, "reasoning_content": "hmm"}, "length", ("", "length")),
            ({"content": [{"type": "text", "text": "bl"}, {"type": "text", "text": "ue"}]}, "stop", ("blue", "stop")),
            ({"content": ""}, "stop", ("", "stop")),
        ],
    )
    def test_unusual_contents(self, server, faulty, message, reason, expected, opened):
        model = opened(server)
        server.faults.append(faulty.changed(choices=[{"message": message, "finish_reason": reason}]))
        reply = one(model)
        assert (reply.text, reply.finish) == expected
        assert reply.usage.calls == 1

    def test_completions_join_the_turns_as_plain_text(self, server, opened):
        model = opened(server, endpoint="completions")
        turns = (Message(role="system", content="Be brief."), *user("Say blue"))
        reply = one(model, Generate(messages=turns, max_tokens=16, logprobs=True))
        assert reply.text == "You said: blue"
        assert reply.token_logprobs == (-1.5, -3.0, -2.5)
        assert server.bodies[0]["prompt"] == "Be brief.\n\nSay blue"
        assert (model.card.chat, model.card.settings) == ("plain", {"endpoint": "completions"})

    def test_missing_log_probabilities_are_none(self, faulty, opened):
        server = faulty.Faulty(logprobs=False)
        try:
            assert one(opened(server), ask(logprobs=True)).token_logprobs is None
        finally:
            server.close()

    def test_a_server_that_counts_nothing_is_estimated(self, faulty, opened):
        server = faulty.Faulty(usage=False)
        try:
            model = opened(server)
            usage = one(model, ask("x" * 400)).usage
            assert usage.prompt_tokens == 100
            assert usage.completion_tokens == round((400 + len("You said: ")) / 4)
            assert model.count_tokens("x" * 400) == 100
        finally:
            server.close()

    def test_tokens_are_counted_by_what_the_server_charges(self, server, opened):
        model = opened(server)
        prose = "one three five seven eleven thirteen " * 50
        assert model.count_tokens(prose) == pytest.approx(300, rel=0.2)
        assert model.count_tokens(prose) != len(prose) / 4
        server.overhead = 300  # a chat template of any length is no part of a text
        assert opened(server).count_tokens(prose) == model.count_tokens(prose)
        assert model.count_tokens("") == 0
        assert model.count_tokens("a") == 1

    def test_the_card_says_what_the_server_tells(self, server, opened):
        server.window = 4096
        card = opened(server).card
        assert card.name == f"api:alpha@{server.url}"
        assert (card.revision, card.window, card.chat, card.adapter) == ("alpha-2026-01-01", 4096, "server", "api")
        assert opened(server, window=100).card.window == 100

    def test_what_was_spent_adds_up(self, server, opened):
        model = opened(server, prices=Prices(prompt=2.0, completion=2.0))
        replies = [reply for _, reply in model.generate([ask(f"Say {n}") for n in range(10)])]
        spent = model.spent
        for name in ("prompt_tokens", "cached_tokens", "completion_tokens", "calls", "seconds", "dollars"):
            assert getattr(spent, name) == pytest.approx(sum(getattr(reply.usage, name) for reply in replies))
        assert opened(server).spent == Usage(calls=0)


class TestScoresAndSees:
    def test_a_continuation_is_scored_by_the_echo(self, server, opened):
        model = opened(server, endpoint="completions")
        asks = [Score(messages=user("The sky"), continuation=text) for text in (" is blue", " is xanthous")]
        scored = dict(require(model, Scores).score(asks))
        assert scored[0].token_logprobs == (-1.5, -2.5)
        assert (scored[0].greedy, scored[1].greedy) == (True, False)
        assert scored[1].log_likelihood == -1.5 - 0.5 * len(" xanthous")

    def test_a_server_without_echo_cannot_score(self, faulty, opened):
        server = faulty.Faulty(echo=False)
        try:
            model = opened(server, endpoint="completions")
            with pytest.raises(CapabilityError) as error:
                require(model, Scores)
            assert str(error.value) == (
                f"{model.card.name} lacks the capability Scores; toy, embedded and local models, and api models whose "
                "server gives log-probabilities of a prompt have it."
            )
        finally:
            server.close()

    def test_a_score_that_goes_wrong_says_why(self, server, faulty, opened):
        model = opened(server, endpoint="completions")
        server.faults.append(faulty.changed(choices=[{"text": "no echo"}]))
        request = Score(messages=user("The sky"), continuation=" is blue")
        ((_, scored),) = model.score([request])
        assert scored.error == "the server gives no log-probabilities of a prompt (echo)"
        server.faults.append(faulty.status(400, "prompt too long"))
        ((_, scored),) = model.score([request])
        assert scored.error == "HTTP 400: prompt too long"

    def test_images_stand_before_the_last_user_text(self, server, opened):
        model = opened(server)
        picture = half_black_png()
        request = See(messages=user("Which side is dark"), images=(picture,), max_tokens=8)
        ((_, reply),) = require(model, Sees).see([request])
        assert reply.text == "You said: dark"
        image, text = server.bodies[0]["messages"][0]["content"]
        assert image["type"] == "image_url"
        assert image["image_url"]["url"].startswith("data:image/png;base64,iVBORw0KGgo")
        assert text == {"type": "text", "text": "Which side is dark"}

    def test_what_is_no_picture_is_an_error_reply(self, server, opened):
        model = opened(server)
        asks = [See(messages=user("What"), images=(image,), max_tokens=8) for image in (b"GIF89a", b"\xff\xd8\xff\xe0")]
        seen = dict(model.see(asks))
        assert seen[0].error == "an image is neither a PNG nor a JPEG file"
        assert seen[1].finish == "stop"
        assert server.bodies[0]["messages"][0]["content"][0]["image_url"]["url"] == "data:image/jpeg;base64,/9j/4A=="

    def test_a_server_that_drops_images_does_not_see(self, faulty, opened):
        server = faulty.Faulty(images=False)
        try:
            model = opened(server)
            assert isinstance(model, Generates)
            assert not isinstance(model, Sees | Scores | Attends)
        finally:
            server.close()


def no_thread_is_left():
    return not [thread for thread in threading.enumerate() if thread.name == "hardlimit-api"]


class TestBatches:
    def test_each_index_comes_once_and_no_more_than_allowed_are_in_flight(self, server, opened):
        model = opened(server, concurrency=3)
        server.most_at_once, server.delay = 0, 0.05
        requests = [ask(f"Say {n}") for n in range(20)]
        replies = list(model.generate(requests))
        assert sorted(index for index, _ in replies) == list(range(20))
        assert all(reply.text == f"You said: {index}" for index, reply in replies)
        assert server.most_at_once == 3

    def test_requests_with_a_shared_beginning_follow_one_another(self, server, opened):
        model = opened(server, concurrency=1)
        list(model.generate([ask(f"{haystack} haystack, question {n}") for n in range(3) for haystack in "BAC"]))
        prompts = [body["messages"][0]["content"] for body in server.bodies]
        assert prompts == sorted(prompts)
        assert [prompt[0] for prompt in prompts] == list("AAABBBCCC")

    def test_an_empty_batch_asks_nothing(self, server, opened):
        assert list(opened(server).generate([])) == []
        assert server.seen == []

    def test_closing_early_abandons_the_rest(self, server, opened):
        model = opened(server, concurrency=2)
        replies = model.generate([ask(f"Say {n}") for n in range(100)])
        next(replies)
        replies.close()
        assert no_thread_is_left()
        time.sleep(0.2)
        assert len(server.seen) <= 4

    def test_a_slow_consumer_is_not_run_ahead_of(self, server, opened):
        model = opened(server, concurrency=2)
        replies = model.generate([ask(f"Say {n}") for n in range(100)])
        next(replies)
        time.sleep(0.3)
        assert len(server.seen) <= 5
        assert len(list(replies)) == 99

    def test_an_interruption_ends_what_is_running(self, server, opened, request):
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
        request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
        model = opened(server, concurrency=2)
        both = threading.Barrier(2)

        def interrupt(handler, body):
            if both.wait() == 0:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            time.sleep(5)

        server.faults.extend([interrupt] * 2)
        with pytest.raises(KeyboardInterrupt):
            list(model.generate([ask("Say one"), ask("Say two"), ask("Say three")]))
        assert no_thread_is_left()
        assert len(server.seen) == 2

    def test_two_models_may_be_asked_in_turn(self, server, opened):
        models = [opened(server), opened(server, endpoint="completions")]
        batches = [model.generate([ask(f"Say {n}") for n in range(5)]) for model in models]
        for _ in range(5):
            assert all(next(batch)[1].text.startswith("You said") for batch in batches)

    def test_the_same_model_may_be_asked_from_several_threads(self, server, opened):
        model = opened(server)
        found = []

        def run():
            found.append(len(list(model.generate([ask(f"Say {n}") for n in range(10)]))))

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [10] * 4


@pytest.mark.parametrize("fields", [{}, {"endpoint": "completions"}], ids=["chat", "completions"])
def test_the_contract_of_models_is_kept(server, fields, opened):
    check_model(opened(server, **fields))
