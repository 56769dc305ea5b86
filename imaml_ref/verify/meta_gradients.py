"""The meta-gradients of networks: dense solves, and the complex step of the whole loop.

The witness for everything is the complex step of θ ↦ Q(φ_K(θ)) through K gradient
steps: it knows neither Hessians nor solvers.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy

from ..checks import central_difference, complex_step
from ..compute import to_host
from ..layers import BatchNorm2d, Softplus, SupportNorm2d, Tanh, TaskNorm2d
from ..meta_gradients import (
    IMAML,
    MAML,
    FirstOrderMAML,
    ReleasedIMAML,
    Reptile,
    implicit_gradient,
    unrolled_gradient,
)
from ..networks import architectures
from ..solvers import CG, CertifiedCG, Dense
from .convergence import convergence_rows
from .problem import Problem, make_problem
from .rows import Row, Setting

DENSE = partial(implicit_gradient, solver=Dense())


def meta_gradient_rows(setting: Setting) -> Iterator[Row]:
    """Yield the rows of every problem."""
    norms = map(softplus_problem, (BatchNorm2d, SupportNorm2d, TaskNorm2d))
    for problem in (tanh_problem(), *norms):
        yield from dense_rows(setting, problem)
        yield from lam_rows(setting, problem)
        yield batch_row(setting, problem)
        if not setting.quick or problem.name == tanh_problem().name:
            yield from long_rows(setting, problem)
            yield from unrolled_rows(setting, problem, problem.long)
    for problem in loops(setting):
        for steps in (1, 16):
            yield from unrolled_rows(setting, problem, steps)
    if not setting.quick:
        yield from contraction_rows(setting)
    yield from algorithm_rows(setting, tanh_problem())


def tanh_problem(step_size: float = 0.3) -> Problem:
    """Return a network without normalisation, with H + λ from 1.2 to 4.6 at φ*.

    Gradient descent contracts where 0 < H + λ < 2/α.
    """
    net = architectures.mlp((3,), (5, 4), 2, activation=Tanh)
    return make_problem(
        "mlp, tanh", net, step_size=step_size, long=100, scales={"": 0.5}
    )


def softplus_problem(norm=BatchNorm2d) -> Problem:
    """Return a network with batch normalisation, with H + λ from 0.8 to 3.2 at φ*."""
    net = architectures.omniglot_cnn(
        3, input_shape=(5, 6, 1), num_filters=2, activation=Softplus, norm=norm
    )
    return make_problem(
        f"omniglot_cnn, softplus, {norm.__name__}",
        net,
        step_size=0.4,
        long=100,
        scales={"conv": 2.0, "head": 0.5},
    )


def loops(setting: Setting) -> Iterator[Problem]:
    """Yield all problems for short loops; the kinked ones in float64 only.

    In float32 rounding may put a unit on the other side of its kink.
    """
    yield from (tanh_problem(), softplus_problem(), softplus_problem(TaskNorm2d))
    if setting.double:
        yield from kinked(setting)


def kinked(setting: Setting) -> Iterator[Problem]:
    """Yield problems with ReLU and max-pooling."""
    net = architectures.omniglot_cnn(3, input_shape=(7, 6, 2), num_filters=3)
    yield make_problem("omniglot_cnn, ReLU", net, step_size=0.1)
    if not setting.quick:
        net = architectures.conv4(3, input_shape=(16, 17, 1), num_filters=3)
        yield make_problem("conv4, ReLU, max-pool", net, step_size=0.1)


def dense_rows(setting: Setting, problem: Problem) -> Iterator[Row]:
    """Yield the implicit gradient at φ_16 against a dense solve of (5)."""
    inner, theta, tasks = problem.inner(16), *problem.on(setting)
    rtol = setting.need(1e-13, 1e-7)
    for kind, lam in (("scalar λ", problem.lam), ("λ per parameter", problem.lams)):
        want = problem.dense_solution(inner, lam)
        for solver in (CertifiedCG(rtol=rtol), Dense()):
            found = implicit_gradient(
                problem.loss,
                theta,
                tasks,
                lam=setting.put(lam),
                inner=inner,
                solver=solver,
            )
            claim = f"implicit, {solver.name}, {kind}"
            witness = "dense solve, H by complex steps"
            yield setting.row(problem.name, claim, witness, (found.grad, want), (10, 4))


def unrolled_rows(setting: Setting, problem: Problem, steps: int) -> Iterator[Row]:
    """Yield the unrolled gradient against both differentiations of the loop."""
    claim, inner = f"unrolled, K = {steps}", problem.inner(steps)
    yield from loop_rows(setting, problem, claim, unrolled_gradient, inner, (11, 4))


def long_rows(setting: Setting, problem: Problem) -> Iterator[Row]:
    """Yield the implicit gradient after a long inner loop, likewise."""
    claim, inner = f"implicit, K = {problem.long}", problem.inner(problem.long)
    yield from loop_rows(setting, problem, claim, DENSE, inner, (10, 4))


def loop_rows(setting, problem: Problem, claim, gradient, inner, need) -> Iterator[Row]:
    """Yield a gradient against both differentiations of the loop; one is coarse."""
    theta, tasks = problem.on(setting)
    found = gradient(problem.loss, theta, tasks, lam=problem.lam, inner=inner)
    for witness, oracle, required in (
        ("complex step of θ ↦ Q(φ_K(θ))", complex_step, need),
        ("central differences of it", central_difference, (6, 4)),
    ):
        pair = (problem.along(found.grad), problem.theta_slopes(inner, oracle))
        yield setting.row(problem.name, claim, witness, pair, required)


def lam_rows(setting: Setting, problem: Problem) -> Iterator[Row]:
    """Yield the gradient in λ, unrolled, and after a long loop the implicit one."""
    for kind, lam in (("scalar λ", problem.lam), ("λ per parameter", problem.lams)):
        claim, inner = f"gradient in λ, unrolled, K = 16, {kind}", problem.inner(16)
        yield lam_row(setting, problem, claim, unrolled_gradient, inner, lam, (11, 4))
    if not setting.quick:
        claim, inner = f"gradient in λ, K = {problem.long}", problem.inner(problem.long)
        yield lam_row(setting, problem, claim, DENSE, inner, problem.lam, (10, 4))


def lam_row(setting, problem: Problem, claim: str, gradient, inner, lam, need) -> Row:
    """Compare a gradient in λ with the complex step through the loop."""
    theta, tasks = problem.on(setting)
    found = gradient(problem.loss, theta, tasks, lam=setting.put(lam), inner=inner)
    slopes = problem.lam_slopes(inner, complex_step, lam)
    pair = (problem.along(found.lam_grad), slopes)
    witness = "complex step of λ ↦ Q(φ_K(λ))"
    return setting.row(problem.name, claim, witness, pair, need)


def batch_row(setting: Setting, problem: Problem) -> Row:
    """Compare the tasks of a batch with the same tasks one by one.

    On the host the bits are the same; a GPU may choose another kernel for a batch.
    """
    theta, tasks = problem.on(setting)
    run = partial(
        implicit_gradient,
        problem.loss,
        theta,
        lam=problem.lam,
        inner=problem.inner(16),
        keep=("task_grads",),
    )
    together = run(tasks).task_grads
    alone = [to_host(run(tasks[t : t + 1]).grad) for t in range(len(tasks))]
    need = (16.0, 16.0) if setting.device == "cpu" else (12.0, 4.0)
    pair = (together, numpy.stack(alone))
    return setting.row(problem.name, "batch of tasks", "each task alone", pair, need)


def contraction_rows(setting: Setting) -> Iterator[Row]:
    """Yield unrolled → implicit on a network, with ρ from the dense spectrum at φ*.

    H changes along the way, and so the error is c K ρ^K rather than c ρ^K: only late,
    and in float64, do the logarithms show ρ.
    """
    if not setting.double:
        return
    problem = replace(tanh_problem(step_size=0.05), long=1000)
    theta, tasks = problem.on(setting)
    exact = problem.inner(problem.long)

    def unrolled(steps):
        return unrolled_gradient(
            problem.loss, theta, tasks, lam=problem.lam, inner=problem.inner(steps)
        ).grad

    want = problem.dense_solution(exact, problem.lam)
    factor, steps = problem.contraction(exact), (80, 320)
    yield from convergence_rows(setting, problem.name, unrolled, want, factor, steps)


def algorithm_rows(setting: Setting, problem: Problem) -> Iterator[Row]:
    """Yield each algorithm by name against what it is said to compute."""
    theta, tasks = problem.on(setting)
    for name, algorithm, witness, want in algorithms(setting, problem):
        pair = (algorithm(theta, tasks).grad, want)
        yield setting.row(problem.name, f"{name}, K = 5", witness, pair, (10, 4))


def algorithms(setting: Setting, problem: Problem) -> Iterator[tuple]:
    """Yield a name, the algorithm of it, its witness in words, and what that says."""
    inner, loss, lam = problem.inner(5), problem.loss, problem.lam
    solver = CG(200, rtol=setting.need(1e-13, 1e-7))
    imaml = IMAML(loss, lam=lam, inner=inner, solver=solver)
    dense = problem.dense_solution(inner, lam)
    yield "IMAML", imaml, "dense solve, H by complex steps", dense
    slopes = replace(problem, lam=0).theta_slopes(inner, complex_step)
    yield "MAML", MAML(loss, inner=inner), "complex step of the plain loop", slopes
    first = FirstOrderMAML(loss, lam=lam, inner=inner)
    v = problem.query_gradients(inner)
    yield "FirstOrderMAML", first, "mean ∇Q(φ)", v.mean(0)
    away = problem.theta - problem.solutions(inner).mean(0)
    yield "Reptile", Reptile(loss, lam=lam, inner=inner), "θ − mean φ", away
    released = ReleasedIMAML(loss, lam=lam, cg_steps=200)
    exact = problem.released_solution(released)
    yield "ReleasedIMAML", released, "its operator, dense", exact
