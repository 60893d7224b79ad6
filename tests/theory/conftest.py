"""Worked values that every limit's tests compare with."""

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def worked() -> dict[str, dict[str, float]]:
    return json.loads((Path(__file__).parent / "worked_values.json").read_text())["values"]


@pytest.fixture(scope="session")
def assert_all_covered(worked):
    """Check that a table of computations leaves out no worked value of its limit."""

    def check(prefix: str, *tables: dict[str, object]) -> None:
        wanted = {f"{name}.{key}" for name, keys in worked.items() if name.startswith(prefix) for key in keys}
        covered = set().union(*tables)
        assert covered == wanted, f"missing {sorted(wanted - covered)}, unknown {sorted(covered - wanted)}"

    return check


@pytest.fixture(scope="session")
def expected(worked):
    """Look up a worked value by `STATEMENT.key` (keys may hold dots)."""

    def look_up(name: str) -> float:
        statement, _, key = name.partition(".")
        return worked[statement][key]

    return look_up
