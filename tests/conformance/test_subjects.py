"""Who is asked: the reference, an object with few methods, one that crashes."""

import warnings

import numpy as np
import pytest

from imaml_ref import conformance
from imaml_ref.compute.backend import to_device
from imaml_ref.conformance import Computation, Engine, Refused, check
from tests.helpers.conformance_reports import SUITE, counts

# At κ = 1e6, and beside a kink, single precision has no digit that could be
# asked for.
EXPECTED = {
    "float64": {"pass": 386, "warned": 3},
    "float32": {"pass": 372, "not attempted": 14, "warned": 3},
}


# It is a route of the certificates of test_suite.py, and judges six cases in either
# precision in cli/test_conformance.py.
@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_reference_passes_every_case(dtype):
    report = check(Engine(), dtype=dtype)
    assert counts(report) == EXPECTED[dtype]
    assert report.passed
    assert {v.got.dtype for v in report.verdicts if v.got is not None} == {
        np.dtype(dtype)
    }


# By default without the four that take half of the time: others have their layers.
DEAR = ("conv-norm-tanh", "strided-softplus", "ties", "conv-tanh")


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ([n for n in SUITE if n not in DEAR], {"pass": 343, "warned": 3}),
        pytest.param(DEAR, {"pass": 43}, marks=pytest.mark.thorough),
    ],
    ids=["most", "dear"],
)
def test_the_dense_computation_passes_every_case(cases, expected):
    assert counts(check(Computation(), cases=cases)) == expected


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_reference_passes_every_case_on_a_gpu(dtype):
    try:
        to_device(np.zeros(1))
    except RuntimeError as error:
        pytest.skip(str(error))
    report = check(Engine(device="cuda"), dtype=dtype)
    assert counts(report) == EXPECTED[dtype]


class Partial:
    """Has two methods, of which one does not know every network."""

    name = "partial"

    def grad(self, case):
        if case.name != "ridge":
            raise NotImplementedError
        return Computation().grad(case)

    def solve(self, A, b):
        if (np.linalg.eigvalsh(A) <= 0).any():
            warnings.warn("not positive definite", stacklevel=1)
        return np.linalg.solve(A, b)


def test_what_is_absent_is_not_attempted():
    report = check(Partial())
    assert counts(report) == {"pass": 12, "not attempted": 376, "warned": 1}
    assert report.passed
    assert report.subject == "partial"
    (found,) = report.of("indefinite", "L3")
    assert found.message == "not positive definite"


def test_an_object_without_methods_is_refused():
    with pytest.raises(TypeError, match="dict has none of the methods loss, grad"):
        check({})


def test_a_crash_fails_and_says_how():
    class Crashing:
        def loss(self, case):
            raise KeyError("conv1.weight")

    report = check(Crashing(), cases=["mlp-tanh"])
    found = report.of("mlp-tanh", "L1")[0]
    assert (found.outcome, found.message) == ("fail", "KeyError: 'conv1.weight'")
    assert not report.passed


def test_a_crash_of_one_method_is_none_of_another():
    class Half:
        def grad(self, case):
            raise KeyError("weight")

        def hvp(self, case):
            raise NotImplementedError("only for linear models")

        def gnvp(self, case):
            raise ZeroDivisionError("no\nat /home/me/solve.py")

    report = check(Half(), cases=["mlp-tanh"])
    found = {v.answer: (v.outcome, v.message) for v in report.verdicts[:4]}
    assert found == {
        "loss": ("not attempted", ""),
        "grad": ("fail", "KeyError: 'weight'"),
        "hvp": ("not attempted", "only for linear models"),
        "gnvp": ("fail", "ZeroDivisionError: no"),
    }


def test_housekeeping_warnings_of_libraries_are_no_refusal():
    class Old:
        def solve(self, A, b):
            warnings.warn("old", DeprecationWarning, stacklevel=1)
            return np.linalg.solve(A, b)

    assert check(Old(), cases=["indefinite"]).count("did not warn") == 1


def test_outer_steps_hand_the_state_on():
    class Counting(Computation):
        def outer_step(self, case, theta, state):
            theta, moments = super().outer_step(case, theta, state and state[1])
            return case.unpack(theta), (1 + (state[0] if state else 0), moments)

    report = check(Counting(), cases=["adam"])
    assert [v.outcome for v in report.of("adam", "L7")] == ["pass"]


def test_cases_are_chosen_by_name_and_observed():
    seen = []
    report = check(
        Computation(),
        cases=["spd-10", "ridge"],
        observe=lambda c, level: seen.append((c.name, level)),
    )
    assert {v.case for v in report.verdicts} == {"spd-10", "ridge"}
    assert seen[0] == ("spd-10", "L3")
    assert ("ridge", "L7") in seen
    with pytest.raises(
        ValueError, match="no case 'rigde'; there are ridge, ridge-slow"
    ):
        check(Computation(), cases=["rigde"])


def test_a_crash_is_no_refusal():
    class Broken:
        def solve(self, A, b):
            raise TypeError("solve() got an unexpected argument")

    class Careful:
        def solve(self, A, b):
            raise np.linalg.LinAlgError("not positive definite")

    assert check(Broken(), cases=["indefinite"]).count("fail") == 1
    assert check(Careful(), cases=["indefinite"]).count("warned") == 1


def test_a_name_given_twice_is_one_case():
    assert len(check(Computation(), cases=["spd-10", "spd-10"]).verdicts) == 1


def test_only_two_precisions_are_asked_in():
    with pytest.raises(ValueError, match="dtype must be float64 or float32, got 'flo"):
        check(Computation(), cases=["spd-10"], dtype="float16")


def test_raising_refused_is_a_warning_where_one_is_due():
    class Careful:
        def meta_grad(self, case, phi=None):
            raise Refused("I do not trust this")

    report = check(Careful(), cases=["saddle", "ridge"])
    assert report.count("warned") == 1
    found = {v.answer: v.message for v in report.of("ridge", "L4")}
    assert found == {"meta_grad": "Refused: I do not trust this", "lam_grad": ""}
    assert report.count("fail") == 2


def test_the_package_says_what_it_offers():
    for name in conformance.__all__:
        assert getattr(conformance, name) is not None
