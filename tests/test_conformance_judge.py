"""Answers in, verdicts out: digits, refusals, and answers that cannot be compared."""

import warnings

import h5py
import numpy as np
import pytest

from imaml_ref import conformance
from imaml_ref.compute.backend import to_device
from imaml_ref.conformance import (
    Attempt,
    Computation,
    Engine,
    Refused,
    ask,
    check,
    check_file,
    export_inputs,
    judge,
    load_suite,
    read_answers,
    write_answers,
)
from imaml_ref.conformance.agreement import agreement
from imaml_ref.conformance.answers import SCHEMA, BadAnswer, comparable
from imaml_ref.files.whole import BadFile, atomic_h5

SUITE = load_suite()
CASE = SUITE["conv-norm-tanh"]
WANT = CASE.answers["L2"]["hvp"].want
OUTCOMES = ("pass", "fail", "not attempted", "warned", "did not warn")


# At κ = 1e6 single precision has no digit that could be asked for.
EXPECTED = {
    "float64": {"pass": 195, "warned": 3},
    "float32": {"pass": 192, "not attempted": 3, "warned": 3},
}


def counts(report):
    return {o: report.count(o) for o in OUTCOMES if report.count(o)}


def one(case, level, name, value, **said):
    """Judge one answer of one case."""
    attempts = {(case.name, level): Attempt({name: value}, **said)}
    report = judge([case], attempts)
    (found,) = [v for v in report.of(case.name, level) if v.answer == name]
    return found


# It is a route of the certificates of test_conformance_suite.py, and judges six cases
# in either precision in test_cli_conformance.py.
@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_reference_passes_every_case(dtype):
    report = check(Engine(), dtype=dtype)
    assert counts(report) == EXPECTED[dtype]
    assert report.passed
    assert {v.got.dtype for v in report.verdicts if v.got is not None} == {
        np.dtype(dtype)
    }


def test_the_dense_computation_passes_every_case():
    assert counts(check(Computation())) == {"pass": 195, "warned": 3}


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_reference_passes_every_case_on_a_gpu(dtype):
    try:
        to_device(np.zeros(1))
    except RuntimeError as error:
        pytest.skip(str(error))
    report = check(Engine(device="cuda"), dtype=dtype)
    assert counts(report) == EXPECTED[dtype]


def test_digits_are_those_of_the_worst_tensor_of_the_worst_task():
    got = WANT.copy()
    parts = CASE.unpack(got)
    parts["head.kernel"][1, 3, 2] *= 1 + 1e-3
    parts["norm1.gamma"][0] *= 1 + 1e-6
    found = agreement(CASE, "L2", got, WANT)
    block = CASE.unpack(WANT)["head.kernel"][1]
    expected = -np.log10(1e-3 * abs(block[3, 2]) / np.linalg.norm(block))
    assert found.digits == pytest.approx(expected, abs=1e-6)
    assert (found.tensor, found.task, found.entry) == ("head.kernel", 1, (3, 2))
    assert found.ratio == pytest.approx(1.001)
    assert found.want == block[3, 2]


def test_a_tensor_that_is_zero_is_judged_beside_its_neighbours():
    case = SUITE["conv-norm-bias"]
    want = case.answers["L1"]["grad"].want
    got = want.copy()
    bias = case.unpack(got)["conv1.bias"]
    assert np.abs(case.unpack(want)["conv1.bias"]).max() < 1e-16
    bias[:] = 0
    bias[0, 1] = 1e-12 * np.linalg.norm(want[0])
    found = agreement(case, "L1", got, want)
    assert found.tensor == "conv1.bias"
    assert found.digits == pytest.approx(-np.log10(1e-12 / 2**-26.5), abs=0.01)
    assert one(case, "L1", "grad", got).outcome == "fail"
    bias[0, 1] = 1e-15 * np.linalg.norm(want[0])
    assert one(case, "L1", "grad", got).outcome == "pass"


def test_an_outer_step_is_judged_by_how_far_it_went():
    want = CASE.answers["L6"]["theta"].want
    step = want - CASE.theta
    halved = one(CASE, "L6", "theta", CASE.theta + step / 2)
    assert halved.outcome == "fail"
    assert halved.digits == pytest.approx(np.log10(2), abs=1e-6)
    assert halved.agreement.ratio == pytest.approx(0.5)
    assert one(CASE, "L6", "theta", CASE.theta.copy()).digits == 0
    assert one(CASE, "L6", "theta", want).outcome == "pass"


