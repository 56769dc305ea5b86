"""The error bound (8): never below the true error, and absent where not proved."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

import imaml_ref as ir
from imaml_ref.layers import ReLU
from imaml_ref.meta_gradients.bound import Constants, constants, error_bound
from tests.helpers.meta_oracles import dense_answer, hessian, newton
from tests.helpers.problems import (
    CONVEX,
    T,
    curved,
    kinked,
    make_problem,
    quadratic,
    ridge,
)


@pytest.fixture(scope="module", params=CONVEX.values(), ids=CONVEX.keys())
def problem(request):
    return request.param


@pytest.fixture(scope="module")
def star(problem):
    """The meta-gradients at the optimum, (T, P)."""
    return dense_answer(problem, newton(problem, steps=12))[0]


def implicit(problem, **options):
    return ir.implicit_gradient(
        problem.loss,
        problem.theta,
        problem.tasks,
        lam=problem.lam,
        keep=("phi", "task_grads"),
        **options,
    )


@pytest.mark.parametrize("solver", [ir.CG(1), ir.CG(3), ir.CertifiedCG(1e-12)])
@pytest.mark.parametrize("num_steps", [0, 2, 8, 40, 200])
def test_the_error_is_below_the_bound(problem, star, num_steps, solver):
    inner = problem.descent(num_steps)
    out = implicit(problem, inner=inner, solver=solver)
    error = np.linalg.norm(out.task_grads - star, axis=1)
    bound = out.diagnostics.bound
    assert bound.shape == (T,)
    assert (error <= bound * (1 + 1e-9) + 1e-14).all()
    assert (bound < 2e4 * error + 1e-9).all()
    assert "proved" in out.diagnostics.bound_reason
    if num_steps == 200 and isinstance(solver, ir.CertifiedCG):
        assert (bound < 1e-2).all()


def test_on_an_affine_network_gauss_newton_has_the_bound_too(problem):
    inner = problem.descent(8)
    exact = implicit(problem, inner=inner).diagnostics
    got = implicit(problem, inner=inner, curvature="gauss-newton").diagnostics
    assert_allclose(got.bound, exact.bound, rtol=1e-9)


def test_the_bound_is_equation_8():
    """By hand: μ = 2, ‖Λ‖ = 6, δ = r₁/μ, (‖Λ‖/μ)(ℓ + ρB/μ) δ + ‖Λ‖ r₂/μ."""
    known = Constants(np.array([5.0, 1]), np.array([7.0, 2]), np.array([4.0, 3]))
    r1, r2 = np.array([0.5, 4]), np.array([0.25, 0])
    got = error_bound(r1, r2, np.array([2.0, 6, 3]), known)
    assert_allclose(got, [3 * (7 + 10) * 0.25 + 0.75, 3 * (2 + 1.5) * 2])
    got = error_bound(r1, r2, 2.0, known)
    assert_allclose(got, [(7 + 10) * 0.25 + 0.25, (2 + 1.5) * 2])


def test_the_constants_hold_wherever_one_looks(problem):
    """∇Q, its Hessian, and the change of the support Hessian at random places."""
    tasks = problem.tasks
    known = constants(problem.loss, tasks.support_x, tasks.query_x)
    rng = np.random.default_rng(0)
    regression = isinstance(problem.loss.loss, ir.SquaredError)
    for scale in (0.1, 1, 3, 30):
        phi, other = scale * rng.normal(size=(2, T, problem.theta.size))
        query = hessian(problem.loss, phi, tasks.query_x, tasks.query_y)
        assert (spectral(query) <= known.smoothness * (1 + 1e-12)).all()
        change = spectral(
            hessian(problem.loss, phi, tasks.support_x, tasks.support_y)
            - hessian(problem.loss, other, tasks.support_x, tasks.support_y)
        )
        moved = np.linalg.norm(phi - other, axis=1)
        assert (change <= known.hessian_lipschitz * moved + 1e-10).all()
        v = problem.loss.linearize(phi, tasks.query_x, tasks.query_y).grad
        if not regression:  # where ρ_H = 0, B is not needed
            assert (np.linalg.norm(v, axis=1) <= known.lipschitz).all()


def spectral(matrices):
    return np.abs(np.linalg.eigvalsh((matrices + matrices.swapaxes(1, 2)) / 2)).max(1)


def test_the_constants_are_reached():
    """One example and two classes: ℓ at p = ½, B where a wrong answer is certain."""
    problem = make_problem(
        ir.architectures.linear((3,), 2),
        ir.SoftmaxCrossEntropy(),
        lam=1.0,
        support=1,
        query=1,
    )
    tasks = problem.tasks
    known = constants(problem.loss, tasks.support_x, tasks.query_x)
    flat = np.zeros((T, 8))
    H = hessian(problem.loss, flat, tasks.query_x, tasks.query_y)
    assert_allclose(spectral(H), known.smoothness, rtol=1e-12)
    certain = flat.copy()
    certain[:, -2:] = np.where(tasks.query_y == 0, [[-99, 99]], [[99, -99]])
    v = problem.loss.linearize(certain, tasks.query_x, tasks.query_y).grad
    assert_allclose(np.linalg.norm(v, axis=1), known.lipschitz, rtol=1e-12)
    third = thirds(problem) / known.hessian_lipschitz
    assert ((third > 0.35) & (third <= 1)).all()


def thirds(problem):
    """Return the largest change of the support Hessian along u, per unit length.

    u moves the margin of the one example; binary, p(1−p)(1−2p) is largest at p = 0.21.
    """
    tasks = problem.tasks
    x = np.concatenate([tasks.support_x[:, 0], np.ones((T, 1))], axis=1)
    u = (x[:, :, None] * [0.5**0.5, -(0.5**0.5)]).reshape(T, 8)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    margin = np.log(0.7886751 / 0.2113249)
    phi = np.zeros((T, 8))
    phi[:, -2] = margin
    H = [
        hessian(problem.loss, phi + s * u, tasks.support_x, tasks.support_y)
        for s in (-1e-5, 1e-5)
    ]
    return spectral(H[1] - H[0]) / 2e-5


def test_squared_error_reaches_its_smoothness_with_one_example():
    problem = make_problem(
        ir.architectures.linear((3, 2), 2), ir.SquaredError(), lam=1.0, query=1
    )
    tasks = problem.tasks
    known = constants(problem.loss, tasks.support_x, tasks.query_x)
    H = hessian(problem.loss, np.zeros((T, 14)), tasks.query_x, tasks.query_y)
    assert_allclose(spectral(H), known.smoothness, rtol=1e-12)


class Doubled(ir.SquaredError):
    """A user's loss that only looks like one of ours."""

    def grad(self, saved):
        return 2 * super().grad(saved)


