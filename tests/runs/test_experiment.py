"""A configuration names the objects that it says, and nothing that does not fit."""

from dataclasses import replace

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref.config import FIELDS, make_config
from imaml_ref.data import Episodes, Sinusoids, write_dataset
from imaml_ref.layers import (
    BatchNorm2d,
    GroupNorm,
    InstanceNorm2d,
    SupportNorm2d,
    TaskNorm2d,
)
from imaml_ref.runs.experiment import (
    first_theta,
    make_model,
    make_optimizers,
    make_source,
    resolved_device,
    tasks_digest,
)
from imaml_ref.training.evaluation import beside
from tests.helpers.tiny_runs import TINY, make_images

EPISODES = Episodes(make_images(), 3, 1, 2)
IMAGES = {"input_shape": (8, 8, 1), "num_outputs": 3, "task": "classification"}

ALGORITHMS = [
    (
        {"algorithm": "imaml", "curvature": "hessian", "preset": "paper"},
        lambda loss: ir.IMAML(
            loss, 0.5, ir.GradientDescent(0.1, 2), solver=ir.CG(maxiter=2)
        ),
    ),
    (
        {"negative-curvature": "truncate", "cg-steps": 3},
        lambda loss: ir.IMAML(
            loss,
            0.5,
            ir.GradientDescent(0.1, 2),
            solver=ir.CG(maxiter=3, on_negative_curvature="truncate"),
            curvature="gauss-newton",
        ),
    ),
    (
        {"algorithm": "maml", "inner-lr": 0.3},
        lambda loss: ir.MAML(loss, None, ir.GradientDescent(0.3, 2)),
    ),
    (
        {"algorithm": "maml", "first-order-steps": 3, "annealing": 4, "alpha-lr": 0.1},
        lambda loss: ir.MAML(
            loss,
            None,
            ir.GradientDescent(0.1, 2),
            first_order_steps=3,
            annealing=4,
        ),
    ),
    (
        {"algorithm": "fomaml", "proximal": True, "inner": "momentum"},
        lambda loss: ir.FirstOrderMAML(loss, 0.5, ir.Momentum(0.1, 2)),
    ),
    (
        {"algorithm": "reptile", "inner": "adam"},
        lambda loss: ir.Reptile(loss, None, ir.InnerAdam(0.1, 2)),
    ),
    (
        {"preset": "released"},
        lambda loss: ir.ReleasedIMAML(loss, 0.5, ir.PullBackDescent(0.1, 2), 2),
    ),
    (
        {"algorithm": "fomaml", "proximal": True, "inner": "pull-back", "lam": 2},
        lambda loss: ir.FirstOrderMAML(loss, 2.0, ir.PullBackDescent(0.1, 2)),
    ),
    (
        {"algorithm": "fomaml", "inner": "lbfgs"},
        lambda loss: ir.FirstOrderMAML(loss, None, ir.LBFGS(maxiter=2)),
    ),
    (
        {"algorithm": "fomaml", "inner": "newton-cg"},
        lambda loss: ir.FirstOrderMAML(loss, None, ir.NewtonCG(2, cg_steps=2)),
    ),
]


@pytest.mark.parametrize(("keys", "make"), ALGORITHMS)
def test_the_algorithm_is_the_one_that_is_named(keys, make):
    config = make_config(TINY | keys)
    model = make_model(config, **IMAGES)
    expected = make(model.loss)
    assert model.algorithm == expected
    theta = first_theta(config, model.net)
    tasks = EPISODES.sample("train", seed=1, step=2, num_tasks=2)
    np.testing.assert_array_equal(
        model.algorithm(theta, tasks).grad, expected(theta, tasks).grad
    )


NETS = [
    ({"net": "linear"}, ir.architectures.linear((28, 28, 1), 5)),
    ({"net": "mlp", "num-filters": 6}, ir.architectures.mlp((28, 28, 1), (6, 6), 5)),
    ({"num-filters": 7}, ir.architectures.omniglot_cnn(5, num_filters=7)),
    ({"net": "conv4", "num-filters": 3}, ir.architectures.conv4(5, num_filters=3)),
]
NORMS = ir.architectures.NORMS
NETS += [
    (
        {"num-filters": 8, "norm": name},
        ir.architectures.omniglot_cnn(5, num_filters=8, norm=norm),
    )
    for name, norm in NORMS.items()
]


