"""Evaluation, against one task and one image at a time."""

import math
import statistics

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose

import imaml_ref as ir
from imaml_ref.data import ImageSet, Sinusoids
from imaml_ref.layers import SupportNorm2d, TaskNorm2d
from imaml_ref.networks.alone import blind_layer, logits_alone
from imaml_ref.training.evaluation import CHUNK, Evaluation, ci95, evaluate
from tests.helpers.tiny_runs import make_images

WAYS, SHOTS, QUERIES = 3, 2, 4
NUM_TASKS = CHUNK + 5  # more than one chunk, and not a multiple


@pytest.fixture(scope="module")
def source():
    """Episodes of noisy patches, no two classes alike."""
    rng = np.random.default_rng(0)
    means = rng.integers(0, 256, size=(15, 1, 13, 13, 1))
    noise = rng.normal(scale=90, size=(15, 6, 13, 13, 1))
    images = (means + noise).clip(0, 255).astype(np.uint8)
    splits = dict(
        zip(("train", "val", "test"), np.split(np.arange(15), 3), strict=True)
    )
    data = ImageSet(images, tuple(map(str, range(15))), {"only": splits}, "", "", "")
    return ir.data.Episodes(data, WAYS, SHOTS, QUERIES)


@pytest.fixture(scope="module")
def algorithm():
    """A small net with batch normalisation, so that the two accuracies differ."""
    net = ir.architectures.omniglot_cnn(WAYS, input_shape=(13, 13, 1), num_filters=4)
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    return ir.IMAML(loss, 0.5, ir.GradientDescent(0.1, 4))


@pytest.fixture(scope="module")
def theta(algorithm):
    return algorithm.loss.net.init(np.random.default_rng(1))


@pytest.fixture(scope="module")
def found(algorithm, theta, source):
    return evaluate(algorithm, theta, source, num_tasks=NUM_TASKS, seed=5)


def one_by_one(algorithm, theta, source, task):
    """Loss and both accuracies of one task, one image at a time where it says alone."""
    t = source.sample("test", seed=5, step=0, first=task, num_tasks=1, dtype=np.float64)
    phi = algorithm.adapt(theta, t.support_x, t.support_y)
    logits = algorithm.loss.net.logits(phi, t.query_x)[0]
    labels = t.query_y[0]
    losses = [
        math.log(sum(np.exp(z - z[y]))) for z, y in zip(logits, labels, strict=True)
    ]
    alone = [
        algorithm.loss.net.logits(phi, t.query_x[:, [n]])[0, 0].argmax() == y
        for n, y in enumerate(labels)
    ]
    together = [z.argmax() == y for z, y in zip(logits, labels, strict=True)]
    return np.mean(losses), np.mean(together), np.mean(alone)


@pytest.mark.parametrize("task", [0, 1, CHUNK - 1, CHUNK, NUM_TASKS - 1])
def test_every_task_is_measured_as_it_would_be_alone(
    algorithm, theta, source, found, task
):
    loss, together, alone = one_by_one(algorithm, theta, source, task)
    assert_allclose(found.losses[task], loss, rtol=1e-10)
    assert found.accuracies[task] == together
    assert found.accuracies_per_example[task] == alone


def test_the_two_accuracies_differ_under_batch_normalisation(found):
    assert (found.accuracies != found.accuracies_per_example).any()


@pytest.mark.parametrize("norm", [SupportNorm2d, TaskNorm2d])
def test_queries_are_measured_in_their_context_together_or_alone(source, norm):
    """Every query is normalised with the support set: both accuracies are one."""
    net = ir.architectures.omniglot_cnn(
        WAYS, input_shape=(13, 13, 1), num_filters=4, norm=norm
    )
    algorithm = ir.IMAML(ir.TaskLoss(net, ir.SoftmaxCrossEntropy()), 0.5)
    theta = net.init(np.random.default_rng(1))
    found = evaluate(algorithm, theta, source, num_tasks=4, seed=5)
    np.testing.assert_array_equal(found.accuracies, found.accuracies_per_example)
    tasks = source.sample("test", seed=5, step=0, num_tasks=4, dtype=np.float64)
    phi = algorithm.adapt(theta, tasks.support_x, tasks.support_y)
    for t in range(4):
        for_one = tasks[t : t + 1]
        z = net.logits(phi[t : t + 1], for_one.query_x, for_one.support_x)[0]
        losses = [
            math.log(sum(np.exp(z_n - z_n[y])))
            for z_n, y in zip(z, for_one.query_y[0], strict=True)
        ]
        assert_allclose(found.losses[t], np.mean(losses), rtol=1e-10)
        right = z.argmax(-1) == for_one.query_y[0]
        assert found.accuracies[t] == right.mean()


def test_the_interval_covers_the_mean_in_95_of_100_samples():
    """Of five values; 1.96 standard errors would cover it in 88 (binomial: ± 0.3)."""
    samples = np.random.default_rng(0).normal(size=(20_000, 5))
    halves = np.array([ci95(sample) for sample in samples])
    assert abs((np.abs(samples.mean(1)) <= halves).mean() - 0.95) < 0.006


def test_one_task_has_a_mean_and_no_interval(algorithm, theta, source):
    found = evaluate(algorithm, theta, source, num_tasks=1)
    assert math.isfinite(found.loss)
    assert math.isnan(found.loss_ci95)
    assert math.isnan(found.as_dict("test")["test_accuracy_ci95"])


