"""A training on the double of a device: NumPy's bits, one look per interval."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.compute.backend import to_device
from imaml_ref.compute.readings import settle, value_of, waiting
from imaml_ref.data import Sinusoids
from imaml_ref.runs.prepare import on_device
from imaml_ref.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from imaml_ref.training.evaluation import CHUNK, beside, evaluate
from imaml_ref.training.loop import Diverged, first_state, meta_step
from tests.machines.double import OutOfMemory, device_double
from tests.machines.on_double import (
    Overflowing,
    assert_same_rows,
    assert_same_state,
    curves,
    images,
)


@pytest.fixture
def device():
    with ir.plain_path(), device_double() as device:
        yield device


@pytest.fixture(params=[images, curves])
def training(request):
    return request.param()


@pytest.mark.parametrize(("interval", "looks"), [(1, 7), (3, 4), (100, 2)])
def test_a_training_has_the_bits_of_numpy(training, interval, looks, device):
    want = training.train()
    theta = to_device(training.theta)
    before = device.waits
    got = training.train(theta, log_interval=interval)
    assert device.waits - before == looks + 1  # and one of the validation
    assert_same_state(got[0], want[0])
    assert_same_rows(got[1], want[1])


def test_on_the_host_every_step_is_seen_at_once():
    seen = []

    class Source(Sinusoids):
        def sample(self, *args, step, **kwargs):
            assert seen == list(range(1, step + 1))
            return super().sample(*args, step=step, **kwargs)

    training = replace(curves(), source=Source(5, 6))
    training.train(
        log_interval=5,
        validation_interval=0,
        observe=lambda state, _: seen.append(state.step),
    )
    assert seen == [1, 2, 3, 4, 5, 6, 7]


def test_a_meta_step_does_not_wait(training, device):
    algorithm, optimizer = training.algorithm, ir.Adam(1e-2)
    tasks = training.source.sample(
        "train", seed=0, step=0, num_tasks=3, dtype=training.dtype
    )
    state = first_state(algorithm, to_device(training.theta), optimizer, None)
    tasks = beside(state.theta, tasks)
    with waiting() as readings, device.no_sync():
        for _ in range(2):
            state, row = meta_step(algorithm, state, tasks, optimizer=optimizer)
    settle(readings)
    assert value_of(row)["step"] == 2


def test_memory_does_not_grow_with_the_meta_steps(training, device):
    theta = to_device(training.theta)

    def peak(steps):
        with device.watch() as watch:
            training.train(theta, steps=steps, log_interval=2, validation_interval=0)
        return watch.bytes

    peak(2)  # after which the images are there
    gc.disable()  # what only a collection frees is not freed in time
    try:
        assert peak(4) == peak(6)
    finally:
        gc.enable()


def test_a_learned_lambda_is_asked_for_in_every_step(device):
    training = curves()
    learned = {"lam_optimizer": ir.Adam(1e-1), "validation_interval": 0}
    want = training.train(**learned)
    theta = to_device(training.theta)
    before = device.waits
    got = training.train(theta, log_interval=100, **learned)
    assert device.waits - before == 7 + 1
    assert_same_state(got[0], want[0])
    assert_same_rows(got[1], want[1])
    assert got[0].lam != 2.0


@pytest.mark.parametrize("stop", [3, 4])
def test_a_resumed_training_goes_on_bit_for_bit(training, stop, tmp_path, device):
    want, _ = training.train()
    half, _ = training.train(to_device(training.theta), steps=stop, log_interval=3)
    write_checkpoint(tmp_path / "checkpoint.h5", Checkpoint(half, {}))
    state = on_device(read_checkpoint(tmp_path / "checkpoint.h5").state, "cuda")
    got, _ = training.train(resume=state, log_interval=5)
    assert_same_state(replace(got, best=None), replace(want, best=None))
    assert got.best.score == want.best.score


def test_an_observer_may_stop_within_an_interval(device):
    training = images()
    seen = []

    def observe(state, row):
        seen.append(row["step"])
        return state.step == 2

    theta = to_device(training.theta)
    got, _ = training.train(theta, log_interval=5, observe=observe)
    assert seen == [1, 2]
    assert_same_state(got, training.train(steps=2)[0])


def run_away(training, theta, **changes):
    """Train until the sixth step, which overflows; return the rows, and the error."""
    rows = []
    training = replace(training, source=Overflowing(training.source, 5))
    settings = {"validation_interval": 0, "observe": lambda _, row: rows.append(row)}
    with np.errstate(all="ignore"), pytest.raises(Diverged) as caught:
        training.train(theta, **settings | changes)
    return rows, caught.value


@pytest.mark.parametrize("interval", [1, 4, 50])
def test_divergence_names_the_step_at_which_it_happened(training, interval, device):
    rows, error = run_away(training, training.theta)
    theta = to_device(training.theta)
    found, caught = run_away(training, theta, log_interval=interval)
    assert str(caught) == str(error)
    assert error.state.step == 5
    assert_same_state(caught.state, error.state)
    assert_same_rows(found, rows)


def test_a_theta_that_overflows_is_not_taken(device):
    training = images()
    settings = {"optimizer": ir.SGD(1e39), "validation_interval": 0, "steps": 3}
    with np.errstate(all="ignore"), pytest.raises(Diverged, match="next θ") as caught:
        training.train(to_device(training.theta), log_interval=3, **settings)
    assert caught.value.state.step == 0
    assert_array_equal(caught.value.state.theta.get(), training.theta)


def test_a_device_that_is_full_leaves_the_states_that_were_seen(device):
    training = images()
    seen = []

    def observe(state, _):
        seen.append(state)
        device.limit = device.live + 1024

    with pytest.raises(OutOfMemory, match="out of memory allocating"):
        training.train(to_device(training.theta), observe=observe)
    assert [state.step for state in seen] == [1]
    device.limit = None
    assert_same_state(seen[0], training.train(steps=1)[0])


# Of smaller images the network sees nothing when one is alone.
@pytest.mark.parametrize("training", [images(13), curves()], ids=["images", "curves"])
def test_an_evaluation_has_the_bits_of_numpy_and_one_look_per_chunk(training, device):
    number = CHUNK + 3
    want = evaluate(
        training.algorithm, training.theta, training.source, num_tasks=number
    )
    theta = to_device(training.theta)
    before = device.waits
    got = evaluate(training.algorithm, theta, training.source, num_tasks=number)
    assert device.waits - before == 2
    for name in ("losses", "accuracies", "accuracies_per_example"):
        assert_array_equal(getattr(got, name), getattr(want, name))