def test_every_normalisation_has_a_name():
    assert FIELDS["norm"].metadata["choices"] == (*NORMS,)
    kinds = {n: make and type(make(8)) for n, make in NORMS.items()}
    of_name = {"batch": BatchNorm2d, "instance": InstanceNorm2d, "none": None}
    of_name |= {"support": SupportNorm2d, "task": TaskNorm2d}
    assert kinds == of_name | dict.fromkeys(("layer", "group"), GroupNorm)
    groups = NORMS["layer"](8), NORMS["group"](16)
    assert groups == (GroupNorm(1, 8), GroupNorm(8, 16))


def test_filters_that_make_no_groups_are_named():
    config = make_config({"num-filters": 30, "norm": "group"})
    expected = "norm group and 30 filters .* must be a multiple of 8 groups, got 30"
    with pytest.raises(ValueError, match=expected):
        make_model(config, **IMAGES)


def assert_same_network(net, expected):
    assert net.layout == expected.layout
    kinds = [[type(layer) for layer in n.layers.values()] for n in (net, expected)]
    assert kinds[0] == kinds[1]
    rng = np.random.default_rng(0)
    phi, x = expected.init(rng), rng.normal(size=(1, 2, *expected.input_shape))
    np.testing.assert_array_equal(net.logits(phi, x), expected.logits(phi, x))


@pytest.mark.parametrize(("keys", "expected"), NETS)
def test_the_network_is_the_one_that_is_named(keys, expected):
    shapes = {"input_shape": (28, 28, 1), "num_outputs": 5, "task": "classification"}
    net = make_model(make_config(keys), **shapes).net
    assert_same_network(net, expected)


def test_regression_is_on_the_squared_error():
    config = make_config({"data": "sinusoid", "num-filters": 9})
    shapes = {"input_shape": (1,), "num_outputs": 1, "task": "regression"}
    model = make_model(config, **shapes)
    assert isinstance(model.loss.loss, ir.SquaredError)
    assert_same_network(model.net, ir.architectures.mlp((1,), (9, 9), 1))


WRONG = [
    ({"algorithm": "maml", "inner": "adam"}, "maml unrolls gradient descent only"),
    ({"algorithm": "maml", "lam-lr": 0.1}, "lam-lr 0.1 has no λ to learn in maml"),
    ({"algorithm": "reptile", "proximal": True, "lam-lr": 0.1}, "no λ to learn"),
    ({"algorithm": "fomaml", "proximal": True, "lam-lr": 0.1}, "no λ to learn in fo"),
    ({"algorithm": "released-imaml", "inner": "pull-back", "lam-lr": 0.1}, "no λ to"),
]


@pytest.mark.parametrize(("keys", "expected"), WRONG)
def test_parts_that_do_not_fit_are_refused(keys, expected):
    with pytest.raises(ValueError, match=expected):
        make_model(make_config(TINY | keys), **IMAGES)


def test_a_convolution_is_refused_where_there_are_no_images():
    config = make_config({"data": "sinusoid", "net": "conv4"})
    with pytest.raises(ValueError, match="conv4 takes images"):
        make_model(config, input_shape=(1,), num_outputs=1, task="regression")


def test_sources_are_those_of_the_configuration(tmp_path):
    path = tmp_path / "patches.h5"
    write_dataset(path, make_images())
    config = make_config({"data": str(path), "ways": 4, "shots": 2, "queries": 3})
    source = make_source(config)
    expected = Episodes(make_images(), 4, 2, 3, "only", invert=True)
    assert source.digest == expected.digest
    where = {"seed": 3, "step": 1, "num_tasks": 2}
    got, wanted = (s.sample("train", **where) for s in (source, expected))
    np.testing.assert_array_equal(got.query_x, wanted.query_x)
    sinusoids = make_source(make_config({"data": "sinusoid", "shots": 4}))
    assert sinusoids == Sinusoids(4, 10)


def test_omniglot_s_usual_split_is_preferred_and_others_can_be_named(tmp_path):
    path, images = tmp_path / "patches.h5", make_images()
    splits = {"background": images.splits["only"], "random-1200": images.splits["only"]}
    write_dataset(path, replace(images, splits=splits))
    keys = {"data": str(path), "queries": 2}
    assert make_source(make_config(keys)).scheme == "random-1200"
    keys["split-scheme"] = "background"
    assert make_source(make_config(keys)).scheme == "background"
    keys["split-scheme"] = "mine"
    with pytest.raises(ValueError, match="unknown split scheme 'mine'"):
        make_source(make_config(keys))


