"""A meta-step by kernels is the plain one: inner steps, CG, and what is measured."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import digits
from imaml_ref.fused import plain_path
from imaml_ref.inner.base import InnerDivergence
from imaml_ref.meta_gradients.objective import ProximalObjective
from tests.helpers.fused_points import needs_fused
from tests.machines.kernel_machine import by_kernels
from tests.machines.kernel_points import NETS, assert_alike, problem, staged

pytestmark = needs_fused


def vector(at, seed=3):
    return np.random.default_rng(seed).uniform(0.5, 3, at.theta.shape)


SIZES = [{"num_tasks": 1}, {"num_tasks": 3, "shots": 2}, {"queries": 1}]
OPTIONS = {
    "paper": lambda at: {},
    "many steps": lambda at: {"steps": 20, "solver": ir.CG(maxiter=9)},
    "no steps": lambda at: {"steps": 0},
    "λ per parameter": lambda at: {"lam": vector(at)},
    "damped": lambda at: {"damping": 0.7, "lam": vector(at)},
    "gauss-newton": lambda at: {"curvature": "gauss-newton"},
    "tolerance": lambda at: {"solver": ir.CG(maxiter=12, rtol=1e-2)},
    "truncate": lambda at: {
        "lam": 0.01,
        "solver": ir.CG(on_negative_curvature="truncate"),
    },
    "indefinite": lambda at: {"lam": 0.01},
    "certified": lambda at: {"solver": ir.CertifiedCG(maxiter=6)},
    "minres": lambda at: {"solver": ir.MINRES(maxiter=6)},
    "momentum": lambda at: {"inner": ir.Momentum(0.05, 5)},
}


# CG makes something of rounding, the more the longer it goes on, and where H + Λ is
# indefinite, as it is before any step.
LONG = "many steps", "tolerance", "indefinite", "no steps"


# By default each net with some options, and one with all.
MOST = {"conv4": ("paper", "damped"), "3-way": ("gauss-newton", "truncate")}
PAIRS = [
    pytest.param(
        name,
        options,
        marks=[pytest.mark.thorough] * (options not in MOST.get(name, OPTIONS)),
    )
    for name in NETS
    for options in OPTIONS
]


@pytest.mark.parametrize(("name", "options"), PAIRS)
def test_the_meta_gradient_is_that_of_the_plain_path(name, options):
    at, least = problem(name), 8 if options in LONG else 11
    options = OPTIONS[options](at)
    assert_alike(by_kernels(lambda: at.gradient(**options)), at.plain(**options), least)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_so_it_is_for_any_number_of_tasks_and_examples(sizes):
    at = problem(**sizes)
    assert_alike(by_kernels(at.gradient), at.plain(), 11)


@pytest.mark.parametrize("name", ["omniglot_cnn", "conv4"])
def test_float32_is_near_the_plain_path(name):
    at = problem(name, num_tasks=12, shots=3).astype(np.float32)
    got, want = by_kernels(at.gradient), at.plain()
    assert got.grad.dtype == np.float32
    for ours, theirs in ((got.phi, want.phi), (got.task_grads, want.task_grads)):
        found = np.array([digits(a, b) for a, b in zip(ours, theirs, strict=True)])
        assert np.median(found) >= 5
        assert (found >= 4).mean() >= 0.9


ALGORITHMS = {
    "iMAML": ir.IMAML,
    "MAML": ir.MAML,
    "first order": ir.FirstOrderMAML,
    "Reptile": partial(ir.Reptile, lam=0.5),
    "released": ir.ReleasedIMAML,
}


@pytest.mark.parametrize("make", ALGORITHMS.values(), ids=ALGORITHMS.keys())
def test_every_algorithm_has_its_plain_meta_gradient(make):
    at = problem()
    algorithm = make(at.loss)
    got = by_kernels(lambda: algorithm(at.theta, at.tasks))
    with plain_path():
        want = algorithm(at.theta, at.tasks)
    assert digits(got.grad, want.grad) > 11


def test_batches_of_several_sizes_are_one_mean():
    at, more = problem(), problem(shots=2, num_tasks=2, seed=4)
    batches = [at.tasks, more.tasks, at.tasks]
    algorithm = ir.IMAML(at.loss)
    got = by_kernels(lambda: algorithm(at.theta, batches))
    with plain_path():
        want = algorithm(at.theta, batches)
    assert digits(got.grad, want.grad) > 11


def test_the_stages_have_the_same_bits():
    at = problem()

    def thrice(name):
        return [staged(at, name).task_grads for _ in range(3)]

    found = [by_kernels(partial(thrice, name)) for name in ("kernels", "graphs")]
    for grads in found[0] + found[1]:
        assert_array_equal(grads, found[0][0])


def test_a_task_does_not_know_of_the_others():
    at = problem(num_tasks=4)
    alone = problem(num_tasks=4)
    got = by_kernels(at.gradient)
    one = ir.TaskBatch(*(a[2:3] for a in vars(alone.tasks).values()))
    single = type(at)(at.loss, at.theta, one)
    assert_array_equal(by_kernels(single.gradient).task_grads[0], got.task_grads[2])


@pytest.mark.parametrize("options", ["paper", "λ per parameter", "gauss-newton"])
@pytest.mark.parametrize("name", NETS)
def test_fused_blocks_make_the_same_meta_step(name, options):
    at = problem(name)
    options = OPTIONS[options](at)
    got = by_kernels(lambda: staged(at, "fused", **options))
    assert_alike(got, at.plain(**options), 11)


def test_in_float64_no_stage_takes_tensor_cores():
    at = problem()

    for name in ("graphs", "fused"):
        first, *others = [
            by_kernels(partial(staged, at, name + products)).task_grads
            for products in ("", "-3xtf32", "-tf32")
        ]
        for other in others:
            assert_array_equal(other, first)


# Inner steps.


def objective_of(at, lam):
    t = at.tasks
    return ProximalObjective(at.loss, at.theta, t.support_x, t.support_y, lam)


STRENGTHS = {"number": lambda at: 0.5, "none": lambda at: 0, "vector": vector}


@pytest.mark.parametrize("lam", STRENGTHS.values(), ids=STRENGTHS.keys())
@pytest.mark.parametrize("steps", [0, 1, 7])
def test_the_inner_steps_are_those_of_the_plain_path(steps, lam):
    at = problem()
    objective, start = objective_of(at, lam(at)), at.theta + np.ones((3, 1))
    inner = ir.GradientDescent(0.1, steps)
    got = by_kernels(lambda: inner.solve(objective_of(at, lam(at)), at.theta, start))
    with plain_path():
        want = inner.solve(objective, at.theta, start)
    assert min(digits(a, b) for a, b in zip(got, want, strict=True)) > 11


def test_they_may_have_an_anchor_for_each_task():
    at = problem()
    theta = at.theta + np.random.default_rng(0).normal(size=(3, len(at.theta)))

    def descended():
        examples = objective_of(at, 0.5).examples
        return examples.descend(theta, theta + 1, 0.5, 0.1, 3)

    phi, norms = by_kernels(descended)
    for t in range(3):
        one = objective_of(at, 0.5).task(t)
        want, want_norms = one.examples.descend(
            theta[t : t + 1], theta[t] + 1, 0.5, 0.1, 3
        )
        assert digits(phi[t], want[0]) > 11
        assert digits(np.array(norms)[:, t], np.array(want_norms)[:, 0]) > 11


def test_they_run_away_in_the_same_words():
    at, wild = problem(), ir.GradientDescent(1e9, 5)
    with np.errstate(all="ignore"):
        with pytest.raises(InnerDivergence) as got:
            by_kernels(lambda: wild.solve(objective_of(at, 2.0), at.theta))
        with plain_path(), pytest.raises(InnerDivergence) as want:
            wild.solve(objective_of(at, 2.0), at.theta)
    assert (got.value.step, got.value.task) == (want.value.step, want.value.task)
