"""λ that θ's dtype does not hold, what is no angle, and steps that solve nothing."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.data import Sinusoids
from imaml_ref.solvers import Status
from imaml_ref.training.loop import Diverged, meta_train
from tests.helpers.problems import curved

PROBLEM = curved()
LOSS = PROBLEM.loss


def at(dtype):
    """θ and tasks of the problem in a dtype."""
    t = PROBLEM.tasks
    x, q = t.support_x.astype(dtype), t.query_x.astype(dtype)
    tasks = ir.TaskBatch(x, t.support_y, q, t.query_y)
    return PROBLEM.theta.astype(dtype), tasks


ENTRIES = {
    "implicit": lambda theta, tasks, lam: ir.implicit_gradient(
        LOSS, theta, tasks, lam=lam
    ),
    "implicit at": lambda theta, tasks, lam: ir.implicit_gradient_at(
        LOSS, theta, np.tile(theta, (len(tasks), 1)), tasks, lam=lam
    ),
    "unrolled": lambda theta, tasks, lam: ir.unrolled_gradient(
        LOSS, theta, tasks, lam=lam
    ),
    "adapt": lambda theta, tasks, lam: ir.adapt(
        LOSS, theta, tasks.support_x, tasks.support_y, lam=lam
    ),
    "IMAML": lambda theta, tasks, lam: ir.IMAML(LOSS, lam)(theta, tasks),
    "MAML": lambda theta, tasks, lam: ir.MAML(LOSS, lam)(theta, tasks),
    "Reptile": lambda theta, tasks, lam: ir.Reptile(LOSS, lam)(theta, tasks),
    "first order": lambda theta, tasks, lam: ir.FirstOrderMAML(LOSS, lam)(theta, tasks),
    "adapt of IMAML": lambda theta, tasks, lam: ir.IMAML(LOSS, lam).adapt(
        theta, tasks.support_x, tasks.support_y
    ),
}
# 1/λ infinite, λ = 0, λ infinite; float16 ends at 65504 and float32 at 3.4e38.
OUTSIDE = [
    (np.float32, 1e-39),
    (np.float32, 1e-46),
    (np.float32, 1e39),
    (np.float16, 1e-5),
    (np.float16, 1e-8),
    (np.float16, 7e4),
    (np.float64, 1e-309),
]


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES.keys())
@pytest.mark.parametrize(("dtype", "lam"), OUTSIDE)
def test_a_lam_that_the_dtype_of_theta_does_not_hold_is_refused(entry, dtype, lam):
    theta, tasks = at(dtype)
    each = np.full(len(theta), 2.0)
    each[5] = lam
    message = rf"^lam and its reciprocal must be .* in {np.dtype(dtype)}, .*; use "
    for given in (lam, each):
        with pytest.raises(ValueError, match=message) as caught:
            entry(theta, tasks, given)
        assert "\n" not in str(caught.value)


def test_the_released_operator_refuses_it_too():
    with pytest.raises(ValueError, match="lam and its reciprocal"):
        ir.ReleasedIMAML(LOSS, 1e-39)(*at(np.float32))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("lam", [3e-39, 1e-15, 1e37, np.full(44, 1e-15)])
def test_what_it_holds_is_taken_without_a_word(lam):
    """At a λ so large the first-order direction is the answer, to rounding."""
    theta, tasks = at(np.float32)
    phi = np.tile(theta, (len(tasks), 1))
    out = ir.implicit_gradient_at(LOSS, theta, phi, tasks, lam=lam)
    assert np.isfinite(out.grad).all()
    assert (out.diagnostics.status != Status.NOT_FINITE).all()
    if np.ndim(lam) == 0 and lam > 1:
        assert_allclose(out.diagnostics.cosine, 1, rtol=1e-5)


def test_damping_counts():
    theta, tasks = at(np.float32)
    with pytest.raises(ValueError, match=r"^lam \+ damping and its reciprocal must be"):
        ir.implicit_gradient(LOSS, theta, tasks, damping=1e39)
    with pytest.raises(ValueError, match=r"^lam \+ damping and its reciprocal must be"):
        ir.IMAML(LOSS, damping=1e39)(theta, tasks)


def test_a_gradient_of_nothing_has_no_angle():
    """Its query loss is zero to all orders where the head's outputs are the targets."""
    net = ir.architectures.linear((2,))
    x = np.random.default_rng(0).normal(size=(2, 5, 2))
    y = np.zeros((2, 5, 1))
    y[1] = 1
    out = ir.implicit_gradient(
        ir.TaskLoss(net, ir.SquaredError()), np.zeros(3), ir.TaskBatch(x, y, x, y)
    )
    assert math.isnan(out.diagnostics.cosine[0])
    assert 0 < out.diagnostics.cosine[1] <= 1


