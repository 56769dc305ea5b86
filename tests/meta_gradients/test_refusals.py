"""What is no array, loss or task is refused in one line that says what was expected."""

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref.checks import check_layer
from imaml_ref.data import ImageSet, Sinusoids
from tests.helpers.problems import curved

PROBLEM = curved()
LOSS, THETA, TASKS = PROBLEM.loss, PROBLEM.theta, PROBLEM.tasks
X, Y = TASKS.support_x, TASKS.support_y
PHI = np.tile(THETA, (len(X), 1))
IMAML = ir.IMAML(LOSS)


class Tensor:
    """An array of another library: it has all that is asked of one, but is none."""

    def __init__(self, a):
        self.a = a

    def __getattr__(self, name):
        return getattr(self.a, name)

    def __len__(self):
        return len(self.a)

    def __array__(self, *arguments, **options):
        return self.a


class FourMethods:
    """What is nearly a layer."""

    forward = jvp = vjp = vjp_dot = lambda self, *arrays: arrays


TAKE_THETA = {
    "implicit": lambda t: ir.implicit_gradient(LOSS, t, TASKS),
    "at": lambda t: ir.implicit_gradient_at(LOSS, t, PHI, TASKS),
    "unrolled": lambda t: ir.unrolled_gradient(LOSS, t, TASKS, lam=None),
    "adapt": lambda t: ir.adapt(LOSS, t, X, Y, lam=None),
    "IMAML": lambda t: IMAML(t, TASKS),
    "Reptile": lambda t: ir.Reptile(LOSS)(t, TASKS),
    "train": lambda t: ir.meta_train(
        IMAML, t, Sinusoids(), optimizer=ir.SGD(), meta_steps=1
    ),
    "evaluate": lambda t: ir.evaluate(IMAML, t, Sinusoids(), num_tasks=2),
    "linearize": lambda t: LOSS.linearize(t, X, Y),
    "value": lambda t: LOSS.value(t, X, Y),
    "logits": lambda t: LOSS.net.logits(t, X),
}
NO_ARRAYS = {
    "list": THETA.tolist(),
    "tensor": Tensor(THETA),
    "none": None,
    "number": 1.0,
}


@pytest.mark.parametrize("take", TAKE_THETA.values(), ids=TAKE_THETA.keys())
@pytest.mark.parametrize("wrong", NO_ARRAYS.values(), ids=NO_ARRAYS.keys())
def test_parameters_that_are_no_array(take, wrong):
    message = (
        r"^[θφ] must be a NumPy or CuPy array, got .*(list|Tensor|NoneType|float); "
    )
    with pytest.raises(TypeError, match=message):
        take(wrong)


def solves_nothing(found):
    """A solver that returns something."""

    class Solver:
        name = "mine"

        def solve(self, matvec, b, M=None):
            return found(b)

    return Solver()


def implicit(**options):
    return ir.implicit_gradient(LOSS, THETA, TASKS, **options)


def images(**changes):
    splits = {"train": np.array([0]), "val": np.array([1]), "test": np.array([2])}
    pixels = np.zeros((3, 2, 4, 4, 1), np.uint8)
    options = {"images": pixels, "splits": {"all": splits | changes.pop("split", {})}}
    return ImageSet(
        class_names=("a", "b", "c"),
        source="",
        resize_filter="",
        polarity="",
        **(options | changes),
    )


