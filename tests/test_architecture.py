"""The import rule of the rooms, held in one table; and the budgets of size."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src" / "hardlimit"

MAY_IMPORT = {
    "core": set(),
    "stats": {"core"},
    "theory": {"core"},
    "models": {"core"},
    "demos": {"core", "stats", "theory"},
    "probes": {"core", "stats", "models"},
    "mitigations": {"core", "stats", "models", "probes"},
    "scaling": {"core", "stats", "theory"},
    "store": {"core", "models", "probes"},
    "lab": {"core", "stats", "theory", "models", "scaling", "store"},
    "audit": {"core", "stats", "theory", "models", "probes", "mitigations", "lab", "scaling", "store"},
    "report": {"core", "models", "lab", "scaling", "audit"},
    "exchange": {"core", "stats", "models", "scaling", "store", "audit"},
    "testing": {"core", "stats", "theory", "models", "probes", "mitigations"},
    "commands": {
        "core",
        "stats",
        "theory",
        "demos",
        "models",
        "probes",
        "mitigations",
        "lab",
        "scaling",
        "store",
        "audit",
        "report",
        "exchange",
    },
    "cli": {"core", "commands"},
}
LONGEST_FILE = 400


def files() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def room(path: Path) -> str:
    relative = path.relative_to(SRC)
    return relative.parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} uses a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if (
                parts[0] == "hardlimit"
                and len(parts) > 1
                and (SRC / parts[1]).is_dir() | (SRC / f"{parts[1]}.py").is_file()
            ):
                found.add(parts[1])
    return found - {room(path)}


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(SRC)))
def test_imports_go_one_way(path):
    here = room(path)
    if here in {"__init__", "__main__"}:
        return
    extra = imported_rooms(path) - MAY_IMPORT[here]
    assert not extra, f"{path.relative_to(SRC)} may not import {sorted(extra)}"


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(SRC)))
def test_no_file_is_too_long(path):
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST_FILE, f"{path.relative_to(SRC)} has {lines} lines; split it by topic"


def test_every_room_is_in_the_table():
    rooms = {room(path) for path in files()} - {"__init__", "__main__"}
    assert rooms <= MAY_IMPORT.keys()


@pytest.mark.parametrize(
    "module", ["hardlimit", "hardlimit.cli", "hardlimit.theory", "hardlimit.audit", "hardlimit.report"]
)
def test_base_imports_load_no_heavy_package(module):
    code = f"import sys, {module}; print(sorted({{'torch', 'transformers', 'pyarrow'}} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
