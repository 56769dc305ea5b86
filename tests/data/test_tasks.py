"""Batches of tasks, sinusoids, and nearest neighbour in pixels."""

import numpy as np
import pytest

from imaml_ref.data import (
    Sinusoids,
    TaskBatch,
    nearest_neighbour,
    nearest_neighbour_accuracy,
)


def batch(**changes):
    rng = np.random.default_rng(1)
    parts = {
        "support_x": rng.normal(size=(3, 4, 2)),
        "support_y": rng.integers(0, 3, (3, 4)),
        "query_x": rng.normal(size=(3, 5, 2)),
        "query_y": rng.integers(0, 3, (3, 5)),
    }
    return TaskBatch(**parts | changes)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_named_with_its_task(value):
    batch().check_finite()
    x = np.zeros((3, 5, 2))
    x[2, 4, 1] = value
    expected = rf"query_x of task 2 is {value} at \(2, 4, 1\)"
    with pytest.raises(ValueError, match=expected):
        batch(query_x=x).check_finite()


def test_a_sinusoid_is_one_curve_per_task():
    """A sin(x − φ) = a sin x + b cos x: least squares finds each curve exactly."""
    tasks = Sinusoids(4, 6).sample(
        "train", seed=1, step=2, num_tasks=300, dtype=np.float64
    )
    assert tasks.support_x.shape == tasks.support_y.shape == (300, 4, 1)
    assert tasks.query_x.shape == tasks.query_y.shape == (300, 6, 1)
    x = np.concatenate([tasks.support_x, tasks.query_x], axis=1)[..., 0]
    y = np.concatenate([tasks.support_y, tasks.query_y], axis=1)[..., 0]
    amplitude, phase = [], []
    for u, v in zip(x, y, strict=True):
        (a, b), residual, *_ = np.linalg.lstsq(np.stack([np.sin(u), np.cos(u)], 1), v)
        assert residual < 1e-20
        amplitude.append(np.hypot(a, b))
        phase.append(np.arctan2(-b, a))
    for values, low, high in (
        (amplitude, 0.1, 5),
        (phase, 0, np.pi),
        (x.ravel(), -5, 5),
    ):
        assert low <= min(values) < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < max(values) <= high


def test_sinusoids_follow_the_protocol():
    source = Sinusoids(2, 3)
    assert (source.input_shape, source.num_outputs, source.task) == (
        (1,),
        1,
        "regression",
    )
    whole = source.sample("test", seed=1, step=0, num_tasks=5)
    part = source.sample("test", seed=1, step=0, num_tasks=2, first=3)
    np.testing.assert_array_equal(part.query_y, whole.query_y[3:])
    assert whole.support_x.dtype == whole.query_y.dtype == np.float32
    for other in ("train", "val"):
        x = source.sample(other, seed=1, step=0, num_tasks=5).support_x
        assert not np.isin(x, whole.support_x).any()
    assert source.describe()["digest"] == source.digest
    with pytest.raises(ValueError, match=r"num_shots must be an integer >= 1, got 0"):
        Sinusoids(0, 3)
    with pytest.raises(ValueError, match=r"num_tasks must be an integer >= 1"):
        source.sample("test", seed=1, step=0, num_tasks=0)


def test_nearest_neighbour_is_a_search_over_all_pairs():
    rng = np.random.default_rng(2)
    x, q = rng.normal(size=(4, 6, 3, 2)), rng.normal(size=(4, 7, 3, 2))
    y, t = rng.integers(0, 3, (4, 6)), rng.integers(0, 3, (4, 7))
    expected = np.zeros(4)
    for task in range(4):
        for query, label in zip(q[task], t[task], strict=True):
            gaps = [np.sum((query - support) ** 2) for support in x[task]]
            expected[task] += (y[task][np.argmin(gaps)] == label) / 7
    got = nearest_neighbour_accuracy(TaskBatch(x, y, q, t))
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert 0 < expected.mean() < 1


def test_nearest_neighbour_of_a_source_walks_its_tasks():
    class Source:
        """Task number n is right in n % 3 of its 2 queries … at most."""

        def sample(self, split, *, seed, step, num_tasks, first):
            assert (split, seed, step) == ("test", 1, 2)
            assert num_tasks <= 100
            n = first + np.arange(num_tasks)
            x = np.tile([[0.0], [1.0]], (num_tasks, 1, 1))
            y = np.tile([0, 1], (num_tasks, 1))
            return TaskBatch(x, y, x, np.stack([n % 2, np.ones_like(n)], 1))

    got = nearest_neighbour(Source(), seed=1, step=2, num_tasks=230)
    np.testing.assert_array_equal(got, np.where(np.arange(230) % 2, 0.5, 1))