def test_required_digits_follow_the_dtype_of_the_answer():
    want = CASE.answers["L4"]["meta_grad"].want
    off = want * (1 + 1e-6)
    in_double = one(CASE, "L4", "meta_grad", off)
    in_single = one(CASE, "L4", "meta_grad", off.astype(np.float32))
    assert (in_double.outcome, in_single.outcome) == ("fail", "pass")
    assert in_double.required == CASE.answers["L4"]["meta_grad"].required["float64"]
    assert in_single.required == CASE.answers["L4"]["meta_grad"].required["float32"]


def test_what_must_be_refused_is_graded_apart():
    case, value = SUITE["saddle"], np.ones(SUITE["saddle"].theta.shape)
    assert one(case, "L4", "meta_grad", value).outcome == "did not warn"
    found = one(case, "L4", "meta_grad", value, warned="indefinite!")
    assert (found.outcome, found.message) == ("warned", "indefinite!")
    assert one(case, "L4", "meta_grad", value, failed="E: no").outcome == "fail"
    silent = judge([case], {})
    assert counts(silent) == {"not attempted": 1}
    assert not silent.passed


def test_a_warning_does_not_fail_an_answer():
    found = one(CASE, "L2", "hvp", WANT, warned="careful")
    assert (found.outcome, found.message) == ("pass", "careful")


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
    assert counts(report) == {"pass": 9, "not attempted": 188, "warned": 1}
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
    with pytest.raises(ValueError, match="no case 'rigde'; there are ridge, logistic"):
        check(Computation(), cases=["rigde"])


