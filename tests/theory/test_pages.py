"""The committed pages about the theory are those that the statements give."""

import importlib.util
import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def builder():
    spec = importlib.util.spec_from_file_location("build_theory", DOCS / "build_theory.py")
    assert spec is not None and spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    return build


def test_pages_are_current():
    pages = builder().pages()
    paths = [DOCS / "theory.md", *(DOCS / "theory").glob("*.md")]
    on_disk = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    assert set(on_disk) == set(pages)
    stale = [name for name, text in pages.items() if on_disk[name] != text]
    assert not stale, f"{stale} lag behind the statements: run python docs/build_theory.py"


def test_every_link_leads_somewhere():
    for path in [DOCS / "theory.md", *(DOCS / "theory").glob("*.md")]:
        targets = re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8"))
        assert targets and all((path.parent / target).is_file() for target in targets), path.name


def test_front_page_has_ledger_matrix_and_demonstrations():
    front = builder().pages()["theory.md"]
    ledger = "| [HALL-4](theory/HALL-4.md) | inevitable is not frequent | proved | hallucination |"
    assert ledger in front and "| more of | HELPS | SATURATES | CANNOT_PROGRESS | HURTS |" in front
    assert "| D7 | `dispersion` |" in front
    assert "`hardlimit demo dispersion` (D7)" in (DOCS / "theory/CTX-3.md").read_text(encoding="utf-8")
