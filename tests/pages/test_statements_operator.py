"""What docs/mathematics.md says of A = H + Λ in practice, computed: sections 9–12."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.testing import assert_allclose

import imaml_ref as ir
from imaml_ref.layers import BatchNorm2d, Conv2d, Flatten, Linear, Tanh
from tests.helpers.meta_oracles import hessian
from tests.helpers.oracles import dense
from tests.helpers.problems import (
    Problem,
    Quadratic,
    batch_normed,
    curved,
    make_problem,
)

# Section 9: a point φ that is stationary for (1) because θ = φ + ∇L(φ)/λ, by (3).


@cache
def normalised():
    """One convolution with batch normalisation at ε = 0, its φ, ∇L and H; one task."""
    net = ir.Network(
        {
            "conv": Conv2d(2, 3, stride=(2, 2), padding=(1, 1)),
            "norm": BatchNorm2d(3, eps=0.0),
            "activation": Tanh(),
            "flatten": Flatten(),
            "head": Linear(27, 4),
        },
        (5, 6, 2),
    )
    problem = make_problem(net, ir.SoftmaxCrossEntropy(), lam=1.0, num_tasks=1)
    phi, tasks = problem.theta[None], problem.tasks
    grad = problem.loss.linearize(phi, tasks.support_x, tasks.support_y).grad[0]
    H = hessian(problem.loss, phi, tasks.support_x, tasks.support_y)[0]
    return net, phi[0], grad, H


def kernels(net):
    """Return the places in φ of each output channel's kernel, (3, 18)."""
    places = net.layout.unpack(np.arange(net.layout.size))
    return places["conv.kernel"].reshape(-1, 3).T


def planes(lam):
    """Yield ‖move‖²/‖φ_w‖², tan² of the angle, 1 + a/λ and both lengths of kernels."""
    net, phi, grad, H = normalised()
    theta = phi + grad / lam
    for k in kernels(net):
        w, start, unit = phi[k], theta[k], grad[k] / np.linalg.norm(grad[k])
        length, before = np.linalg.norm(w), np.linalg.norm(start)
        cosine = w @ start / length / before
        ratio = np.linalg.norm(w - start) ** 2 / length**2
        a = unit @ H[np.ix_(k, k)] @ unit
        yield ratio, 1 / cosine**2 - 1, 1 + a / lam, length, before


def least_eigenvalue(lam):
    return np.linalg.eigvalsh(normalised()[3])[0] + lam


@pytest.mark.parametrize("lam", [0.3, 1.0, 4.0])
def test_section_9_every_kernel_that_moves_shrinks_and_its_move_is_an_angle(lam):
    for ratio, tangent, _, length, before in planes(lam):
        assert length < before
        assert ratio > 1e-3
        assert_allclose(before**2, length**2 * (1 + ratio), rtol=1e-12)
        assert_allclose(tangent, ratio, rtol=1e-9)


def test_section_9_where_a_kernel_moves_too_far_phi_is_a_saddle():
    beyond = [
        lam for lam in (0.1, 0.3, 1.0) if any(r > m for r, _, m, *_ in planes(lam))
    ]
    assert len(beyond) == 3
    for lam in beyond:
        assert least_eigenvalue(lam) < -0.5


def test_section_9_the_condition_is_necessary_and_not_sufficient():
    assert all(ratio < most for ratio, _, most, *_ in planes(2.0))
    assert least_eigenvalue(2.0) < -0.5
    assert least_eigenvalue(4.0) > 0.5
    assert all(ratio < most for ratio, _, most, *_ in planes(4.0))


def test_section_9_the_determinant_is_that_of_a_on_the_plane():
    lam = 0.7
    net, phi, grad, H = normalised()
    A = H + lam * np.eye(len(H))
    for k, (ratio, _, most, *_) in zip(kernels(net), planes(lam), strict=True):
        basis = np.zeros((2, len(phi)))
        basis[0, k] = phi[k] / np.linalg.norm(phi[k])
        basis[1, k] = grad[k] / np.linalg.norm(grad[k])
        det = np.linalg.det(basis @ A @ basis.T)
        assert_allclose(det, lam**2 * (most - ratio), rtol=1e-9)


# Section 10


def test_section_10_one_step_of_ours_is_near_v_over_1_plus_c_where_h_is_small():
    problem = curved()
    inner = ir.PullBackDescent(problem.step_size, 5)
    solve = ir.ReleasedIMAML(problem.loss, 2.0, inner, cg_steps=1)
    out = solve(problem.theta, problem.tasks)
    phi = inner.solve(problem.objective(), problem.theta)
    tasks = problem.tasks
    v = problem.loss.linearize(phi, tasks.query_x, tasks.query_y).grad.mean(0)
    assert np.linalg.norm(out.grad - v / 2) < 0.1 * np.linalg.norm(v / 2)


