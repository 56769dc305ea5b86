"""The shipped suite: generated anew it is the same, and it holds what it promises."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from imaml_ref.conformance import LEVELS, export_inputs, load_suite
from imaml_ref.conformance.agreement import agreement
from imaml_ref.conformance.build import NEAR, TINY, checked, problems
from imaml_ref.conformance.certify import certified, required_digits
from imaml_ref.conformance.descent import astray
from imaml_ref.conformance.grid import Grid, on_grid
from imaml_ref.conformance.suite import write_suite
from imaml_ref.files.whole import BadFile

SUITE = load_suite()


# CI certifies all anew; by default one network of convolutions and some small ones do:
# they reach every line of a certificate, and to the shipped answers of most the dense
# computation is held in test_subjects.py.
DEAR = {"logistic", "mlp-tanh", "mlp-softplus", "mlp-relu", "unequal-tasks"} | {
    name
    for name, case in SUITE.items()
    if name in ("five-tasks", "adam", "duplicates")
    or ("Conv2d" in str(case.network) and name != "conv-global")
}


@pytest.fixture(scope="module")
def fresh():
    """The cases before they are answered, each with its levels."""
    return {case.name: (case, levels) for case, levels in problems()}


def test_the_generator_makes_the_cases_of_the_shipped_suite(fresh):
    assert list(fresh) == list(SUITE)
    for name, case in SUITE.items():
        made, levels = fresh[name]
        assert (levels or tuple(made.refuse)) == case.levels
        for field in ("title", "network", "loss", "outer", "second_order", "refuse"):
            assert getattr(made, field) == getattr(case, field), (name, field)


def test_inputs_come_out_bit_for_bit(fresh):
    for name, case in SUITE.items():
        made, _ = fresh[name]
        assert made.inputs.keys() == case.inputs.keys() - unanswered(case)
        for key, a in made.inputs.items():
            if key != "solution":
                assert_array_equal(a, case.inputs[key], err_msg=f"{name} {key}")
                assert a.dtype == case.inputs[key].dtype


def unanswered(case):
    """Return what is among the inputs of a case only once it is answered."""
    return {"solution"} if "L4" in case.answers else set()


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.thorough] * (n in DEAR)) for n in SUITE],
)
def test_answers_come_out_to_their_certified_digits(fresh, name):
    case, made = SUITE[name], checked(certified(*fresh[name]))
    assert made.inputs.keys() == case.inputs.keys()
    assert made.answers.keys() == case.answers.keys()
    for level, answers in case.answers.items():
        for key, answer in answers.items():
            new = made.answers[level][key]
            digits = agreement(case, level, new.want, answer.want).digits
            assert digits >= answer.required["float64"] + 0.5, (level, key)
            assert new.kappa == pytest.approx(answer.kappa, rel=0.01), level


def test_inputs_are_multiples_of_one_in_1024():
    for name, case in SUITE.items():
        for key, a in case.inputs.items():
            scale = 2.0**30 if key in TINY.get(name, ()) else 1
            assert key == "solution" or on_grid(a * scale), (name, key)
    assert not on_grid(np.array([2.0**-11]))


def test_required_digits_follow_the_condition_number():
    assert required_digits(10.0, 2.0**-53) == 10.0
    assert required_digits(1e6, 2.0**-53) == pytest.approx(7.955, abs=1e-3)
    assert required_digits(10.0, 2.0**-24) == pytest.approx(4.225, abs=1e-3)
    assert required_digits(1e9, 2.0**-24) == 0.0


def test_every_certificate_exceeds_what_is_required():
    for case in SUITE.values():
        for answers in case.answers.values():
            for answer in answers.values():
                assert answer.certified >= answer.required["float64"] + 0.5
                assert len(answer.routes) == 2
                assert answer.kappa >= 1
                assert answer.want.dtype == np.float64


def test_the_suite_covers_what_it_should():
    levels = {level for case in SUITE.values() for level in case.levels}
    assert levels == set(LEVELS)
    kinds = {
        layer["type"]
        for case in SUITE.values()
        for layer in (case.network or {"layers": []})["layers"]
    }
    assert {"Linear", "Conv2d", "BatchNorm2d", "MaxPool2d", "ReLU", "Tanh"} <= kinds
    by_condition = [
        SUITE[f"kappa-{k}"].answers["L4"]["meta_grad"].kappa for k in KAPPAS
    ]
    for kappa, (low, high) in zip(by_condition, KAPPAS.values(), strict=True):
        assert low < kappa < high
    assert {level for c in SUITE.values() for level in c.refuse} == {"L3", "L4"}
    whole = [c for c in SUITE.values() if c.network and len(c.groups) == 1]
    assert {c.num_tasks for c in whole} >= {1, 3, 5, 13}
    assert {len(c.groups) for c in SUITE.values() if c.network} == {1, 2, 3}


KAPPAS = {"10": (5, 20), "1e3": (500, 2000), "1e6": (5e5, 2e6)}


def test_support_and_query_sets_are_not_degenerate():
    for case in SUITE.values():
        if not case.network:
            continue
        for group in case.groups:
            for key in ("support_x", "query_x"):
                assert group.inputs[key].any((0, 1)).all(), case.name
        if "phi" in case.inputs:
            assert not np.array_equal(case.phi[0], case.theta)


def test_a_case_that_is_not_what_it_is_meant_to_be_is_not_written():
    case = SUITE["mlp-tanh"]
    off = case.at(case.theta + 2.0**-12)
    with pytest.raises(AssertionError, match="mlp-tanh: theta is off the grid"):
        checked(off)


def test_a_certificate_that_is_too_weak_is_not_written():
    case = SUITE["ridge"]
    weak = replace(case.answers["L1"]["grad"], certified=10.2)
    answers = {**case.answers, "L1": {"grad": weak}}
    with pytest.raises(AssertionError, match=r"ridge: L1 grad: 10\.2 digits"):
        checked(replace(case, answers=answers))


def test_a_solution_that_descent_does_not_arrive_at_is_not_written():
    case = SUITE["mlp-tanh"]
    other = replace(case, inputs={**case.inputs, "solution": case.solution + 1e-4})
    with pytest.raises(AssertionError, match="descent from θ arrives at another φ"):
        checked(other)


def test_descent_with_small_steps_arrives_at_every_solution():
    """A kink parts minima that are near each other: Newton's method may cross it."""
    solved = [c for c in SUITE.values() if c.network and "L4" in c.answers]
    for case in solved:
        assert astray(case) <= NEAR, case.name


