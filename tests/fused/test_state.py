"""From outside nobody sees that the arrays hold one point at a time."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from imaml_ref.checks import digits
from imaml_ref.fused import plain_path
from imaml_ref.meta_gradients.objective import ProximalObjective, TaskLoss
from imaml_ref.networks.losses import SoftmaxCrossEntropy
from tests.helpers.fused_nets import COVERED
from tests.helpers.fused_points import (
    assert_same_values,
    elsewhere,
    loss_of,
    named,
    needs_fused,
    point,
    values,
)

pytestmark = needs_fused

CHAINS = ["omniglot_cnn", "conv4", "elu-linear", "pool-pad-block", "own-layer"]


@pytest.fixture(params=CHAINS)
def name(request):
    return request.param


# What may happen between a linearisation and its next product.
BETWEEN = {
    "nothing": lambda on, lin, phi, v: None,
    "gradient": lambda on, lin, phi, v: on.gradient(phi),
    "gradient here": lambda on, lin, phi, v: on.gradient(lin.phi),
    "linearize": lambda on, lin, phi, v: on.linearize(phi),
    "linearize here": lambda on, lin, phi, v: on.linearize(lin.phi),
    "hvp": lambda on, lin, phi, v: on.linearize(phi).hvp(v),
    "gnvp": lambda on, lin, phi, v: on.linearize(phi).gnvp(v),
    "own hvp": lambda on, lin, phi, v: lin.hvp(v),
    "own gnvp": lambda on, lin, phi, v: lin.gnvp(v),
    "own both, elsewhere": lambda on, lin, phi, v: (
        lin.gnvp(v), lin.hvp(v), on.gradient(phi)
    ),
}  # fmt: skip


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("product", ["hvp", "gnvp"])
def test_a_product_is_its_own_whatever_came_between(name, between, product):
    at = named(name)
    want = getattr(at.linearize(), product)(at.v)
    on = at.examples()
    lin = on.linearize(at.phi)
    BETWEEN[between](on, lin, elsewhere(at), at.v[::-1].copy())
    assert_array_equal(getattr(lin, product)(at.v), want)


ACTIONS = ["linearize", "gradient", "hvp", "hvp", "gnvp", "drop"]


@pytest.mark.parametrize("seed", range(6))
def test_a_random_walk_over_live_linearisations(seed):
    """Of the same and of other examples and shapes; the answers never change."""
    rng = np.random.default_rng(seed)
    loss = loss_of(COVERED["two-blocks-flat"])
    points = [point(loss, t, n, s) for s, (t, n) in enumerate([(2, 3), (2, 3), (1, 4)])]
    examples_of = [at.examples() for at in points]
    live, handed_out = [], []
    for _ in range(60):
        action = rng.choice(ACTIONS)
        if action in {"linearize", "gradient"} or not live:
            which = rng.integers(len(points))
            at, on = points[which], examples_of[which]
            phi = elsewhere(at, rng.integers(4))
            if action == "gradient":
                got, want = on.gradient(phi), plain(at, phi).grad
            else:
                lin = on.linearize(phi)
                live.append((lin, plain(at, phi), at))
                got, want = lin.grad, live[-1][1].grad
        elif action == "drop":
            live.pop(rng.integers(len(live)))
            continue
        else:
            lin, reference, at = live[rng.integers(len(live))]
            v = rng.normal(size=at.v.shape)
            got, want = getattr(lin, action)(v), getattr(reference, action)(v)
        assert digits(got, want) > 11, action
        handed_out.append((got, got.copy()))
    for got, kept in handed_out:
        assert_array_equal(got, kept)


def plain(at, phi):
    with plain_path():
        return at.loss.linearize(phi, at.x, at.y)


def test_what_was_handed_out_never_changes_nor_what_came_in(name):
    at = named(name)
    inputs = [at.phi, at.x, at.y, at.v]
    before = [a.copy() for a in inputs]
    on = at.examples()
    lin = on.linearize(at.phi)
    found = values(lin, at.v) | {"gradient": on.gradient(at.phi)}
    kept = copy.deepcopy(found)
    for seed in range(3):
        values(on.linearize(elsewhere(at, seed)), at.v)
        on.gradient(elsewhere(at, seed))
        lin.hvp(2 * at.v), lin.gnvp(2 * at.v)
    del on
    named(name, seed=5).linearize().hvp(at.v)
    assert_same_values(found, kept)
    for a, b in zip(inputs, before, strict=True):
        assert_array_equal(a, b)


def test_results_belong_to_the_caller(name):
    at = named(name)
    want = values(at.linearize(), at.v)
    lin = at.linearize()
    for array in (
        lin.hvp(at.v),
        lin.gnvp(at.v),
        lin.grad,
        at.examples().gradient(at.phi),
    ):
        array[...] = np.nan
    assert_array_equal(lin.hvp(at.v), want["hvp"])
    assert_array_equal(lin.gnvp(at.v), want["gnvp"])


def test_inputs_that_may_not_be_written_are_not(name):
    at = named(name)
    want = values(at.linearize(), at.v)
    for array in (at.phi, at.x, at.y, at.v):
        array.flags.writeable = False
    assert_same_values(values(at.linearize(), at.v), want)


def in_threads(function, items, workers=2):
    """Call a function of each item, all started at once, a thread each."""
    gate = threading.Barrier(workers)

    def start(item):
        gate.wait()
        return function(item)

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(start, items))


def objective_of(loss, at):
    return ProximalObjective(loss, at.phi[0], at.x, at.y, 0.5)


SHARED = {
    "loss": lambda loss, objective, lins, at: objective_of(loss, at),
    "objective": lambda loss, objective, lins, at: objective,
    "linearisations": lambda loss, objective, lins, at: objective,
}


@pytest.mark.parametrize("shared", SHARED)
def test_two_threads_at_once(shared):
    at = named("omniglot_cnn", num_examples=5)
    places = [at.phi, elsewhere(at)]
    wants = [objective_of(at.loss, at).linearize(phi) for phi in places]
    wants = [(lin.grad, lin.hvp(at.v)) for lin in wants]
    for _ in range(5):
        loss = TaskLoss(at.loss.net, at.loss.loss)
        objective = objective_of(loss, at)
        lins = [objective.linearize(p) for p in places if shared == "linearisations"]
        work = partial(keep_asking, SHARED[shared], (loss, objective, lins, at), places)
        for found, want in zip(in_threads(work, [0, 1]), wants, strict=True):
            for grad, product in found:
                assert_array_equal(grad, want[0])
                assert_array_equal(product, want[1])


def keep_asking(choose, things, places, which):
    """Ask for gradients and products at one of the places, again and again."""
    objective, (_, _, lins, at), found = choose(*things), things, []
    for _ in range(8):
        lin = lins[which] if lins else objective.linearize(places[which])
        found.append((objective.grad(places[which]), lin.hvp(at.v)))
    return found


def test_examples_have_their_lock_before_two_threads_can_ask():
    """Else each would borrow arrays of its own, and lock the other's."""
    on = named("omniglot_cnn").examples()
    assert "loan" in vars(on)


