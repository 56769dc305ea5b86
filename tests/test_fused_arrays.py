"""The arrays of the fused path are used again, kept no longer, and never copied."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
from fused_nets import COVERED
from fused_points import (
    assert_same_values,
    elsewhere,
    loss_of,
    named,
    needs_fused,
    point,
    values,
)
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.fused import FusedLinearization, examples, sweeps
from imaml_ref.objective import ProximalObjective, TaskLoss

pytestmark = needs_fused


@pytest.fixture
def made(monkeypatch):
    return counted(monkeypatch)


def counted(monkeypatch):
    """Return a list that will hold weak references to all Sweeps made."""
    found = []

    class Counted(sweeps.Sweeps):
        def __init__(self, *arguments):
            found.append(weakref.ref(self))
            super().__init__(*arguments)

    monkeypatch.setattr(examples, "Sweeps", Counted)
    return found


def alive(found):
    return sum(ref() is not None for ref in found)


def test_arrays_are_used_again_over_many_meta_steps(made):
    loss = loss_of(COVERED["two-blocks-flat"])
    at = [point(loss, 4, n, n) for n in (3, 5)]
    tasks = ir.TaskBatch(at[0].x, at[0].y, at[1].x, at[1].y)
    theta = loss.net.init(np.random.default_rng(0))
    algorithm = ir.IMAML(loss, inner=ir.GradientDescent(0.1, 2), solver=ir.CG(2))
    ir.set_num_threads(2)
    try:
        for _ in range(25):
            algorithm(theta, tasks)
    finally:
        ir.set_num_threads(None)
    # Two threads at most, support and query each, and room for a lost race.
    assert len(made) <= 8
    assert alive(made) <= examples.SPARE


def test_arrays_of_another_size_are_kept_and_found(made):
    at = named("two-blocks-flat")
    sizes = [(1, 2), (2, 2), (1, 3)]
    for _ in range(4):
        for size in sizes:
            point(at.loss, *size).linearize()
    assert len(made) == 3
    point(at.loss, 2, 2).astype(np.float32).linearize()
    assert len(made) == 4


def test_processes_to_come_find_arrays_like_those_of_this_one(made, monkeypatch):
    """What a fork would have to make, every time anew, is there before it."""
    monkeypatch.setattr(examples, "num_processes", lambda: 3)
    at = named("two-blocks-flat")
    other = point(at.loss, 1, 2)
    held = [at.linearize(), at.linearize(), other.linearize()]
    assert len(made) == 3
    held[0].hvp(at.v)
    del held
    spare = at.loss._fused.spare
    for worker in (1, 2):
        assert sizes_of(spare(worker)) == sizes_of(spare(0))
        assert not set(map(id, spare(worker))) & set(map(id, spare(0)))
        for name in ("_vjp", "jvp", "vjp_dot"):
            assert any(name in vars(s) for s in spare(worker)), name
    at.linearize()
    assert len(made) == 9


def sizes_of(spare):
    return sorted(str(s.size) for s in spare)


def test_arrays_in_use_are_not_lent_twice(made):
    at = named("two-blocks-flat")
    first, second = at.examples(), at.examples()
    assert first.sweeps is not second.sweeps
    used = first.sweeps
    del first
    assert at.examples().sweeps is used
    assert len(made) == 2


def test_the_store_is_bounded(made):
    at = named("one-block-flat")
    held = [at.examples() for _ in range(examples.SPARE + 5)]
    assert alive(made) == examples.SPARE + 5
    held.clear()
    assert alive(made) == examples.SPARE
    for n in range(2, 2 + 2 * examples.SPARE):
        point(at.loss, 1, n).linearize()
    assert alive(made) <= examples.SPARE


def test_nothing_waits_for_the_collector_of_cycles(made):
    """Arrays as large as these have to go when the last name does."""
    gc.collect()
    gc.disable()
    try:
        at = named("pool-pad-block")
        on = at.examples()
        lin = on.linearize(at.phi)
        lin.hvp(at.v), lin.gnvp(at.v), on.gradient(at.phi)
        objective = ProximalObjective(at.loss, at.phi[0], at.x, at.y, 1.0)
        objective.linearize(at.phi).hvp(at.v)
        dead = [weakref.ref(a) for a in (on, lin, objective, at.loss)]
        kept = [weakref.ref(on.sweeps)]
        del on, lin, objective
        assert [ref() is None for ref in dead] == [True, True, True, False]
        assert kept[0]() is not None
        del at
        assert dead[3]() is None
        assert alive(made) == 0
    finally:
        gc.enable()


def test_a_linearisation_keeps_its_examples():
    at = named("two-blocks-flat")
    lin = at.examples().linearize(at.phi)
    other = at.examples().linearize(elsewhere(at))
    other.hvp(at.v)
    assert_array_equal(lin.hvp(at.v), at.linearize().hvp(at.v))


COPIES = {
    "pickle": lambda a: pickle.loads(pickle.dumps(a)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


@pytest.mark.parametrize("made_by", COPIES)
@pytest.mark.parametrize("used", [False, True], ids=["before use", "after use"])
def test_copies_compute_the_same(made_by, used):
    at, copied = named("two-blocks-flat"), COPIES[made_by]
    tasks = ir.TaskBatch(at.x, at.y, at.x, at.y)
    theta = at.phi[0]
    inner = ir.GradientDescent(0.1, 2)
    fresh = TaskLoss(at.loss.net, at.loss.loss)
    want = values(fresh.linearize(at.phi, at.x, at.y), at.v)
    meta = ir.IMAML(fresh, inner=inner)(theta, tasks).grad
    algorithm = ir.IMAML(TaskLoss(at.loss.net, at.loss.loss), inner=inner)
    if used:
        algorithm(theta, tasks)
    algorithm = copied(algorithm)
    loss = copied(algorithm.loss)
    assert_same_values(values(loss.linearize(at.phi, at.x, at.y), at.v), want)
    assert_array_equal(algorithm(theta, tasks).grad, meta)


@pytest.mark.parametrize("made_by", COPIES)
def test_copies_of_what_is_at_a_point_live_on_their_own(made_by):
    at = named("two-blocks-flat")
    objective = ProximalObjective(at.loss, at.phi[0], at.x, at.y, 0.5)
    lin = objective.linearize(at.phi).support
    want = values(lin, at.v)
    grad = objective.grad(at.phi)
    twin = COPIES[made_by](lin)
    assert isinstance(twin, FusedLinearization)
    lin.gnvp(at.v)
    assert_array_equal(twin.hvp(at.v), want["hvp"])
    twin.gnvp(at.v)
    assert_array_equal(lin.hvp(at.v), want["hvp"])
    assert_same_values(values(twin, at.v), want)
    assert_array_equal(COPIES[made_by](objective).grad(at.phi), grad)
