"""The mean over tasks: every task once, the same bits in any chunks and threads."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.meta_gradients import task_mean
from tests.helpers.problems import (
    PROBLEMS,
    batch_normed,
    curved,
    make_problem,
    make_tasks,
    ridge,
)

BOTH = ("phi", "task_grads")
ALGORITHMS = {
    "implicit": lambda p, tasks: ir.implicit_gradient(
        p.loss, p.theta, tasks, lam=p.lam, inner=p.descent(6), keep=BOTH
    ),
    "gauss-newton": lambda p, tasks: ir.implicit_gradient(
        p.loss,
        p.theta,
        tasks,
        lam=p.lam,
        inner=ir.NewtonCG(num_steps=2),
        curvature="gauss-newton",
        keep=BOTH,
    ),
    "unrolled": lambda p, tasks: ir.unrolled_gradient(
        p.loss, p.theta, tasks, lam=p.lam, inner=p.descent(3), keep=BOTH
    ),
}


@pytest.fixture(params=ALGORITHMS.values(), ids=ALGORITHMS.keys())
def gradient(request):
    return request.param


@pytest.fixture(autouse=True)
def _threads_as_before():
    yield
    ir.set_num_threads(None)


def seven_tasks(problem, seed=9):
    tasks = make_tasks(problem.loss.net, problem.loss.loss, num_tasks=7, seed=seed)
    return replace(problem, tasks=tasks)


def assert_same_bits(got, want):
    for name in ("grad", "lam_grad", "phi", "task_grads"):
        assert_array_equal(getattr(got, name), getattr(want, name), err_msg=name)
    for name, value in vars(want.diagnostics).items():
        assert_array_equal(getattr(got.diagnostics, name), value, err_msg=name)


@pytest.mark.parametrize("name", ["ridge-lam", "curved", "kinked-lam", "batch_normed"])
def test_chunks_and_threads_do_not_change_a_bit(name, gradient, monkeypatch):
    problem = seven_tasks(PROBLEMS[name])
    want = gradient(problem, problem.tasks)
    for threads, size in ((1, 5), (2, 1), (3, 2)):
        ir.set_num_threads(threads)
        monkeypatch.setattr(task_mean, "chunk_size", lambda *_, s=size: s)
        assert_same_bits(gradient(problem, problem.tasks), want)


def test_chunks_do_not_change_a_bit_of_the_omniglot_net_in_float32(monkeypatch):
    net, outer = ir.architectures.omniglot_cnn(5), ir.SoftmaxCrossEntropy()
    problem = make_problem(net, outer, lam=2.0, num_tasks=3, support=5, query=6)
    problem = problem.astype(np.float32)
    found = []
    for size, threads in ((1, 1), (2, 2), (3, 1)):
        ir.set_num_threads(threads)
        monkeypatch.setattr(task_mean, "chunk_size", lambda *_, s=size: s)
        found.append(ALGORITHMS["implicit"](problem, problem.tasks))
    assert_same_bits(found[1], found[0])
    assert_same_bits(found[2], found[0])


@pytest.mark.parametrize(
    ("threads", "size", "want"),
    [(1, 3, [3, 3, 1]), (1, 9, [7]), (2, 9, [4, 3]), (3, 9, [3, 3, 1])],
)
def test_every_thread_has_work_in_chunks_that_are_not_too_large(
    threads, size, want, monkeypatch
):
    monkeypatch.setattr(task_mean, "chunk_size", lambda *_: size)
    ir.set_num_threads(threads)
    problem = seven_tasks(curved())
    dealt = list(task_mean.chunks(problem.tasks, problem.theta))
    assert [len(chunk) for _, chunk, _ in dealt] == want
    assert [first for first, _, _ in dealt] == list(range(0, 7, want[0]))


def test_many_tasks_are_many_single_runs(gradient):
    problem = seven_tasks(curved())
    together = gradient(problem, problem.tasks)
    alone = [gradient(problem, problem.tasks[t : t + 1]) for t in range(7)]
    assert_array_equal(together.phi, np.concatenate([a.phi for a in alone]))
    assert_array_equal(
        together.task_grads, np.concatenate([a.grad[None] for a in alone])
    )
    assert_allclose(together.grad, np.mean([a.grad for a in alone], 0), rtol=1e-14)
    assert_allclose(together.lam_grad, np.mean([a.lam_grad for a in alone]), rtol=1e-14)
    for field in ("inner_residual", "cosine", "query_loss", "query_accuracy"):
        want = [getattr(a.diagnostics, field)[0] for a in alone]
        assert_array_equal(getattr(together.diagnostics, field), want)


@pytest.mark.parametrize("per_parameter", [False, True])
def test_a_list_of_batches_counts_each_task_once(gradient, per_parameter):
    """Two batches of different numbers and sizes of tasks: not a mean of means."""
    problem = curved().per_parameter() if per_parameter else curved()
    net, outer = problem.loss.net, problem.loss.loss
    sizes = [(2, 5, 4, 3), (4, 3, 6, 4), (1, 2, 7, 5)]
    batches = [
        make_tasks(net, outer, num_tasks=t, support=n, query=m, seed=s)
        for t, n, m, s in sizes
    ]
    together = gradient(problem, batches)
    alone = [gradient(problem, b[t : t + 1]) for b in batches for t in range(len(b))]
    assert len(alone) == len(together.phi) == 7
    mean = np.mean([a.grad for a in alone], 0)
    assert_allclose(together.grad, mean, rtol=1e-13, atol=1e-16)
    lam_mean = np.mean([a.lam_grad for a in alone], 0)
    assert_allclose(together.lam_grad, lam_mean, rtol=1e-13, atol=1e-16)
    assert_array_equal(
        together.task_grads, np.concatenate([a.task_grads for a in alone])
    )
    of_means = np.mean([gradient(problem, b).grad for b in batches], 0)
    assert np.linalg.norm(of_means - mean) > 0.05 * np.linalg.norm(mean)


def test_phi_found_elsewhere_is_dealt_out_to_a_list_of_batches(monkeypatch):
    monkeypatch.setattr(task_mean, "chunk_size", lambda *_: 2)
    problem = ridge()
    batches = [
        make_tasks(problem.loss.net, problem.loss.loss, num_tasks=t, support=n, seed=s)
        for t, n, s in ((3, 5, 3), (4, 6, 4))
    ]
    options = {"lam": problem.lam, "keep": BOTH}
    inner = problem.descent(9)
    want = ir.implicit_gradient(
        problem.loss, problem.theta, batches, inner=inner, **options
    )
    got = ir.implicit_gradient_at(
        problem.loss, problem.theta, want.phi, batches, **options
    )
    assert_same_bits(got, want)


def test_the_order_of_tasks_matters_to_rounding_only(gradient):
    problem = seven_tasks(batch_normed())
    order = np.array([4, 0, 6, 2, 5, 1, 3])
    want = gradient(problem, problem.tasks)
    got = gradient(problem, problem.tasks[order])
    assert_array_equal(got.task_grads, want.task_grads[order])
    assert_array_equal(got.phi, want.phi[order])
    assert_allclose(got.grad, want.grad, rtol=1e-13, atol=1e-16)
    assert_allclose(got.lam_grad, want.lam_grad, rtol=1e-13)


def test_the_mean_is_summed_in_float64(monkeypatch):
    """1 + 2⁻³⁰ − 1 in float32 would be 0."""
    grads = np.array([[1, -5], [2**-30, 1], [-1, 2]], np.float32)
    problem = ridge()
    diagnostics = ir.implicit_gradient(
        problem.loss, problem.theta, problem.tasks
    ).diagnostics
    chunk = task_mean.Chunk(grads, grads, grads, diagnostics)
    out = task_mean.gather([chunk], np.zeros(2, np.float32), set())
    assert out.grad.dtype == out.lam_grad.dtype == np.float32
    assert out.grad[0] == out.lam_grad[0] == np.float32(2**-30 / 3)


def test_only_what_is_to_be_kept_is_kept():
    p = curved()
    for keep in ((), ("phi",), ("task_grads",), BOTH, "phi"):
        for out in (
            ir.implicit_gradient(p.loss, p.theta, p.tasks, keep=keep),
            ir.unrolled_gradient(p.loss, p.theta, p.tasks, keep=keep),
        ):
            assert (out.phi is not None) == ("phi" in keep)
            assert (out.task_grads is not None) == ("task_grads" in keep)


class Watched:
    """A loss that lets arrays of one dtype only through its doors."""

    def __init__(self, loss, dtype):
        self.loss, self.dtype = loss, dtype

    def linearize(self, phi, x, y):
        return WatchedAt(self, self.loss.linearize(self.checked(phi), x, y))

    def checked(self, a):
        assert a.dtype == self.dtype
        return a


class WatchedAt:
    def __init__(self, door, at):
        self.door, self.at = door, at
        self.value, self.grad = door.checked(at.value), door.checked(at.grad)

    def hvp(self, v):
        return self.door.checked(self.at.hvp(self.door.checked(v)))

    def gnvp(self, v):
        return self.door.checked(self.at.gnvp(self.door.checked(v)))


INNERS = {
    "gd": ir.GradientDescent(0.1, 5),
    "momentum": ir.Momentum(0.05, 5),
    "adam": ir.InnerAdam(0.05, 5),
    "lbfgs": ir.LBFGS(maxiter=5, tol=1e-5),
    "newton-cg": ir.NewtonCG(),
}


@pytest.mark.parametrize(
    ("inner", "lam"),
    [
        *((inner, "per parameter") for inner in INNERS.values()),
        (INNERS["gd"], "number"),
        (INNERS["newton-cg"], "NumPy number"),
    ],
)
def test_float32_stays_float32_all_the_way(inner, lam):
    p = curved().per_parameter() if lam == "per parameter" else curved()
    exact = ALGORITHMS["implicit"](p, p.tasks)
    p = replace(p.astype(np.float32), loss=Watched(p.loss, np.float32))
    strength = np.float64(p.lam) if lam == "NumPy number" else p.lam
    for curvature in ("hessian", "gauss-newton"):
        out = ir.implicit_gradient(
            p.loss,
            p.theta,
            p.tasks,
            lam=strength,
            inner=inner,
            curvature=curvature,
            keep=BOTH,
        )
        for array in (out.grad, out.phi, out.task_grads):
            assert array.dtype == np.float32
        kind = np.float32 if lam == "per parameter" else float
        assert np.asarray(out.lam_grad).dtype == kind
    out = ALGORITHMS["implicit"](p, p.tasks)
    assert_allclose(out.grad, exact.grad, rtol=1e-3, atol=1e-5)
    out = ALGORITHMS["unrolled"](p, p.tasks)
    assert out.grad.dtype == out.phi.dtype == out.task_grads.dtype == np.float32
