"""Opening a model over HTTP: settings, wrong addresses, and a key that never shows."""

import logging
import pickle

import pytest

from hardlimit.core import Generate, InvalidValueError, Message, ModelError, canonical, dumps
from hardlimit.models import Scores
from hardlimit.models.api import Key, Patience, Prices, open_api
from hardlimit.models.api.opening import read_spec

SECRET = "sk-test-5f2a9c7d1e"
WEB_SITE = b"<html><body>Welcome to nginx!</body></html>"


def ask(text="Say blue", **fields):
    messages = (Message(role="user", content=text),)
    return Generate(messages=messages, max_tokens=fields.pop("max_tokens", 16), **fields)


def one(model, request=None):
    ((index, reply),) = model.generate([request or ask()])
    assert index == 0
    return reply


class TestOpening:
    def test_a_spec_and_the_environment(self, server):
        environment = {
            "HARDLIMIT_API_KEY": SECRET,
            "HARDLIMIT_API_ENDPOINT": "completions",
            "HARDLIMIT_API_WINDOW": "512",
            "HARDLIMIT_API_PROMPT_PRICE": "1",
            "HARDLIMIT_API_COMPLETION_PRICE": "2",
        }
        model = open_api(f"api:alpha@{server.url}", environment)
        assert isinstance(model, Scores)
        assert model.card.window == 512
        assert one(model).usage.dollars > 0
        assert all(headers["Authorization"] == f"Bearer {SECRET}" for _, headers, _ in server.seen)

    def test_the_address_begins_at_the_last_at_sign_before_one(self):
        settings = read_spec("api:m@http://old@http://h/v1", {})
        assert (settings.model, settings.url) == ("m@http://old", "http://h/v1")
        assert read_spec("m@http://old@https://h/v1", {}).url == "https://h/v1"

    def test_the_second_key_variable(self, server):
        open_api(f"alpha@{server.url}", {"OPENAI_API_KEY": SECRET})
        assert all(headers["Authorization"] == f"Bearer {SECRET}" for _, headers, _ in server.seen)

    @pytest.mark.parametrize(
        ("spec", "environment", "message"),
        [
            (
                "api:llama",
                {},
                "'api:llama' names no server. Write api:MODEL@URL, such as api:llama@http://127.0.0.1:8000/v1.",
            ),
            ("api:@http://h/v1", {}, "An api model needs a name: api:MODEL@URL, got api:@http://h/v1."),
            ("api:m@http://", {}, "A server's address starts with http:// or https://, got 'http://'."),
            (
                "api:m@http://h:port/v1",
                {},
                "This is no address of a server: Port could not be cast to integer value as 'port'.",
            ),
            (
                f"api:m@http://user:{SECRET}@h/v1",
                {},
                "A server's address must hold no user name, password, query or fragment. Put the key into the "
                "environment variable HARDLIMIT_API_KEY.",
            ),
            (
                f"api:m@http://h/v1?key={SECRET}",
                {},
                "A server's address must hold no user name, password, query or fragment. Put the key into the "
                "environment variable HARDLIMIT_API_KEY.",
            ),
            (
                "api:m@http://h/v1",
                {"HARDLIMIT_API_ENDPOINT": "responses"},
                "HARDLIMIT_API_ENDPOINT must be 'chat' or 'completions', got 'responses'.",
            ),
            ("api:m@http://h/v1", {"HARDLIMIT_API_WINDOW": "big"}, "HARDLIMIT_API_WINDOW must be a number, got 'big'."),
            (
                "api:m@http://h/v1",
                {"HARDLIMIT_API_CONCURRENCY": "0"},
                "An api model needs concurrency >= 1 and window >= 1, got 0 and None.",
            ),
            (
                "api:m@http://h/v1",
                {"HARDLIMIT_API_PROMPT_PRICE": "1"},
                "HARDLIMIT_API_PROMPT_PRICE and HARDLIMIT_API_COMPLETION_PRICE belong together; only one of them is "
                "set.",
            ),
            (
                "api:m@http://h/v1",
                {"HARDLIMIT_API_KEY": f"{SECRET}\u2028x"},
                "The key holds a character that an HTTP header cannot carry. Set it again, without line breaks or "
                "letters beyond ASCII.",
            ),
        ],
    )
    def test_what_cannot_be_read_is_refused(self, spec, environment, message):
        with pytest.raises(InvalidValueError) as error:
            open_api(spec, environment)
        assert str(error.value) == message

    def test_a_server_that_is_not_there_is_refused_at_once(self, faulty):
        server = faulty.Faulty()
        server.close()
        with pytest.raises(ModelError) as error:
            open_api(f"api:alpha@{server.url}", {})
        assert str(error.value) == (
            f"cannot connect to {server.url}: All connection attempts failed. "
            f"Start the server, or correct the address in api:alpha@{server.url}."
        )

    def test_an_unknown_model_is_refused_with_those_that_exist(self, server):
        server.models += [f"m{n}" for n in range(20)]
        with pytest.raises(ModelError) as error:
            open_api(f"api:gamma@{server.url}", {})
        assert str(error.value) == (
            f"The server at {server.url} does not answer for the model 'gamma': HTTP 404: The model `gamma` does not "
            "exist. It lists: alpha, beta, m0, m1, m2, m3, m4, m5, m6, m7, m8, m9 and 10 more."
        )

    def test_a_wrong_path_is_refused_with_a_hint(self, server):
        wrong = server.url.removesuffix("/v1") + "/v2"
        with pytest.raises(ModelError) as error:
            open_api(f"api:alpha@{wrong}", {})
        assert str(error.value) == (
            f"{wrong} does not answer like an OpenAI-compatible server: HTTP 404: Not Found. Its address ends in /v1 "
            "as a rule; check it, and the name of the model."
        )

    def test_a_web_site_is_refused_with_a_hint(self, server, faulty, opened):
        server.faults.extend([faulty.content(WEB_SITE)] * 3)
        with pytest.raises(ModelError) as error:
            opened(server)
        assert str(error.value) == (
            f"{server.url} does not answer like an OpenAI-compatible server: the server sent a web page instead of "
            "JSON (after 3 attempts). Its address ends in /v1 as a rule; check it, and the name of the model."
        )

    @pytest.mark.parametrize("code", [401, 403])
    def test_a_refused_key_is_said(self, server, faulty, code, opened):
        server.faults.append(faulty.status(code, f"Incorrect API key provided: {SECRET}"))
        with pytest.raises(ModelError) as error:
            opened(server, key=SECRET)
        assert str(error.value) == (
            f"The server at {server.url} refuses access: HTTP {code}: Incorrect API key provided: [key] (the key is "
            "read from HARDLIMIT_API_KEY or OPENAI_API_KEY; one was sent). Set HARDLIMIT_API_KEY to a valid key."
        )

    def test_a_server_in_trouble_is_said(self, server, faulty, opened):
        server.faults.extend([faulty.status(503, "overloaded")] * 3)
        with pytest.raises(ModelError) as error:
            opened(server)
        assert str(error.value) == (
            f"The server at {server.url} does not answer: HTTP 503: overloaded (after 3 attempts). Try again later, or "
            "another server."
        )

    def test_a_server_without_a_list_of_models_is_accepted(self, faulty, opened):
        server = faulty.Faulty(list=False)
        try:
            assert one(opened(server)).text == "You said: blue"
        finally:
            server.close()


