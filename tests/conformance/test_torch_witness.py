"""A witness in PyTorch, by autograd alone, agrees with the certified answers."""

import pytest

from imaml_ref import conformance

pytest.importorskip("torch")

from imaml_ref.conformance.from_torch import from_torch
from tests.helpers.witness_torch import (
    implicit,
    lam_grad,
    solution,
    unrolled,
)

SUITE = conformance.load_suite()
BY_ADAPTER = "answered by the adapter"
STATED = 10
ZEROS = {"conv-norm-bias"}  # a tensor is zero but for rounding: half the digits
SMALL = ["mlp-tanh", "conv-lam-vector", "unequal-ridge"]


def outcomes(report, *levels):
    """Return the set of outcomes at some levels."""
    return {v.outcome for v in report.verdicts if v.level in levels}


def witness():
    """Return the witness: all that is asked, but for A x = b."""
    return from_torch(
        meta_grad=implicit, lam_grad=lam_grad, inner=solution, unrolled_grad=unrolled
    )


def work(case):
    """Return how many rows of Hessians a case takes."""
    return 0 if not case.network else len(case.theta) * sum(map(tasks_of, case.groups))


def tasks_of(group):
    return len(group.inputs["support_x"])


# By default what is cheap, and a network of convolutions.
CHEAP = [n for n, c in SUITE.items() if work(c) <= 160] + ["conv-norm-relu"]


@pytest.fixture(
    name="report",
    scope="module",
    params=[CHEAP, pytest.param([*SUITE], marks=pytest.mark.thorough)],
    ids=["cheap", "all"],
)
def ask_the_witness(request):
    """Return the report, but for the levels that solve for φ."""
    levels = ("L1", "L2", "L4", "U")
    return conformance.check(witness(), cases=request.param, levels=levels)


def test_the_witness_passes_every_case_where_phi_is_given(report):
    assert outcomes(report, "L1", "L2") == {BY_ADAPTER}
    assert outcomes(report, "L4") == {"pass", "warned"}
    assert outcomes(report, "U") == {"pass"}


@pytest.mark.parametrize(
    "cases", [SMALL, pytest.param([*SUITE], marks=pytest.mark.thorough)]
)
def test_the_witness_passes_where_it_solves_for_phi(cases):
    levels = {"L5"} if cases == SMALL else {"L5", "L6", "L7"}
    report = conformance.check(witness(), cases=cases, levels=levels)
    assert {v.outcome for v in report.verdicts} == {"pass"}
    assert {"inner", "meta_grad", "lam_grad"} <= {v.answer for v in report.verdicts}


def test_the_witness_agrees_with_the_certified_answers_to_ten_digits(report):
    compared = [v for v in report.verdicts if v.outcome in ("pass", BY_ADAPTER)]
    assert len(compared) > 100
    for v in compared:
        least = v.required if v.case in ZEROS else STATED
        assert v.digits >= least, f"{v.case} {v.level} {v.answer}: {v.digits}"
    fewest = min(v.digits for v in compared if v.case not in ZEROS)
    print(f"PyTorch: {len(compared)} answers, at least {fewest:.1f} digits")


def test_the_witness_warns_where_there_is_no_answer(report):
    said = {v.case: v.message for v in report.verdicts if v.outcome == "warned"}
    assert said.keys() == {"not-stationary", "saddle"}
    assert "not stationary" in said["not-stationary"]
    assert "not positive definite" in said["saddle"]
