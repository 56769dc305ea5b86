"""A crash is no refusal, and neither is a warning that right answers come with."""

import warnings

import numpy as np
import pytest
import scipy.linalg

from imaml_ref.conformance import Attempt, Computation, Refused, as_text, check, judge
from imaml_ref.conformance.pytest_plugin import DidNotWarn, check_level
from tests.helpers.conformance_reports import SUITE

SYSTEMS = ["spd-10", "identity", "indefinite"]


def solving(act, **attributes):
    """Return an object that does something before it solves."""

    def solve(self, A, b):
        act(A)
        return np.linalg.solve(A, b)

    return type("Solving", (), {"solve": solve, **attributes})()


def raising(error):
    """Return an object that raises where A is indefinite."""

    def act(A):
        if np.linalg.eigvalsh(A)[0] <= 0:
            raise error

    return act


def indefinite(subject, cases=SYSTEMS):
    """Return the verdict where one must refuse."""
    (found,) = check(subject, cases=cases).of("indefinite", "L3")
    return found


class Mine(Exception):
    """Of a user's own."""


CRASHES = [
    RuntimeError("The size of tensor a (2) must match the size of tensor b (3)"),
    ValueError("bad shapes"),
    ZeroDivisionError("division by zero"),
    ArithmeticError("negative curvature"),
    Mine("no minimum"),
]
REFUSALS = [
    Refused("no minimum"),
    np.linalg.LinAlgError("not positive definite"),
    scipy.linalg.LinAlgError("not positive definite"),
]


@pytest.mark.parametrize("error", CRASHES, ids=lambda e: type(e).__name__)
def test_a_crash_fails_with_its_text(error):
    found = indefinite(solving(raising(error)))
    assert found.outcome == "fail"
    assert found.message == f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("error", REFUSALS, ids=lambda e: type(e).__module__)
def test_a_class_that_says_so_by_name_is_a_refusal(error):
    found = indefinite(solving(raising(error)))
    assert (found.outcome, found.message) == (
        "warned",
        f"{type(error).__name__}: {error}",
    )


def test_torch_refuses_by_name():
    torch = pytest.importorskip("torch")

    class Torch:
        def solve(self, A, b):
            L = torch.linalg.cholesky(torch.from_numpy(A))
            return torch.cholesky_solve(torch.from_numpy(b)[:, None], L)[:, 0].numpy()

    assert indefinite(Torch()).outcome == "warned"


def test_an_object_may_name_its_own_refusals():
    assert (
        indefinite(solving(raising(Mine("no")), refusals=(Mine,))).outcome == "warned"
    )
    with pytest.raises(TypeError, match="refusals are classes of exceptions, got 'M"):
        check(solving(raising(Mine("no")), refusals=("Mine",)), cases=["indefinite"])


def test_what_is_warned_of_before_a_crash_is_no_refusal():
    def act(A):
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)
        raise ValueError("bad shapes")

    assert indefinite(solving(act)).outcome == "fail"


def test_a_warning_of_its_own_is_a_refusal_and_names_its_class():
    def act(A):
        if np.linalg.eigvalsh(A)[0] <= 0:
            warnings.warn("not positive definite", RuntimeWarning, stacklevel=1)

    found = indefinite(solving(act))
    assert found.outcome == "warned"
    assert found.message == "RuntimeWarning: not positive definite"


@pytest.mark.parametrize(
    "text",
    ["careful", "cond {0:.3e}, {1} unknowns", "residual {0} at 0x{1:x}"],
)
def test_who_always_warns_has_refused_nothing(text):
    def act(A):
        said = text.format(np.linalg.cond(A), len(A))
        warnings.warn(said, stacklevel=1)

    found = indefinite(solving(act))
    assert found.outcome == "did not warn"
    assert "A is not positive definite (right answers come with" in found.message


def test_a_class_makes_another_warning_of_the_same_text():
    def act(A):
        kind = UserWarning if np.linalg.eigvalsh(A)[0] > 0 else RuntimeWarning
        warnings.warn("careful", kind, stacklevel=1)

    assert indefinite(solving(act)).outcome == "warned"


def test_the_name_of_the_case_makes_no_other_text():
    class Naming(Computation):
        def refuse_unstationary(self, case, phi):
            warnings.warn(f"{case.name}: careful", stacklevel=1)

        def refuse_indefinite(self, A):
            pass

    report = check(Naming(), cases=["ridge", "saddle"], levels=("L4",))
    assert report.of("saddle", "L4")[0].outcome == "did not warn"


def test_who_always_warns_and_is_always_wrong_has_refused_nothing():
    class Zero:
        def solve(self, A, b):
            warnings.warn("careful", stacklevel=1)
            return 0 * b

    assert indefinite(Zero()).outcome == "did not warn"


def test_a_warning_with_a_wrong_answer_is_not_held_against_it():
    class Loose:
        def solve(self, A, b):
            if np.linalg.cond(A) > 1e3 or np.linalg.eigvalsh(A)[0] <= 0:
                warnings.warn("did not converge", stacklevel=1)
                return 0 * b
            return np.linalg.solve(A, b)

    report = check(Loose(), cases=["spd-1e6", *SYSTEMS])
    assert report.of("spd-1e6", "L3")[0].outcome == "fail"
    assert report.of("indefinite", "L3")[0].outcome == "warned"


def test_files_are_read_alike():
    x = {name: np.linalg.solve(SUITE[name].A, SUITE[name].b) for name in SYSTEMS}

    def outcome(**texts):
        attempts = {
            (name, "L3"): Attempt({"x": x[name]}, warned=text)
            for name, text in texts.items()
        }
        cases = [SUITE[name] for name in SYSTEMS]
        return judge(cases, attempts).of("indefinite", "L3")[0].outcome

    assert outcome(indefinite="cond 3") == "warned"
    assert outcome(indefinite="cond 3", identity="cond 1") == "did not warn"
    assert outcome(indefinite="cond 3; no", identity="cond 1") == "warned"


def test_in_pytest_small_cases_are_asked_too():
    with pytest.warns(DidNotWarn, match="right answers come with 'careful' too"):
        check_level(
            solving(lambda A: warnings.warn("careful", stacklevel=1)),
            SUITE["indefinite"],
            "L3",
        )


def test_the_texts_of_two_failing_answers_are_kept_apart():
    class Broken:
        def hvp(self, case):
            raise KeyError("hvp")

        def gnvp(self, case):
            raise KeyError("gnvp")

    report = check(Broken(), cases=["ridge"], levels="L2")
    assert [v.message for v in report.verdicts] == [
        "KeyError: 'hvp'",
        "KeyError: 'gnvp'",
    ]


def test_lambda_for_each_parameter_is_left_out_in_one_word():
    class Scalar(Computation):
        scalar_lam = True

    report = check(Scalar(), cases=["mlp-lam-vector", "ridge"])
    found = {
        v.level: (v.outcome, v.message) for v in report.verdicts if "vec" in v.case
    }
    assert found["L2"] == ("pass", "")
    assert found["L4"] == found["L5"] == ("not attempted", "scalar λ only")
    assert {v.outcome for v in report.verdicts if v.case == "ridge"} == {"pass"}
    assert " 0 failed" in as_text(report)
