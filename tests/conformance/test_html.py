"""The report as a page: complete, self-contained, and whatever is in it escaped."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from imaml_ref.conformance import LEVELS
from imaml_ref.conformance.cells import cells, summary
from imaml_ref.conformance.html import as_html
from tests.helpers.conformance_reports import CASES, DIAGNOSES, NAMES, correct, mistaken

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Collects elements with their attributes, and the text inside each."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.by_id = [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, **dict(attrs), "text": ""}
        self.elements.append(element)
        if "id" in element:
            assert element["id"] not in self.by_id, "ids must be unique"
            self.by_id[element["id"]] = element
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag):
        return [e for e in self.elements if e["tag"] == tag]


@pytest.fixture(name="report", scope="module")
def make_report():
    return mistaken()


@pytest.fixture(name="text", scope="module")
def make_text(report):
    return as_html(report, CASES)


@pytest.fixture(name="page", scope="module")
def make_page(text):
    return Page(text)


def test_every_element_is_closed(page):
    assert page.open == []


def test_nothing_is_fetched_and_nothing_runs(page, text):
    assert {e["tag"] for e in page.elements} & {
        "script",
        "link",
        "img",
        "iframe",
    } == set()
    assert "://" not in text
    assert "url(" not in text
    assert "@import" not in text
    assert all("src" not in e and "href" not in e for e in page.elements)


def test_every_cell_opens_its_own_detail(page, report):
    buttons = page.all("button")
    found = cells(report)
    assert len(buttons) == len(found)
    for button, cell in zip(buttons, found, strict=True):
        detail = page.by_id[button["popovertarget"]]
        assert "popover" in detail
        assert cell.case in detail["text"]
        assert LEVELS[cell.level].title in detail["text"]
        assert cell.outcome in button["aria-label"]
        for verdict in cell.verdicts:
            assert f"{verdict.answer}: {verdict.outcome}" in detail["text"]


def test_the_matrix_has_cases_as_rows_and_levels_as_columns(page):
    heads = page.all("th")
    columns = [e["text"] for e in heads if e["scope"] == "col"]
    assert columns[1:] == [f"{n}{level.title}" for n, level in LEVELS.items()]
    rows = [e["text"] for e in heads if e["scope"] == "row"]
    assert rows == [case.name + case.title for case in CASES]
    assert [c.name for c in CASES] == list(NAMES)
    assert len(page.all("td")) == len(CASES) * len(LEVELS)


def test_a_detail_has_numbers_ratio_and_how_the_answer_is_certified(page, report):
    detail = page.by_id["ridge-L2"]["text"]
    (found,) = [v for v in report.of("ridge", "L2") if v.answer == "hvp"]
    answer = CASES[0].answers["L2"]["hvp"]
    for part in (
        "0.30 (required: 10.00)",
        f"task {found.agreement.task}",
        f"{found.agreement.got:.9g}",
        f"{found.agreement.want:.9g}",
        "ratio0.5",
        *answer.routes,
        f"to {answer.certified:.1f} digits",
        f"κ{answer.kappa:.3g}",
        "Linear; squared-error, 15 parameters, 7 tasks, λ = 0.421875",
    ):
        assert part in detail, part
    layout = page.by_id["conv-tanh-L2"]["text"]
    assert "head.kernel is in the order (out, in), not (in, out)" in layout


def test_names_and_messages_are_escaped(page, text, report):
    assert "<λ>" not in text
    (head,) = page.all("h1")
    assert head["text"] == report.subject
    assert 'ValueError: x < y & "z"' in page.by_id["mlp-tanh-L2"]["text"]
    hostile = '"><script>alert(1)</script>$subject${rows}'
    spoiled = [replace(v, message=hostile) for v in report.verdicts]
    other = replace(report, subject=hostile, verdicts=tuple(spoiled))
    assert not Page(as_html(other, CASES)).all("script")
    assert Page(as_html(other, CASES)).all("h1")[0]["text"] == hostile


def test_summary_and_diagnoses_are_there(page, report):
    assert summary(report) in [e["text"] for e in page.all("p")]
    items = [e["text"] for e in page.all("li")]
    assert set(DIAGNOSES) <= set(items)
    failed, passed = report.count("fail"), report.count("pass")
    (state,) = [e for e in page.all("p") if "state" in e.get("class", "")]
    assert state["class"] == "state fail"
    assert state["text"] == f"{failed} of {failed + passed} answers fail"


def test_a_report_without_failures_says_so():
    report = correct()
    page = Page(as_html(report, CASES))
    (state,) = [e for e in page.all("p") if "state" in e.get("class", "")]
    assert state["class"] == "state pass"
    assert state["text"] == f"All {report.count('pass')} answers pass"
    assert "Diagnosis" not in [e["text"] for e in page.all("h2")]
    only = replace(report, verdicts=report.of("saddle", "L4"))
    assert "Nothing passed, nothing failed" in as_html(only, CASES)


def test_light_dark_and_narrow_are_provided_for(text):
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.S)
    assert "prefers-color-scheme: dark" in style
    assert "max-width" in style
    light, dark = (set(re.findall(r"(--[\w-]+):", s)) for s in colours(style))
    assert light == dark
    assert set(re.findall(r"var\((--[\w-]+)\)", style)) == light


def colours(style):
    """Return the two blocks that define the colours."""
    return re.findall(r":root \{(.*?)\}", style, re.S)


def test_failures_are_read_without_a_click(page, text, report):
    blocks = [e["text"] for e in page.all("pre")]
    wrong = report.count("fail") + report.count("did not warn")
    assert len(blocks) == min(wrong, 20)
    assert blocks[0].startswith("✗ ")
    assert any("expected" in block and "ratio" in block for block in blocks)
    assert text.index("<h2>What fails</h2>") < text.index("<table>")
    right = tuple(v for v in report.verdicts if v.outcome == "pass")
    assert "<h2>What fails</h2>" not in as_html(replace(report, verdicts=right), CASES)
