"""Answers in, verdicts out: digits, refusals, and answers that cannot be compared."""

import numpy as np
import pytest

from imaml_ref.conformance import Attempt, judge, load_suite
from imaml_ref.conformance.agreement import agreement
from imaml_ref.conformance.answers import BadAnswer, comparable
from tests.helpers.conformance_reports import counts

SUITE = load_suite()
CASE = SUITE["conv-norm-tanh"]
WANT = CASE.answers["L2"]["hvp"].want


def one(case, level, name, value, **said):
    """Judge one answer of one case."""
    attempts = {(case.name, level): Attempt({name: value}, **said)}
    report = judge([case], attempts)
    (found,) = [v for v in report.of(case.name, level) if v.answer == name]
    return found


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


BAD = {
    "float16": (WANT.astype(np.float16), "is float16; answer in float64 or float32"),
    "integers": (WANT.astype(int), "is int64; answer in float64 or float32"),
    "one task": (WANT[0], r"expects shape \(3, 67\) = \(tasks, parameters\), got"),
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


def test_groups_where_one_array_is_expected_are_refused():
    case = SUITE["spd-10"]
    for value in ({}, {"x": np.ones(7)}):
        message = one(case, "L3", "x", value).message
        assert message == "spd-10 L3 x is a group of tensors; one array is expected"


def test_huge_answers_fail_quietly():
    assert one(CASE, "L2", "hvp", WANT + 1e200).outcome == "fail"


def test_tensors_by_name_are_packed():
    tensors = CASE.unpack(WANT)
    assert one(CASE, "L2", "hvp", tensors).outcome == "pass"
    missing = {k: a for k, a in tensors.items() if k != "norm1.beta"}
    assert "tensor norm1.beta is missing" in one(CASE, "L2", "hvp", missing).message
    unknown = tensors | {"norm1.mean": WANT}
    assert "tensor norm1.mean is unknown" in one(CASE, "L2", "hvp", unknown).message
    odd = tensors | {"norm1.beta": np.ones((3, 5))}
    message = one(CASE, "L2", "hvp", odd).message
    assert "norm1.beta expects shape (3, 2), axes task, out, got (3, 5)" in message


def test_a_swapped_layout_is_recognised_by_its_shape():
    kernel = CASE.unpack(WANT)["conv1.kernel"].transpose(0, 4, 3, 1, 2)
    found = one(CASE, "L2", "hvp", CASE.unpack(WANT) | {"conv1.kernel": kernel})
    assert found.outcome == "fail"
    assert "axes task, kh, kw, in, out, got (3, 2, 1, 3, 3)" in found.message
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
