"""The page: complete, closed to the world, and the same for the same report."""

import base64
import hashlib
import re
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise

import msgspec
import pytest

from hardlimit.audit import AuditReport
from hardlimit.core import ARTEFACTS, Grade, Standing, Verdict, dumps, loads
from hardlimit.report import numbers, render_html, words
from hardlimit.report.links import linked
from hardlimit.report.page import card_lines, command
from tests.report.sample import bare, sample

HEAVIEST = 1_500_000


@pytest.fixture(scope="module")
def page():
    return render_html(sample())


def read(markup):
    """What a reader reads: no markup, no scripts, entities resolved, spaces made even."""
    markup = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", markup)
    markup = re.sub(r"</?a\b[^>]*>", "", markup)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", markup)).split())


@pytest.fixture(scope="module")
def text(page):
    return read(page)


def section(page, name):
    return page.split(f'<section id="{name}"' if name == "verdicts" else f' id="{name}"')[1].split("</section>")[0]


def test_the_same_report_gives_the_same_bytes(page):
    again = loads(dumps(sample()), AuditReport)  # dictionaries come back in another order
    assert list(again.packages) != list(sample().packages)
    assert render_html(again) == page
    assert "\r" not in page


def test_another_report_gives_other_bytes(page):
    assert render_html(msgspec.structs.replace(sample(), seed=8)) != page


def test_the_page_is_light_enough(page):
    assert len(page.encode()) < HEAVIEST


