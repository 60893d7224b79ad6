"""Catalogs: built-ins, plugins by name and on demand, and errors that help."""

from importlib.metadata import EntryPoint

import pytest

from hardlimit.core import Catalog, HardlimitError, UnknownNameError
from hardlimit.core import catalog as module


@pytest.fixture
def plugins(monkeypatch):
    found: list[EntryPoint] = []
    monkeypatch.setattr(module, "entry_points", lambda group: [p for p in found if p.group == group])
    return found


def test_a_plugin_is_loaded_when_named(plugins):
    plugins.append(EntryPoint("pi", "math:pi", "hardlimit.numbers"))
    catalog = Catalog("number", {"one": 1.0}, group="hardlimit.numbers")
    assert sorted(catalog) == ["one", "pi"]
    assert catalog["pi"] == pytest.approx(3.14159, abs=1e-5)
    assert "pi" in catalog
    assert len(catalog) == 2


def test_a_broken_plugin_is_listed_and_fails_loudly_when_named(plugins):
    plugins.append(EntryPoint("gone", "no_such_module_x:thing", "hardlimit.numbers"))
    catalog = Catalog("number", {"one": 1.0}, group="hardlimit.numbers")
    assert "gone" in list(catalog)
    with pytest.raises(HardlimitError) as caught:
        catalog["gone"]
    assert str(caught.value) == (
        "The number 'gone' is a plugin that cannot be loaded (no_such_module_x:thing): "
        "No module named 'no_such_module_x'"
    )


def test_two_of_one_name_are_an_error(plugins):
    plugins.append(EntryPoint("one", "math:pi", "hardlimit.numbers"))
    with pytest.raises(HardlimitError) as caught:
        list(Catalog("number", {"one": 1.0}, group="hardlimit.numbers"))
    assert str(caught.value) == "Two numbers are named 'one': one of them is math:pi. Rename or uninstall it."


def test_an_unknown_name_shows_what_is_known():
    with pytest.raises(UnknownNameError) as caught:
        Catalog("number", {"one": 1.0, "two": 2.0})["tow"]
    assert str(caught.value) == "No number is named 'tow'. Did you mean 'two'? Known: one, two."
