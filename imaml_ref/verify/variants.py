"""Layers that stay, step sizes, the multi-step loss: complex steps of a plain loop."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy

from ..checks import complex_step
from ..compute import Array
from ..inner import GradientDescent
from ..meta_gradients import implicit_gradient, unrolled_gradient
from ..solvers import Dense
from .meta_gradients import tanh_problem
from .problem import Problem, repeated
from .rows import Row, Setting

STEPS, LAST, EACH = 5, (*[0.0] * 5, 1.0), (0.25, 0.0, 0.125, 0.5, 0.25, 1.0)


def variant_rows(setting: Setting) -> Iterator[Row]:
    """Yield (16), (17), and (9) with weights and vectors, on a smooth network."""
    problem = tanh_problem()
    head, long = numpy.zeros(len(problem.theta)), (*[0.0] * problem.long, 1.0)
    head[problem.loss.net.layout.layers["head"]] = problem.step_size
    alpha = problem.step_size * problem.lams / 4
    only: dict[str, Any] = {"adapted": "head", "inner": problem.inner(STEPS)}
    solved = only | {"inner": problem.inner(problem.long), "solver": Dense()}
    many: dict[str, Any] = {"inner": GradientDescent(alpha, STEPS), "weights": EACH}
    for claim, gradient, options, sizes, weights in (
        ("implicit, head only", implicit_gradient, solved, head, long),
        ("unrolled, head only", unrolled_gradient, only, head, LAST),
        ("unrolled, multi-step, α per parameter", unrolled_gradient, many, alpha, EACH),
    ):
        theta, tasks = problem.on(setting)
        out = gradient(problem.loss, theta, tasks, lam=problem.lam, **options)
        slopes = partial(loop_slopes, problem, weights)
        pair = problem.along(out.grad), slopes(sizes, True)
        witness = "complex step of θ in a plain loop"
        yield setting.row(problem.name, claim, witness, pair, (10, 4))
    pair = problem.along(out.alpha_grad), slopes(sizes, False)
    witness = "complex step of α in it"
    yield setting.row(problem.name, "gradient in α", witness, pair, (10, 4))


def loop_slopes(problem: Problem, weights, sizes: Array, in_theta: bool) -> Array:
    """Return the derivatives of mean Σ_k w_k Q(φ_k) in θ, or α, along directions."""
    ways = problem.directions
    theta, alpha = (numpy.broadcast_to(a, ways.shape) for a in (problem.theta, sizes))
    if in_theta:
        return complex_step(lambda t: looped(problem, weights, t, alpha), theta, ways)
    return complex_step(lambda a: looped(problem, weights, theta, a), alpha, ways)


def looped(problem: Problem, weights, theta: Array, alpha: Array) -> Any:
    """Return mean Σ_k w_k Q(φ_k), (E,), for a θ and α (E, P) of each copy."""
    total, loss = 0.0, problem.loss
    for t in range(len(problem.tasks)):
        task, phi = repeated(problem.tasks[t : t + 1], len(theta)), theta
        for k, weight in enumerate(weights):
            if k:
                at = loss.linearize(phi, task.support_x, task.support_y)
                phi = phi - alpha * (at.grad + problem.lam * (phi - theta))
            if weight:
                total = total + weight * loss.value(phi, task.query_x, task.query_y)
    return total / len(problem.tasks)
