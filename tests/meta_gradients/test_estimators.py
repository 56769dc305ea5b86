"""What is solved, by name: curvature, damping, the steps of CG."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import digits
from imaml_ref.meta_gradients.estimators import FirstOrder, Implicit
from tests.helpers import oracles
from tests.helpers.meta_oracles import conjugate_gradients, dense_answer, hessian
from tests.helpers.problems import PROBLEMS, curved, kinked, ridge

BOTH = ("phi", "task_grads")


def implicit(problem, **options):
    arguments = {"inner": problem.descent(16), "solver": ir.Dense()} | options
    return ir.implicit_gradient(
        problem.loss,
        problem.theta,
        problem.tasks,
        lam=problem.lam,
        keep=BOTH,
        **arguments,
    )


@pytest.mark.parametrize("name", ["curved", "kinked-lam"])
def test_damping_is_another_estimator_and_says_so(name):
    problem = PROBLEMS[name]
    damped, plain = implicit(problem, damping=0.8), implicit(problem)
    assert_array_equal(damped.phi, plain.phi)
    g, _ = dense_answer(problem, damped.phi, damping=0.8)
    assert digits(damped.task_grads, g) > 10
    gap = np.linalg.norm(damped.grad - plain.grad) / np.linalg.norm(plain.grad)
    assert gap > 0.05
    assert damped.diagnostics.damping == 0.8
    assert plain.diagnostics.damping == 0.0
    assert "(H + λ + 0.8) x = v" in damped.diagnostics.estimator
    assert "(H + λ) x = v" in plain.diagnostics.estimator


@pytest.mark.parametrize("lam", ["number", "per parameter"])
def test_the_shift_of_the_preconditioner_holds_the_damping(lam):
    """After one step of preconditioned CG x is a multiple of (Λ + d)⁻¹ v."""
    problem = curved().per_parameter() if lam == "per parameter" else curved()
    out = implicit(problem, solver=ir.CG(maxiter=1), damping=0.8)
    tasks = problem.tasks
    v = problem.loss.linearize(out.phi, tasks.query_x, tasks.query_y).grad
    ratio = out.task_grads / (problem.lam / (problem.lam + 0.8) * v)
    assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-12)


def gauss_newton(problem, phi):
    """Return Jᵀ H_z J (T, P, P), J and H_z by complex steps."""
    x, y = problem.tasks.support_x, problem.tasks.support_y
    net, outer = problem.loss.net, problem.loss.loss
    z = net.logits(phi, x)
    flat = z.reshape(len(z), -1)

    def grad_z(at):
        saved = outer.forward(at.reshape(z.shape), y)[1]
        return outer.grad(saved).reshape(flat.shape)

    J = oracles.jacobian(lambda at: net.logits(at, x), phi)
    J = J.reshape(*flat.shape, phi.shape[1])
    return J.swapaxes(1, 2) @ oracles.jacobian(grad_z, flat) @ J


@pytest.mark.parametrize(
    "name", ["curved", "kinked-lam", "ridge", "softmax_regression-lam"]
)
def test_gauss_newton_is_in_the_place_of_the_hessian(name):
    problem = PROBLEMS[name]
    out = implicit(problem, curvature="gauss-newton")
    tasks, lam = problem.tasks, np.broadcast_to(problem.lam, problem.theta.shape)
    G = gauss_newton(problem, out.phi)
    v = problem.loss.linearize(out.phi, tasks.query_x, tasks.query_y).grad
    g = lam * np.linalg.solve(G + np.diag(lam), v[..., None])[..., 0]
    assert digits(out.task_grads, g) > 10
    assert out.diagnostics.curvature == "gauss-newton"
    assert "(Gauss-Newton + λ) x = v" in out.diagnostics.estimator
    exact = implicit(problem)
    assert exact.diagnostics.curvature == "hessian"
    gap = np.linalg.norm(out.grad - exact.grad) / np.linalg.norm(exact.grad)
    affine = name.startswith(("ridge", "softmax"))
    assert gap < 1e-13 if affine else gap > 0.05


def test_names_say_what_is_solved_and_how():
    assert Implicit().name == "implicit, (H + λ) x = v by CG"
    assert Implicit(ir.Dense()).name == "implicit, (H + λ) x = v by dense LU"
    assert FirstOrder().name == "first order, g = v"


def test_one_step_of_cg_is_parallel_to_v():
    for problem in (curved(), kinked(), ridge()):
        out = implicit(problem, solver=ir.CG(maxiter=1))
        assert_allclose(out.diagnostics.cosine, 1, rtol=1e-12)
        assert digits(out.task_grads, implicit(problem).task_grads) < 1.5


def test_scalar_lam_has_the_papers_iterates():
    """CG on (H + λI) x = v, g = λx, is CG on (I + H/λ) g = v."""
    problem = curved()
    phi = problem.descent(16).solve(problem.objective(), problem.theta)
    x, y = problem.tasks.support_x, problem.tasks.support_y
    H = hessian(problem.loss, phi, x, y)
    v = problem.loss.linearize(phi, problem.tasks.query_x, problem.tasks.query_y).grad
    for steps in (1, 2, 5, 9):
        out = implicit(problem, solver=ir.CG(maxiter=steps))
        for t in range(3):
            A = np.eye(44) + H[t] / problem.lam
            want = conjugate_gradients(A, v[t], steps)[0][-1]
            assert digits(out.task_grads[t], want) > 10
