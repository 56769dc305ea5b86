"""Numbers of which a mistake could be made differ within a case and between cases."""

import math
from itertools import combinations, pairwise, product

import numpy as np
import pytest

from imaml_ref.conformance import load_suite

SUITE = load_suite()
NETS = [name for name, case in SUITE.items() if case.network]
POWERS = (1, 2, -1, -2)
APART = 5e-4  # relative: three digits of a factor tell them apart
# T or N is 1 in the cases that are there for that; groups have no one N and M.
UNITY = {("one-task", "T"), ("saddle", "T"), ("one-example", "N")}


def numbers(case):
    """Return what a factor could be made of, by name; one of λ is its median."""
    (first, *others) = case.groups
    found = {
        "2": 2.0,
        "λ": float(np.median(case.lam)),
        "T": case.num_tasks,
        "P": len(case.theta),
        "D": case.net.num_outputs,
    }
    if {"L6", "L7"} & set(case.levels):
        found["α"] = case.outer["step_size"]
    if not others:
        found["N"] = first.inputs["support_x"].shape[1]
        found["M"] = first.inputs["query_x"].shape[1]
    return {k: x for k, x in found.items() if (case.name, k) not in UNITY}


def monomials(case):
    """Return log |·| and the name of products of one or two factors, and of 1."""
    logs = {k: math.log(x) for k, x in numbers(case).items()}
    found = {(): 0.0}
    found |= {((a, p),): p * logs[a] for a in logs for p in POWERS}
    for (a, b), p, q in product(combinations(logs, 2), POWERS, POWERS):
        found[(a, p), (b, q)] = p * logs[a] + q * logs[b]
    return sorted((log, name) for name, log in found.items())


@pytest.mark.parametrize("name", NETS)
def test_no_two_products_of_a_case_are_one_number(name):
    case = SUITE[name]
    if case.inputs["lam"].ndim:
        lam = case.lam
        assert len(np.unique(lam)) > 0.7 * len(lam)
        assert lam.max() > 2 * lam.min()
        return
    found = monomials(case)
    for (low, a), (high, b) in pairwise(found):
        assert high - low > APART, (a, b)


def test_from_case_to_case_they_vary():
    """No constant, and no constant times another number, is a number in every case."""
    seen = [numbers(SUITE[n]) for n in NETS if not SUITE[n].sets]
    for a, b in combinations(("2", "λ", "T", "N", "M", "α"), 2):
        for p, q in ((1, 1), (1, -1)):
            products = [s[a] ** p * s[b] ** q for s in seen if a in s and b in s]
            commonest = max(products.count(x) for x in products)
            assert commonest <= len(products) / 2, (a, b)
    lams = [s["λ"] for s in seen]
    assert len(set(lams)) == len(lams)


def test_the_steps_of_adam_are_told_apart():
    adams = [c.outer for c in SUITE.values() if c.outer.get("optimizer") == "adam"]
    adams = list({tuple(sorted(a.items())): a for a in adams}.values())
    assert len(adams) >= 4
    for outer in adams:
        beta1, beta2, eps = outer["beta1"], outer["beta2"], outer["eps"]
        assert abs((1 - beta1) / math.sqrt(1 - beta2) - 1) > 0.1
        for x in (beta1, beta2, eps):
            assert np.float32(x) == x
    for key in ("beta1", "beta2", "eps", "step_size"):
        assert len({a[key] for a in adams}) == len(adams)


def test_the_unrolled_steps_vary():
    asked = [c.unrolled for c in SUITE.values() if c.unrolled]
    assert 2 * len(asked) > len(NETS) * 0.8
    assert len({u["step_size"] for u in asked}) == len(asked)
    assert len({u["steps"] for u in asked}) >= 5


def test_closed_forms_take_ten_steps_under_both_optimisers():
    for kind in ("sgd", "adam"):
        cheap = [
            c
            for c in SUITE.values()
            if c.loss == "squared-error"
            and len(c.network["layers"]) == 1
            and "L7" in c.levels
            and c.outer["optimizer"] == kind
        ]
        assert len({(c.outer["step_size"], c.lam) for c in cheap}) >= 3
        assert any("L7" in SUITE[n].levels for n in ("mlp-tanh", "adam"))


def test_tiny_gradients_show_where_epsilon_is():
    case = SUITE["ridge-adam-tiny"]
    slope = np.abs(case.answers["L5"]["meta_grad"].want)
    assert 1e-11 < np.median(slope) < 1e-8
    assert 0.05 < case.outer["eps"] / np.median(slope) < 20


def cg(A, b, steps):
    """Return the iterate of conjugate gradients after some steps from 0."""
    x, r = np.zeros_like(b), b.copy()
    p = r
    for _ in range(steps):
        alpha = (r @ r) / (p @ A @ p)
        x, rest = x + alpha * p, r - alpha * (A @ p)
        p, r = rest + (rest @ rest) / (r @ r) * p, rest
    return x


@pytest.mark.parametrize("name", ["spread-30", "spread-300"])
def test_one_to_ten_steps_of_cg_are_told_from_convergence_and_each_other(name):
    case = SUITE[name]
    x = case.answers["L3"]["x"].want
    iterates = [cg(case.A, case.b, k) for k in range(11)] + [x]
    for one, other in combinations(iterates, 2):
        assert np.linalg.norm(one - other) > 1e-3 * np.linalg.norm(x)


def test_one_step_solves_what_is_not_the_identity():
    case = SUITE["one-step"]
    x = case.answers["L3"]["x"].want
    np.testing.assert_allclose(cg(case.A, case.b, 1), x, rtol=1e-14)
    assert abs(case.b @ x / (case.b @ case.b) - 1) > 0.2
    assert np.abs(case.A - np.diag(np.diag(case.A))).max() > 0.1


def test_systems_differ_in_size_and_right_hand_side():
    systems = [c for c in SUITE.values() if not c.network and not c.refuse]
    assert len({len(c.b) for c in systems}) == len(systems)
    assert len({round(float(np.linalg.norm(c.b)), 6) for c in systems}) == len(systems)


def test_lambda_gradients_per_parameter_differ_in_sign_and_size():
    for name in ("ridge-lam-vector", "mlp-lam-vector", "conv-lam-vector"):
        want = SUITE[name].answers["L5"]["lam_grad"].want
        assert want.shape == SUITE[name].theta.shape
        assert 0.2 < (want > 0).mean() < 0.8
        big, small = np.quantile(np.abs(want), [0.9, 0.1])
        assert big > 5 * small
