"""Models are opened by name, and a wrong name says what is right."""

from importlib.metadata import EntryPoint

import pytest

from hardlimit.core import HardlimitError, InvalidValueError, UnknownNameError
from hardlimit.models import Model, catalog
from hardlimit.models.catalog import CATALOG, open_model


def test_the_kinds_of_models_are_these():
    assert {"api", "embedded", "local", "toy"} <= set(CATALOG)


def test_a_toy_is_opened_by_name():
    assert open_model("toy:perfect").card.name == "toy:perfect"


@pytest.mark.local
def test_a_local_model_is_opened_by_path_with_its_options(tiny):
    model = open_model(f"local:{tiny('llama')}", dtype="bfloat16", device="cpu")
    assert isinstance(model, Model)
    assert (model.card.name, model.card.dtype) == (f"local:{tiny('llama')}", "bfloat16")


@pytest.mark.parametrize(
    ("name", "options", "kind", "says"),
    [
        (
            "embeded",
            {},
            UnknownNameError,
            "No model is named 'embeded'. Did you mean 'embedded'? Known: api, embedded, local, toy.",
        ),
        ("", {}, UnknownNameError, "No model is named ''. Known: api, embedded, local, toy."),
        (
            "embedded:gpt",
            {},
            InvalidValueError,
            "The embedded models are SmolLM2-135M-Instruct and tiny-eyes and take no path, got 'embedded:gpt'. "
            "Use embedded, embedded:tiny-eyes, or local:gpt.",
        ),
        ("local:", {}, InvalidValueError, "A local model needs a path: local:PATH, or a name on the Hugging Face hub."),
        ("local", {}, InvalidValueError, "A local model needs a path: local:PATH, or a name on the Hugging Face hub."),
        ("toy:perfect", {"dtype": "float32"}, InvalidValueError, "Only local and embedded models take a dtype."),
        (
            "api:x@http://127.0.0.1:1",
            {"dtype": "float32", "device": "cpu"},
            InvalidValueError,
            "Only local and embedded models take a dtype and a device.",
        ),
    ],
)
def test_a_wrong_name_is_one_line_with_the_way_out(name, options, kind, says):
    with pytest.raises(kind) as caught:
        open_model(name, **options)
    assert str(caught.value) == says


def test_a_plugin_opens_its_own_models(monkeypatch):
    point = EntryPoint(name="echo", value=f"{__name__}:EchoOpener", group="hardlimit.models")
    monkeypatch.setattr("hardlimit.core.catalog.entry_points", lambda group: [point] if group == point.group else [])
    monkeypatch.setattr(EntryPoint, "load", lambda self: lambda rest, **options: (rest, options))
    assert open_model("echo:a:b", device="cpu") == ("a:b", {"device": "cpu"})
    assert "echo" in catalog.CATALOG


def test_a_broken_plugin_fails_loudly_when_it_is_named(monkeypatch):
    point = EntryPoint(name="broken", value="no.such.module:opener", group="hardlimit.models")
    monkeypatch.setattr("hardlimit.core.catalog.entry_points", lambda group: [point])
    with pytest.raises(HardlimitError) as caught:
        open_model("broken:x")
    assert str(caught.value).startswith("The model 'broken' is a plugin that cannot be loaded (no.such.module:opener)")
