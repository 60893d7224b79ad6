"""Models over HTTP: every fault of a server is recovered from or counted with its reason, and nothing hangs."""

import time
from datetime import UTC, datetime
from email.utils import formatdate
from random import Random

import pytest

from hardlimit.core import Generate, Message
from hardlimit.models.api import Patience
from hardlimit.models.api.faults import AttemptError, retry_after, wait_before

SECRET = "sk-test-5f2a9c7d1e"


def ask(text="Say blue", **fields):
    messages = (Message(role="user", content=text),)
    return Generate(messages=messages, max_tokens=fields.pop("max_tokens", 16), **fields)


def one(model, request=None):
    ((index, reply),) = model.generate([request or ask()])
    assert index == 0
    return reply


FAULTS = {
    "drop": lambda f: f.drop,
    "cut": lambda f: f.cut,
    "garbage": lambda f: f.garbage,
    "500": lambda f: f.status(500),
    "502": lambda f: f.status(502),
    "503": lambda f: f.status(503),
    "429": lambda f: f.status(429, "slow down"),
    "408": lambda f: f.status(408),
    "html": lambda f: f.content(b"<html><body>Welcome to nginx!</body></html>"),
    "truncated": lambda f: f.content(b'{"choices": [{"messa', "application/json"),
    "malformed": lambda f: f.content(b'{"choices":}', "application/json"),
    "bytes": lambda f: f.content(b"\xff\xfe\x00\x80", "application/json"),
    "empty": lambda f: f.content(b"", "application/json"),
    "null content": lambda f: f.changed(choices=[{"message": {"content": None}, "finish_reason": "stop"}]),
    "no choices": lambda f: f.changed(choices=[]),
    "other type": lambda f: f.changed(choices="blue"),
    "error in 200": lambda f: f.changed(choices=[], error={"message": "upstream is down"}),
    "broke off": lambda f: f.changed(choices=[{"message": {"content": "bl"}, "finish_reason": "abort"}]),
}


class TestFaults:
    @pytest.mark.parametrize("fault", FAULTS)
    def test_passing_trouble_is_recovered(self, server, faulty, fault, opened):
        model = opened(server)
        server.faults.extend([FAULTS[fault](faulty)] * 2)
        reply = one(model)
        assert (reply.text, reply.finish, reply.usage.calls) == ("You said: blue", "stop", 3)

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            ("500", "HTTP 500: out of order (after 3 attempts)"),
            ("429", "HTTP 429: slow down (after 3 attempts)"),
            ("html", "the server sent a web page instead of JSON (after 3 attempts)"),
            ("truncated", "the server sent truncated JSON (20 bytes) (after 3 attempts)"),
            ("malformed", "the server sent malformed JSON (12 bytes) (after 3 attempts)"),
            ("empty", "the server sent truncated JSON (0 bytes) (after 3 attempts)"),
            ("null content", "the server's answer has no content (after 3 attempts)"),
            ("no choices", "the server's answer has no choices (after 3 attempts)"),
            (
                "other type",
                "the server's JSON is not as agreed: Expected `array`, got `str` - at `$.choices` (after 3 attempts)",
            ),
            ("error in 200", "the server reports an error: upstream is down (after 3 attempts)"),
            ("broke off", "the server broke the answer off (abort) (after 3 attempts)"),
        ],
    )
    def test_lasting_trouble_is_counted_with_its_reason(self, server, faulty, fault, reason, opened):
        model = opened(server)
        server.faults.extend([FAULTS[fault](faulty)] * 3)
        reply = one(model)
        assert (reply.finish, reply.text, reply.error) == ("error", "", reason)
        assert reply.usage.calls == 3
        assert one(model).text == "You said: blue"

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            ("drop", "the connection broke off: "),
            ("cut", "the connection broke off: "),
            ("garbage", "the connection broke"),
        ],
    )
    def test_lasting_breaks_are_counted_with_their_reason(self, server, faulty, fault, reason, opened):
        model = opened(server)
        server.faults.extend([FAULTS[fault](faulty)] * 3)
        reply = one(model)
        assert reply.error.startswith(reason)
        assert reply.error.endswith(" (after 3 attempts)")

    @pytest.mark.parametrize("fault", ["dribble", "silence"])
    def test_slow_bytes_are_a_time_out(self, server, faulty, fault, opened):
        model = opened(server, patience=Patience(attempts=2, attempt_seconds=0.3, total_seconds=5.0, first_wait=0.01))
        server.faults.extend([getattr(faulty, fault)] * 2)
        reply = one(model)
        assert reply.error == "no complete answer within 0.3 s (after 2 attempts)"

    def test_a_flood_is_cut_off(self, server, faulty, opened):
        model = opened(server)
        server.faults.append(faulty.flood)
        assert one(model).error == "the answer is larger than 64 MB"

    @pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 422])
    def test_what_asking_again_cannot_help_is_asked_once(self, server, faulty, code, opened):
        model = opened(server, key=SECRET)
        server.faults.append(faulty.status(code, "this is wrong"))
        key = " (the key is read from HARDLIMIT_API_KEY or OPENAI_API_KEY; one was sent)" if code in {401, 403} else ""
        assert one(model).error == f"HTTP {code}: this is wrong{key}"
        assert len(server.seen) == 1

    def test_an_empty_account_is_not_asked_again(self, server, faulty, opened):
        model = opened(server)
        server.faults.append(faulty.status(429, "insufficient_quota: pay first"))
        assert one(model).error == "HTTP 429: insufficient_quota: pay first"

    def test_a_redirection_is_not_followed(self, server, faulty, opened):
        model = opened(server, key=SECRET)
        server.faults.append(faulty.redirect(f"http://127.0.0.1:1/?{SECRET}"))
        assert one(model).error == "HTTP 307: the server redirects to http://127.0.0.1:1/?[key]"

    def test_one_bad_request_does_not_stop_the_others(self, server, faulty, opened):
        model = opened(server, concurrency=2)
        server.faults.extend([faulty.status(400, "no"), faulty.drop, faulty.status(404, "gone")])
        replies = dict(model.generate([ask(f"Say {n}") for n in range(12)]))
        assert sorted(replies) == list(range(12))
        assert sum(reply.finish == "error" for reply in replies.values()) == 2

    def test_a_text_that_cannot_be_sent_is_an_error_reply(self, server, opened):
        replies = dict(opened(server).generate([ask("lone \ud800"), ask("Say blue")]))
        assert replies[0].error == "the prompt holds a lone surrogate and is no valid text"
        assert replies[1].text == "You said: blue"

    def test_a_server_that_goes_away_is_an_error_reply(self, faulty, opened):
        server = faulty.Faulty()
        model = opened(server)
        server.close()
        reply = one(model)
        assert reply.error.startswith(f"cannot connect to {server.url}: ")
        assert reply.error.endswith("(after 3 attempts)")


