"""`hardlimit probe multimodal --show`: a page with the pictures that are asked about."""

import re

import pytest

from hardlimit.cli import main
from hardlimit.commands.sheet import write_sheet
from hardlimit.core import Case, Generate, InvalidValueError, Message, See
from hardlimit.probes.multimodal.tasks import TASKS

PNG = b"\x89PNG\r\n\x1a\n"


def test_the_page_has_both_pictures_of_a_pair_of_every_task(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["probe", "multimodal", "--show", "-n", "2"]) == 0
    assert capsys.readouterr().out == "Pictures: multimodal.html\n"
    page = (tmp_path / "multimodal.html").read_text()
    assert len(re.findall(r'<img src="data:image/png;base64,', page)) == 2 * (len(TASKS) + 1)
    assert "<script" not in page and "default-src 'none'" in page
    assert all(f"<h2>{task}: " in page for task in (*TASKS, "familiar"))


def test_one_task_goes_where_it_is_told(tmp_path, capsys):
    file = tmp_path / "new" / "sheet.html"
    arguments = ["probe", "multimodal.drawn", "--set", "task=circles", "-n", "2", "--sheet", str(file)]
    assert main(arguments) == 0
    assert f"Pictures: {file}" in capsys.readouterr().out.replace("\n", "")
    page = file.read_text()
    assert "right: yes, knob 4" in page and "right: no, knob 4" in page


def test_text_of_a_case_cannot_act_and_no_picture_is_no_sheet(tmp_path):
    hostile = "<script>alert(1)</script>"
    ask = See(messages=(Message(role="user", content=hostile),), images=(PNG, b"<svg onload=x>"), max_tokens=1)
    page = write_sheet([Case(id="1", ask=ask, gold=(hostile,))], tmp_path / "s.html").read_text()
    assert "<script" not in page and "<svg" not in page and page.count("<img") == 1
    text = Generate(messages=(Message(role="user", content="?"),), max_tokens=1)
    with pytest.raises(InvalidValueError) as caught:
        write_sheet([Case(id="1", ask=text, gold=("a",))], tmp_path / "s.html")
    assert str(caught.value) == "There is no picture to put on a sheet: these cases have none."