# Section 11


def saddle(lowest):
    """½ φᵀ diag(lowest, 1, 3) φ, one task; its λ_min may lie below −λ."""
    H = np.diag([lowest, 1.0, 3.0])[None]
    b = np.ones((1, 3))
    tasks = ir.TaskBatch(H, b, H, b)
    return Problem(Quadratic(), np.array([0.3, -0.2, 0.5]), tasks, 1.0)


@pytest.mark.parametrize("alpha", [0.01, 0.2, 0.45])
def test_section_11_a_small_step_contracts_only_where_a_is_definite(alpha):
    assert alpha < 2 / (3.0 + 1.0)
    away = {}
    for lowest in (-0.5, -4.33):
        problem = replace(saddle(lowest), step_size=alpha)
        A = problem.tasks.support_x[0] + np.eye(3)
        star = np.linalg.solve(A, problem.tasks.support_y[0] + problem.theta)
        away[lowest] = [
            np.linalg.norm(
                problem.descent(n).solve(problem.objective(), problem.theta) - star
            )
            for n in (0, 8)
        ]
    assert away[-0.5][1] < away[-0.5][0]
    rho = 1 + alpha * 3.33
    assert away[-4.33][1] > 0.1 * rho**8 * away[-4.33][0]
    assert away[-4.33][1] > away[-4.33][0]


# Section 12


@pytest.mark.parametrize("curvature", ["hessian", "gauss-newton"])
@pytest.mark.parametrize("damping", [0.0, 0.4])
@pytest.mark.parametrize("per_parameter", [False, True])
def test_section_12_ritz_value_and_residual_are_those_of_the_operator_solved(
    curvature, damping, per_parameter
):
    problem = curved().per_parameter() if per_parameter else curved()
    out = ir.implicit_gradient(
        problem.loss,
        problem.theta,
        problem.tasks,
        lam=problem.lam,
        inner=problem.descent(4),
        solver=ir.CG(6),
        curvature=curvature,
        damping=damping,
        keep=("phi", "task_grads"),
    )
    lin, v = at(problem, out.phi)
    H = dense(lin.hvp if curvature == "hessian" else lin.gnvp, out.phi)
    diagonal = np.broadcast_to(problem.lam + damping, problem.theta.shape)
    A, x = H + np.diag(diagonal), out.task_grads / problem.lam
    r2 = np.linalg.norm(v - (A @ x[..., None])[..., 0], axis=1)
    assert_allclose(out.diagnostics.solver_residual, r2, rtol=1e-6)
    if per_parameter:
        A = A / np.sqrt(np.outer(diagonal, diagonal))
    check_ritz(out.diagnostics.smallest_ritz, A)


def test_section_12_of_the_released_operator_they_have_no_unit_of_curvature():
    problem = curved()
    inner = ir.PullBackDescent(problem.step_size, 5)
    solve = ir.ReleasedIMAML(problem.loss, 2.0, inner, cg_steps=6)
    out = solve(problem.theta, problem.tasks)
    phi = inner.solve(problem.objective(), problem.theta)
    A = 2 * np.eye(problem.theta.size) + dense(at(problem, phi)[0].hvp, phi) / 12
    check_ritz(out.diagnostics.smallest_ritz, A)
    assert (out.diagnostics.smallest_ritz < 2.1).all()


def at(problem, phi):
    """Return the support linearisation at φ and v there."""
    tasks = problem.tasks
    v = problem.loss.linearize(phi, tasks.query_x, tasks.query_y).grad
    return problem.loss.linearize(phi, tasks.support_x, tasks.support_y), v


def check_ritz(found, A):
    """Assert that the values lie in the spectrum of A (T, P, P), at its lower end."""
    spectrum = np.linalg.eigvalsh(A)
    assert (found >= spectrum[:, 0] - 1e-10).all()
    assert (found < spectrum.mean(1)).all()


def test_section_12_the_bound_of_an_unrolled_gradient_is_zero():
    problem = batch_normed()
    out = ir.unrolled_gradient(
        problem.loss,
        problem.theta,
        problem.tasks,
        lam=problem.lam,
        inner=problem.descent(2),
    )
    assert (out.diagnostics.bound == 0).all()
    assert "not (5)" in out.diagnostics.bound_reason
