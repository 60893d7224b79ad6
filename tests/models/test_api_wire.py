"""The wire format: replies of several servers, read to the letter."""

import json

import pytest

from hardlimit.core import Usage
from hardlimit.models.api.faults import AttemptError
from hardlimit.models.api.wire import (
    ChatReply,
    ListedModel,
    ModelList,
    TextReply,
    error_message,
    read,
    refused_field,
    score_reply,
    text_reply,
    usage_of,
    without,
)


def echo(tokens, *, offsets=None, logprobs=None, tops=None):
    """A completions reply whose tokens have the log-probabilities −1, −2, … unless given."""
    if offsets is None:
        offsets = [sum(map(len, tokens[:index])) for index in range(len(tokens))]
    numbers = [None, *(-float(index) for index in range(1, len(tokens)))] if logprobs is None else logprobs
    columns = {"tokens": tokens, "token_logprobs": numbers, "text_offset": offsets, "top_logprobs": tops}
    return read(json.dumps({"choices": [{"text": "", "logprobs": columns}]}).encode(), TextReply)


def scored(reply, prompt, continuation):
    return score_reply(reply, prompt, continuation, Usage())


class TestScores:
    def test_the_generated_token_is_left_out(self):
        reply = echo(["The", " sky", " is", " blue", " and"])
        assert scored(reply, "The sky", " is blue").token_logprobs == (-2.0, -3.0)

    def test_a_server_that_generates_none(self):
        assert scored(echo(["The", " sky", " is", " blue"]), "The sky", " is blue").token_logprobs == (-2.0, -3.0)

    def test_a_start_token_that_shifts_the_offsets(self):
        reply = echo(["<s>", "The", " sky", " is", " blue", "."])
        assert scored(reply, "The sky", " is blue").token_logprobs == (-3.0, -4.0)

    def test_a_token_across_the_border_counts(self):
        assert scored(echo(["The", " skyline", " x"]), "The sky", "line").token_logprobs == (-1.0,)

    def test_a_continuation_of_one_character(self):
        assert scored(echo(["a", "!", " x"]), "a", "!").token_logprobs == (-1.0,)

    def test_characters_in_pieces_are_found_by_their_offsets(self):
        reply = echo(["The", " \ufffd", "\ufffd", "\ufffd", " x"], offsets=[0, 3, 4, 4, 5])
        assert scored(reply, "The", " 東").token_logprobs == (-1.0, -2.0, -3.0)

    def test_greedy_only_where_each_token_is_the_best_known(self):
        tokens = ["The", " sky", " is", " x"]
        best = [None, {" sky": -1.0}, {" is": -2.0}, {}]
        better = [None, {" sky": -1.0}, {" was": -0.5}, {}]
        assert scored(echo(tokens, tops=best), "The sky", " is").greedy
        assert not scored(echo(tokens, tops=better), "The sky", " is").greedy
        assert not scored(echo(tokens, tops=None), "The sky", " is").greedy

    def test_rounding_above_zero_is_zero(self):
        reply = echo(["a", " b", " c"], logprobs=[None, 1e-7, -1.0])
        assert scored(reply, "a", " b").token_logprobs == (0.0,)

    @pytest.mark.parametrize(
        ("tokens", "logprobs", "reason"),
        [
            (["The"], [None], "the server's echo does not hold the whole continuation"),
            (["The", " sky", " is", " x"], [None, -1.0, None, -1.0], "the server's echo does not hold the whole"),
            (["The", " sky", " is"], [-1.0], "the server gives no log-probabilities of a prompt (echo)"),
            ([], [], "the server gives no log-probabilities of a prompt (echo)"),
        ],
    )
    def test_an_incomplete_echo_says_what_is_missing(self, tokens, logprobs, reason):
        with pytest.raises(AttemptError) as error:
            scored(echo(tokens, logprobs=logprobs), "The sky", " is")
        assert error.value.reason.startswith(reason)


@pytest.mark.parametrize(
    ("logprobs", "expected"),
    [
        ({"tokens": ["bl", "ue"], "token_logprobs": [-1.0, -0.5]}, (-1.0, -0.5)),
        ({"content": [{"token": "bl", "logprob": -1.0}, {"token": "ue", "logprob": -0.5}]}, (-1.0, -0.5)),
        ({"tokens": ["bl", "ue"], "token_logprobs": [None, -0.5]}, None),
        ({"tokens": [], "token_logprobs": []}, None),
        (None, None),
    ],
)
def test_completions_have_two_ways_to_give_log_probabilities(logprobs, expected):
    content = json.dumps({"choices": [{"text": "blue", "finish_reason": "stop", "logprobs": logprobs}]}).encode()
    assert text_reply(read(content, TextReply), (), Usage()).token_logprobs == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"error": {"message": "No"}}', "No"),
        (b'{"error": "No"}', "No"),
        (b'{"message": "No", "code": 3}', "No"),
        (b'{"detail": [{"loc": ["body"], "msg": "missing"}]}', '[{"loc":["body"],"msg":"missing"}]'),
        (b"<html>Bad gateway</html>", "a web page"),
        (b"plain\ntext", "plain text"),
        (b"", "no message"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[1, 2]", "[1,2]"),
        (b"x" * 1000, "x" * 299 + "…"),
    ],
)
def test_error_messages_are_found(content, message):
    assert error_message(content) == message


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("Unsupported parameter: 'logprobs' is not supported with this model.", "logprobs"),
        ("Unexpected fields in the request: {'seed'}", "seed"),
        ("[body.stop] Extra inputs are not permitted", "stop"),
        ("'max_tokens' is not supported. Use 'max_completion_tokens' instead.", "max_tokens"),
        ("max_tokens is too large: 99999", None),
        ("'temperature' does not support 0", None),
        ("We do not seed the clouds", None),
        ("The prompt's logprobs were fine", None),
        ("unsupported: unstoppable", None),
    ],
)
def test_only_fields_that_can_be_spared_are_given_up(message, field):
    body = {"max_tokens": 4, "logprobs": True, "seed": 1, "stop": ["x"], "temperature": 0}
    assert refused_field(message, body) == field


def test_the_limit_is_renamed_and_never_dropped():
    refused = frozenset({"max_tokens", "seed"})
    assert without({"max_tokens": 4, "seed": 1, "n": 1}, refused) == {"max_completion_tokens": 4, "n": 1}


@pytest.mark.parametrize(
    ("entry", "window"),
    [
        ({"id": "m", "max_model_len": 4096}, 4096),
        ({"id": "m", "context_length": 8192}, 8192),
        ({"id": "m", "context_window": 100}, 100),
        ({"id": "m", "object": "model"}, None),
    ],
)
def test_windows_have_several_names(entry, window):
    listed = read(json.dumps({"data": [entry]}).encode(), ModelList).data
    assert listed == [ListedModel(**{name: value for name, value in entry.items() if name != "object"})]
    assert listed[0].window == window


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, (7, 0, 3)),
        ({"prompt_tokens": 9}, (9, 0, 3)),
        ({"prompt_tokens": 9, "completion_tokens": 0}, (9, 0, 0)),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 20}}, (9, 9, 3)),
        ({"prompt_tokens": -1, "prompt_tokens_details": {"cached_tokens": None}}, (0, 0, 3)),
    ],
)
def test_what_a_server_does_not_count_is_estimated(usage, expected):
    reply = read(json.dumps({"choices": [], "usage": usage}).encode(), ChatReply)
    counted = usage_of(reply, estimate=Usage(prompt_tokens=7, completion_tokens=3))
    assert (counted.prompt_tokens, counted.cached_tokens, counted.completion_tokens) == expected
