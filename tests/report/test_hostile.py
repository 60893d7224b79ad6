"""No text of a report can act: not in the page, not in the page's charts, not in the terminal."""

import io
import json
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hardlimit.core.text import INVISIBLE, one_line, visible
from hardlimit.report import render_html, render_terminal
from hardlimit.report.hostile import shortened, web_address
from hardlimit.report.page import embedded_json
from tests.report.poison import ATTACK, poisoned
from tests.report.sample import sample


class Elements(HTMLParser):
    """The elements of a page with the names of their attributes, and its texts."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.starts, self.links, self.texts = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.starts.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value for name, value in attrs if name in {"href", "src", "action"}]

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def page():
    return render_html(poisoned(sample()))


def test_an_attacked_page_has_no_element_that_is_not_the_templates(page):
    kinds = {tag for tag, _ in Elements(render_html(sample())).starts}
    assert {tag for tag, _ in Elements(page).starts} <= kinds
    assert sum(tag == "script" for tag, _ in Elements(page).starts) == sum(
        tag == "script" for tag, _ in Elements(render_html(sample())).starts
    )


def test_an_attacked_page_has_no_handler_and_no_script_address(page):
    elements = Elements(page)
    assert not [
        attribute for _, attributes in elements.starts for attribute in attributes if attribute.startswith("on")
    ]
    assert {link.split(":")[0] for link in elements.links if not link.startswith("#")} == {"data"}


def test_an_attack_stays_readable(page):
    text = "".join(Elements(page).texts)
    assert visible(ATTACK).replace("\n", " ").split(" W")[0] in text
    assert "{{ 7*191 }}" in text  # not evaluated by the templates


def test_no_unseen_character_reaches_the_page(page):
    for character in ("\x1b", "\x00", "\x07", "\r", "\u202e", "\u2066", "\u200b", "\U000e0041"):
        assert character not in page.split("<script>")[0]


def test_json_in_the_page_cannot_end_its_element():
    value = {"</script><!--": ["</ScRiPt>", "<!--", "&lt;", "\u2028"]}
    text = embedded_json(value)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"</script><!--": ["</ScRiPt>", "<!--", "&lt;", "⟨U+2028⟩"]}


@pytest.mark.parametrize("names", [False, True])
def test_the_terminal_gets_no_control_character_and_no_markup(names):
    out = io.StringIO()
    render_terminal(poisoned(sample(), names=names), Console(file=out, width=140, force_terminal=False))
    text = out.getvalue()
    assert not {c for c in text if c != "\n" and visible(c) != c}
    assert "[bold]markup[/bold]" in text.replace("\n", "")


@given(st.text())
def test_visible_text_has_nothing_unseen_and_is_settled(text):
    seen = visible(text)
    assert all(unicodedata.category(c) not in INVISIBLE or c in "\n\t\u200c\u200d" for c in seen)
    assert visible(seen) == seen
    assert "\n" not in one_line(text)


def test_ordinary_text_of_any_script_is_left_alone():
    text = "Héllo, Ω≤∞ 你好 مرحبا नमस्ते می\u200cخواهم 👩\u200d🔬\n\ttab"
    assert visible(text) == text


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("arXiv:2410.01104", "https://arxiv.org/abs/2410.01104"),
        ("2511.12869v2", "https://arxiv.org/abs/2511.12869v2"),
        ("cs/0112017", "https://arxiv.org/abs/cs/0112017"),
        ("doi:10.1109/TIT.1970.1054406", "https://doi.org/10.1109/TIT.1970.1054406"),
        ("https://example.org/a?b=c#d", "https://example.org/a?b=c#d"),
        ("github.com/openai/simple-evals", "https://github.com/openai/simple-evals"),
        ("javascript:alert(1)", None),
        ("JaVaScRiPt:alert(1)//https://a.org/", None),
        ("data:text/html,<script>", None),
        ('https://a.org/" onclick="x', None),
        ("https://a.org/\njavascript:x", None),
        ("file:///etc/passwd", None),
        ("//evil.org/x", None),
        ("Good, 1953", None),
        ("", None),
        (None, None),
    ],
)
def test_only_web_addresses_become_links(source, address):
    assert web_address(source) == address


def test_a_long_text_is_cut_in_the_middle_and_says_so():
    text = "a" * 60 + "b" * 60
    cut = shortened(text, most=20)
    assert cut == "a" * 10 + "\n[… 100 characters are left out here; the JSON report has them …]\n" + "b" * 10
    assert shortened(text, most=120) == text