@dataclass(frozen=True)
class Told:
    """An algorithm that says what it is told to say."""

    out: ir.MetaGradient
    lam: float = 1.0

    def __call__(self, theta, tasks):
        return self.out


def measured(**changes):
    """What an algorithm says of Sinusoids, with some of it changed."""
    net = ir.architectures.mlp(hidden=(2,))
    theta = net.init(np.random.default_rng(0))
    tasks = Sinusoids(3, 3).sample(
        "train", seed=0, step=0, num_tasks=3, dtype=np.float64
    )
    loss = ir.TaskLoss(net, ir.SquaredError())
    out = ir.IMAML(loss, 9.0, ir.GradientDescent(0.01, 2))(theta, tasks)
    found = replace(out.diagnostics, **changes)
    return theta, replace(out, diagnostics=found)


def train(theta, algorithm, **options):
    return meta_train(
        algorithm, theta, Sinusoids(3, 3), optimizer=ir.SGD(), meta_steps=2, **options
    )


def test_a_training_stops_at_a_system_that_is_not_finite():
    theta, out = measured(status=np.array([0, Status.NOT_FINITE, 0]))
    with pytest.raises(Diverged, match="system of task 1 is not finite; lower") as e:
        train(theta, Told(out))
    assert e.value.state.step == 0
    assert_array_equal(e.value.state.theta, theta)


@pytest.mark.parametrize("slope", [1e4, -1e4, np.nan, np.inf])
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_training_stops_where_lam_leaves_what_the_dtype_holds(slope):
    theta, out = measured()
    told = Told(replace(out, lam_grad=slope))
    message = "meta-step 1: the next λ and its reciprocal must be neither"
    with pytest.raises(Diverged, match=message) as caught:
        train(theta, told, lam_optimizer=ir.SGD(1.0))
    assert caught.value.state.lam == 1.0


def test_lam_is_not_learned_without_a_derivative_in_it():
    theta, out = measured()
    loss = ir.TaskLoss(ir.architectures.mlp(hidden=(2,)), ir.SquaredError())
    for algorithm in (
        ir.FirstOrderMAML(loss, 2.0, ir.GradientDescent(0.01, 2)),
        ir.ReleasedIMAML(loss, 2.0, ir.PullBackDescent(0.01, 2)),
        ir.Reptile(loss, 2.0, ir.GradientDescent(0.01, 2)),
        ir.MAML(loss, None, ir.GradientDescent(0.01, 2)),
        Told(replace(out, lam_grad=None)),
    ):
        with pytest.raises(
            ValueError, match=r"λ cannot be learned: .*lam_grad is None"
        ):
            train(theta, algorithm, lam_optimizer=ir.SGD())


def test_the_mean_cosine_is_that_of_the_tasks_that_have_one():
    rows = []
    for cosines in ([0.5, np.nan, 0.25], [np.nan] * 3):
        theta, out = measured(cosine=np.array(cosines))
        train(theta, Told(out), observe=lambda state, row: rows.append(row["cos_gv"]))
    assert rows[0] == 0.375
    assert math.isnan(rows[-1])