def test_theta_follows_from_the_seed_in_the_precision_of_the_run():
    config = make_config(TINY | {"dtype": "float32", "seed": 4})
    net = make_model(config, **IMAGES).net
    theta = first_theta(config, net)
    assert theta.dtype == np.float32
    again = net.init(np.random.default_rng(4), dtype=np.float64)
    np.testing.assert_allclose(theta, again, rtol=1e-6)
    assert (first_theta(replace(config, seed=5), net) != theta).any()


CNN = TINY | {"net": "omniglot-cnn", "num-filters": 2}
BODY = ("conv1", "norm1", "conv2", "norm2")


@pytest.mark.parametrize("name", ["imaml", "maml", "fomaml"])
@pytest.mark.parametrize(
    ("word", "adapted"), [("all", None), ("head", ("head",)), ("body", BODY)]
)
def test_the_layers_that_adapt_are_those_of_the_word(name, word, adapted):
    config = make_config(CNN | {"algorithm": name, "adapted": word})
    found = make_model(config, **IMAGES).algorithm.adapted
    assert found == adapted or {*adapted} <= {*found} == {*found} - {"head"}


@pytest.mark.parametrize(("word", "wanted"), [("layer", "L"), ("parameter", "P")])
def test_there_are_as_many_step_sizes_as_the_word_says(word, wanted):
    keys = {"algorithm": "maml", "alpha-of": word, "alpha-lr": 0.1, "inner-lr": 0.3}
    model = make_model(make_config(TINY | keys), **IMAGES)
    counts = {"L": len(model.net.layout.layers), "P": model.net.layout.size}
    sizes = model.algorithm.inner.step_size
    np.testing.assert_array_equal(sizes, np.full(counts[wanted], 0.3))


def test_lam_is_not_learned_in_steps_of_first_order():
    keys = {"algorithm": "imaml", "lam-lr": 0.1, "first-order-steps": 5}
    with pytest.raises(ValueError, match="in imaml with first-order-steps; use 0"):
        make_model(make_config(TINY | keys), **IMAGES)


def test_optimisers_have_the_rates_of_the_configuration():
    config = make_config({"meta-lr": 0.3, "adam-eps": 0.2, "lam-lr": 0.1})
    assert make_optimizers(config) == (ir.Adam(0.3, eps=0.2), ir.Adam(0.1), None)
    assert make_optimizers(replace(config, lam_lr=0.0))[1] is None
    assert make_optimizers(replace(config, alpha_lr=0.2))[2] == ir.Adam(0.2)
    halving, *_ = make_optimizers(replace(config, meta_lr_half_life=40))
    assert halving == ir.Adam(0.3, eps=0.2, half_life=40)


def test_the_device_is_the_cpu_unless_there_is_a_gpu(monkeypatch):
    def no_gpu(a):
        raise RuntimeError("no GPU")

    monkeypatch.setattr("imaml_ref.runs.experiment.to_device", no_gpu)
    assert [resolved_device(d) for d in ("cpu", "auto")] == ["cpu", "cpu"]
    with pytest.raises(RuntimeError, match="no GPU"):
        resolved_device("cuda")
    monkeypatch.setattr("imaml_ref.runs.experiment.to_device", lambda a: a)
    assert [resolved_device(d) for d in ("cuda", "auto")] == ["cuda", "cuda"]


def test_the_digest_of_tasks_sees_what_the_digest_of_pixels_does_not():
    images = make_images()
    source = Episodes(images, 3, 1, 2)
    known = tasks_digest(source, seed=0)
    assert tasks_digest(Episodes(make_images(), 3, 1, 2), seed=0) == known
    moved = dict(
        zip(("train", "val", "test"), np.split(np.arange(15)[::-1], 3), strict=True)
    )
    other = Episodes(replace(images, splits={"only": moved}), 3, 1, 2)
    assert other.digest == source.digest
    assert tasks_digest(other, seed=0) != known
    assert tasks_digest(source, seed=1) != known
    assert tasks_digest(replace(source, invert=True), seed=0) != known


def test_nan_in_the_data_is_found_before_training():
    class Broken(Sinusoids):
        def sample(self, *args, **kwargs):
            tasks = super().sample(*args, **kwargs)
            tasks.query_x[1] = np.nan
            return tasks

    with pytest.raises(ValueError, match="query_x of task 1 is nan"):
        tasks_digest(Broken(2, 3), seed=0)


def test_tasks_stay_where_theta_is():
    tasks = EPISODES.sample("val", seed=0, step=0, num_tasks=2)
    assert beside(np.zeros(3), tasks).support_x is tasks.support_x
