"""On a card: data, training and commands, by the plain path through CuPy."""

import gc
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import digits
from imaml_ref.cli import main
from imaml_ref.compute.backend import to_device
from imaml_ref.compute.readings import waiting
from imaml_ref.data import Episodes, Sinusoids, write_dataset
from imaml_ref.training.checkpoint import read_checkpoint
from imaml_ref.training.evaluation import evaluate
from imaml_ref.training.loop import Diverged, first_state, meta_step, meta_train
from tests.helpers.tiny_runs import make_images, train
from tests.machines.gpu_card import fetched, needing_card
from tests.machines.on_double import Overflowing


@pytest.fixture(autouse=True)
def _plainly():
    with ir.plain_path():
        yield


IMAGES = make_images(size=13)


def tiny():
    """Return an algorithm, θ and tasks of images."""
    net = ir.architectures.omniglot_cnn(3, input_shape=(13, 13, 1), num_filters=4)
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    algorithm = ir.IMAML(loss, 2.0, ir.GradientDescent(0.05, 3))
    theta = net.init(np.random.default_rng(0))
    return algorithm, theta, Episodes(IMAGES, 3, 1, 2)


@needing_card
@pytest.mark.parametrize("interval", [1, 4])
def test_a_short_training_is_that_of_the_host(interval):
    algorithm, theta, source = tiny()
    settings = {
        # A bias before a normalisation has no gradient but rounding; a smaller ε would
        # make steps of it.
        "optimizer": ir.Adam(1e-2, eps=1e-3),
        "meta_steps": 6,
        "meta_batch": 3,
        "validation_interval": 3,
        "validation_tasks": 4,
    }
    rows = []
    want = meta_train(algorithm, theta, source, **settings)
    got = meta_train(
        algorithm,
        to_device(theta),
        source,
        log_interval=interval,
        observe=lambda _, row: rows.append(row["step"]),
        **settings,
    )
    assert digits(fetched(got.theta), want.theta) >= 11
    assert rows == [1, 2, 3, 4, 5, 6]
    assert got.best.step == want.best.step


@needing_card
def test_a_training_in_float32_has_the_same_bits_twice_and_when_it_goes_on():
    algorithm, theta, source = tiny()
    theta = to_device(theta.astype(np.float32))
    settings = {"optimizer": ir.Adam(1e-2), "meta_batch": 3, "log_interval": 5}
    first, second, half = (
        meta_train(algorithm, theta, source, meta_steps=k, **settings)
        for k in (6, 6, 3)
    )
    on = meta_train(algorithm, theta, source, meta_steps=6, resume=half, **settings)
    for state in (second, on):
        assert_array_equal(fetched(state.theta), fetched(first.theta))


@needing_card
def test_a_meta_step_brings_nothing_to_the_host(monkeypatch):
    """What CuPy's arrays offer for that cannot be replaced; what we call can."""
    algorithm, theta, source = tiny()
    state = first_state(algorithm, to_device(theta), ir.Adam(), None)
    tasks = source.resident.sample("train", seed=0, step=0, num_tasks=3, dtype=float)
    with waiting() as readings:
        for module in ("readings", "backend"):
            name = {"readings": "fetched", "backend": "to_host"}[module]
            monkeypatch.setattr(f"imaml_ref.{module}.{name}", None)
        state, _ = meta_step(algorithm, state, tasks, optimizer=ir.Adam())
    assert readings


@needing_card
def test_gathered_tasks_have_the_bits_of_those_of_the_host():
    episodes = Episodes(IMAGES, 4, 1, 2, rotate="all", invert=True)
    ask = {"seed": 3, "step": 5, "num_tasks": 40}
    here, there = (e.sample("train", **ask) for e in (episodes, episodes.resident))
    for name, array in vars(here).items():
        assert_array_equal(fetched(getattr(there, name)), array, err_msg=name)


@needing_card
def test_an_evaluation_is_that_of_the_host():
    algorithm, theta, source = tiny()
    got = evaluate(algorithm, to_device(theta), source, num_tasks=70)
    want = evaluate(algorithm, theta, source, num_tasks=70)
    assert digits(got.losses, want.losses) >= 11
    assert_array_equal(got.accuracies, want.accuracies)


@needing_card
def test_divergence_names_the_step_at_which_it_happened():
    net = ir.architectures.mlp((1,), (8, 8), 1)
    loss = ir.TaskLoss(net, ir.SquaredError())
    algorithm = ir.IMAML(loss, 2.0, ir.GradientDescent(0.05, 3))
    theta = net.init(np.random.default_rng(0))
    source = Overflowing(Sinusoids(5, 6), 5)
    settings = {"optimizer": ir.Adam(1e-2), "meta_steps": 14, "log_interval": 50}
    said = []
    for start in (theta, to_device(theta)):
        with np.errstate(all="ignore"), pytest.raises(Diverged) as caught:
            meta_train(algorithm, start, source, **settings)
        said.append((caught.value.state.step, str(caught.value).partition("(")[0]))
    assert said[0] == said[1]
    assert said[0][0] == 5


@needing_card
def test_a_card_that_is_full_is_told_in_a_line(tmp_path, capsys):
    data, out = tmp_path / "patches.h5", tmp_path / "run"
    write_dataset(data, IMAGES)
    flags = ["--device", "cuda", "--log-interval", "1", "--net", "omniglot-cnn"]
    assert train(data, out, "--meta-steps", "2", *flags) == 0
    capsys.readouterr()
    pool = sys.modules["cupy"].get_default_memory_pool()
    gc.collect()
    pool.free_all_blocks()
    pool.set_limit(size=pool.total_bytes() + 2**18)
    more = ["--meta-steps", "4", "--resume", *flags]
    try:
        assert train(data, out, *more) == 2
    finally:
        pool.set_limit(size=0)
    assert "not enough memory: Out of memory allocating" in capsys.readouterr().err
    assert read_checkpoint(out / "checkpoint.h5").state.step == 2
    assert train(data, out, *more) == 0
    assert main(["evaluate", str(out), "--tasks", "9", "--device", "cuda"]) == 0