class TestSecrets:
    def test_the_key_shows_nowhere(self, server, faulty, caplog, tmp_path, opened):
        caplog.set_level(logging.DEBUG)
        model = opened(server, key=SECRET)
        echo = faulty.status(400, "x" * 290 + f"you sent {SECRET}")
        server.faults.extend([echo, faulty.changed(choices=[{"message": {"content": f"The key is {SECRET}."}}])])
        server.faults.extend([faulty.changed(choices=[], error={"message": f"bad {SECRET}"})] * 3)
        replies = [one(model), one(model), one(model)]
        assert replies[1].text == "The key is [key]."
        assert replies[2].error == "the server reports an error: bad [key] (after 3 attempts)"
        shown = [repr(model), repr(model.card), dumps(model.card), repr(vars(model)), repr(vars(model._transport))]
        shown += [dumps(reply) for reply in replies] + [str(canonical(model.card)), repr(pickle.dumps(Key(SECRET)))]
        shown += [record.getMessage() for record in caplog.records]
        for text in shown:
            for piece in (SECRET, SECRET[:8]):
                assert piece not in text

    def test_a_placeholder_is_no_secret(self, server, opened):
        model = opened(server, key="EMPTY")
        assert one(model, ask("Is the set EMPTY")).text == "You said: EMPTY"

    @pytest.mark.parametrize("secret", ["sk-line\nbreak-1234", "sk-späße-1234"])
    def test_a_key_that_no_header_carries_is_refused(self, secret):
        with pytest.raises(InvalidValueError) as error:
            Key(secret)
        assert secret not in str(error.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Patience(attempts=0),
            "Patience needs attempts >= 1, seconds > 0 and waits >= 0, got Patience(attempts=0, attempt_seconds=120.0, "
            "total_seconds=600.0, first_wait=0.5, longest_wait=30.0, connect_seconds=10.0).",
        ),
        (
            lambda: Prices(prompt=-1.0, completion=1.0),
            "Prices must be >= 0 dollars per million tokens, got Prices(prompt=-1.0, completion=1.0, cached=None).",
        ),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(InvalidValueError) as error:
        make()
    assert str(error.value) == message