class Interrupted(SoftmaxCrossEntropy):
    """A loss that fails when it is told to."""

    fails = False

    def forward(self, z, y):
        if self.fails:
            raise MemoryError
        return super().forward(z, y)


def test_an_interrupted_sweep_leaves_nothing_half_done():
    at = named("omniglot_cnn", Interrupted())
    on = at.examples()
    lin = on.linearize(at.phi)
    want = lin.hvp(at.v)
    at.loss.loss.fails = True
    for ask in (on.gradient, on.linearize):
        with pytest.raises(MemoryError):
            ask(elsewhere(at))
    at.loss.loss.fails = False
    assert_array_equal(lin.hvp(at.v), want)


def test_a_product_after_one_that_was_interrupted_is_whole(name):
    at = named(name)
    on = at.examples()
    lin = on.linearize(at.phi)
    want = lin.hvp(at.v)
    on.linearize(at.phi + 0.25).hvp(at.v)  # another point has the arrays
    with on.loan.sweeps() as sweeps:
        vjp, real = sweeps.vjp, type(sweeps.vjp).run

    def run(program):
        if program is vjp:
            raise KeyboardInterrupt
        real(program)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(vjp), "run", run)
        with pytest.raises(KeyboardInterrupt):
            lin.hvp(at.v)
    assert_array_equal(lin.hvp(at.v), want)
