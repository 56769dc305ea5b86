"""The table of processors says what was run, and on what."""

import sys

import pytest

from tests import processors
from tests.conftest import OTHERS, compares_numbers
from tests.processors import (
    NUMBERS,
    WHOLE,
    Row,
    covers,
    page,
    read_report,
    requirements,
)

TESTS = processors.ROOT / "tests"
REPORT = """<testsuites><testsuite>
<testcase classname="tests.solvers.test_cg" name="test_a"/>
<testcase classname="tests.solvers.test_cg" name="test_b[1]"><failure/></testcase>
<testcase classname="tests.solvers.test_cg" name="test_c"><skipped/></testcase>
<testcase classname="tests.solvers.test_cg" name="test_d"><error/></testcase>
</testsuite></testsuites>"""


def found(scope=NUMBERS, seed=None, **seen):
    counts = {"passed": 3, "skipped": 0, "failed": [], "seconds": 1}
    plain = {"blas": {"numpy": ["Haswell", 1]}, "simd": [], "versions": {"numpy": "2"}}
    return {"scope": scope, "seed": seed, "seen": plain | seen, **counts}


@pytest.mark.parametrize("pattern", OTHERS)
def test_what_compares_no_numbers_is_there(pattern):
    assert list(TESTS.glob(f"{pattern}.py"))


def test_a_new_file_compares_numbers(request):
    assert compares_numbers(TESTS / "test_anything_new.py")
    assert not compares_numbers(request.path)
    assert request.node.get_closest_marker("numbers") is None


def test_names_of_rows_are_unique():
    names = [row.name for row in processors.rows()]
    assert len(names) == len(set(names))


def test_the_probe_says_what_an_interpreter_has():
    weak = {"OPENBLAS_NUM_THREADS": "1", "NPY_DISABLE_CPU_FEATURES": "all"}
    settings = processors.surroundings(Row("weak", NUMBERS, weak), sys.executable)
    seen = processors.probe(sys.executable, settings)
    assert {threads for _, threads in seen["blas"].values()} <= {1}
    assert seen["simd"] == []


def test_a_report_is_read(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)
    assert read_report(tmp_path / "report.xml") == {
        "passed": 1,
        "skipped": 1,
        "failed": ["solvers.test_cg::test_b[1]", "solvers.test_cg::test_d"],
    }


def test_rows_of_equal_surroundings_count_once():
    assert covers(found(WHOLE), found())
    assert covers(found(), found())
    assert not covers(found(), found(WHOLE))
    assert not covers(found(), found(seed=1))
    assert not covers(found(), found(blas={"numpy": ["Katmai", 1]}))


def test_a_row_that_was_run_under_another_name_is_not_run_again(monkeypatch):
    monkeypatch.setattr(processors, "probe", lambda *_: found()["seen"])
    record = {"haswell": found(WHOLE)}
    assert processors.run(Row("zen"), record, sys.executable, 1) == record


def test_a_whole_suite_takes_the_place_of_its_part(monkeypatch):
    counts = {"passed": 9, "skipped": 0, "failed": [], "seconds": 2}
    monkeypatch.setattr(processors, "probe", lambda *_: found()["seen"])
    monkeypatch.setattr(processors, "tested", lambda *_: counts)
    record = {"zen": found(), "other": found(seed=4)}
    got = processors.run(Row("own", WHOLE), record, sys.executable, 1)
    assert got == {"other": found(seed=4), "own": found(WHOLE) | counts}


def test_lowest_versions_are_the_bounds():
    assert "numpy==2.0" in requirements("lowest")
    assert "numpy>=2.0" in requirements("newest")
    assert not any(">" in wanted for wanted in requirements("lowest"))


def test_the_page_names_failures_and_keeps_what_is_written_by_hand():
    record = {"own": found() | {"failed": ["test_cg::test_b"]}}
    text = page(record, f"# Old\n\n{processors.BELOW}\n\nARM: no machine.\n")
    assert "| own | numbers | Haswell | none | 1 |" in text
    assert "- own: `test_cg::test_b`" in text
    assert text.endswith(f"{processors.BELOW}\n\nARM: no machine.\n")
    assert page(record, text) == text
