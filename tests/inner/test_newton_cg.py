"""Newton-CG with its line search, and SciPy's L-BFGS."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from tests.helpers.meta_oracles import gradient_norm
from tests.helpers.problems import (
    Quadratic,
    curved,
    kinked,
    quadratic,
    softmax_regression,
)


def test_newton_solves_a_quadratic_in_one_step():
    for problem in (quadratic(), quadratic().per_parameter()):
        inner = ir.NewtonCG(num_steps=1, cg_steps=5)
        phi = inner.solve(problem.objective(), problem.theta)
        assert gradient_norm(problem, phi) < 1e-11


def test_newton_descends_from_far_away_where_the_hessian_is_indefinite():
    problem = curved()
    start = 4 * np.random.default_rng(1).normal(size=(3, 44))
    objective = problem.objective()
    values = [objective.value(start)]
    for num_steps in (1, 2, 4, 8, 40):
        inner = ir.NewtonCG(num_steps=num_steps, cg_steps=20)
        phi = inner.solve(objective, problem.theta, start)
        values.append(objective.value(phi))
    assert (np.diff(values, axis=0) <= 1e-14).all()
    assert (values[1] < values[0]).all()
    assert gradient_norm(problem, phi) < 1e-9


def test_newton_leaves_a_task_alone_that_is_done_or_cannot_be_improved():
    problem = quadratic()
    star = ir.NewtonCG(5, 5).solve(problem.objective(), problem.theta)
    start = np.where(np.arange(4)[:, None] == 2, problem.theta, star)
    inner = ir.NewtonCG(num_steps=3, cg_steps=5, tol=1e-9)
    phi = inner.solve(problem.objective(), problem.theta, start)
    assert_array_equal(phi[[0, 1, 3]], star[[0, 1, 3]])
    assert_allclose(phi[2], star[2], rtol=1e-10)

    class Uphill(Quadratic):
        def linearize(self, phi, A, b):
            at = super().linearize(phi, A, b)
            at.grad = -at.grad - 100
            return at

    x, y = problem.tasks.support_x, problem.tasks.support_y
    lying = ir.ProximalObjective(Uphill(), problem.theta, x, y, 0.75)
    phi = ir.NewtonCG(1, 5, max_halvings=3).solve(lying, problem.theta)
    assert_array_equal(phi, np.tile(problem.theta, (4, 1)))


def test_the_line_search_takes_the_first_sufficient_step():
    problem = curved()
    objective = problem.objective()
    start = np.random.default_rng(1).normal(size=(3, 44))
    at = objective.linearize(start)
    inner = ir.NewtonCG(num_steps=1, cg_steps=20, slope=0.49)
    phi = inner.solve(objective, problem.theta, start)
    d = inner._direction(objective, at)
    slope, steps = (at.grad * d).sum(-1), []
    for t in range(3):
        s, value = 1.0, objective.task(t).value
        while value((start[t] + s * d[t])[None]) > at.value[t] + 0.49 * s * slope[t]:
            s /= 2
        assert_allclose(phi[t], start[t] + s * d[t], rtol=1e-13)
        steps.append(s)
    assert min(steps) < max(steps)


class Rounded(Quadratic):
    """Values near 1e6, and one unit in the last place higher than at the start."""

    def __init__(self, start):
        self.start = start

    def linearize(self, phi, A, b):
        at = super().linearize(phi, A, b)
        at.value = at.value + 1e6 + 1.2e-10 * (phi != self.start).any(-1)
        return at


def test_where_values_are_rounding_the_gradient_decides():
    problem = quadratic()
    star = ir.NewtonCG(5, 5).solve(problem.objective(), problem.theta)
    start = star + 1e-6 * np.random.default_rng(0).normal(size=star.shape)
    x, y = problem.tasks.support_x, problem.tasks.support_y
    noisy = ir.ProximalObjective(Rounded(start), problem.theta, x, y, 0.75)
    phi = ir.NewtonCG(1, 5).solve(noisy, problem.theta, start)
    assert_allclose(phi, star, rtol=1e-12)


class TooLong(Rounded):
    """Newton steps ten times too long: of 1, ½, ¼, ⅛ only the last one comes closer."""

    def linearize(self, phi, A, b):
        at = super().linearize(phi, A, b)
        product = at.hvp
        at.hvp = lambda v: product(v) / 10 - 0.675 * v
        return at


def test_where_values_are_rounding_a_step_must_lower_the_gradient():
    problem = quadratic()
    star = ir.NewtonCG(5, 5).solve(problem.objective(), problem.theta)
    start = star + 1e-6 * np.random.default_rng(0).normal(size=star.shape)
    x, y = problem.tasks.support_x, problem.tasks.support_y
    lying = ir.ProximalObjective(TooLong(start), problem.theta, x, y, 0.75)
    phi = ir.NewtonCG(1, 5).solve(lying, problem.theta, start)
    assert_allclose(phi - star, (start - star) * -0.25, rtol=1e-5)


def test_lbfgs_is_per_task_and_keeps_its_tolerance():
    problem = kinked()
    inner = ir.LBFGS(maxiter=500, tol=1e-9)
    phi = inner.solve(softmax_regression().objective(), softmax_regression().theta)
    assert gradient_norm(softmax_regression(), phi) < 1e-7
    alone = inner.solve(problem.objective().task(1), problem.theta)
    together = inner.solve(problem.objective(), problem.theta)
    assert_array_equal(together[1], alone[0])
    few = ir.LBFGS(maxiter=2).solve(problem.objective(), problem.theta)
    assert gradient_norm(problem, few) > 1e-3


def test_newton_truncated_at_once_takes_one_lam_as_it_takes_one_for_each_parameter():
    problem = curved()
    start = 4 * np.random.default_rng(1).normal(size=(3, 44))
    x, y = problem.tasks.support_x, problem.tasks.support_y
    steps = []
    for lam in (0.01, np.full(44, 0.01)):
        objective = ir.ProximalObjective(problem.loss, problem.theta, x, y, lam)
        # G must curve downwards along the first direction, for what is compared here.
        grad = objective.grad(start)
        assert ((grad * objective.linearize(start).hvp(grad)).sum(1) < 0).any()
        inner = ir.NewtonCG(num_steps=1, cg_steps=5)
        steps.append(inner.solve(objective, problem.theta, start))
    assert_allclose(*steps, rtol=1e-12)


class Counting(ir.ProximalObjective):
    """An objective that counts how often it is linearised."""

    calls = 0

    def linearize(self, phi):
        Counting.calls += 1
        return super().linearize(phi)


def test_newton_stops_where_rounding_stops_it():
    for problem in (quadratic(), softmax_regression(), curved()):
        counts, x, y = [], problem.tasks.support_x, problem.tasks.support_y
        for num_steps in (30, 400):
            objective = Counting(problem.loss, problem.theta, x, y, problem.lam)
            Counting.calls = 0
            phi = ir.NewtonCG(num_steps, cg_steps=50).solve(objective, problem.theta)
            counts.append(Counting.calls)
        assert counts[0] == counts[1] < 400
        assert gradient_norm(problem, phi) < 1e-13


def test_newton_is_not_done_above_its_floor():
    problem = quadratic()
    star = ir.NewtonCG(9, 9).solve(problem.objective(), problem.theta)
    start = star + 1e-10
    phi = ir.NewtonCG(1, 9).solve(problem.objective(), problem.theta, start)
    assert gradient_norm(problem, phi) < 1e-3 * gradient_norm(problem, start)


def test_newton_goes_on_where_values_stop_lbfgs():
    problem = softmax_regression()
    theta = problem.theta.astype(np.float32)
    x, y = problem.tasks.support_x.astype(np.float32), problem.tasks.support_y
    objective = ir.ProximalObjective(problem.loss, theta, x, y, problem.lam)
    near = ir.LBFGS(maxiter=500, tol=0.0).solve(objective, theta)
    phi = ir.NewtonCG(20, 20).solve(objective, theta, near)
    eps = np.finfo(np.float32).eps
    # Each is solved to its rounding: (ε G h)^(1/2) by values, ε ‖∇L‖ by gradients.
    assert gradient_norm(problem, near.astype(float)) < 30 * eps**0.5
    assert gradient_norm(problem, phi.astype(float)) < 100 * eps
