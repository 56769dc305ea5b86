"""Mistakes handed in blind are named; noise, and what is right, is not."""

import numpy as np
import pytest

from imaml_ref.compute.parallel import one_blas_thread
from imaml_ref.conformance import Report, candidates
from imaml_ref.conformance.families.members import is_one
from imaml_ref.conformance.judge import FAIL
from imaml_ref.conformance.mutants import CATALOGUE
from tests.helpers.blind import (
    CASES,
    SMALL,
    diagnoses,
    one_laboratory,
    perturbed,
    report_of,
    up_to_failure,
)

NAMED = 0.95  # of the mistakes that fail somewhere


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    with one_blas_thread():
        yield


@pytest.fixture(scope="module", name="laboratory")
def make_laboratory():
    return one_laboratory()


@pytest.fixture(name="rng")
def make_rng():
    return np.random.default_rng(0)


TOGETHER = (
    *("ridge", "mlp-tanh", "one-task", "ridge-lam-vector", "adam", "conv-norm-tanh"),
    *("spd-10", "spread-30", "identity", "tiny-right-hand-side"),
)


@pytest.mark.thorough
def test_mistakes_are_named_blind(laboratory, rng):
    """First, or tied first: from what it answers to ten cases, up to what fails."""
    failed, missed, wrong = 0, [], []

    def change(case, level, a):
        return perturbed(case, level, a, rng)

    for name in CATALOGUE:
        cases = map(CASES.get, TOGETHER)
        reports = [up_to_failure(laboratory, name, case, change) for case in cases]
        verdicts = tuple(v for r in reports if r is not None for v in r.verdicts)
        if not verdicts:
            continue
        failed += 1
        found = diagnoses(Report("somebody's", verdicts), laboratory)
        named = [n for d in found for n in d.names]
        if name not in named and not any(is_one(name, n) for n in named):
            (wrong if named else missed).append((name, named))
    assert failed > 60
    assert not wrong
    assert len(missed) <= (1 - NAMED) * failed, missed


@pytest.mark.parametrize(
    ("levels", "cases"),
    [
        (("L1", "L3"), CASES),
        *(
            pytest.param((n,), CASES, marks=pytest.mark.thorough)
            for n in ("L2", "L4", "L5", "L6")
        ),
    ],
)
def test_noise_gets_no_name(laboratory, rng, monkeypatch, levels, cases):
    monkeypatch.setattr(candidates, "SECONDS", 10.0)  # what is not named then is not

    def noise(case, level, a):
        return rng.normal(size=a.shape)

    report = report_of(laboratory, (), cases, levels, noise)
    assert report.count(FAIL) >= min(len(cases), 11)
    found = diagnoses(report, laboratory)
    assert found
    assert all(not d.names and d.factor is None for d in found)
    assert all("that was tried fits" in d.text for d in found)


def test_what_is_right_gets_no_diagnosis(laboratory):
    report = report_of(laboratory, (), SMALL, ("L1", "L2", "L3", "L4", "L5", "L6"))
    assert report.passed
    assert diagnoses(report, laboratory) == ()


def single(case, level, a):
    return a.astype(np.float32)


@pytest.mark.parametrize(
    "name",
    ["loss-sum", "bend-missing", "lam-halved", "tasks-mixed", "cg-one-step"],
)
def test_mistakes_in_single_precision_are_named(laboratory, name):
    report = report_of(laboratory, (name,), SMALL, ("L1", "L2", "L3", "L4"), single)
    found = diagnoses(report, laboratory)[0]
    assert found.names == (name,)
    assert 4 < found.digits < 9


def test_what_is_right_in_single_precision_gets_no_diagnosis(laboratory):
    report = report_of(laboratory, (), SMALL, ("L1", "L2", "L4", "L5"), single)
    assert diagnoses(report, laboratory) == ()


def test_single_precision_is_recognised_by_its_numbers(laboratory, rng):
    """Whatever the rounding: no other program has the same."""

    def rounded(case, level, a):
        return perturbed(case, level, a, rng, 1e-7).astype(np.float32).astype(float)

    report = report_of(laboratory, (), SMALL, ("L4",), rounded)
    (found,) = diagnoses(report, laboratory)
    assert found.names == ("single-precision",)


@pytest.mark.parametrize(
    "name",
    ["lam-halved", pytest.param("curvature-of-query", marks=pytest.mark.thorough)],
)
def test_a_loose_tolerance_does_not_hide_a_mistake(laboratory, rng, name):
    report = report_of(
        laboratory, (name,), SMALL, ("L4", "L5"), lambda *at: perturbed(*at, rng, 1e-6)
    )
    found = diagnoses(report, laboratory)[0]
    assert found.names == (name,)
    assert 5 < found.digits < 7