def test_guesses_are_those_that_the_accuracies_count(found):
    for guesses, accuracies in (
        (found.guesses, found.accuracies),
        (found.guesses_per_example, found.accuracies_per_example),
    ):
        assert_allclose((guesses == found.labels).mean(1), accuracies, rtol=1e-15)


@pytest.mark.parametrize("number", [0, -1, 2.0, True, None])
def test_an_evaluation_has_tasks(algorithm, theta, source, number):
    message = f"num_tasks must be an integer >= 1, got {number}"
    with pytest.raises(ValueError, match=message):
        evaluate(algorithm, theta, source, num_tasks=number)
    with pytest.raises(ValueError, match=message):
        ir.data.nearest_neighbour(source, seed=0, num_tasks=number)


def test_means_and_intervals_are_those_of_the_tasks(found):
    n = NUM_TASKS - 1  # P(|T| > t) = I_{n/(n + t²)}(n/2, ½)

    def outside(t):
        return mpmath.betainc(n / 2, 0.5, 0, n / (n + t * t), regularized=True)

    t = float(mpmath.findroot(lambda t: outside(t) - 0.05, 2))
    expected = t * statistics.stdev(found.accuracies) / math.sqrt(NUM_TASKS)
    assert_allclose(found.accuracy, statistics.fmean(found.accuracies))
    assert_allclose(found.accuracy_ci95, expected)
    assert_allclose(found.score, found.accuracy)
    assert (
        found.as_dict("test").items()
        >= {
            "test_tasks": NUM_TASKS,
            "test_accuracy": found.accuracy,
            "test_accuracy_ci95": found.accuracy_ci95,
            "test_accuracy_per_example": found.accuracy_per_example,
            "test_accuracy_per_example_ci95": ci95(found.accuracies_per_example),
            "test_loss": found.loss,
            "test_loss_ci95": found.loss_ci95,
        }.items()
    )


def test_fewer_tasks_are_the_first_of_more(algorithm, theta, source, found):
    few = evaluate(algorithm, theta, source, num_tasks=3, seed=5, per_example=False)
    np.testing.assert_array_equal(few.losses, found.losses[:3])
    assert few.accuracies_per_example is None
    assert not any("per_example" in name for name in few.as_dict("val"))


def test_progress_is_told_of_each_chunk(algorithm, theta, source):
    told = []
    evaluate(algorithm, theta, source, num_tasks=CHUNK + 1, observe=told.append)
    assert told == [CHUNK, CHUNK + 1]


def test_a_regression_has_losses_and_no_accuracy():
    source = Sinusoids(5, 7)
    net = ir.architectures.mlp((1,), (6,), 1)
    algorithm = ir.IMAML(ir.TaskLoss(net, ir.SquaredError()), 2.0)
    theta = net.init(np.random.default_rng(0)) / 4
    found = evaluate(algorithm, theta, source, num_tasks=4, seed=1)
    tasks = source.sample("test", seed=1, step=0, num_tasks=4, dtype=np.float64)
    phi = algorithm.adapt(theta, tasks.support_x, tasks.support_y)
    error = net.logits(phi, tasks.query_x) - tasks.query_y
    assert_allclose(found.losses, (error[..., 0] ** 2 / 2).mean(1), rtol=1e-12)
    assert found.score == -found.loss
    assert found.score_ci95 == found.loss_ci95
    assert set(found.as_dict("test")) == {"test_tasks", "test_loss", "test_loss_ci95"}


def test_an_evaluation_of_nothing_known_is_nan():
    assert math.isnan(Evaluation("test", np.ones(3)).accuracy)


BLIND = ir.architectures.omniglot_cnn(3, input_shape=(8, 8, 1), num_filters=2)


def test_the_layer_that_sees_nothing_of_one_example_is_found():
    """Of one value a normalisation makes zero: all examples alone are one to it."""
    rng = np.random.default_rng(0)
    phi, x = BLIND.init(rng)[None], rng.normal(size=(1, 5, 8, 8, 1))
    z = logits_alone(BLIND, phi, x)
    np.testing.assert_array_equal(z, np.broadcast_to(z[:, :1], z.shape))
    assert blind_layer(BLIND) == "norm4"
    for seeing in (
        ir.architectures.omniglot_cnn(3, input_shape=(13, 13, 1), num_filters=2),
        ir.architectures.omniglot_cnn(3, input_shape=(8, 8, 1), norm=None),
        ir.architectures.mlp((3,), (4,), 2),
    ):
        assert blind_layer(seeing) is None


def test_there_is_no_accuracy_per_example_where_the_network_sees_nothing():
    source = ir.data.Episodes(make_images(), WAYS, SHOTS, QUERIES)
    loss = ir.TaskLoss(BLIND, ir.SoftmaxCrossEntropy())
    algorithm = ir.IMAML(loss, 0.5, ir.GradientDescent(0.1, 4))
    theta = BLIND.init(np.random.default_rng(1))
    with pytest.warns(UserWarning, match=r"no accuracy per example: norm4 normalises"):
        found = evaluate(algorithm, theta, source, num_tasks=3)
    assert found.accuracies_per_example is None
    assert len(found.accuracies) == 3
    assert evaluate(algorithm, theta, source, num_tasks=3, per_example=False)
