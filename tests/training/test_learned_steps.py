"""Step sizes that are learned, and first order before second: kept, and resumed."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.data import Sinusoids
from imaml_ref.training import (
    Checkpoint,
    Diverged,
    at_state,
    meta_train,
    read_checkpoint,
    write_checkpoint,
)

LOSS = ir.TaskLoss(ir.architectures.mlp((1,), (5, 4), 1), ir.SquaredError())
SIZE, LAYERS = LOSS.net.layout.size, 3
SIZES = {
    "a number": 0.01,
    "per layer": np.array([0.01, 0.02, 0.03]),
    "per parameter": np.random.default_rng(1).uniform(0.01, 0.02, SIZE),
}
SOURCE = Sinusoids(5, 6)


def maml(step_size=0.01, **options):
    return ir.MAML(LOSS, inner=ir.GradientDescent(step_size, 3), **options)


def train(algorithm, steps, *, dtype=np.float64, **options):
    theta = LOSS.net.init(np.random.default_rng(0), dtype=dtype)
    given = {"optimizer": ir.Adam(1e-2), "alpha_optimizer": ir.Adam(1e-1)} | options
    return meta_train(
        algorithm, theta, SOURCE, meta_steps=steps, meta_batch=4, seed=3, **given
    )


@pytest.mark.parametrize("step_size", SIZES.values(), ids=SIZES.keys())
def test_a_step_moves_log_alpha_along_its_gradient(step_size):
    """By − β α dF/dα, 13 digits; θ moves as it does without."""
    algorithm = maml(step_size)
    start = train(algorithm, 0)
    tasks = SOURCE.sample(
        "train", seed=3, step=0, num_tasks=4, first=0, dtype=np.float64
    )
    slope = np.asarray(algorithm(start.theta, tasks).alpha_grad)
    want = step_size * np.exp(-0.5 * step_size * slope)
    state = train(algorithm, 1, alpha_optimizer=ir.SGD(0.5))
    assert_allclose(state.alpha, want, rtol=1e-13)
    assert np.abs(want / step_size - 1).max() > 1e-4
    assert_array_equal(state.theta, train(algorithm, 1, alpha_optimizer=None).theta)
    learned = at_state(algorithm, state)
    assert_array_equal(learned.inner.step_size, state.alpha)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("step_size", SIZES.values(), ids=SIZES.keys())
def test_a_resumed_training_has_the_bits_of_an_undisturbed_one(
    tmp_path, step_size, dtype
):
    """Over the end of the warm-up and of the annealing, after validations."""
    algorithm = maml(step_size, first_order_steps=3, annealing=6)
    options = {"dtype": dtype, "validation_interval": 2, "validation_tasks": 3}
    undisturbed = train(algorithm, 8, **options)
    half = train(algorithm, 4, **options)
    path = tmp_path / "checkpoint.h5"
    write_checkpoint(path, Checkpoint(half, {}))
    resumed = train(algorithm, 8, **options, resume=read_checkpoint(path).state)
    for name in ("step", "theta", "alpha"):
        assert_array_equal(getattr(resumed, name), getattr(undisturbed, name))
        assert getattr(half, name) is not getattr(resumed, name)
    assert (undisturbed.alpha != half.alpha).any()
    assert undisturbed.alpha.shape == np.shape(step_size)
    for key, a in undisturbed.alpha_optimizer.items():
        assert_array_equal(resumed.alpha_optimizer[key], a)
    assert_array_equal(resumed.best.alpha, undisturbed.best.alpha)


def test_the_best_on_validation_keeps_its_own_alpha(tmp_path):
    state = train(maml(), 6, validation_interval=2, validation_tasks=3)
    write_checkpoint(tmp_path / "c.h5", Checkpoint(state, {}, "best"))
    found = read_checkpoint(tmp_path / "c.h5").parameters
    at_best = train(maml(), state.best.step)
    assert_array_equal(found.alpha, at_best.alpha)
    assert_array_equal(found.theta, at_best.theta)


def test_alpha_that_stays_is_no_part_of_a_state(tmp_path):
    state = train(maml(), 2, alpha_optimizer=None)
    assert np.isnan(state.alpha)
    assert state.alpha_optimizer == {}
    write_checkpoint(tmp_path / "c.h5", Checkpoint(state, {}))
    assert np.isnan(read_checkpoint(tmp_path / "c.h5").state.alpha)


def test_the_first_meta_steps_are_those_of_first_order():
    """Then they part; the bits of MAML from the step on."""
    plain = {"alpha_optimizer": None}
    warm = maml(first_order_steps=3)
    first = train(maml(last=0), 3, **plain)
    after = train(warm, 3, **plain)
    assert_array_equal(after.theta, first.theta)
    then = train(maml(), 5, **plain, resume=after)
    assert_array_equal(train(warm, 5, **plain).theta, then.theta)
    assert (train(maml(), 3, **plain).theta != first.theta).any()


def test_so_for_the_implicit_gradient():
    inner, plain = ir.GradientDescent(0.01, 3), {"alpha_optimizer": None}
    warm = ir.IMAML(LOSS, 0.5, inner, first_order_steps=2)
    first = train(ir.FirstOrderMAML(LOSS, 0.5, inner), 2, **plain)
    assert_array_equal(train(warm, 2, **plain).theta, first.theta)
    then = train(ir.IMAML(LOSS, 0.5, inner), 4, **plain, resume=first)
    assert_array_equal(train(warm, 4, **plain).theta, then.theta)


def test_lam_and_alpha_are_learned_together():
    algorithm = replace(maml(SIZES["per layer"]), lam=0.5)
    state = train(algorithm, 3, lam_optimizer=ir.Adam(1e-1))
    assert state.lam != 0.5
    assert (state.alpha != SIZES["per layer"]).all()


@pytest.mark.parametrize(
    "algorithm",
    [
        ir.IMAML(LOSS, 0.5, ir.GradientDescent(0.01, 3)),
        ir.FirstOrderMAML(LOSS, None, ir.GradientDescent(0.01, 3)),
        ir.IMAML(LOSS, 0.5, ir.NewtonCG(2)),
    ],
    ids=["implicit", "first order", "no step size"],
)
def test_alpha_is_not_learned_without_a_derivative_in_it(algorithm):
    with pytest.raises(ValueError, match=r"α cannot be learned: .*alpha_grad is None"):
        train(algorithm, 1)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_training_stops_where_alpha_leaves_what_the_dtype_holds():
    message = "meta-step 1: the next α and its reciprocal must be neither"
    with pytest.raises(Diverged, match=message) as caught:
        train(maml(), 2, alpha_optimizer=ir.SGD(1e9))
    assert_array_equal(caught.value.state.alpha, 0.01)