@pytest.mark.parametrize("problem", [curved(), kinked()], ids=["curved", "kinked"])
def test_there_is_no_bound_where_none_is_proved(problem):
    seen = implicit(problem).diagnostics
    assert seen.bound is None
    assert seen.bound_reason == (
        "none: no lower bound of the curvature of L is proved here"
    )


class Cubed(ir.Network):
    """z = (x W + b)³: layers that are affine, in sweeps that are not."""

    def forward(self, phi, x):
        z, saved = super().forward(phi, x)
        return z**3, (saved, z)

    def jvp(self, phi, saved, phi_dot, x_dot):
        z_dot, saved_dot = super().jvp(phi, saved[0], phi_dot, x_dot)
        return 3 * saved[1] ** 2 * z_dot, (saved_dot, z_dot)

    def vjp(self, phi, saved, z_bar):
        phi_bar, y_bars = super().vjp(phi, saved[0], 3 * saved[1] ** 2 * z_bar)
        return phi_bar, (y_bars, z_bar)

    def vjp_dot(self, phi, saved, phi_dot, saved_dot, y_bars, z_bar_dot):
        (inner, z), (inner_dot, z_dot) = saved, saved_dot
        bar_dot = 3 * z**2 * z_bar_dot + 6 * z * z_dot * y_bars[1]
        return super().vjp_dot(phi, inner, phi_dot, inner_dot, y_bars[0], bar_dot)


def test_a_network_with_sweeps_of_its_own_is_not_taken_for_affine():
    problem = ridge()
    layers = problem.loss.net.layers
    cubed = ir.TaskLoss(Cubed(layers, problem.loss.net.input_shape), ir.SquaredError())
    problem, inner = replace(problem, loss=cubed), ir.GradientDescent(1e-4, 2)
    seen = implicit(problem, inner=inner).diagnostics
    assert seen.bound is None
    assert "no lower bound of the curvature" in seen.bound_reason


def test_the_bound_says_that_it_knows_no_rounding():
    """At λ = 10³, solved, it is below what rounding makes of g, which none proves."""
    problem = replace(ridge(), lam=1e3)
    star, _ = dense_answer(problem, newton(problem, steps=12))
    out = implicit(problem, inner=ir.NewtonCG(cg_steps=40), solver=ir.CG(60))
    error = np.linalg.norm(out.task_grads - star, axis=1)
    rounding = 1e3 * np.finfo(float).eps * np.linalg.norm(star, axis=1)
    assert (error <= out.diagnostics.bound + rounding).all()
    assert out.diagnostics.bound_reason.startswith("proved, in exact arithmetic")


def test_there_is_no_bound_for_what_is_not_known():
    tasks = ridge().tasks
    net = ir.architectures.linear((3, 2), 2)
    bent = ir.Network(net.layers | {"relu": ReLU()}, (3, 2))
    for loss in (
        ir.TaskLoss(net, Doubled()),
        ir.TaskLoss(bent, ir.SquaredError()),
        quadratic().loss,
    ):
        assert constants(loss, tasks.support_x, tasks.query_x) is None


def test_another_estimator_has_no_bound_of_this_one():
    problem = ridge()
    for out in (
        implicit(problem, damping=0.1),
        ir.FirstOrderMAML(problem.loss, lam=0.7)(problem.theta, problem.tasks),
        ir.ReleasedIMAML(problem.loss)(problem.theta, problem.tasks),
    ):
        assert out.diagnostics.bound is None
        assert out.diagnostics.bound_reason == "none: the estimator is not (5)"


class Boastful:
    """A solver that reports a residual it has not got."""

    name = "boast"

    def solve(self, matvec, b, M=None):
        x, info = ir.CG(maxiter=1).solve(matvec, b, M)
        return x, replace(info, residual=0 * info.residual)


def test_the_bound_does_not_take_the_solvers_word():
    problem = ridge()
    star, _ = dense_answer(problem, newton(problem))
    out = implicit(problem, inner=ir.NewtonCG(cg_steps=30), solver=Boastful())
    assert (out.diagnostics.solver_residual == 0).all()
    error = np.linalg.norm(out.task_grads - star, axis=1)
    assert (error > 0.01).all()
    assert (error <= out.diagnostics.bound).all()
