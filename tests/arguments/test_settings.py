"""Settings: a real scalar of any library means its number, and nothing else does."""

import math
from decimal import Decimal
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref import layers
from imaml_ref.config import make_config
from imaml_ref.data import Sinusoids, glyph_alphabets
from tests.helpers.problems import curved

SMALL = curved()
GLYPHS = glyph_alphabets(num_alphabets=8, num_characters=2, num_drawings=4)

# Each with its real settings and its counts; 0.25 is a number in every format.
BAGS = {
    "SGD": (ir.SGD, ["step_size"], []),
    "Adam": (ir.Adam, ["step_size", "beta1", "beta2", "eps", "half_life"], []),
    "GradientDescent": (ir.GradientDescent, ["step_size"], ["num_steps"]),
    "Momentum": (ir.Momentum, ["step_size", "momentum"], ["num_steps"]),
    "InnerAdam": (ir.InnerAdam, ["step_size", "decay", "eps"], ["num_steps"]),
    "PullBackDescent": (ir.PullBackDescent, ["step_size"], ["num_steps"]),
    "LBFGS": (ir.LBFGS, ["tol"], ["maxiter", "memory"]),
    "NewtonCG": (
        ir.NewtonCG,
        ["tol", "slope"],
        ["num_steps", "cg_steps", "max_halvings"],
    ),
    "CG": (ir.CG, ["rtol", "atol"], []),
    "CertifiedCG": (ir.CertifiedCG, ["rtol", "atol"], ["refresh"]),
    "MINRES": (ir.MINRES, ["rtol", "atol"], []),
    "Dense": (ir.Dense, [], ["max_bytes"]),
    "IMAML": (lambda **s: ir.IMAML(SMALL.loss, **s), ["lam", "damping"], []),
    "MAML": (lambda **s: ir.MAML(SMALL.loss, **s), ["lam"], []),
    "Reptile": (lambda **s: ir.Reptile(SMALL.loss, **s), ["lam"], []),
    "ReleasedIMAML": (
        lambda **s: ir.ReleasedIMAML(SMALL.loss, **s),
        ["lam", "c", "d"],
        ["cg_steps"],
    ),
    "Linear": (layers.Linear, [], ["in_features", "out_features"]),
    "Conv2d": (layers.Conv2d, [], ["in_channels", "out_channels"]),
    "BatchNorm2d": (layers.BatchNorm2d, ["eps"], ["num_channels"]),
    "GroupNorm": (partial(layers.GroupNorm, 1), ["eps"], ["num_channels"]),
    "groups": (partial(layers.GroupNorm, num_channels=6), [], ["num_groups"]),
    "InstanceNorm2d": (layers.InstanceNorm2d, ["eps"], ["num_channels"]),
    "LeakyReLU": (layers.LeakyReLU, ["negative_slope"], []),
    "ELU": (layers.ELU, ["alpha"], []),
    "ZeroPad2d": (layers.ZeroPad2d, [], ["bottom", "right"]),
    "Sinusoids": (Sinusoids, [], ["num_shots", "num_queries"]),
    "Config": (
        lambda **s: make_config(s),
        ["lam", "meta_lr", "inner_lr"],
        ["ways", "seed", "meta_batch"],
    ),
}
REAL = [np.float64, np.float32, np.float16, np.longdouble, np.array, Fraction, Decimal]
WHOLE = [np.int64, np.int8, np.uint16, np.array]
SETTINGS = [(bag, name) for bag, (_, real, _) in BAGS.items() for name in real]
COUNTS = [(bag, name) for bag, (_, _, counts) in BAGS.items() for name in counts]


def made(bag, **settings):
    make, _, counts = BAGS[bag]
    return make(**(dict.fromkeys(counts, 2) | settings))


@pytest.mark.parametrize(("bag", "name"), SETTINGS)
def test_a_real_scalar_means_its_number(bag, name):
    want = made(bag, **{name: 0.25})
    for kind in REAL:
        got = made(bag, **{name: kind(0.25)})
        assert got == want
        assert type(getattr(got, name)) is float


@pytest.mark.parametrize(("bag", "name"), COUNTS)
def test_an_integer_scalar_means_its_number(bag, name):
    want = made(bag, **{name: 3})
    for kind in WHOLE:
        got = made(bag, **{name: kind(3)})
        assert got == want
        assert type(getattr(got, name)) is int


