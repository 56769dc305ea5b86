"""Meta-training: recurrences known in closed form, exact resume, loud divergence."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.data import Sinusoids, TaskBatch
from imaml_ref.meta_gradients.diagnostics import Diagnostics
from imaml_ref.meta_gradients.task_mean import MetaGradient
from imaml_ref.runs.metrics import COLUMNS
from imaml_ref.training.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from imaml_ref.training.evaluation import evaluate
from imaml_ref.training.loop import Diverged, meta_train, metrics_of

T = 4


def measured(**changes):
    """Diagnostics of T tasks, no two alike."""
    each = np.arange(1.0, T + 1)
    known = {
        "inner_residual": each,
        "solver_residual": each / 2,
        "smallest_ritz": each - 2,
        "cosine": each / 8,
        "negative_curvature": np.array([0, 1, 0, 2]),
        "num_products": np.full(T, 5),
        "status": np.zeros(T, int),
        "query_loss": each * 3,
        "support_loss": each * 5,
        "query_accuracy": each / 10,
        "bound": None,
        "bound_reason": "",
        "estimator": "a test's",
        "curvature": "none",
        "damping": 0.0,
    }
    return Diagnostics(**(known | changes))


@dataclass(frozen=True)
class Decay:
    """An algorithm with g = θ and dF/dλ = (log λ − 1) / λ: both decay geometrically."""

    lam: float = 5.0

    def __call__(self, theta, tasks):
        return MetaGradient(theta, (np.log(self.lam) - 1) / self.lam, measured())


class Spy:
    """A source that writes down what it is asked for."""

    def __init__(self):
        self.asked = []

    def sample(self, split, *, seed, step, num_tasks, first=0, dtype):
        self.asked.append((split, seed, step, num_tasks, np.dtype(dtype)))
        x = np.zeros((num_tasks, 2, 1), dtype)
        return TaskBatch(x, x, x, x)


def test_sgd_on_a_known_gradient_follows_the_closed_form():
    theta = np.linspace(1, 2, 5)
    state = meta_train(
        Decay(), theta, Spy(), optimizer=ir.SGD(0.1), meta_steps=7, meta_batch=T
    )
    assert state.step == 7
    assert_allclose(state.theta, 0.9**7 * theta, rtol=1e-14)
    assert state.lam == 5.0


def test_lambda_is_learned_on_its_logarithm():
    state = meta_train(
        Decay(),
        np.ones(5),
        Spy(),
        optimizer=ir.SGD(0.1),
        lam_optimizer=ir.SGD(0.2),
        meta_steps=6,
    )
    # d/d log λ of ½ (log λ − 1)² contracts log λ − 1 by 1 − 0.2 in each step
    assert_allclose(np.log(state.lam) - 1, 0.8**6 * (np.log(5) - 1), rtol=1e-13)


def test_the_tasks_of_a_step_follow_from_seed_and_step():
    spy = Spy()
    theta = np.ones(5, np.float32)
    meta_train(
        Decay(), theta, spy, optimizer=ir.SGD(), meta_steps=3, meta_batch=6, seed=9
    )
    assert spy.asked == [("train", 9, k, 6, np.dtype(np.float32)) for k in range(3)]


def sinusoid_algorithm(**changes):
    net = ir.architectures.mlp((1,), (8, 8), 1)
    return ir.IMAML(
        ir.TaskLoss(net, ir.SquaredError()), 2.0, ir.GradientDescent(0.01, 3), **changes
    )


def train(steps, *, dtype=np.float32, seed=3, **more):
    algorithm = sinusoid_algorithm()
    theta = algorithm.loss.net.init(np.random.default_rng(0), dtype=dtype) / 2
    settings = {"optimizer": ir.Adam(1e-2), "lam_optimizer": ir.Adam(1e-1)} | more
    return meta_train(
        algorithm,
        theta.astype(dtype),
        Sinusoids(5, 6),
        meta_steps=steps,
        meta_batch=5,
        seed=seed,
        **settings,
    )


def test_training_lowers_the_loss_on_unseen_tasks():
    algorithm, source = sinusoid_algorithm(), Sinusoids(5, 6)
    first, last = (train(steps, lam_optimizer=None) for steps in (0, 30))
    before, after = (
        evaluate(algorithm, s.theta, source, num_tasks=100).loss for s in (first, last)
    )
    assert after < 0.9 * before


@pytest.mark.parametrize(("dtype", "stop"), [(np.float32, 1), (np.float64, 4)])
def test_a_resumed_training_has_the_bits_of_an_undisturbed_one(tmp_path, dtype, stop):
    undisturbed = train(9, dtype=dtype, validation_interval=2, validation_tasks=3)
    half = train(stop, dtype=dtype, validation_interval=2, validation_tasks=3)
    path = tmp_path / "checkpoint.h5"
    write_checkpoint(path, Checkpoint(half, {}))
    resumed = train(
        9,
        dtype=dtype,
        validation_interval=2,
        validation_tasks=3,
        resume=read_checkpoint(path).state,
    )
    for name in ("step", "theta", "lam"):
        assert_array_equal(getattr(resumed, name), getattr(undisturbed, name))
    assert resumed.theta.dtype == dtype
    assert resumed.best.step == undisturbed.best.step
    assert resumed.best.score == undisturbed.best.score
    assert_array_equal(resumed.best.theta, undisturbed.best.theta)
    for key, a in undisturbed.optimizer.items():
        assert_array_equal(resumed.optimizer[key], a)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_change_a_bit(threads):
    try:
        ir.set_num_threads(threads)
        got = train(3).theta
    finally:
        ir.set_num_threads(None)
    assert_array_equal(got, train(3).theta)


def test_validation_changes_nothing_but_remembers_the_best():
    rows = []
    state = train(
        8,
        validation_interval=2,
        validation_tasks=4,
        observe=lambda _, row: rows.append(row),
    )
    assert_array_equal(state.theta, train(8).theta)
    scores = {r["step"]: r["validation_score"] for r in rows if "validation_score" in r}
    assert set(scores) == {2, 4, 6, 8}
    assert scores[state.best.step] == max(scores.values()) == state.best.score
    at_best = train(state.best.step)
    assert_array_equal(state.best.theta, at_best.theta)
    algorithm = replace(sinusoid_algorithm(), lam=float(at_best.lam))
    found = evaluate(
        algorithm, at_best.theta, Sinusoids(5, 6), split="val", num_tasks=4, seed=3
    )
    assert state.best.score == found.score


def test_an_observer_may_stop_the_training():
    stopped = train(100, observe=lambda state, _: state.step == 2)
    assert_array_equal(stopped.theta, train(2).theta)


def test_a_step_is_summarised_over_its_tasks():
    state = replace(train(1), lam=np.array([2.0, 8.0]))
    out = MetaGradient(np.array([3.0, 4.0]), None, measured())
    row = metrics_of(state, out)
    assert row == {
        "step": 1,
        "query_loss": 7.5,
        "query_accuracy": 0.25,
        "support_loss": 12.5,
        "r1": 2.5,
        "r2": 1.25,
        "cos_gv": 2.5 / 8,
        "smallest_ritz": -1.0,
        "negative_curvature": 3 / 20,
        "lam": pytest.approx(4.0),
        "grad_norm": 5.0,
    }
    assert row.keys() <= COLUMNS.keys()


def test_what_was_not_measured_is_nan():
    nothing = {
        "smallest_ritz": np.full(T, np.nan),
        "negative_curvature": np.zeros(T, int),
        "num_products": np.zeros(T, int),
    }
    row = metrics_of(train(0), MetaGradient(np.ones(2), None, measured(**nothing)))
    assert np.isnan(row["smallest_ritz"])
    assert np.isnan(row["negative_curvature"])


@dataclass(frozen=True)
class Failing:
    """Goes well for two steps, then not."""

    fail: object
    lam: float = 1.0

    def __call__(self, theta, tasks):
        good = MetaGradient(np.ones_like(theta), None, measured())
        return good if theta[0] > -1.5 else self.fail(good)


def raises(error):
    def fail(good):
        raise error

    return fail


INFINITE = np.array([1, 2, np.inf, 4])
FAILURES = {
    "nan gradient": (
        lambda good: replace(good, grad=good.grad * np.nan),
        "meta-gradient is not finite; lower the step size of θ",
    ),
    "infinite loss": (
        lambda good: replace(good, diagnostics=measured(query_loss=INFINITE)),
        "query loss of task 2 is not finite",
    ),
    "infinite support loss": (
        lambda good: replace(good, diagnostics=measured(support_loss=INFINITE)),
        "support loss of task 2 is not finite",
    ),
    "inner": (raises(ir.InnerDivergence("ran away", 4)), "ran away"),
    "indefinite": (raises(ir.NotPositiveDefinite("pᵀAp = −1")), "pᵀAp = −1"),
}


@pytest.mark.parametrize(("fail", "expected"), FAILURES.values(), ids=FAILURES.keys())
def test_divergence_stops_with_the_step_the_reason_and_the_last_good_state(
    fail, expected
):
    theta = np.zeros(3)
    with pytest.raises(Diverged, match=rf"in meta-step 3: .*{expected}") as caught:
        meta_train(Failing(fail), theta, Spy(), optimizer=ir.SGD(1.0), meta_steps=9)
    assert caught.value.state.step == 2
    assert_array_equal(caught.value.state.theta, theta - 2)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:overflow")
def test_a_theta_that_overflows_is_not_taken():
    theta = np.full(3, 1e200)
    with pytest.raises(Diverged, match="next θ is not finite") as caught:
        meta_train(Decay(), theta, Spy(), optimizer=ir.SGD(1e200), meta_steps=9)
    assert_array_equal(caught.value.state.theta, theta)


def test_nan_in_the_inputs_is_no_divergence():
    source = Spy()
    source.sample = lambda *_, num_tasks, **__: TaskBatch(
        *np.full((4, num_tasks, 2, 1), np.nan)
    )
    with pytest.raises(ValueError, match="support_x of task 0 is nan"):
        meta_train(Decay(), np.ones(3), source, optimizer=ir.SGD(), meta_steps=1)
