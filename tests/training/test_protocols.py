"""One θ by several protocols, against one task and one image at a time."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.data import Sinusoids
from imaml_ref.training import ci95, protocols
from imaml_ref.training.evaluation import evaluate
from imaml_ref.training.intervals import bootstrap95
from tests.helpers.tiny_runs import make_images

WAYS, SHOTS, NUM_TASKS, SEED = 3, 2, 9, 5


@pytest.fixture(scope="module")
def source():
    return ir.data.Episodes(make_images(size=13), WAYS, SHOTS, 4)


@pytest.fixture(scope="module")
def algorithm():
    """Of a net with batch normalisation, so that the protocols differ."""
    net = ir.architectures.omniglot_cnn(WAYS, input_shape=(13, 13, 1), num_filters=4)
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    return ir.IMAML(loss, 0.5, ir.GradientDescent(0.1, 2))


@pytest.fixture(scope="module")
def theta(algorithm):
    return algorithm.loss.net.init(np.random.default_rng(1))


@pytest.fixture(scope="module")
def found(algorithm, theta, source):
    return {
        n: evaluate(
            algorithm,
            theta,
            replace(source, num_queries=n),
            num_tasks=NUM_TASKS,
            seed=SEED,
        )
        for n in (1, 3)
    }


@pytest.fixture(scope="module")
def records(found, source):
    return protocols(found, source, seed=SEED)


def guessed(algorithm, theta, source, queries, alone):
    """Return what the first queries of each class are taken for, task by task."""
    everything = []
    for t in range(NUM_TASKS):
        tasks = source.sample(
            "test", seed=SEED, step=0, first=t, num_tasks=1, dtype=theta.dtype
        )
        phi = algorithm.adapt(theta, tasks.support_x, tasks.support_y)
        chosen = [
            n
            for way in range(WAYS)
            for n in np.flatnonzero(tasks.query_y[0] == way)[:queries]
        ]
        batches = [[n] for n in chosen] if alone else [chosen]
        z = [algorithm.loss.net.logits(phi, tasks.query_x[:, b])[0] for b in batches]
        everything.append(np.concatenate(z).argmax(-1))
    return np.stack(everything), np.repeat(np.arange(WAYS), queries)


@pytest.mark.parametrize("row", range(3))
def test_each_protocol_is_what_a_loop_over_tasks_and_images_finds(
    algorithm, theta, source, records, row
):
    record = records[row]
    alone = record["protocol"] == "per example"
    said, labels = guessed(algorithm, theta, source, record["queries"], alone)
    accuracies = (said == labels).mean(1)
    assert_allclose(record["accuracy"], accuracies.mean(), rtol=1e-12)
    assert_allclose(record["accuracy_ci95"], ci95(accuracies), rtol=1e-12)
    assert_allclose(record["accuracy_bootstrap95"], bootstrap95(accuracies), rtol=1e-12)
    ways = [
        [(said[:, labels == i] == j).sum() for j in range(WAYS)] for i in range(WAYS)
    ]
    assert record["confusion_by_way"] == ways


def test_the_protocols_are_those_of_publications_and_each_alone(records):
    named = [(record["protocol"], record["queries"]) for record in records]
    assert named == [("transductive", 1), ("transductive", 3), ("per example", 3)]
    assert len({record["accuracy"] for record in records}) == 3


def test_one_query_of_each_class_alone_is_the_first_of_more_alone(found):
    alone = found[3].guesses_per_example.reshape(NUM_TASKS, WAYS, 3)
    assert_array_equal(found[1].guesses_per_example, alone[:, :, 0])
    together = found[3].guesses.reshape(NUM_TASKS, WAYS, 3)
    assert (found[1].guesses != together[:, :, 0]).any()


@pytest.mark.parametrize(("kind", "ways"), [("curves", 1), ("images", WAYS)])
def test_other_numbers_of_queries_are_asked_of_the_same_tasks(source, kind, ways):
    of_kind = Sinusoids(3, 5) if kind == "curves" else source
    fewer, more = (
        replace(of_kind, num_queries=n).sample("val", seed=2, step=0, num_tasks=4)
        for n in (1, 3)
    )
    assert_array_equal(fewer.support_x, more.support_x)
    assert_array_equal(fewer.support_y, more.support_y)
    first = more.query_x.reshape(4, ways, 3, *of_kind.input_shape)[:, :, 0]
    assert_array_equal(fewer.query_x, first)


def test_labels_stand_for_the_classes_that_were_drawn(source):
    where = {"seed": 3, "step": 1, "first": 2, "num_tasks": 6}
    classes = source.classes_of("test", **where)
    assert classes.shape == (6, WAYS)
    tasks, images = source.sample("test", **where), source.data.images / np.float32(255)
    for t, n in np.ndindex(6, WAYS * SHOTS):
        of_class = images[classes[t, tasks.support_y[t, n]]]
        assert np.isclose(of_class, tasks.support_x[t, n]).all((1, 2, 3)).any()


@pytest.mark.parametrize("row", range(3))
def test_classes_have_the_accuracy_of_their_queries(
    algorithm, theta, source, records, row
):
    record = records[row]
    alone = record["protocol"] == "per example"
    said, labels = guessed(algorithm, theta, source, record["queries"], alone)
    classes = source.classes_of("test", seed=SEED, step=0, num_tasks=NUM_TASKS)[
        :, labels
    ]
    for c in np.unique(classes):
        of_class = (said == labels)[classes == c]
        name = source.data.class_names[c]
        assert_allclose(record["accuracy_by_class"][name], of_class.mean(), rtol=1e-12)


def test_classes_have_their_names(records, source):
    names = source.data.class_names
    for record in records:
        accuracies = record["accuracy_by_class"]
        assert set(accuracies) <= {
            names[c] for c in source.data.classes("only", "test")
        }
        assert record["confused"]
        assert {name for a, b, *_ in record["confused"] for name in (a, b)} <= {
            *accuracies
        }


def test_a_record_is_plain(records):
    assert json.loads(json.dumps(records, allow_nan=False))[0]["queries"] == 1


def test_the_code_on_the_page_says_the_same(algorithm, theta, source, capsys):
    page = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text("utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", page, re.S | re.M)
    few = block.replace("num_queries=n)", "num_queries=n), num_tasks=4")
    names = {"algorithm": algorithm, "theta": theta, "source": source, "ir": ir}
    exec(
        few.replace("(1, 5)", "(1, 4)"),
        names | {"replace": replace, "protocols": protocols},
    )
    lines = capsys.readouterr().out.splitlines()
    expected = ["transductive 1", "transductive 4", "per example 4"]
    assert [line[: len(e)] for line, e in zip(lines, expected, strict=True)] == expected


class Foreign:
    """Somebody's own source: its classes have no names, its labels may be soft."""

    def __init__(self, source, soft):
        self.sample_of, self.soft = source.sample, soft

    def sample(self, split, **where):
        tasks = self.sample_of(split, **where)
        if not self.soft:
            return tasks
        y = (np.eye(WAYS)[a] for a in (tasks.support_y, tasks.query_y))
        support_y, query_y = (a.astype(tasks.support_x.dtype) for a in y)
        return ir.TaskBatch(tasks.support_x, support_y, tasks.query_x, query_y)


@pytest.mark.parametrize("soft", [False, True])
def test_a_source_of_ones_own_has_the_same_accuracies(
    algorithm, theta, source, records, soft
):
    own = Foreign(replace(source, num_queries=3), soft)
    e = evaluate(algorithm, theta, own, num_tasks=NUM_TASKS, seed=SEED)
    together, alone = protocols({3: e}, own, seed=SEED)
    for mine, its in ((together, records[1]), (alone, records[2])):
        kept = {k: v for k, v in its.items() if k in mine}
        assert mine == kept
        assert "accuracy_by_class" not in mine
        assert ("confusion_by_way" in mine) == (not soft)


def test_a_regression_has_no_protocols():
    net = ir.architectures.mlp((1,), (6,), 1)
    algorithm = ir.IMAML(ir.TaskLoss(net, ir.SquaredError()), 2.0)
    theta = net.init(np.random.default_rng(0)) / 4
    e = evaluate(algorithm, theta, Sinusoids(5, 7), num_tasks=3)
    assert protocols({7: e}, Sinusoids(5, 7)) == []
    assert e.guesses is None