BAD = {
    "float16": (WANT.astype(np.float16), "is float16; answer in float64 or float32"),
    "integers": (WANT.astype(int), "is int64; answer in float64 or float32"),
    "one task": (WANT[0], r"expects shape \(2, 72\) = \(tasks, parameters\), got"),
    "nan": (np.where(WANT[1, 5] == WANT, np.nan, WANT), r"hvp is nan at \(1, 5\)"),
    "infinite": (WANT + np.inf, r"hvp is inf at \(0, 0\)"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_compared_fails_in_one_line(kind):
    value, message = BAD[kind]
    with pytest.raises(BadAnswer, match=message):
        comparable(CASE, "L2", "hvp", value)
    found = one(CASE, "L2", "hvp", value)
    assert found.outcome == "fail"
    assert found.message.startswith("conv-norm-tanh L2 hvp")
    assert "\n" not in found.message


@pytest.mark.parametrize(("off", "outcome"), [(0.3, "fail"), (-0.3, "pass")])
def test_the_digits_that_are_required_are_the_limit(off, outcome):
    answer = CASE.answers["L4"]["meta_grad"]
    gap = 10.0 ** -(answer.required["float64"] - off)
    assert one(CASE, "L4", "meta_grad", answer.want * (1 + gap)).outcome == outcome


def test_single_precision_is_not_judged_where_it_has_no_digits():
    case = SUITE["kappa-1e6"]
    zero = np.zeros(case.theta.shape, np.float32)
    found = one(case, "L4", "meta_grad", zero)
    assert (found.outcome, found.digits) == ("not attempted", None)
    assert found.message == "κ = 9e+05: float32 has no digit to ask for"
    assert one(case, "L4", "meta_grad", zero.astype(float)).outcome == "fail"


def test_a_crash_is_no_refusal():
    class Broken:
        def solve(self, A, b):
            raise TypeError("solve() got an unexpected argument")

    class Careful:
        def solve(self, A, b):
            raise np.linalg.LinAlgError("not positive definite")

    assert check(Broken(), cases=["indefinite"]).count("fail") == 1
    assert check(Careful(), cases=["indefinite"]).count("warned") == 1


def test_groups_where_one_array_is_expected_are_refused():
    case = SUITE["spd-10"]
    for value in ({}, {"x": np.ones(7)}):
        message = one(case, "L3", "x", value).message
        assert message == "spd-10 L3 x is a group of tensors; one array is expected"


def test_huge_answers_fail_quietly():
    assert one(CASE, "L2", "hvp", WANT + 1e200).outcome == "fail"


def test_a_name_given_twice_is_one_case():
    assert len(check(Computation(), cases=["spd-10", "spd-10"]).verdicts) == 1


def test_only_two_precisions_are_asked_in():
    with pytest.raises(ValueError, match="dtype must be float64 or float32, got 'flo"):
        check(Computation(), cases=["spd-10"], dtype="float16")


def test_tensors_by_name_are_packed():
    tensors = CASE.unpack(WANT)
    assert one(CASE, "L2", "hvp", tensors).outcome == "pass"
    missing = {k: a for k, a in tensors.items() if k != "norm1.beta"}
    assert "tensor norm1.beta is missing" in one(CASE, "L2", "hvp", missing).message
    unknown = tensors | {"norm1.mean": WANT}
    assert "tensor norm1.mean is unknown" in one(CASE, "L2", "hvp", unknown).message
    odd = tensors | {"norm1.beta": np.ones((2, 5))}
    message = one(CASE, "L2", "hvp", odd).message
    assert "norm1.beta expects shape (2, 3), axes task, out, got (2, 5)" in message


def test_a_swapped_layout_is_recognised_by_its_shape():
    kernel = CASE.unpack(WANT)["conv1.kernel"].transpose(0, 4, 3, 1, 2)
    found = one(CASE, "L2", "hvp", CASE.unpack(WANT) | {"conv1.kernel": kernel})
    assert found.outcome == "fail"
    assert "axes task, kh, kw, in, out, got (2, 3, 1, 3, 3)" in found.message
    assert found.message.endswith("its axes are in another order")


def test_a_swapped_layout_is_recognised_by_its_numbers():
    got = WANT.copy()
    parts, right = CASE.unpack(got), CASE.unpack(WANT)
    for name, order in (("head.kernel", (0, 2, 1)), ("conv1.kernel", (0, 4, 3, 1, 2))):
        swapped = right[name].transpose(order)
        parts[name][:] = swapped.reshape(parts[name].shape)
    found = one(CASE, "L2", "hvp", got)
    assert found.outcome == "fail"
    assert found.message == (
        "conv1.kernel is in the order (out, in, kh, kw), not (kh, kw, in, out); "
        "head.kernel is in the order (out, in), not (in, out)"
    )


def test_wrong_numbers_are_taken_for_no_layout():
    noise = np.random.default_rng(0).normal(size=WANT.shape)
    assert one(CASE, "L2", "hvp", noise).message == ""


def test_answers_written_to_a_file_are_judged_alike(tmp_path):
    cases = [SUITE[n] for n in ("ridge", "mlp-tanh", "indefinite", "spd-10")]
    attempts = ask(Computation(), cases)
    attempts["indefinite", "L3"] = Attempt({}, "indefinite")
    attempts["ridge", "L1"] = Attempt(
        {"grad": SUITE["ridge"].unpack(SUITE["ridge"].answers["L1"]["grad"].want)}
    )
    write_answers(tmp_path / "a.h5", attempts)
    report = check_file(tmp_path / "a.h5")
    assert report.subject == "a.h5"
    of_file = {(v.case, v.level, v.answer): v.outcome for v in report.verdicts}
    of_object = judge(cases, attempts).verdicts
    for v in of_object:
        assert of_file[v.case, v.level, v.answer] == v.outcome
    assert of_file["ridge", "L1", "grad"] == "pass"
    assert of_file["ridge", "L1", "loss"] == "not attempted"
    assert of_file["logistic", "L1", "loss"] == "not attempted"
    assert of_file["indefinite", "L3", "x"] == "warned"


def write_raw(path, place, version=1, schema=SCHEMA):
    with atomic_h5(path, schema=schema, version=version) as file:
        file[place] = WANT


def test_files_of_answers_that_are_none_are_refused(tmp_path):
    path = tmp_path / "a.h5"
    with pytest.raises(FileNotFoundError, match="no such file"):
        check_file(path)
    export_inputs(path, SUITE.values())
    with pytest.raises(BadFile, match="has schema 'imaml_ref/conformance-inputs'"):
        check_file(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(BadFile, match="truncated"):
        check_file(path)
    write_raw(path, "answers/ridge/L1/grad", version=2)
    with pytest.raises(BadFile, match="version 2, this program reads 1 to 1"):
        check_file(path)
    write_raw(path, "answers/transformer/L1/grad")
    with pytest.raises(BadFile, match="answers a case 'transformer'"):
        check_file(path)
    write_raw(path, "answers/ridge/L3/x")
    with pytest.raises(BadFile, match="ridge asks for L1, L2, L4, L5, L6, L7, not"):
        check_file(path)
    with h5py.File(path, "w") as file:
        file["answers"] = 1
    with pytest.raises(BadFile, match="has schema 'none'"):
        read_answers(path, SUITE)


def test_raising_refused_is_a_warning_where_one_is_due():
    class Careful:
        def meta_grad(self, case, phi=None):
            raise Refused("I do not trust this")

    report = check(Careful(), cases=["saddle", "ridge"])
    assert report.count("warned") == 1
    assert [v.message for v in report.of("ridge", "L4")] == [
        "Refused: I do not trust this"
    ]
    assert report.count("fail") == 2


def test_the_package_says_what_it_offers():
    for name in conformance.__all__:
        assert getattr(conformance, name) is not None
