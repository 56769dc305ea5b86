"""A report on a terminal and as JSON: all of it, and readable everywhere."""

import json
import math
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

import imaml_ref
from imaml_ref.conformance import check
from imaml_ref.conformance.cells import OUTCOMES, cells, lines, summary
from imaml_ref.conformance.explanation import Diagnosis
from imaml_ref.conformance.json_report import as_json
from imaml_ref.conformance.text import as_table, as_text, fitted, matrix, shortened
from tests.helpers.conformance_reports import CASES, DIAGNOSES, NAMES, correct, mistaken


@pytest.fixture(name="report", scope="module")
def make_report():
    return mistaken()


@pytest.fixture(name="good", scope="module")
def make_good():
    return correct()


def row(report, case):
    """Return the cells of a row of the matrix."""
    (line,) = [t for t in matrix(report).splitlines() if t.split()[0] == case]
    return line.split()[1:]


def test_the_matrix_has_a_row_for_each_case_and_a_column_for_each_level(good):
    head, *rows = matrix(good).splitlines()
    assert head.split() == ["case", "L1", "L2", "L3", "L4", "L5", "L6", "L7", "U"]
    assert [line.split()[0] for line in rows] == list(NAMES)
    assert len(head) == len(rows[0])  # right-aligned
    digits = [float(cell) for cell in row(good, "ridge")]
    assert len(digits) == 7
    assert min(digits) > 13
    assert row(good, "saddle") == ["warned"]


def test_a_cell_says_what_is_wrong(report):
    assert row(report, "ridge")[1:3] == ["✗", "0.3"]  # L2: half of it
    assert row(report, "ridge")[3] == "✗"  # L4: NaN, no digits
    assert row(report, "mlp-tanh")[1] == "✗"
    assert row(report, "saddle") == ["!"]
    assert row(report, "indefinite") == ["!"]


def test_a_cell_shows_the_gravest_outcome_and_the_least_digits(report):
    found = {(c.case, c.level): c for c in cells(report)}
    cell = found["conv-tanh", "L2"]
    assert [v.outcome for v in cell.verdicts] == ["fail", "not attempted"]
    assert cell.outcome == "fail"
    assert cell.digits == cell.verdicts[0].digits
    loss, grad = (v.digits for v in found["conv-tanh", "L1"].verdicts)
    assert found["conv-tanh", "L1"].digits == grad < loss


def test_digits_are_rounded_down():
    """9.97 digits where 10 are required must not read 10.0."""
    assert shortened(9.97) == "9.9"
    assert shortened(0.0) == "0.0"
    assert shortened(16.0) == "16.0"


def test_the_summary_counts_every_verdict_once(report):
    numbers = [int(w) for w in summary(report).replace(";", " ").split() if w.isdigit()]
    assert numbers == [report.count(outcome) for outcome in OUTCOMES[:5]]
    assert sum(numbers) == len(report.verdicts)
    assert summary(report).endswith("of what must be refused, 0 warned, 2 did not")
    assert summary(report) in as_text(report)


def test_every_failure_has_a_block_and_the_lowest_level_comes_first(report):
    blocks = [b for b in as_text(report).split("\n\n") if b[0] in "✗!"]
    assert len(blocks) == report.count("fail") + report.count("did not warn")
    levels = [(block[0] == "!", block.split()[2]) for block in blocks]
    assert levels == sorted(levels)


def test_a_block_has_digits_place_numbers_and_their_ratio(report):
    (found,) = [v for v in report.of("ridge", "L2") if v.answer == "hvp"]
    head, worst = lines(found)
    assert head == "ridge L2 hvp: 0.30 digits, 10.00 required"
    seen = found.agreement
    assert worst == (
        f"{seen.tensor}[{', '.join(map(str, seen.entry))}], task {seen.task}: "
        f"got {seen.want / 2:.9g}, expected {seen.want:.9g}, ratio 0.5"
    )


def test_a_block_says_what_else_there_is(report):
    text = as_text(report)
    assert "head.kernel is in the order (out, in), not (in, out)" in text
    assert '✗ mlp-tanh L2 hvp: ValueError: x < y & "z"' in text
    assert "✗ ridge L4 meta_grad: is nan at (0,)\n" in text
    assert "! saddle L4 meta_grad: did not warn: H + λI is not positive" in text


def test_an_outer_step_is_said_to_be_one():
    class Still:
        def outer_step(self, case, theta, state):
            return 1.5 * theta

    (found,) = check(Still(), cases=["mlp-tanh"]).of("mlp-tanh", "L6")
    assert " of the step from θ: got " in lines(found)[1]


def test_where_zero_is_expected_there_is_no_ratio(report):
    (found,) = [v for v in report.of("ridge", "L2") if v.answer == "hvp"]
    zero = replace(found, agreement=replace(found.agreement, want=0.0))
    assert lines(zero)[1].endswith("expected 0, ratio none, zero is expected")


