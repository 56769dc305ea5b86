"""The arrays of the fused path are used again, kept no longer, and never copied."""

import copy
import gc
import pickle
import sys
import weakref

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.compute import processes
from imaml_ref.fused import FusedLinearization, lending, memory, sweeps
from imaml_ref.meta_gradients.objective import ProximalObjective, TaskLoss
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
needs_fork = pytest.mark.skipif(
    not processes.can_fork(), reason="this system cannot fork"
)


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

    monkeypatch.setattr(lending, "Sweeps", Counted)
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
    # Two threads at most, sets of two sizes, and room for a lost race.
    assert len(made) <= 8
    assert alive(made) <= lending.SPARE


def test_arrays_of_another_size_are_kept_and_found(made):
    at = named("two-blocks-flat")
    sizes = [(1, 2), (2, 2), (1, 3)]
    for _ in range(4):
        for size in sizes:
            point(at.loss, *size).linearize()
    assert len(made) == 3
    point(at.loss, 2, 2).astype(np.float32).linearize()
    assert len(made) == 4


def in_a_fork(call):
    """Return what a call returns in a process that forks from this one."""
    return list(processes.map_forked(lambda k: call() if k else None, [0, 1], 2))[1]


@needs_fork
def test_a_fork_finds_arrays_and_their_programs(made):
    """What it would have to make, every time anew, is there before it."""
    at = named("two-blocks-flat")
    held = [at.linearize(), at.linearize()]
    held[0].hvp(at.v)
    del held

    def taken():
        held = [at.linearize(), at.linearize()]
        return len(made), held[0].hvp(at.v), "vjp_dot" in vars(made[0]())

    count, product, written = in_a_fork(taken)
    assert count == 2
    assert written
    assert_array_equal(product, at.linearize().hvp(at.v))


@needs_fork
@pytest.mark.parametrize("name", ["two-blocks-flat", "pool-pad-block"])
def test_what_is_at_a_point_is_there_in_a_fork_too(name):
    """Its arrays are empty there; it has to notice whatever it is asked first."""
    at = named(name)
    want = values(at.linearize(), at.v)
    on, start = at.examples(), at.phi[0]
    away = elsewhere(at)
    steps = on.descend(away, start, 0.5, 0.1, 3)[0]
    for ask in (
        lambda lin: values(lin, at.v),
        lambda lin: {"hvp": lin.hvp(at.v)},
        lambda lin: {"gnvp": lin.gnvp(at.v), "hvp": lin.hvp(at.v)},
    ):
        lin = on.linearize(at.phi)
        found = in_a_fork(lambda ask=ask, lin=lin: ask(lin))
        assert_same_values(found, {name: want[name] for name in found})
    assert_array_equal(in_a_fork(lambda: on.gradient(at.phi)), want["grad"])
    assert_array_equal(in_a_fork(lambda: on.value(at.phi)), want["value"])
    forked = in_a_fork(lambda: on.descend(away, start, 0.5, 0.1, 3)[0])
    assert_array_equal(forked, steps)
    assert_same_values(values(lin, at.v), want)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, bool])
def test_arrays_are_zero_aligned_and_apart(dtype):
    shapes = [(3,), (2, 5, 7), (), (0, 4), (memory.CHUNK_BYTES // 4 + 3,), (1,)]
    found = [memory.zeros(shape, dtype) for shape in shapes]
    found[-1] = memory.Memory().take(found[-1].nbytes).view(dtype)
    for k, (array, shape) in enumerate(zip(found, shapes, strict=True)):
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.ctypes.data % memory.ALIGNMENT == 0 or not array.size
        assert not array.any()
        array[...] = k + 1
    for k, array in enumerate(found):
        assert (array == (k + 1 if dtype is not bool else True)).all()


@needs_fork
@pytest.mark.skipif(sys.platform != "linux", reason="other systems copy the arrays")
def test_a_fork_finds_the_arrays_empty_and_leaves_them_alone():
    array = memory.zeros((5, 7), np.float32)
    array[...] = 3

    def there():
        found = array.copy()
        array[...] = 4
        return found

    assert not in_a_fork(there).any()
    assert (array == 3).all()


@pytest.mark.parametrize("missing", ["advice", "maps"])
def test_a_system_without_such_memory_has_other(monkeypatch, missing):
    if missing == "maps":
        monkeypatch.delattr(memory.mmap, "MAP_PRIVATE", raising=False)
    monkeypatch.setattr(memory, "WIPE_ON_FORK", -1)  # no advice has this number
    pages = memory.pages(10_000)
    assert pages.shape == (10_000,)
    assert not pages.any()
    pages[...] = 1


def test_arrays_in_use_are_not_lent_twice(made):
    at = named("two-blocks-flat")
    first, second = at.examples(), at.examples()
    used = lent_to(first)
    assert used is not lent_to(second)
    assert used is lent_to(first)
    del first
    assert lent_to(at.examples()) is used
    assert len(made) == 2


def lent_to(on):
    with on.loan.sweeps() as found:
        return found


def test_after_the_inner_steps_others_may_have_the_arrays(made):
    """And who comes back to them finds what was there."""
    at = named("two-blocks-flat")
    on, other = at.examples(), point(at.loss, *at.x.shape[:2], seed=5)
    lin = on.linearize(at.phi)
    want = values(lin, at.v)
    on.descend(at.phi, at.phi[0], 0.5, 0.1, 2)
    query = other.linearize()
    assert len(made) == 1
    assert_same_values(values(lin, at.v), want)
    assert len(made) == 2
    assert_array_equal(query.hvp(other.v), other.linearize().hvp(other.v))


def test_the_store_is_bounded(made):
    at = named("one-block-flat")
    held = [at.linearize() for _ in range(lending.SPARE + 5)]
    assert alive(made) == lending.SPARE + 5
    held.clear()
    assert alive(made) == lending.SPARE
    for n in range(2, 2 + 2 * lending.SPARE):
        point(at.loss, 1, n).linearize()
    assert alive(made) <= lending.SPARE


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
        kept = [weakref.ref(lent_to(on))]
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
