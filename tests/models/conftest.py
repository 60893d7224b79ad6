"""The fault-injecting server, one for each test that asks for it."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import msgspec
import pytest

from hardlimit.models.api import ApiSettings, Key, Patience, connect

QUICK = Patience(attempts=3, attempt_seconds=20.0, total_seconds=60.0, first_wait=0.01, longest_wait=0.05)


def load(name):
    path = Path(__file__).parent.parent / "servers" / f"{name}.py"
    full = f"servers_{name}"
    if full not in sys.modules:
        spec = spec_from_file_location(full, path)
        sys.modules[full] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


@pytest.fixture(scope="session")
def faulty():
    """The module with the server and its faults."""
    return load("faulty")


@pytest.fixture
def server(faulty):
    running = faulty.Faulty()
    yield running
    running.close()


@pytest.fixture
def opened():
    """Open a model of a server with little patience; what was asked while opening is forgotten."""

    def open_with(server, *, key=None, patience=QUICK, **fields):
        settings = ApiSettings(url=server.url, **{"model": "alpha", "patience": QUICK, **fields})
        model = connect(settings, Key(key))
        model._transport.settings = msgspec.structs.replace(settings, patience=patience)
        server.seen.clear()
        return model

    return open_with