def test_a_case_without_second_order_terms_is_not_written():
    case = replace(SUITE["lam-large"], second_order=True)
    with pytest.raises(AssertionError, match=r"lam-large: first order is \d\.\d% away"):
        checked(case)


def test_a_case_whose_units_are_dead_is_not_written():
    case = SUITE["mlp-relu"]
    solution = case.solution.copy()
    case.unpack(solution)["linear1.bias"][1] = -100.0
    dead = replace(case, inputs={**case.inputs, "solution": solution})
    with pytest.raises(AssertionError, match="an activation is zero for every"):
        checked(dead)


def test_first_order_is_five_percent_away_where_it_should_be():
    from imaml_ref.conformance.certify import second_order_share

    shares = {
        n: second_order_share(c)
        for n, c in SUITE.items()
        if c.second_order and "L4" in c.answers
    }
    assert min(shares.values()) >= 0.05
    assert second_order_share(SUITE["lam-large"]) < 0.05


def test_what_is_written_is_read_again(tmp_path):
    write_suite(tmp_path / "s.h5", SUITE.values())
    again = load_suite(tmp_path / "s.h5")
    assert list(again) == list(SUITE)
    for name, case in SUITE.items():
        for key, a in case.inputs.items():
            assert_array_equal(again[name].inputs[key], a)
        for level, answers in case.answers.items():
            for key, answer in answers.items():
                found = again[name].answers[level][key]
                assert_array_equal(found.want, answer.want)
                assert found.required == answer.required
                assert found.routes == answer.routes


def test_exported_inputs_hold_no_answers(tmp_path):
    export_inputs(tmp_path / "i.h5", SUITE.values())
    with h5py.File(tmp_path / "i.h5") as file:
        for name, case in SUITE.items():
            group = file["cases"][name]
            assert set(group["inputs"]) == set(case.inputs)
            for level in case.levels:
                assert len(group["levels"][level]) == 0
                assert list(group["levels"][level].attrs) == ["asked"]


def test_a_suite_without_its_parts_is_refused(tmp_path):
    write_suite(tmp_path / "s.h5", [SUITE["ridge"]])
    with h5py.File(tmp_path / "s.h5", "a") as file:
        del file["cases/ridge/levels"]
    with pytest.raises(BadFile, match=r"damaged suite: .*levels"):
        load_suite(tmp_path / "s.h5")


def test_the_grid_draws_the_same_numbers_everywhere():
    # Raw bits of PCG64 with seed 7, reduced by hand.
    raw = [int(r) for r in np.random.PCG64(7).random_raw(4)]
    assert Grid(7).integers(-3, 3, (4,)).tolist() == [r % 7 - 3 for r in raw]
    reals = Grid(7).reals((50, 40), 0.5)
    assert on_grid(reals)
    assert -0.5 <= reals.min() < -0.49
    assert 0.49 < reals.max() <= 0.5
    positive = Grid(8).between((3000,), 0.25, 1.0)
    assert positive.min() == pytest.approx(0.25, abs=0.005)
    assert positive.max() == pytest.approx(1.0, abs=0.005)


def test_what_is_done_to_a_case_is_not_in_the_next_one_that_is_loaded():
    load_suite()["ridge"].theta[:] = 7
    assert_array_equal(load_suite()["ridge"].theta, SUITE["ridge"].theta)