def test_the_policy_allows_exactly_the_pages_own_scripts_and_style(page):
    policy = unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1])
    scripts = re.findall(r"(?s)<script>(.*?)</script>", page)
    styles = re.findall(r"(?s)<style>(.*?)</style>", page)

    def hashes(texts):
        return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(t.encode()).digest()).decode()}'" for t in texts)

    assert len(scripts) == 2
    assert len(styles) == 1
    assert policy == (
        f"default-src 'none'; script-src {hashes(scripts)}; style-src {hashes(styles)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert "unsafe" not in policy


def test_nothing_is_loaded_from_anywhere(page):
    outside = re.sub(r"(?s)<script.*?</script>", "", page)
    assert not re.search(r'\b(src|srcset|poster|data)="', outside)
    assert re.findall(r'<link [^>]*href="([^"]*)"', outside) == ["data:,"]
    assert not re.search(r"url\((?!#)|@import", outside)


def test_the_libraries_keep_their_notice(page):
    assert "University of Washington Interactive Data Lab" in page
    assert "Mike Bostock" in page


def test_it_opens_with_the_verdicts_in_the_five_columns(page, text):
    heads = re.findall(r'<th role="columnheader" scope="col">([^<]*)</th>', section(page, "verdicts"))
    assert heads[:5] == ["Limit", "Where this model is", "The ceiling", "How sure", "What to do"]
    assert text.index("What was found") < text.index("In the model's own words")
    for limit in sample().limits:
        for told in (limit.headline, limit.advice, limit.ceiling, *limit.sureness.split(": ")):
            assert told in read(section(page, "verdicts"))


def test_every_verdict_stands_in_the_matrix_as_icon_and_word(page):
    matrix = section(page, "verdicts").split('<table class="matrix"')[1].split("</table>")[0]
    for limit in sample().limits:
        for verdict in limit.verdicts:
            row = matrix.split(f'<th role="rowheader" scope="row">{verdict.resource}</th>')[1].split("</tr>")[0]
            word = words.LIMITS[limit.limit].word
            cell = row.split(f'data-label="{word}"')[1].split("</td>")[0]
            assert f'<use href="#i-{verdict.verdict}"/>' in cell
            assert f"<span>{words.VERDICTS[verdict.verdict].word}</span>" in cell
    assert {v.verdict for limit in sample().limits for v in limit.verdicts} == set(Verdict)


def test_every_number_comes_with_its_interval_and_n(text):
    for limit in sample().limits:
        for each in limit.measurements:
            if each.estimate is None:
                continue
            estimate = each.estimate
            assert (
                f"{numbers.with_unit(estimate.value, each.quantity)} {each.quantity.name} "
                f"95% interval {numbers.interval_text(estimate.interval, each.quantity)} ({estimate.interval.method}) "
                f"{numbers.basis(estimate)}"
            ) in text


def test_every_point_stands_in_a_table(page):
    for limit in sample().limits:
        for each in limit.measurements:
            if not each.points:
                continue
            table = page.split(f'aria-label="Numbers of {each.name}"')[1].split("</table>")[0]
            rows = re.findall(r"(?s)<tr>(.*?)</tr>", table)[1:]
            assert len(rows) == len(each.points)
            for row, point in zip(rows, each.points, strict=True):
                assert f"<td>{numbers.number(point.estimate.value, each.quantity)}</td>" in row
                assert f"<td>{numbers.interval_text(point.estimate.interval, each.quantity)}</td>" in row


def test_a_table_with_very_many_rows_is_cut_and_says_so():
    whole = sample().limits[1].measurements[1]
    many = msgspec.structs.replace(whole, points=whole.points * 100)
    limit = msgspec.structs.replace(sample().limits[1], measurements=(many,), findings=())
    page = render_html(msgspec.structs.replace(sample(), limits=(limit,)))
    table = page.split(f'aria-label="Numbers of {many.name}"')[1].split("</article>")[0]
    assert table.count("<tr>") == 1 + 1000
    assert "800 more rows are in the JSON report." in table


def test_every_chart_has_its_table_and_its_description(page):
    for article in re.findall(r'(?s)<article class="measurement.*?</article>', page):
        charts = article.count('<div class="chart"')
        assert charts == article.count('class="spec"') == len(re.findall(r'role="img" aria-label="Chart of ', article))
        if charts:
            assert "The numbers behind the picture" in article


def test_a_legend_shows_the_colour_shape_and_dash_of_each_series(page):
    legend = page.split('id="context-m2"')[1].split('<ul class="legend">')[1].split("</ul>")[0]
    keys = re.findall(r'(?s)<button type="button" class="key" data-series="(\d)".*?</button>', legend)
    assert keys == ["0", "1", "2"]
    for colour, shape, dash in (("c1", "circle", "1 0"), ("c2", "square", "7 3"), ("c3", "triangle-up", "2 2")):
        swatch = legend.split(f'<svg class="swatch {colour}"')[1].split("</svg>")[0]
        assert f'<use href="#s-{shape}"' in swatch
        assert f'stroke-dasharray="{dash}"' in swatch
    assert '<svg class="swatch band"' in legend
    assert '<svg class="swatch threshold"' in legend


def test_every_claim_is_told_in_full(text):
    for limit in sample().limits:
        for claim in (*(finding.claim for finding in limit.findings), *limit.claims):
            statement = claim.statement
            for told in (
                statement.id,
                statement.says,
                " ".join(statement.formula.split()),
                *statement.hypotheses,
                statement.silent_on,
                statement.falsified_by,
                statement.paper,
                statement.worked,
                statement.status,
                *(source.title for source in statement.sources),
            ):
                assert told in text


def test_every_finding_shows_claim_measurement_and_standing(page):
    for limit in sample().limits:
        cards = re.findall(r'(?s)<article class="finding.*?</article>', section(page, limit.limit))
        assert len(cards) == len(limit.findings)
        for card, finding in zip(cards, limit.findings, strict=True):
            assert f"st-{finding.standing.name}" in card
            assert words.STANDINGS[finding.standing].word in card
            assert finding.says in read(card)
            assert finding.claim.statement.id in card
    assert {f.standing for limit in sample().limits for f in limit.findings} == set(Standing)


def test_a_scale_is_drawn_and_explained_only_where_two_numbers_are_compared(page):
    for limit, scales in ((sample().limits[0], 4), (sample().limits[1], 0)):
        cards = section(page, limit.limit).split("What was measured")[0].split("Theory beside measurement")[1]
        assert cards.count('<span class="gauge">') == scales
        assert ("hatched is what it rules out" in cards) == bool(scales)


def test_a_failed_control_is_an_alarm_where_the_result_stands(page):
    broken = next(each for limit in sample().limits for each in limit.measurements if each.broken)
    alarms = re.findall(r"A control failed: this measurement is broken and is not a result\.", page)
    assert len(alarms) == 1
    article = next(a for a in page.split("<article ") if broken.name in a and "measurement" in a[:40])
    assert "A control failed" in article
    assert "<b>FAILED</b> trivial: accuracy ≥ 90%" in article


def test_a_broken_main_measurement_is_an_alarm_in_the_verdict_table():
    report = sample()
    context = report.limits[1]
    broken = context.measurements[-1]
    changed = msgspec.structs.replace(context, measurements=(broken,), findings=())
    page = render_html(msgspec.structs.replace(report, limits=(changed,)))
    assert "A control failed: do not read this as a result." in section(page, "verdicts")


def test_the_model_speaks_in_its_own_words(page):
    for limit in sample().limits:
        for exhibit in limit.exhibits:
            article = unescape(next(a for a in page.split('<article class="exhibit">') if exhibit.title in a[:200]))
            assert exhibit.answered.reply.text in article
            assert exhibit.answered.case.ask.messages[-1].content[-200:] in article
            assert f">{exhibit.answered.grade}</span>" in article
            assert exhibit.comment in article


def test_a_long_question_is_folded_to_its_end(page):
    (exhibit,) = sample().limits[1].exhibits
    content = exhibit.answered.case.ask.messages[0].content
    article = unescape(page.split('<article class="exhibit">')[-1])
    assert f"{len(content):,} characters" in article
    assert f"<pre>… {content[-350:]}</pre>" in article
    assert content in article


def test_limits_that_were_not_measured_say_so(page):
    for limit in sample().limits:
        if not limit.applies:
            assert f'class="limit absent" id="{limit.limit}"' in page
            assert limit.headline in section(page, limit.limit)


def test_limits_that_the_audit_left_out_are_named():
    page = render_html(msgspec.structs.replace(sample(), limits=sample().limits[:2]))
    told = read(section(page, "verdicts"))
    assert "Left out Reasoning, Retrieval, Multimodal: not part of this audit." in told
    assert "Left out" not in read(section(render_html(sample()), "verdicts"))
    assert "2 of 5 limits measured" in page


def test_each_mitigation_stands_with_its_change_and_cost(text):
    assert "41 % (33–50, n = 120) 4 % (" in text
    assert "−37 points (−45 to −28) < 0.001 42 → 1,051" in text
    assert "wrong or unusable answers, fewer is better" in text
    assert "−4 points (−12 to +3) 0.31" in text


def test_every_verdict_has_its_row_of_advice(text):
    for limit in sample().limits:
        for verdict in limit.verdicts:
            assert verdict.resource in text
    assert "Do not buy context length for this." in text
    assert (
        "Instead: bounded-oracle retrieval, at most 1 text: −37 points of wrong or unusable answers (−45 to −28), "
        "for 1,051 tokens a question instead of 42 (n = 120)."
    ) in text
    assert "No mitigation was measured for this limit." in text


def test_undecided_items_are_listed(page):
    assert "<li>Self-consistency over five samples: 40 of the 200 items that were needed were asked.</li>" in page


def test_artefacts_are_shares_of_a_bar(page):
    facts = page.split('id="hallucination-m1"')[1].split("</article>")[0]
    for grade, count, share in (("right", 224, "43.1%"), ("malformed", 7, "1.3%")):
        assert f'{grade} <b>{count}</b> <span class="soft">{share}</span>' in facts
    bars = re.findall(r'<rect class="g-(\w+)" x="([\d.]+)%" y="0" width="([\d.]+)%"', facts)
    assert sum(float(width) for _, _, width in bars) == pytest.approx(100, abs=0.01)
    assert [grade for grade, _, _ in bars][-3:] == ["malformed", "truncated", "refused"]


def test_provenance_has_card_versions_cost_and_the_command(text):
    for name, value in card_lines(sample().model):
        assert f"{name} {value}" in text
    for told in ("numpy 2.3.1", "412,331, of which 301,200 were shared", "9 min 41 s", "$0.42", command(sample())):
        assert told in text


def test_the_command_can_be_pasted_whatever_the_name():
    odd = msgspec.structs.replace(sample().model, name="local:/models/my model; rm -rf ~")
    report = msgspec.structs.replace(sample(), model=odd)
    assert command(report) == (
        "hardlimit audit 'local:/models/my model; rm -rf ~' --limits hallucination,context --seed 7 --budget 10m"
    )
    assert command(bare()) == "hardlimit audit toy:bare --limits evaluation --seed 0 --budget 1s"


def test_the_glossary_explains_every_word(page):
    glossary = unescape(section(page, "glossary"))
    for group in (words.VERDICTS, words.GRADES, words.STANDINGS, words.STATUSES, words.BASES):
        for entry in group.values():
            assert entry.word in glossary
            assert entry.meaning in glossary
    assert set(words.VERDICTS) == set(Verdict)
    assert set(words.GRADES) == set(Grade)
    assert all(words.GRADES[grade].meaning.startswith("Artefact") for grade in ARTEFACTS)


def test_every_inner_link_leads_somewhere(page):
    identifiers = re.findall(r'\bid="([^"]+)"', re.sub(r"(?s)<script>.*?</script>", "", page))
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(identifiers)


def test_a_claim_that_a_text_names_is_a_link_to_its_card():
    limit = sample().limits[1]
    assert linked("Both CTX-3 & CTX-4, but not CTX-30 or XCTX-3.", limit) == (
        'Both <a href="#context-claim-CTX-3">CTX-3</a> &amp; <a href="#context-claim-CTX-4">CTX-4</a>, '
        "but not CTX-30 or XCTX-3."
    )
    assert linked("<b>HALL-9</b>", limit) == "&lt;b&gt;HALL-9&lt;/b&gt;"
    assert linked("<b>CTX-3", sample().limits[2]) == "&lt;b&gt;CTX-3"


def test_a_finding_about_a_measurement_that_is_not_shown_has_no_dead_link():
    limit = msgspec.structs.replace(sample().limits[1], measurements=(), verdicts=())
    page = render_html(msgspec.structs.replace(sample(), limits=(limit,)))
    test_every_inner_link_leads_somewhere(page)
    assert "This model: Needle margin against length" in read(page)


class Headings(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.levels = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if re.fullmatch(r"h[1-6]", tag):
            self.levels.append(int(tag[1]))


def test_headings_never_skip_a_level(page):
    levels = Headings(page).levels
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))


def test_every_table_has_a_caption(page):
    outside = re.sub(r"(?s)<script>.*?</script>", "", page)
    assert outside.count("<table") == outside.count("<caption") > 0


def test_sources_link_out_without_a_referrer(page):
    links = re.findall(r'<a href="(https?://[^"]+)" rel="([^"]+)"', page)
    assert ("https://arxiv.org/abs/2410.01104", "noopener noreferrer external") in links
    assert all("noreferrer" in rel for _, rel in links)


def test_a_report_with_next_to_nothing_is_drawn_without_inventing_numbers():
    page = render_html(bare())
    body = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", page)
    assert "No single number." in page
    assert "Every answer failed." in page
    assert "No answer: the server closed the connection" in page
    assert "not known" in page
    assert "no price known" in page
    for invented in ("None", "nan", "inf", "undefined"):
        assert not re.search(rf"\b{invented}\b", re.sub(r"<[^>]+>", " ", body))
