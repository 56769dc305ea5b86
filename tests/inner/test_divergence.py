"""An inner loop that runs away says so, with the step and the task."""

import math

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref.checks import digits
from imaml_ref.inner.base import check_progress
from imaml_ref.meta_gradients import task_mean
from tests.helpers.problems import quadratic

RUNAWAYS = {
    "gd": ir.GradientDescent(step_size=1.0, num_steps=12),
    "momentum": ir.Momentum(step_size=1.0, num_steps=12, momentum=0.5),
    "adam": ir.InnerAdam(step_size=1e6, num_steps=12),
}


@pytest.mark.parametrize("inner", RUNAWAYS.values(), ids=RUNAWAYS.keys())
def test_growth_is_divergence(inner):
    problem = quadratic()
    with pytest.raises(ir.InnerDivergence, match="diverged in step") as caught:
        inner.solve(problem.objective(), problem.theta)
    assert 1 <= caught.value.step < 12
    assert "lower step_size" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_divergence_names_the_first_step_and_the_task(monkeypatch):
    """Only task 2 is steep; ‖∇G‖ grows by the same factor from step to step."""
    monkeypatch.setattr(task_mean, "chunk_size", lambda *_: 2)
    problem = quadratic(size=3)
    A = np.tile(np.eye(3), (4, 1, 1))
    A[2] *= 21  # α (A + λ) = 21.75/4: ‖∇G‖ grows by 4.4375 a step, 4.4375⁵ > 1000
    tasks = ir.TaskBatch(A, problem.tasks.support_y, A, problem.tasks.query_y)
    with pytest.raises(ir.InnerDivergence) as caught:
        ir.implicit_gradient(
            problem.loss,
            problem.theta,
            tasks,
            lam=0.75,
            inner=ir.GradientDescent(0.25, 12),
        )
    assert (caught.value.task, caught.value.step) == (2, 5)
    expected = r"^task 2: inner solution diverged in step 5 \(‖∇G‖ .* → .*\); lower "
    expected += r"step_size \(inner-lr of a run\) below 2/\(h_max \+ λ\), now 0.25"
    assert caught.match(expected)


@pytest.mark.parametrize("function", [ir.implicit_gradient, ir.unrolled_gradient])
def test_overflow_is_divergence_and_no_warning(function):
    problem = quadratic()
    inner = ir.GradientDescent(step_size=1e60, num_steps=9)
    with pytest.raises(ir.InnerDivergence, match=r"→ (inf|nan)\)") as caught:
        function(problem.loss, problem.theta, problem.tasks, inner=inner)
    assert caught.value.step == 6  # ‖∇G‖ is multiplied by 1e60, and 1e360 is no float
    assert caught.value.task == 0


def test_lbfgs_and_newton_report_what_is_not_finite():
    problem = quadratic()
    broken = problem.tasks.support_y.copy()
    broken[1, 0] = np.nan
    objective = ir.ProximalObjective(
        problem.loss, problem.theta, problem.tasks.support_x, broken, 0.75
    )
    for inner in (ir.LBFGS(maxiter=3), ir.NewtonCG(2)):
        with pytest.raises(ir.InnerDivergence, match=r"^task 1: .*diverged in"):
            inner.solve(objective, problem.theta)


def test_what_is_not_finite_from_the_start_is_no_matter_of_step_size():
    problem = quadratic()
    broken = problem.tasks.support_y.copy()
    broken[3, 1] = np.inf
    message = r"^task 3: .* step 0 .*; look for NaN and infinity in θ and in the data$"
    with pytest.raises(ir.InnerDivergence, match=message):
        ir.adapt(problem.loss, problem.theta, problem.tasks.support_x, broken)


def test_growth_for_a_while_is_no_divergence():
    """Task 0 climbs and comes back; task 1 ends high and is the one to blame."""
    climbs, ends_high = [1.0, 5e3, 0.1], [1.0, 10.0, 2e3]
    quiet = Stationary()
    check_progress([np.array([g]) for g in climbs], quiet, np.zeros((1, 2)), "")
    norms = [np.array(pair) for pair in zip(climbs, ends_high, strict=True)]
    with pytest.raises(ir.InnerDivergence, match=r"task 1: .* in step 2") as caught:
        check_progress(norms, quiet, np.zeros((2, 2)), "help")
    assert (caught.value.task, caught.value.step) == (1, 2)


class Stationary:
    """An objective and its linearisation: L has no gradient."""

    def linearize(self, phi):
        self.support, self.grad = self, 0 * phi
        return self


def test_leaving_a_solution_is_no_divergence():
    """Adam's steps have their length where ∇G is rounding; that of ∇L is the scale."""
    problem = quadratic()
    objective = problem.objective()
    star = ir.NewtonCG(5, 5).solve(objective, problem.theta)
    phi = ir.InnerAdam(0.05, 5, eps=1e-20).solve(objective, problem.theta, star)
    assert 1e-3 < np.abs(phi - star).max() < 0.25


def test_slow_convergence_is_no_divergence():
    problem = quadratic()
    phi = ir.GradientDescent(1e-6, 3).solve(problem.objective(), problem.theta)
    assert digits(phi, np.tile(problem.theta, (4, 1))) > 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: ir.GradientDescent(step_size=0),
            "step_size must be a finite number > 0, got 0",
        ),
        (
            lambda: ir.Momentum(step_size=-1.0),
            r"step_size must be a finite number > 0, got -1\.0",
        ),
        (
            lambda: ir.GradientDescent(step_size=math.nan),
            "step_size must be a finite number > 0, got nan",
        ),
        (
            lambda: ir.InnerAdam(num_steps=-1),
            "num_steps must be an integer >= 0, got -1",
        ),
        (
            lambda: ir.Momentum(momentum=1.0),
            r"momentum must be a number in \[0, 1\), got 1\.0",
        ),
        (lambda: ir.InnerAdam(decay=0), r"decay must be a number in \(0, 1\], got 0"),
        (lambda: ir.NewtonCG(num_steps=-1), "num_steps must be an integer >= 0"),
        (lambda: ir.NewtonCG(cg_steps=0), "cg_steps must be an integer >= 1"),
        (
            lambda: ir.NewtonCG(slope=0.5),
            r"slope must be a number in \(0, 0\.5\), got 0\.5",
        ),
        (lambda: ir.LBFGS(maxiter=0), "maxiter must be an integer >= 1, got 0"),
        (lambda: ir.LBFGS(tol=math.nan), "tol must be a finite number >= 0, got nan"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
