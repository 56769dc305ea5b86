"""Every mistake of the catalogue is caught, and is the mistake that it says it is."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.compute.parallel import one_blas_thread
from imaml_ref.conformance import ask, judge, load_suite
from imaml_ref.conformance.laboratory import Laboratory
from imaml_ref.conformance.levels import LEVELS
from imaml_ref.conformance.matrix import (
    REACH,
    as_text,
    first_failure,
    judged,
    matrix,
    page,
)
from imaml_ref.conformance.mutants import CATALOGUE, Mistake, combined, sentence
from tests.helpers.blind import CASES, one_laboratory

PAGE = Path(__file__).parents[2] / "docs" / "conformance-mutants.md"
# Where there is nothing to fail, only to warn of.
REFUSED = [name for name, case in CASES.items() if case.refuse and not case.answers]
# What fails a case of suite 1.1 alone: in those of 2.0 its CG converges.
EARLIER = {"cg-on-unsymmetric": "ridge-lam-vector"}
SEEN = [name for name in CATALOGUE if name not in EARLIER]

# In digits: an error an eighth above or below what is asked for.  Rounding is to be a
# tenth of that (``certify.MARGIN``), 0.004 digits.
CLEAR = 0.05


@pytest.fixture(scope="module", name="laboratory")
def make_laboratory():
    return one_laboratory()


@pytest.fixture(scope="module", name="found")
def make_matrix(laboratory):
    with one_blas_thread():
        return matrix(CASES, one_laboratory())


@pytest.mark.parametrize("name", SEEN)
def test_every_mistake_fails_a_case(found, name):
    assert any(found[name].values()), f"{name} survives"


@pytest.mark.parametrize("name", EARLIER)
def test_the_others_fail_a_case_of_the_suite_before(found, name):
    cases = load_suite(version="1.1")
    seen = first_failure(Laboratory(cases), name, cases[EARLIER[name]])
    assert seen == CATALOGUE[name].level
    assert not any(found[name].values())


@pytest.mark.parametrize("case", CASES)
def test_every_case_catches_a_mistake(found, case):
    assert any(row[case] for row in found.values()), f"{case} catches nothing"


@pytest.mark.parametrize("name", SEEN)
def test_the_level_of_a_mistake_is_the_first_at_which_it_shows(found, name):
    seen = [level for c, level in found[name].items() if level and c not in REFUSED]
    seen = seen or [level for level in found[name].values() if level]
    assert min(seen) == CATALOGUE[name].level


def test_only_mistakes_about_definiteness_do_not_warn(found):
    silent = {n for n, row in found.items() if any(row[c] for c in REFUSED)}
    assert {"no-look-at-curvature", "no-look-at-stationarity"} <= silent
    assert all(found[n]["indefinite"] == "" for n in silent - {"no-look-at-curvature"})


@pytest.mark.parametrize("name", CATALOGUE)
def test_no_rounding_decides_a_cell(found, laboratory, name):
    """Fails at the level that the page says, and passes below, by a clear margin."""
    for case in CASES.values():
        first = found[name][case.name]
        reach = first or REACH.get(CATALOGUE[name].level, "L7")
        for level in (level for level in case.levels if level <= reach):
            with one_blas_thread():
                seen = judged(laboratory, name, case, level)
            beyond = [v.digits - v.required for v in seen if v.digits and v.required]
            worst = min(beyond, default=np.inf)
            assert abs(worst) > CLEAR, f"{case.name}, {level}: {worst:+.3f} digits"


def test_the_page_is_what_the_code_writes(found):
    assert PAGE.read_text(encoding="utf-8") == page(found, CASES)


def test_the_matrix_has_a_row_for_each_mistake_and_a_column_for_each_case(found):
    lines = as_text(found, CASES).splitlines()
    wide = max(map(len, CATALOGUE)) + 1
    assert {len(line) for line in lines} == {wide + len(CASES)}
    rows = [line[:wide].strip() for line in lines[-len(CATALOGUE) :]]
    assert rows == list(CATALOGUE)
    columns = ["".join(c).strip() for c in zip(*lines[: -len(CATALOGUE)], strict=True)]
    assert columns[wide:] == list(CASES)


def test_there_are_many_and_each_says_what_it_is():
    assert len(CATALOGUE) >= 45
    for name, mistake in CATALOGUE.items():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
        assert mistake.level in LEVELS
        assert mistake.effect
        assert sentence(name).endswith(".")
    assert len({sentence(name) for name in CATALOGUE}) == len(CATALOGUE)


def test_without_a_mistake_it_is_the_reference():
    cases = [CASES[n] for n in ("ridge", "adam", "mlp-relu", "spd-10", *REFUSED)]
    report = judge(cases, ask(combined(), cases))
    assert {v.outcome for v in report.verdicts} == {"pass", "warned"}


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_is_shared_changes_nothing(name):
    case = CASES["mlp-lam-vector"]
    warm: dict = {}
    combined(shared=warm).meta_grad(case)
    assert warm
    shared = combined(name, shared=warm, looks=False)
    alone = combined(name, looks=False)
    for phi in (case.solution, None):
        assert_array_equal(shared.meta_grad(case, phi), alone.meta_grad(case, phi))


def test_two_mistakes_are_made_at_once():
    case = CASES["five-tasks"]
    both = combined("lam-halved", "tasks-summed", looks=False)
    halved = combined("lam-halved", looks=False)
    want = 5 * halved.meta_grad(case, case.solution)
    assert_allclose(both.meta_grad(case, case.solution), want, rtol=1e-13)


def test_an_unknown_mistake_is_named():
    with pytest.raises(KeyError, match="lam-thirded"):
        combined("lam-thirded")


def test_a_mistake_answers_where_the_reference_refuses():
    case = CASES["not-stationary"]
    with pytest.warns(UserWarning, match="not stationary"):
        assert np.isfinite(Mistake().meta_grad(case, case.solution)).all()


def test_a_laboratory_computes_an_answer_once():
    laboratory = Laboratory(CASES)
    first = laboratory.answers(("lam-halved",), "ridge", "L4")
    assert laboratory.answers(("lam-halved",), "ridge", "L4") is first