NO_NUMBERS = [True, np.True_, "1", None, math.nan, 1j, np.array([1.0]), np.array("1")]
NO_NUMBERS += [-1, np.float32(-1), [1], np.timedelta64(5, "s")]


@pytest.mark.parametrize(("bag", "name"), [*SETTINGS, *COUNTS])
def test_what_is_no_number_is_refused_by_name_in_one_line(bag, name):
    for value in NO_NUMBERS:
        if name == "lam" and may_be_lam(value):
            continue
        if (bag, name) == ("GradientDescent", "step_size") and np.ndim(value) > 0:
            continue
        with pytest.raises(ValueError, match=f"^{name.replace('_', '[-_]')} ") as found:
            made(bag, **{name: value})
        assert "\n" not in str(found.value), value


def may_be_lam(value):
    """No proximal term; an analytic argument; one per parameter."""
    return value is None or isinstance(value, complex | list) or np.ndim(value) > 0


@pytest.mark.parametrize(("bag", "name"), COUNTS)
def test_a_count_is_no_fraction(bag, name):
    for value in (5.5, np.float64(2), math.inf):
        with pytest.raises(ValueError, match=r"must be an integer"):
            made(bag, **{name: value})


def test_pairs_and_shapes_take_the_integers_of_numpy():
    two = np.array([2, 2])
    conv = layers.Conv2d(1, 2, kernel_size=two, stride=[2, 2], padding=tuple(two))
    assert conv == layers.Conv2d(1, 2, (2, 2), (2, 2), (2, 2))
    assert layers.MaxPool2d(two) == layers.MaxPool2d((2, 2))
    shape = tuple(np.array([28, 28, 1]))
    net = ir.architectures.conv4(np.int64(5), input_shape=shape, num_filters=two[0])
    assert net.layout == ir.architectures.conv4(5, num_filters=2).layout
    assert {type(n) for shape in net.layout.shapes for n in shape} == {int}
    mlp = ir.architectures.mlp(np.array([4]), np.array([3]), np.int32(2))
    assert mlp.layout == ir.architectures.mlp((4,), (3,), 2).layout


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Conv2d(1, 2, kernel_size=3), "kernel_size must be .*, got 3"),
        (lambda: layers.Conv2d(1, 2, stride=(0, 1)), "stride must be integers >= 1"),
        (lambda: layers.Conv2d(1, 2, padding=(1, 1, 1)), "padding must be two integ"),
        (lambda: layers.AveragePool2d((2.0, 2)), "window must be integers >= 1 such"),
        (lambda: ir.architectures.mlp((4,), 3), "hidden must be .* such as .*, got 3"),
        (lambda: ir.architectures.mlp(4), "input_shape must be integers .*, got 4"),
        (lambda: ir.architectures.linear((1.5,)), "input_shape must be integers"),
        (lambda: ir.architectures.conv4(5, input_shape=(28, 28)), "input_shape must"),
        (lambda: ir.architectures.linear((4,), "5"), "out_features must be an integer"),
        (lambda: ir.Network({}, None), "input_shape must be integers >= 1"),
        (lambda: ir.data.Episodes(GLYPHS, 2.5, 1, 1), "num_ways must be an integer"),
        (lambda: ir.data.Episodes(GLYPHS, 2, "1", 1), "num_shots must be an integer"),
        (lambda: ir.data.Episodes(GLYPHS, 2, 1, 1, rotate=["train"]), "rotate must be"),
        (lambda: glyph_alphabets(num_drawings=2.0), "num_drawings must be an integer"),
        (lambda: glyph_alphabets(-1), "seed must be an integer >= 0, got -1"),
        (lambda: ir.IMAML(SMALL.loss, curvature="GN"), "curvature must be one of"),
        (lambda: ir.IMAML(SMALL.loss, curvature=["hessian"]), "curvature must be one"),
        (lambda: ir.IMAML(SMALL.loss, solver="cg"), r"solver must be .* such as CG\("),
        (lambda: ir.IMAML(SMALL.loss, solver=ir.CG), "solver must be .* such as CG"),
        (lambda: ir.IMAML(SMALL.loss, inner=16), "inner must be .* GradientDescent"),
        (lambda: ir.MAML(SMALL.loss, inner=ir.GradientDescent), "inner must be"),
        (lambda: ir.IMAML(SMALL.loss.net), "loss must be .* linearize.*, got "),
        (lambda: ir.IMAML(SMALL.loss, lam="2"), "lam must be positive .*, got|got '2'"),
        (lambda: ir.CG(on_negative_curvature=1), "on_negative_curvature must be one"),
    ],
)
def test_what_cannot_be_meant_is_refused_when_it_is_given(make, message):
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


