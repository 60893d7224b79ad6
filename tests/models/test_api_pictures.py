"""Drawn pictures through a real local server: they arrive byte for byte, and settings without one send none."""

import base64

from hardlimit.models import Sees, require
from hardlimit.probes.multimodal import Drawn, UsualColour


def test_both_pictures_of_a_pair_arrive_whole(server, opened):
    cases = Drawn(task="circles", pixels=64).pair(0, 0)
    replies = dict(require(opened(server), Sees).see([case.ask for case in cases]))
    assert sorted(replies) == [0, 1] and all(reply.finish == "stop" for reply in replies.values())
    sent = [body["messages"][0]["content"] for body in server.bodies]
    urls = {content[0]["image_url"]["url"] for content in sent}
    expected = {f"data:image/png;base64,{base64.b64encode(case.ask.images[0]).decode()}" for case in cases}
    assert urls == expected
    assert {content[1]["text"] for content in sent} == {cases[0].ask.messages[0].content}


def test_without_a_picture_only_text_is_sent(server, opened):
    (blind, _) = Drawn(task="circles", pixels=64, setting="no picture").pair(0, 0)
    ((_, reply),) = require(opened(server), Sees).see([blind.ask])
    assert reply.finish == "stop"
    (body,) = server.bodies
    assert body["messages"][0]["content"] == [{"type": "text", "text": blind.ask.messages[0].content}]


def test_the_prior_is_asked_at_temperature_one_with_seeds_of_their_own(server, opened):
    cases = UsualColour(setting="sampled", thing="lemon").cases(seed=0, n=4)
    replies = dict(opened(server).generate([case.ask for case in cases]))
    assert len(replies) == 4 and {case.gold for case in cases} == {("yellow",)}
    assert [body["temperature"] for body in server.bodies] == [1.0] * 4
    assert len({body["seed"] for body in server.bodies}) == 4