OMNIGLOT = ir.architectures.omniglot_cnn(5, num_filters=2)
NCHW = np.zeros((1, 5, 1, 28, 28))
REFUSED = {
    "x of lists": (
        lambda: ir.adapt(LOSS, THETA, X.tolist(), Y),
        "support_x must be",
    ),
    "y of lists": (
        lambda: ir.adapt(LOSS, THETA, X, Y.tolist()),
        "support_y must be",
    ),
    "x of a vector": (lambda: ir.TaskBatch(X[0, 0], Y, X, Y), r"a TaskBatch expects"),
    "tasks apart": (lambda: ir.TaskBatch(X, Y, X[:1], Y[:1]), r"a TaskBatch expects"),
    "x linearised": (lambda: LOSS.linearize(PHI, X.tolist(), Y), "x must be a NumPy"),
    "y linearised": (lambda: LOSS.linearize(PHI, X, Tensor(Y)), "y must be a NumPy"),
    "channels first": (
        lambda: ir.adapt(
            ir.TaskLoss(OMNIGLOT, ir.SoftmaxCrossEntropy()),
            OMNIGLOT.init(np.random.default_rng(0)),
            NCHW,
            np.arange(5)[None],
        ),
        r"x expects shape \(1, N, 28, 28, 1\), got \(1, 5, 1, 28, 28\)",
    ),
    "a small image": (
        lambda: ir.architectures.conv4(5, input_shape=(1, 28, 28)),
        r"at least 16 × 16 pixels, \(height, width, channels\), got \(1, 28, 28\)",
    ),
    "no tasks": (
        lambda: ir.adapt(LOSS, THETA, X[:0], Y[:0]),
        "expected at least one task, got none",
    ),
    "tasks of arrays": (
        lambda: ir.implicit_gradient(LOSS, THETA, (X, Y, X, Y)),
        "tasks must be a TaskBatch, or a list of them",
    ),
    "tasks of nothing": (
        lambda: ir.unrolled_gradient(LOSS, THETA, None),
        "tasks must be a TaskBatch, or a list of them, got None",
    ),
    "lam of text": (lambda: implicit(lam="2"), "lam must be positive .*; got '2'"),
    "lam of truth": (lambda: implicit(lam=True), "lam must be positive .*; got True"),
    "lam of none": (lambda: implicit(lam=None), "lam must be positive .*; got None"),
    "lam of texts": (lambda: implicit(lam=np.full(44, "2")), "lam must be positive"),
    "inner of none": (
        lambda: implicit(inner=lambda objective, theta, start: None),
        "the inner optimiser returns, must be a NumPy or CuPy array, got NoneType",
    ),
    "inner of a list": (
        lambda: implicit(inner=lambda objective, theta, start: theta.tolist()),
        "the inner optimiser returns, must be a NumPy or CuPy array, got list",
    ),
    "inner of one": (
        lambda: implicit(inner=lambda objective, theta, start: theta),
        r"the inner optimiser returned φ \(44,\), not \(\d, 44\)",
    ),
    "inner of text": (lambda: implicit(inner="gd"), "inner must be .* got 'gd'"),
    "solver of none": (
        lambda: implicit(solver=solves_nothing(lambda b: None)),
        "the solver Solver must return x and a SolverInfo, got None",
    ),
    "solver of x": (
        lambda: implicit(solver=solves_nothing(lambda b: b)),
        "must return x and a SolverInfo, got <float64",
    ),
    "solver of one": (
        lambda: implicit(solver=solves_nothing(lambda b: (b[0], None))),
        r"the solver Solver returned x \(44,\), not",
    ),
    "solver of float32": (
        lambda: implicit(solver=solves_nothing(lambda b: (b.astype("f4"), None))),
        "the solver Solver returned x of dtype float32, not float64",
    ),
    "keep of a number": (lambda: implicit(keep=3), "keep takes 'phi' and .*, got 3"),
    "b of lists": (lambda: ir.cg_batched(lambda v: v, [[1.0]]), "b must be a NumPy"),
    "b of Dense": (lambda: ir.Dense().solve(lambda v: v, [[1.0]]), "b must be a NumPy"),
    "b of integers": (
        lambda: ir.Dense().solve(lambda v: v, np.ones((1, 2), int)),
        "b must be of floating type, got int64",
    ),
    "x0 of lists": (
        lambda: ir.cg_batched(lambda v: v, np.ones((1, 2)), [[1.0, 1.0]]),
        "x0 must be a NumPy",
    ),
    "a product of none": (
        lambda: ir.MINRES().solve(lambda v: None, np.ones((1, 2))),
        "what matvec returns must be a NumPy or CuPy array, got NoneType",
    ),
    "a loss that is a class": (
        lambda: ir.TaskLoss(LOSS.net, ir.SoftmaxCrossEntropy),
        r"loss must be an object with grad\(\), such as SoftmaxCrossEntropy\(\)",
    ),
    "a loss that is a network": (
        lambda: ir.unrolled_gradient(LOSS.net, THETA, TASKS),
        r"loss must be an object with linearize\(\)",
    ),
    "an optimiser that is a rate": (
        lambda: ir.meta_train(IMAML, THETA, Sinusoids(), optimizer=0.1, meta_steps=1),
        r"optimizer must be an object with step\(\), such as Adam\(\), got 0.1",
    ),
    "a source that is tasks": (
        lambda: ir.evaluate(IMAML, THETA, TASKS, num_tasks=2),
        r"source must be an object with sample\(\)",
    ),
    "an algorithm that is a loss": (
        lambda: ir.evaluate(LOSS, THETA, Sinusoids(), num_tasks=2),
        r"algorithm must be an object with adapt\(\)",
    ),
    "layers in a list": (
        lambda: ir.Network([ir.layers.ReLU()], (2,)),
        "layers must be a dict of them by name, got",
    ),
    "a layer that is a class": (
        lambda: ir.Network({"a": ir.layers.ReLU}, (2,)),
        r"layer 'a' must be an object with vjp_dot\(\), such as ReLU\(\)",
    ),
    "a layer of four methods only": (
        lambda: ir.Network({"a": FourMethods()}, (2,)),
        "layer 'a', .*FourMethods.*, has no shapes of parameters; let its class",
    ),
    "four methods to check": (
        lambda: check_layer(FourMethods(), (2, 3, 4)),
        "layer, .*FourMethods.*, has no shapes of parameters; let its class inherit",
    ),
    "a layer to check": (
        lambda: check_layer(ir.layers.Linear, (2, 3, 4)),
        r"layer must be an object with vjp_dot\(\)",
    ),
    "a generator that is a seed": (
        lambda: OMNIGLOT.init(0),
        r"rng must be an object with uniform\(\), such as numpy.random",
    ),
    "θ of integers": (
        lambda: OMNIGLOT.init(np.random.default_rng(0), dtype=int),
        "dtype must be a floating type",
    ),
    "inputs of integers": (
        lambda: Sinusoids().sample("train", seed=0, step=0, num_tasks=1, dtype=int),
        "dtype must be a floating type",
    ),
    "episodes of pixels": (
        lambda: ir.data.Episodes(NCHW, 2, 1, 1),
        r"data must be an object with classes\(\)",
    ),
    "a source that is a function": (
        lambda: ir.evaluate(IMAML, THETA, lambda: TASKS, num_tasks=2),
        r"source must be an object with sample\(\)",
    ),
    "a solver that is a function": (
        lambda: ir.IMAML(LOSS, solver=lambda matvec, b: b),
        r"solver must be an object with solve\(\), such as CG\(\)",
    ),
    "an activation that is made": (
        lambda: ir.architectures.mlp(activation=ir.layers.Tanh()),
        r"activation must be what makes a layer, such as layers.Tanh, got Tanh\(\)",
    ),
    "a pool of text": (
        lambda: ir.architectures.conv4(pool="max"),
        "pool must be what makes a layer, such as layers.Tanh, got 'max'",
    ),
    "an answer that is a tensor": (
        lambda: ir.checks.digits(Tensor(THETA), THETA),
        "the first of two to compare must be a NumPy",
    ),
    "a direction of lists": (
        lambda: LOSS.linearize(PHI, X, Y).hvp(PHI.tolist()),
        "a direction must be a NumPy or CuPy array, got list",
    ),
    "no tasks linearised": (
        lambda: LOSS.linearize(PHI[:0], X[:0], Y[:0]),
        "has no examples: T and N must be above 0",
    ),
    "invert of text": (
        lambda: ir.data.Episodes(images(), 1, 1, 1, invert="no"),
        "invert must be True or False, got 'no'",
    ),
    "a bias of text": (
        lambda: ir.layers.Conv2d(1, 2, use_bias="no"),
        "use_bias must be True or False, got 'no'",
    ),
    "per example of a number": (
        lambda: ir.evaluate(IMAML, THETA, Sinusoids(), num_tasks=2, per_example=1),
        "per_example must be True or False, got 1",
    ),
    "images of lists": (lambda: images(images=[[1]]), "images must be a NumPy"),
    "splits of lists": (
        lambda: images(split={"val": [1]}),
        "split all/val must be a NumPy or CuPy array, got list",
    ),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_something_else(make, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
