"""Meta-gradients of networks whose queries are normalised by the support set."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import complex_step, digits
from imaml_ref.layers import (
    BatchNorm2d,
    Conv2d,
    Flatten,
    Linear,
    Softplus,
    SupportNorm2d,
    TaskNorm2d,
)
from tests.helpers.meta_oracles import (
    dense_answer,
    hessian,
    lam_slopes,
    query,
    theta_slopes,
)
from tests.helpers.problems import make_problem, support_normed, task_normed

NORMS = {"support": SupportNorm2d, "task": TaskNorm2d}
MAKERS = {"support": support_normed, "task": task_normed}
LAM, STEP = 0.6, 0.2


@pytest.fixture(params=MAKERS)
def problem(request):
    return MAKERS[request.param]()


def two_blocks(norm):
    """Two strided convolutions on images of 7 × 8 pixels, every parameter moved."""
    layers = {}
    for block, channels in ((1, 2), (2, 3)):
        layers[f"conv{block}"] = Conv2d(channels, 3, (3, 2), stride=(2, 1))
        layers[f"norm{block}"] = norm(3, eps=0.01)
        layers[f"activation{block}"] = Softplus()
    layers |= {"flatten": Flatten(), "head": Linear(18, 3)}
    net = ir.Network(layers, (7, 8, 2))
    problem = make_problem(net, ir.SoftmaxCrossEntropy(), lam=LAM, step_size=STEP)
    moved = 0.2 * np.random.default_rng(9).normal(size=problem.theta.shape)
    return replace(problem, theta=problem.theta + moved)


@pytest.mark.parametrize("kind", NORMS)
def test_autograd_finds_the_same(kind):
    """Q, ∇Q, (5) with a dense H, and backpropagation through three steps: 11 digits."""
    torch = pytest.importorskip("torch")
    from tests.helpers import witness_support as witness

    problem = two_blocks(NORMS[kind])
    loss, theta, tasks = problem.loss, problem.theta, problem.tasks
    options = {"lam": LAM, "inner": problem.descent(16), "keep": ("phi", "task_grads")}
    found = ir.implicit_gradient(loss, theta, tasks, solver=ir.Dense(), **options)
    options["inner"] = problem.descent(3)
    steps = ir.unrolled_gradient(loss, theta, tasks, **options)
    at = query(problem, found.phi)
    net = witness.Net(loss.net.layout, (2, 1), 0.01)
    for t, phi in enumerate(torch.tensor(found.phi)):
        support, outer = witness.losses(net, tasks, t)
        value, v = witness.slope(outer, phi)
        assert_allclose(at.value[t], value, rtol=1e-12)
        assert_allclose(found.diagnostics.query_loss[t], value, rtol=1e-12)
        assert digits(at.grad[t], v.numpy()) > 11
        g = witness.implicit(support, outer, phi, LAM)
        assert digits(found.task_grads[t], g.numpy()) > 11
        g = witness.unrolled(support, outer, torch.tensor(theta), LAM, STEP, 3)
        assert digits(steps.task_grads[t], g.numpy()) > 11


def test_the_query_gradient_goes_through_the_support_set(problem):
    """∇Q by the complex step of Q: 11 digits; by queries alone it is another one."""
    tasks, phi = problem.tasks, problem.objective().theta[None].repeat(3, 0)
    sets = tasks.query_x, tasks.query_y, tasks.support_x
    v = np.random.default_rng(3).normal(size=phi.shape)
    slope = complex_step(lambda at: problem.loss.value(at, *sets), phi, v)
    assert digits((query(problem, phi).grad * v).sum(1), slope) > 11
    alone = problem.loss.linearize(phi, tasks.query_x, tasks.query_y)
    assert digits(alone.grad, query(problem, phi).grad) < 1


@pytest.mark.parametrize("num_steps", [1, 3])
@pytest.mark.parametrize("lam", [0.6, None])
def test_unrolled_it_is_the_derivative_of_the_inner_loop(problem, num_steps, lam):
    """Complex step of θ ↦ Q(φ_K(θ)), with a proximal term and without: 11 digits."""
    of_theta = replace(problem, lam=lam or 0.0)
    inner = problem.descent(num_steps)
    out = ir.MAML(problem.loss, lam=lam, inner=inner)(problem.theta, problem.tasks)
    assert digits(out.grad, theta_slopes(of_theta, num_steps)) > 11
    if lam and num_steps > 1:
        assert_allclose(out.lam_grad, lam_slopes(of_theta, num_steps), rtol=1e-10)


def test_gauss_newton_first_order_released_and_reptile_are_what_they_say(problem):
    """Each with the v of queries in their context, and dense matrices: 9 digits."""
    loss, theta, tasks = problem.loss, problem.theta, problem.tasks
    inner = problem.descent(8)
    phi = ir.adapt(loss, theta, tasks.support_x, tasks.support_y, lam=0.6, inner=inner)
    v, eye = query(problem, phi).grad, np.eye(theta.size)
    lin = loss.linearize(phi, tasks.support_x, tasks.support_y)
    G = np.stack([lin.gnvp(np.tile(e, (3, 1))) for e in eye], -1)
    want = 0.6 * np.linalg.solve(G + 0.6 * eye, v[..., None])[..., 0].mean(0)
    options = {"solver": ir.Dense(), "curvature": "gauss-newton"}
    found = ir.IMAML(loss, 0.6, inner, **options)(theta, tasks)
    assert digits(found.grad, want) > 9
    found = ir.FirstOrderMAML(loss, 0.6, inner)(theta, tasks)
    assert digits(found.grad, v.mean(0)) > 12
    found = ir.Reptile(loss, 0.6, inner)(theta, tasks)
    assert digits(found.grad, theta - phi.mean(0)) > 12
    assert_allclose(found.diagnostics.query_loss, query(problem, phi).value, rtol=1e-12)
    released = ir.ReleasedIMAML(loss, 0.6, cg_steps=2 * theta.size)
    x, y = tasks.support_x, tasks.support_y
    phi = released.adapt(theta, x, y)
    A = 2 * eye + hessian(loss, phi, x, y) / 10.6
    v = query(problem, phi).grad
    want = np.linalg.solve(A, v[..., None])[..., 0].mean(0)
    assert digits(released(theta, tasks).grad, want) > 9


def test_tasks_do_not_mix_and_may_come_in_lists(problem):
    run = ir.IMAML(problem.loss, 0.6, problem.descent(3))
    tasks, theta = problem.tasks, problem.theta
    together = run(theta, tasks)
    listed = run(theta, [tasks[:1], tasks[1:]])
    assert_array_equal(together.grad, listed.grad)
    alone = [run(theta, tasks[t : t + 1]).grad for t in range(len(tasks))]
    assert_allclose(np.mean(alone, 0), together.grad, rtol=1e-12, atol=1e-15)


def test_the_inner_problem_is_that_of_batch_normalisation():
    """Its solutions and H are, to 11 digits; v and the meta-gradient are others."""
    ours = support_normed()
    net = ir.architectures.omniglot_cnn(
        3, input_shape=(5, 6, 2), num_filters=2, activation=Softplus, norm=BatchNorm2d
    )
    theirs = replace(ours, loss=ir.TaskLoss(net, ir.SoftmaxCrossEntropy()))
    found, want = (
        ir.implicit_gradient(
            p.loss, p.theta, p.tasks, lam=0.6, inner=p.descent(16), keep="phi"
        )
        for p in (ours, theirs)
    )
    assert digits(found.phi, want.phi) > 11
    assert digits(found.grad, want.grad) < 1
    g, _ = dense_answer(theirs, want.phi)
    assert digits(dense_answer(ours, found.phi)[0], g) < 1


class Own(ir.TaskLoss):
    """A loss of one's own, which does not know of contexts."""

    def linearize(self, phi, x, y):
        return super().linearize(phi, x, y)


def test_a_loss_of_ones_own_must_take_the_context():
    problem = support_normed()
    loss = Own(problem.loss.net, problem.loss.loss)
    with pytest.raises(TypeError, match="unexpected keyword argument 'context'"):
        ir.IMAML(loss, 0.6)(problem.theta, problem.tasks)
