"""A checkpoint gives back every bit, and is plain HDF5 for everybody else."""

import os
from dataclasses import replace

import h5py
import numpy as np
import pytest

from imaml_ref.files.whole import BadFile
from imaml_ref.optimizers import Adam
from imaml_ref.training.checkpoint import (
    Best,
    Checkpoint,
    TrainingState,
    read_checkpoint,
    write_checkpoint,
)

THIRD = np.array(1 / 3)
ABOUT = {
    "config": "lam = 0.5\n",
    "seed": 2**40,
    "input_shape": (28, 27, 1),
    "task": "x",
}


def make_state(dtype, *, lam=THIRD, best=True):
    """A state after two steps of Adam, so that no array is zero."""
    rng = np.random.default_rng(0)
    theta, grad = rng.normal(size=(2, 7)).astype(dtype)
    adam = Adam(1e-2)
    moments = adam.init(theta)
    for _ in range(2):
        theta, moments = adam.step(theta, grad, moments)
    log_lam, lam_moments = adam.step(np.log(lam), np.ones_like(lam), adam.init(lam))
    return TrainingState(
        step=2,
        theta=theta,
        lam=np.exp(log_lam),
        optimizer=moments,
        lam_optimizer=lam_moments,
        best=Best(1, 0.1 + 0.2, theta + 1, lam * 2) if best else None,
        seconds=1 / 7,
    )


def assert_same_bits(got, expected):
    assert np.asarray(got).dtype == np.asarray(expected).dtype
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lam", [THIRD, np.linspace(0.1, 3, 7)])
def test_every_bit_comes_back(tmp_path, dtype, lam):
    path = tmp_path / "checkpoint.h5"
    state = make_state(dtype, lam=lam)
    write_checkpoint(path, Checkpoint(state, ABOUT, chosen="best"))
    found = read_checkpoint(path)
    assert found.about == ABOUT
    assert found.chosen == "best"
    assert (found.state.step, found.state.seconds) == (2, 1 / 7)
    assert (found.state.best.step, found.state.best.score) == (1, 0.1 + 0.2)
    for name in ("theta", "lam"):
        assert_same_bits(getattr(found.state, name), getattr(state, name))
        assert_same_bits(getattr(found.state.best, name), getattr(state.best, name))
    for name in ("optimizer", "lam_optimizer"):
        got, expected = getattr(found.state, name), getattr(state, name)
        assert got.keys() == expected.keys()
        for key in expected:
            assert_same_bits(got[key], expected[key])


def test_the_optimiser_goes_on_from_it_with_the_same_bits(tmp_path):
    path, state, adam = tmp_path / "checkpoint.h5", make_state(np.float32), Adam(1e-2)
    write_checkpoint(path, Checkpoint(state, ABOUT))
    found = read_checkpoint(path).state
    grad = np.linspace(-1, 1, 7, dtype=np.float32)
    undisturbed, _ = adam.step(state.theta, grad, state.optimizer)
    assert_same_bits(adam.step(found.theta, grad, found.optimizer)[0], undisturbed)


def test_the_result_is_the_chosen_theta():
    state = make_state(np.float64)
    last, best = Checkpoint(state, ABOUT), Checkpoint(state, ABOUT, chosen="best")
    assert last.result == (state.theta, state.lam)
    assert last.result_step == 2
    assert best.result == (state.best.theta, state.best.lam)
    assert best.result_step == 1


def test_without_validation_there_is_no_best(tmp_path):
    path = tmp_path / "checkpoint.h5"
    state = replace(make_state(np.float64, best=False), lam_optimizer={})
    write_checkpoint(path, Checkpoint(state, ABOUT))
    found = read_checkpoint(path).state
    assert found.best is None
    assert found.lam_optimizer == {}


def test_any_program_reads_theta(tmp_path):
    path, state = tmp_path / "checkpoint.h5", make_state(np.float32)
    write_checkpoint(path, Checkpoint(state, ABOUT))
    with h5py.File(path) as file:
        assert_same_bits(file["theta"][()], state.theta)
        assert file.attrs["schema"] == "imaml_ref/checkpoint"
        assert file.attrs["schema_version"] == 1
        assert file.attrs["step"] == 2


def remove(name):
    def spoil(path):
        with h5py.File(path, "a") as file:
            del (file.attrs if name in file.attrs else file)[name]

    return spoil


BAD = {
    remove("theta"): "damaged checkpoint",
    remove("step"): "damaged checkpoint",
    lambda path: os.truncate(path, path.stat().st_size // 2): "truncated",
    lambda path: path.write_text("theta"): "not a readable HDF5 file",
    remove("schema"): "foreign file",
}


@pytest.mark.parametrize(("spoil", "expected"), BAD.items())
def test_a_bad_checkpoint_is_named_in_one_line(tmp_path, spoil, expected):
    path = tmp_path / "checkpoint.h5"
    write_checkpoint(path, Checkpoint(make_state(np.float32), ABOUT))
    spoil(path)
    with pytest.raises(BadFile, match=expected) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