class TestWaiting:
    def test_a_date_is_taken_by_the_servers_own_clock(self):
        headers = {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:27:45 GMT"}
        assert retry_after(headers, datetime(1999, 1, 1, tzinfo=UTC)) == 15.0

    @pytest.mark.parametrize("value", ["-5", "inf", "nan", "", "soon", "Wed, 99 Oct 2026 07:28:00 GMT"])
    def test_a_wait_that_makes_no_sense_is_ignored(self, value):
        assert retry_after({"retry-after": value}, datetime(2026, 10, 21, tzinfo=UTC)) is None

    def test_waits_double_up_to_the_longest_and_never_hurry_the_server(self):
        patience = Patience(first_wait=1.0, longest_wait=8.0)
        busy = AttemptError("busy", kind="status", status=503)
        for attempt, full in [(2, 1.0), (3, 2.0), (4, 4.0), (5, 8.0), (6, 8.0), (10_000, 8.0)]:
            waits = [wait_before(attempt, busy, patience, Random(seed)) for seed in range(50)]
            assert full / 2 <= min(waits) < 0.6 * full
            assert 0.9 * full < max(waits) <= full
        later = AttemptError("busy", kind="status", status=429, after=20.0)
        assert wait_before(2, later, patience, Random(0)) == 20.0

    def test_the_jitter_follows_from_the_seed_and_differs_between_requests(self, server, faulty, opened, monkeypatch):
        model = opened(server, concurrency=1, patience=Patience(attempts=2, first_wait=0.02))

        async def note(seconds):
            waits.append(seconds)

        monkeypatch.setattr("hardlimit.models.api.transport.asyncio.sleep", note)
        runs = []
        for _ in range(2):
            waits = []
            for _ in range(3):
                server.faults.extend([faulty.status(500)] * 2)
            list(model.generate([ask(f"Say {n}") for n in range(3)]))
            runs.append(waits)
        assert runs[0] == runs[1]
        assert len(set(runs[0])) == 3

    def test_retry_after_in_seconds_is_waited_for(self, server, faulty, opened):
        model = opened(server)
        server.faults.append(faulty.status(429, "slow down", [("Retry-After", "0.4")]))
        started = time.monotonic()
        assert one(model).text == "You said: blue"
        assert time.monotonic() - started >= 0.4

    def test_retry_after_as_a_date_is_relative_to_the_servers_clock(self, server, faulty, opened):
        model = opened(server)
        then = formatdate(time.time() + 1000, usegmt=True)
        server.faults.append(faulty.status(503, "later", [("Retry-After", then)]))
        reply = one(model)
        assert reply.error.startswith("HTTP 503: later (after 1 attempts; the server asks to wait ")
        assert reply.error.endswith(" s, and a request may take 60 s in all)")
        asked = float(reply.error.partition("to wait ")[2].partition(" s")[0])
        assert 990 <= asked <= 1000

    def test_the_total_time_is_capped(self, server, faulty, opened):
        patience = Patience(attempts=1000, attempt_seconds=1.0, total_seconds=0.5, first_wait=0.1, longest_wait=0.1)
        model = opened(server, patience=patience)
        server.faults.extend([faulty.status(500)] * 1000)
        reply = one(model)
        assert "and a request may take 0.5 s in all)" in reply.error
        assert 3 <= reply.usage.calls <= 20

    def test_a_refused_field_is_left_out_from_then_on(self, server, faulty, opened):
        model = opened(server)
        server.faults.append(faulty.status(400, "Unsupported parameter: 'logprobs'"))
        assert one(model, ask(logprobs=True)).token_logprobs is None
        assert "logprobs" in server.bodies[0]
        assert one(model, ask(logprobs=True)).text == "You said: blue"
        assert all("logprobs" not in body for body in server.bodies[1:])

    def test_the_newer_name_of_the_limit_is_learnt(self, server, faulty, opened):
        model = opened(server)
        server.faults.append(faulty.status(400, "'max_tokens' is not supported. Use 'max_completion_tokens' instead."))
        assert one(model, ask(max_tokens=2)).text == "You said:"
        assert server.bodies[1]["max_completion_tokens"] == 2
        assert "max_tokens" not in server.bodies[1]

    def test_a_field_refused_without_need_is_an_error(self, server, faulty, opened):
        model = opened(server)
        server.faults.append(faulty.status(400, "Unsupported value: 'temperature'"))
        assert one(model).error == "HTTP 400: Unsupported value: 'temperature'"
