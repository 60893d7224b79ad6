"""The committed pages about the theory are those that the statements give."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_pages_are_current():
    spec = importlib.util.spec_from_file_location("build_theory", DOCS / "build_theory.py")
    assert spec is not None and spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    pages = build.pages()
    on_disk = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "theory").glob("*.md")}
    assert set(on_disk) == set(pages)
    stale = [name for name, text in pages.items() if on_disk[name] != text]
    assert not stale, f"{stale} lag behind the statements: run python docs/build_theory.py"