def test_as_many_failures_are_described_as_wanted(report):
    text = as_text(report, most=2)
    assert text.count("\n\n✗ ") == 2
    wrong = report.count("fail") + report.count("did not warn")
    assert f"\n\nand {wrong - 2} more failures\n" in text
    assert "more failures" not in as_text(report)
    assert "more failures" not in as_text(report, most=wrong)


def test_diagnoses_come_last_each_on_a_line(report):
    first, second = (" ".join(text.split()) for text in DIAGNOSES)
    assert as_text(report).endswith(f"\n\nDiagnosis\n  {first}\n  {second}")


def test_cases_in_which_nothing_was_tried_are_named_below():
    class Solving:
        def solve(self, A, b):
            raise NotImplementedError if len(b) == 6 else ArithmeticError("no")

    text = as_text(check(Solving(), cases=NAMES))
    assert [t.split() for t in text.splitlines()[:2]] == [
        ["case", "L3"],
        ["spd-10", "✗"],
    ]
    assert "not attempted: ridge, mlp-tanh, conv-tanh, saddle, indefinite" in text


def test_a_stream_that_holds_little_gets_ascii(report):
    text = as_text(report)
    assert fitted(text, "utf-8") == text
    plain = fitted(text, "ascii")
    assert plain.isascii()
    assert "?" not in plain
    assert "x ridge L2 hvp" in plain
    assert 'mine <lam> & "co"' in plain
    assert fitted("☃", "latin-1") == "?"


def test_the_titles_of_all_cases_can_be_spelled_in_ascii():
    from imaml_ref.conformance import LEVELS, load_suite

    for case in load_suite().values():
        texts = [case.title, *case.refuse.values()]
        routes = [a.routes for level in case.answers.values() for a in level.values()]
        assert "?" not in fitted(" ".join([*texts, *sum(routes, ())]), "ascii")
    assert "?" not in fitted(
        " ".join(level.title for level in LEVELS.values()), "ascii"
    )


def test_on_a_terminal_failures_are_red_and_names_are_taken_literally(report):
    stream = StringIO()
    Console(file=stream, force_terminal=True, width=100).print(as_table(report))
    text = stream.getvalue()
    assert "\x1b[1;31m✗ 0.3" in text
    assert "conv-tanh" in text


# JSON


def document(report):
    return json.loads(as_json(report, CASES), parse_constant=pytest.fail)


def test_json_has_every_verdict_with_all_that_is_known(report):
    found = document(report)
    assert (found["subject"], found["suite_version"]) == (report.subject, "2.0")
    assert found["imaml_ref"] == imaml_ref.__version__
    assert not found["passed"]
    assert found["summary"] == {o: report.count(o) for o in OUTCOMES}
    assert len(found["verdicts"]) == len(report.verdicts)
    by_place = {(v["case"], v["level"], v["answer"]): v for v in found["verdicts"]}
    wrong = by_place["ridge", "L2", "hvp"]
    assert (wrong["outcome"], wrong["required"]) == ("fail", 10)
    assert wrong["digits"] == pytest.approx(math.log10(2))
    assert wrong["ratio"] == pytest.approx(wrong["got"] / wrong["want"])
    assert wrong["tensor"] in {"head.kernel", "head.bias"}
    assert wrong["task"] in {0, 1}
    assert len(wrong["entry"]) == (2 if wrong["tensor"] == "head.kernel" else 1)
    assert len(wrong["routes"]) == 2
    assert wrong["certified_digits"] > 10
    assert wrong["kappa"] >= 1
    nan = by_place["ridge", "L4", "meta_grad"]
    assert (nan["digits"], nan["got"], nan["ratio"]) == (None, None, None)
    assert nan["message"] == "ridge L4 meta_grad is nan at (0,)"
    silent = by_place["saddle", "L4", "meta_grad"]
    assert (silent["outcome"], silent["routes"]) == ("did not warn", [])


def test_json_has_null_for_what_is_no_finite_number(report):
    first = next(v for v in report.verdicts if v.agreement)
    odd = replace(first.agreement, got=math.inf, want=0.0)
    found = document(replace(report, verdicts=(replace(first, agreement=odd),)))
    verdict = found["verdicts"][0]
    assert (verdict["got"], verdict["want"], verdict["ratio"]) == (None, 0.0, None)


def test_json_has_the_diagnoses(report, good):
    assert [d["text"] for d in document(report)["diagnoses"]] == list(DIAGNOSES)
    places = (("ridge", "L2", "hvp"), ("mlp-tanh", "L2", "hvp"))
    full = Diagnosis(places, ("lam-halved",), digits=12.5)
    (found,) = document(replace(report, diagnoses=(full,)))["diagnoses"]
    assert found == {
        "text": full.text,
        "names": ["lam-halved"],
        "numbers": {},
        "cases": ["ridge", "mlp-tanh"],
        "found_in": list(full.found_in),
        "level": "L2",
        "answer": "hvp",
        "digits": 12.5,
        "factor": None,
    }
    assert document(good)["diagnoses"] == []
    assert document(good)["passed"]
