"""Every solver gives the meta-gradient of the dense one, from its name in `solver=`."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.layers import Tanh
from imaml_ref.solvers import Status, dense_matrix

RNG = np.random.default_rng(0)
NET = ir.architectures.mlp((4,), (6,), 3, activation=Tanh)
LOSS = ir.TaskLoss(NET, ir.SoftmaxCrossEntropy())
THETA = NET.init(RNG)
TASKS = ir.TaskBatch(
    RNG.normal(size=(3, 5, 4)),
    RNG.integers(0, 3, (3, 5)),
    RNG.normal(size=(3, 7, 4)),
    RNG.integers(0, 3, (3, 7)),
)
STRENGTHS = [1.5, np.linspace(1.0, 2.5, len(THETA))]
K = 5 * 3
TIGHT = {"rtol": 1e-11}
SOLVERS = {
    "gauss-newton": [
        ir.Woodbury(),
        ir.PreconditionedCG(**TIGHT),
        ir.PreconditionedCG(**TIGHT, by=ir.Nystrom(6)),
        ir.PreconditionedCG(**TIGHT, by=ir.Nystrom(6, "columns")),
        ir.Nystrom(K),
        ir.Neumann(0.3, 2000, **TIGHT),
    ],
    "hessian": [
        ir.PreconditionedCG(**TIGHT),
        ir.PreconditionedCG(**TIGHT, by=ir.Nystrom(6)),
        ir.Neumann(0.3, 2000, **TIGHT),
    ],
}
CASES = [(c, s) for c, solvers in SOLVERS.items() for s in solvers]


@pytest.mark.parametrize("lam", STRENGTHS, ids=["scalar", "vector"])
@pytest.mark.parametrize(("curvature", "solver"), CASES, ids=str)
def test_the_meta_gradient_is_the_dense_one(curvature, solver, lam):
    given = {"lam": lam, "curvature": curvature, "keep": "task_grads"}
    inner = ir.NewtonCG(20, 40)
    want = ir.implicit_gradient(
        LOSS, THETA, TASKS, inner=inner, solver=ir.Dense(), **given
    )
    out = ir.implicit_gradient(LOSS, THETA, TASKS, inner=inner, solver=solver, **given)
    assert_allclose(out.task_grads, want.task_grads, rtol=1e-7, atol=1e-9)
    assert_allclose(out.lam_grad, want.lam_grad, rtol=1e-7, atol=1e-9)
    assert set(out.diagnostics.status) <= {Status.CONVERGED, Status.MAXITER}
    assert out.diagnostics.estimator.endswith(f"x = v by {solver.name}")


def test_woodbury_knows_that_H_is_not_G_but_where_the_net_is_affine():
    given = {"lam": 1.5, "solver": ir.Woodbury(), "inner": ir.NewtonCG(20, 40)}
    out = ir.implicit_gradient(LOSS, THETA, TASKS, curvature="hessian", **given)
    assert_array_equal(out.diagnostics.status, Status.MISMATCH)
    net = ir.architectures.linear((4,), 3)
    loss, theta = ir.TaskLoss(net, ir.SoftmaxCrossEntropy()), net.init(RNG)
    out = ir.implicit_gradient(loss, theta, TASKS, curvature="hessian", **given)
    want = ir.implicit_gradient(loss, theta, TASKS, **(given | {"solver": ir.Dense()}))
    assert_array_equal(out.diagnostics.status, Status.CONVERGED)
    assert_allclose(out.grad, want.grad, rtol=1e-9)


def test_it_is_an_oracle_where_no_matrix_fits():
    net = ir.architectures.omniglot_cnn(3, num_filters=24)
    loss, theta = ir.TaskLoss(net, ir.SoftmaxCrossEntropy()), net.init(RNG)
    x = RNG.uniform(size=(2, 2, 3, 28, 28, 1))
    tasks = ir.TaskBatch(
        x[0], np.tile(np.arange(3), (2, 1)), x[1], np.array([[0, 2, 1]] * 2)
    )
    lam = np.linspace(0.1, 0.4, len(theta))
    given = {"lam": lam, "curvature": "gauss-newton", "keep": "task_grads"}
    phi = np.stack([theta, theta + 0.01 * RNG.normal(size=theta.shape)])
    out, want = (
        ir.implicit_gradient_at(loss, theta, phi, tasks, solver=solver, **given)
        for solver in (ir.Woodbury(), ir.CertifiedCG(rtol=1e-12))
    )
    assert len(theta) > 10_000
    assert_array_equal(out.diagnostics.num_products, 9 + 1)
    error = np.linalg.norm(out.task_grads - want.task_grads)
    assert error <= 1e-9 * np.linalg.norm(want.task_grads)


def test_the_jacobi_diagonal_is_that_of_the_dense_operator():
    support = TASKS.support_x, TASKS.support_y
    at = ir.ProximalObjective(LOSS, THETA, *support, 1.5).linearize(
        np.stack([THETA] * 3)
    )
    G = dense_matrix(at.support.gnvp, at.grad)
    M, _ = ir.Jacobi().prepare(None, at.grad, 1 / 1.5, factor=at.support.factor())
    assert_allclose(M, 1 / (1.5 + np.diagonal(G, axis1=1, axis2=2)), rtol=1e-11)


def test_training_takes_one_and_neither_chunks_nor_threads_change_a_bit():
    solver = ir.PreconditionedCG(by=ir.Nystrom(4), rtol=1e-6)
    algorithm = ir.IMAML(LOSS, lam=1.5, solver=solver)
    whole = algorithm(THETA, TASKS).grad
    apart = algorithm(THETA, list(TASKS.chunks(1))).grad
    assert_array_equal(whole, apart)


def test_a_loss_without_a_factor_is_told_so():
    class Own:
        def linearize(self, phi, x, y):
            at = LOSS.linearize(phi, x, y)
            return type("At", (), {n: getattr(at, n) for n in ("value", "grad", "hvp")})

    for solver in (ir.Woodbury(), ir.PreconditionedCG()):
        with pytest.raises(ValueError, match=r"linearisation must be .* factor\(\)"):
            ir.implicit_gradient(Own(), THETA, TASKS, lam=1.5, solver=solver)