STEPS = {
    "SGD": lambda f: ir.SGD(f(0.1)),
    "Adam": lambda f: ir.Adam(f(0.1), f(0.9), f(0.99), f(1e-8), f(20.0)),
}


@pytest.mark.parametrize("make", STEPS.values(), ids=STEPS.keys())
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_step_stays_in_the_dtype_of_theta(make, dtype):
    theta, grad = np.ones(3, dtype), np.full(3, 0.5, dtype)
    got, want = (
        make(kind).step(theta, grad, make(kind).init(theta))[0]
        for kind in (np.float64, float)
    )
    assert got.dtype == dtype
    assert_array_equal(got, want)


def single(problem):
    """The problem's θ and tasks in float32."""
    tasks, f = problem.tasks, np.float32
    x, q = tasks.support_x.astype(f), tasks.query_x.astype(f)
    batch = ir.TaskBatch(x, tasks.support_y, q, tasks.query_y)
    return problem.theta.astype(f), batch


INNERS = {
    "gd": lambda f: ir.GradientDescent(f(0.1), 3),
    "momentum": lambda f: ir.Momentum(f(0.1), 3, f(0.5)),
    "adam": lambda f: ir.InnerAdam(f(0.1), 3, f(0.5), f(1e-8)),
    "pull-back": lambda f: ir.PullBackDescent(f(0.1), 3),
    "l-bfgs": lambda f: ir.LBFGS(3, f(1e-9)),
    "newton-cg": lambda f: ir.NewtonCG(2, 2, f(1e-9), 3, f(0.25)),
}


@pytest.mark.parametrize("make", INNERS.values(), ids=INNERS.keys())
@pytest.mark.parametrize("kind", [np.float64, np.array, Decimal])
def test_a_meta_gradient_stays_in_the_dtype_of_theta(make, kind):
    theta, tasks = single(SMALL)
    got, want = (
        ir.implicit_gradient(
            SMALL.loss,
            theta,
            tasks,
            lam=f(2.0),
            inner=make(f),
            solver=ir.CG(5, rtol=f(1e-3), atol=f(0.0)),
            damping=f(0.5),
        )
        for f in (kind, float)
    )
    assert got.grad.dtype == np.float32
    assert_array_equal(got.grad, want.grad)
    assert got.lam_grad == want.lam_grad


@pytest.mark.parametrize("name", ["rtol", "atol"])
def test_a_tolerance_is_a_number(name):
    b = np.array([[1, 2, 3]], np.float32)
    for value in ("1", None, True, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"{name} must be a finite number >= 0"):
            ir.cg_batched(lambda v: v, b, **{name: value})
        with pytest.raises(ValueError, match=f"{name} must be a finite number >= 0"):
            ir.cg(np.eye(3), b[0], **{name: value})
    _, info = ir.cg_batched(lambda v: v, b, **{name: np.float64(1e-6)})
    assert info.tolerance.dtype == np.float32


def test_a_solve_stays_in_the_dtype_of_b():
    b = np.array([[1, 2, 3]], np.float32)
    eps = np.finfo(np.float32).eps  # a scalar of NumPy
    for tolerances in ({"rtol": eps, "atol": np.int64(0)}, {"rtol": np.array(1e-6)}):
        x, info = ir.cg_batched(lambda v: v / 2, b, maxiter=np.int64(9), **tolerances)
        assert x.dtype == np.float32
        assert info.status == 0
        assert ir.cg(np.eye(3), b[0], maxiter=np.int8(9), **tolerances)[1] == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("meta_steps", 2.0),
        ("meta_batch", 0),
        ("seed", -1),
        ("log_interval", "1"),
        ("validation_interval", None),
        ("validation_tasks", True),
    ],
)
def test_a_training_is_told_its_counts(name, value):
    options = {"optimizer": ir.SGD(), "meta_steps": 1} | {name: value}
    with pytest.raises(ValueError, match=f"{name} must be an integer"):
        ir.meta_train(ir.IMAML(SMALL.loss), SMALL.theta, Sinusoids(), **options)
