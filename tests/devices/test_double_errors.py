"""What goes wrong on a device is told as on the host, when somebody looks."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.compute.backend import to_device
from imaml_ref.compute.readings import settle, waiting
from tests.helpers.problems import curved, quadratic
from tests.machines.double import device_double
from tests.machines.on_double import looked_at_late, on_device


@pytest.fixture
def device():
    with ir.plain_path(), device_double() as device:
        yield device


def test_a_label_that_is_no_class_is_refused_when_somebody_looks(device):
    problem = curved()
    theta, tasks = on_device(problem)
    wrong = to_device(np.full(tasks.query_y.shape, 4))
    tasks = ir.TaskBatch(tasks.support_x, tasks.support_y, tasks.query_x, wrong)
    with np.errstate(invalid="ignore"), waiting() as readings:
        ir.IMAML(problem.loss)(theta, tasks)
    with pytest.raises(ValueError, match=r"from 0 to 3, .* got 4 to 4"):
        settle(readings)


ERRORS = {
    "a step": lambda p: ir.IMAML(p.loss, p.lam, ir.GradientDescent(1e9, 5)),
    "a start": lambda p: ir.IMAML(p.loss, p.lam, ir.GradientDescent(0.1, 5)),
    "no step": lambda p: ir.FirstOrderMAML(p.loss, None, ir.GradientDescent(0.1, 0)),
    "curvature": lambda p: ir.IMAML(
        p.loss, 1e-3, p.descent(2), solver=ir.CG(9, on_negative_curvature="refuse")
    ),
}


@pytest.mark.parametrize("lists", [False, True])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("name", ERRORS)
def test_errors_say_what_they_say_on_the_host(name, late, lists, device):
    problem = curved()
    if name in ("a start", "no step"):
        problem.tasks.support_x[1, 2] = np.nan
    algorithm = ERRORS[name](problem)
    theta, tasks = on_device(problem)
    args = (theta, [tasks[:1], tasks[1:]] if lists else tasks)
    args = (algorithm, *args) if late else args
    with np.errstate(all="ignore"):
        with pytest.raises(ArithmeticError) as theirs:
            algorithm(problem.theta, problem.tasks)
        with pytest.raises(type(theirs.value)) as ours:
            (looked_at_late if late else algorithm)(*args)
    assert str(ours.value) == str(theirs.value)
    assert isinstance(ours.value, ir.NotPositiveDefinite) == (name == "curvature")


def test_a_start_at_a_solution_is_no_divergence_when_looked_at_late(device):
    problem = quadratic()
    host = problem.objective()
    star = ir.NewtonCG(5, 5).solve(host, problem.theta)
    theta, tasks = on_device(problem)
    objective = ir.ProximalObjective(
        problem.loss, theta, tasks.support_x, tasks.support_y, problem.lam
    )
    adam = ir.InnerAdam(0.05, 5, eps=1e-20)
    with waiting() as readings:
        phi = adam.solve(objective, theta, to_device(star))
    settle(readings)
    assert_array_equal(phi.get(), adam.solve(host, problem.theta, star))


def test_so_it_is_if_one_start_is_for_all_tasks(device):
    problem = quadratic()
    one = ir.TaskBatch(*(a[:1] for a in vars(problem.tasks).values()))
    host = ir.ProximalObjective(
        problem.loss, problem.theta, one.support_x, one.support_y, problem.lam
    )
    star = ir.NewtonCG(5, 5).solve(host, problem.theta)[0]
    theta, x, y = map(to_device, (problem.theta, one.support_x, one.support_y))
    objective = ir.ProximalObjective(problem.loss, theta, x, y, problem.lam)
    adam = ir.InnerAdam(0.05, 5, eps=1e-20)
    with waiting() as readings:
        phi = adam.solve(objective, theta, to_device(star))
    settle(readings)
    assert_array_equal(phi.get(), adam.solve(host, problem.theta, star))
