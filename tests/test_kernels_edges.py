"""What the sweeps on a device take, keep and give away: one mistake each test."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np
import pytest
from fused_points import elsewhere, loss_of, named, needs_fused, point, values
from kernel_formulas import FormulaLauncher
from kernel_machine import OnHost, by_kernels, capturing_double, on_one_thread
from kernel_points import spoken
from numpy.testing import assert_allclose, assert_array_equal
from test_kernels_counts import chain_length

import imaml_ref as ir
from imaml_ref.backend import to_device
from imaml_ref.checks import digits
from imaml_ref.kernels import DeviceExamples
from imaml_ref.kernels.examples import KEPT
from imaml_ref.kernels.space import Space
from imaml_ref.kernels.stage import machine_of
from imaml_ref.kernels.sweeps import Sweeps
from imaml_ref.readings import settle, value_of, waiting

pytestmark = needs_fused


def on(at, **changes):
    """Return L of the examples of a point, one of θ, x and y perhaps changed."""
    given = {"theta": at.phi[0], "x": at.x, "y": at.y} | changes
    return at.loss.on(*given.values())


def test_examples_that_are_not_all_on_the_machine_take_another_path():
    at = named()
    with capturing_double():
        there = {k: to_device(a) for k, a in vars(at).items() if k != "loss"}
        theta = there["phi"][0]
        assert isinstance(at.loss.on(theta, there["x"], there["y"]), DeviceExamples)
        for here in ({"x": at.x}, {"y": at.y}):
            given = {"x": there["x"], "y": there["y"]} | here
            assert not isinstance(at.loss.on(theta, **given), DeviceExamples)


def test_no_tasks_and_no_examples_take_another_path():
    at = named()
    for none in (np.s_[:0], np.s_[:, :0]):
        found = by_kernels(lambda none=none: on(at, x=at.x[none], y=at.y[none]))
        assert not isinstance(found, DeviceExamples)


@pytest.mark.parametrize("dtype", ["f2", "c16"])
def test_a_dtype_that_no_kernel_knows_takes_another_path(dtype):
    at = named()
    theta, x = (a.astype(dtype) for a in (at.phi[0], at.x))
    found = by_kernels(lambda: on(at, theta=theta, x=x))
    assert not isinstance(found, DeviceExamples)


def test_the_sizes_that_were_used_last_are_kept():
    at = named()

    def kept():
        for n in (*range(1, KEPT + 1), 1, KEPT + 1):
            on(at, x=at.x.repeat(n, 1), y=at.y.repeat(n, 1))
        return [key[0][1] // at.x.shape[1] for key in at.loss._device._kept]

    assert by_kernels(kept) == [*range(3, KEPT + 1), 1, KEPT + 1]


# Whose point the sweeps hold.

BETWEEN = {
    "gradient": lambda at, examples: examples.gradient(elsewhere(at)),
    "value": lambda at, examples: examples.value(elsewhere(at)),
    "no step": lambda at, examples: examples.descend(
        elsewhere(at), at.phi[0], 2.0, 0.1, 0
    ),
    "steps": lambda at, examples: examples.descend(
        elsewhere(at), at.phi[0], 2.0, 0.1, 2
    ),
    "H-steps of CG": lambda at, examples: solved(at, examples, "hvp"),
    "G-steps of CG": lambda at, examples: solved(at, examples, "gnvp"),
    "none": lambda at, examples: None,
}


def solved(at, examples, curvature):
    lin = examples.linearize(elsewhere(at))
    return lin.conjugate_gradients(ir.CG(maxiter=2), curvature, at.v, 50.0)


@pytest.mark.parametrize("between", BETWEEN)
def test_what_comes_between_on_the_same_examples_is_not_seen(between):
    at, come = named(), BETWEEN[between]
    want = by_kernels(lambda: values(at.linearize(), at.v))

    def asked():
        examples = on(at)
        lin = examples.linearize(at.phi)
        for product in ("hvp", "gnvp", "gnvp", "hvp"):
            come(at, examples)
            assert_array_equal(getattr(lin, product)(at.v), want[product])
        come(at, examples)
        return lin.conjugate_gradients(ir.CG(maxiter=3), "hvp", at.v, 50.0)[0]

    alone = by_kernels(lambda: at.linearize()).conjugate_gradients
    assert_array_equal(
        by_kernels(asked),
        by_kernels(lambda: alone(ir.CG(maxiter=3), "hvp", at.v, 50.0))[0],
    )


@pytest.mark.parametrize("curvature", ["hvp", "gnvp"])
def test_steps_of_cg_leave_products_of_both_kinds_as_they_were(curvature):
    at = named()
    want = by_kernels(lambda: values(at.linearize(), at.v))

    def asked():
        lin = at.linearize()
        for product in ("hvp", "gnvp", "hvp"):
            lin.conjugate_gradients(ir.CG(maxiter=2), curvature, at.v, 50.0)
            assert_array_equal(getattr(lin, product)(at.v), want[product])

    by_kernels(asked)


@pytest.mark.parametrize("first", ["gradient", "value", "descend"])
def test_what_is_asked_first_is_right(first):
    at = named()
    lin = by_kernels(at.linearize)
    want = {"gradient": lin.grad, "value": lin.value}

    def asked():
        examples = on(named())  # whose arrays nobody has filled
        if first == "descend":
            phi, (norms,) = examples.descend(at.phi, at.phi[0], 0.0, 0.5, 1)
            assert_allclose(norms**2, (lin.grad**2).sum(1), rtol=1e-12)
            assert_allclose(phi, at.phi - 0.5 * lin.grad, rtol=1e-12, atol=1e-14)
        else:
            assert_array_equal(getattr(examples, first)(at.phi), want[first])

    by_kernels(asked)


def beside(at, seed=5):
    """Return another point of the same loss, whose arrays are the same sweeps'."""
    other = named(seed=seed)
    return type(at)(at.loss, other.phi, other.x, other.y, other.v)


def test_whatever_is_returned_belongs_to_the_caller():
    at = named()
    other = beside(at)

    def returned():
        examples, lin = on(at), at.linearize()
        phi, norms = examples.descend(at.phi, at.phi[0], 2.0, 0.1, 2)
        x, info = lin.conjugate_gradients(ir.CG(maxiter=2), "hvp", at.v, 50.0)
        found = {
            "outputs": lin.outputs,
            "loss": lin.value,
            "grad": lin.grad,
            "hvp": lin.hvp(at.v),
            "gnvp": lin.gnvp(at.v),
            "gradient": examples.gradient(at.phi),
            "value": examples.value(at.phi),
            "phi": phi,
            "norm 0": norms[0],
            "norm 1": norms[1],
            "x": x,
            "residual": info.residual,
            "tolerance": info.tolerance,
            "status": info.status,
            "iterations": info.iterations,
        }
        kept = {name: a.copy() for name, a in found.items()}
        accuracy = lin.accuracy()
        # Others of the same size, otherwise.
        theirs = other.linearize()
        assert theirs._examples._sweeps is lin._examples._sweeps
        theirs.conjugate_gradients(ir.CG(maxiter=4, rtol=0.5), "gnvp", other.v, 9.0)
        spoken(other)
        on(other).descend(other.phi, other.phi[0], 1.0, 0.1, 3)
        on(other).gradient(other.phi)
        assert_array_equal(lin.accuracy(), accuracy)
        return found, kept

    for name, a in by_kernels(returned)[1].items():
        assert np.isfinite(a).all(), name
    found, kept = by_kernels(returned)
    for name, a in kept.items():
        assert_array_equal(found[name], a, err_msg=name)


class Interrupting(FormulaLauncher):
    """Formulas after each of which another thread may come."""

    def bind(self, *args, **kwargs):
        launch = super().bind(*args, **kwargs)

        def call():
            launch()
            time.sleep(0)

        return call


def test_threads_wait_for_each_other():
    first = named()
    points = [first, *(beside(first, seed) for seed in (1, 2, 3))]
    want = by_kernels(lambda: [spoken(p) for p in points])
    steps = by_kernels(lambda: [descended(p) for p in points])
    solutions = by_kernels(lambda: [one_solution(p) for p in points])

    def asked(k):
        p = points[k]
        alone = on(p).gradient(p.phi), on(p).value(p.phi)
        return spoken(p), descended(p), one_solution(p), *alone

    with ThreadPoolExecutor(4) as pool, on_one_thread(OnHost(Interrupting)):
        found = [pool.submit(copy_context().run, asked, k % 4) for k in range(12)]
        found = [f.result() for f in found]
    for k, (said, phi, x, grad, value) in enumerate(found):
        for what, array in want[k % 4].items():
            assert_array_equal(said[what], array, err_msg=what)
        assert_array_equal(phi, steps[k % 4])
        assert_array_equal(x, solutions[k % 4])
        assert_array_equal(grad, want[k % 4]["grad"])
        assert_array_equal(value, want[k % 4]["value"])


def test_threads_that_ask_for_a_size_at_once_share_its_arrays():
    class Slow(FormulaLauncher):
        def zeros(self, *args):
            time.sleep(1e-3)
            return super().zeros(*args)

    at = named()
    with ThreadPoolExecutor(4) as pool, on_one_thread(OnHost(Slow)):
        asked = [pool.submit(copy_context().run, on, at) for _ in range(8)]
        found = {id(examples.result()._sweeps) for examples in asked}
    assert len(found) == 1


def descended(at):
    return on(at).descend(at.phi, at.phi[0], 2.0, 0.1, 2)[0]


def one_solution(at):
    lin = at.linearize()
    return lin.conjugate_gradients(ir.CG(maxiter=2), "gnvp", at.v, 50.0)[0]


# What is not done again.


class Counting(FormulaLauncher):
    """Formulas that are counted."""

    launches = 0

    def bind(self, *args, **kwargs):
        launch = super().bind(*args, **kwargs)

        def call():
            Counting.launches += 1
            launch()

        return call


def launches_of(call):
    before = Counting.launches
    call()
    return Counting.launches - before


def test_nothing_is_swept_or_loaded_again_without_need():
    at = named("two-blocks-flat")

    def asked():
        examples = on(at)
        lin = examples.linearize(at.phi)
        sweeps = lin._examples._sweeps
        gradient, hvp, gnvp, forward, load = (
            len(getattr(sweeps, name).names)
            for name in ("gradient", "hvp", "gnvp", "forward", "load")
        )
        assert launches_of(lambda: lin.hvp(at.v)) == hvp
        assert launches_of(lambda: examples.gradient(at.phi)) == gradient
        assert launches_of(lambda: examples.value(at.phi)) == forward
        assert launches_of(lambda: examples.linearize(at.phi)) == gradient
        for product, launches in (
            ("hvp", gradient + hvp),  # others were here
            ("hvp", hvp),
            ("gnvp", gnvp),
            ("gnvp", gnvp),
            ("hvp", gradient + hvp),  # G has written over its cotangents
            ("hvp", hvp),
        ):
            assert launches_of(lambda p=product: getattr(lin, p)(at.v)) == launches
        examples.value(at.phi)
        assert launches_of(lambda: lin.gnvp(at.v)) == gradient + gnvp
        another = on(at)
        assert launches_of(lambda: another.gradient(at.phi)) == load + gradient

    by_kernels(asked, OnHost(Counting))


def test_a_gradient_makes_no_linearisation_for_it():
    at = named()

    def asked():
        examples = on(at)
        kept = examples.linearize
        examples.linearize = lambda phi: pytest.fail("more than a gradient was made")
        examples.gradient(at.phi)
        examples.linearize = kept

    by_kernels(asked)


DIRECTIONS = {
    "one task": lambda v: v[:1],
    "no tasks": lambda v: v[0],
    "a parameter less": lambda v: v[:, :-1],
    "complex": lambda v: v + 1j * v,
    "single": lambda v: v.astype(np.float32),
}


@pytest.mark.parametrize("product", ["hvp", "gnvp"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_another_direction_is_what_it_is_on_the_plain_path(direction, product):
    at = named()
    v = DIRECTIONS[direction](at.v)
    got = outcome(lambda: by_kernels(lambda: getattr(at.linearize(), product)(v)))
    want = outcome(lambda: getattr(at.plain(), product)(v))
    assert type(got) is type(want), (got, want)
    if isinstance(want, np.ndarray):
        assert got.dtype == want.dtype
        assert digits(got, want) > 11
    else:
        assert str(got) == str(want)


def outcome(call):
    """Return what a call returns, or the error that it raises."""
    try:
        return call()
    except Exception as error:
        return error


def test_an_accuracy_is_float64_whatever_is_computed_in():
    at = named(num_examples=7).astype(np.float32)
    got, want = by_kernels(at.linearize).accuracy(), at.plain().accuracy()
    assert got.dtype == want.dtype == np.float64
    assert_array_equal(got, want)


def test_another_loss_or_a_subclass_of_the_known_one_takes_another_path():
    class Mine(ir.SoftmaxCrossEntropy):
        def grad(self, saved):
            return 2 * super().grad(saved)

    at = named(outer=Mine())
    assert not isinstance(by_kernels(lambda: on(at)), DeviceExamples)
    assert digits(by_kernels(at.linearize).grad, 2 * named().plain().grad) > 11


TOLERANCES = [{"rtol": 1e-3}, {"atol": 0.5}, {"rtol": 1e-3, "atol": 0.5}, {}]


@pytest.mark.parametrize("options", TOLERANCES, ids=str)
def test_cg_makes_no_step_when_all_tasks_have_ended(options):
    at, solver = named(), ir.CG(maxiter=9, **options)

    def asked():
        lin = at.linearize()
        krylov = lin._examples._sweeps.krylov
        step = len(krylov.step("hvp", "continue", ()).names)

        def solve():
            found.append(lin.conjugate_gradients(solver, "hvp", at.v, 50.0)[1])

        found = []
        launches = launches_of(solve)
        steps = found[0].iterations.max()
        assert (steps < 9) == bool(options)
        # Begin, the first direction, and the steps.
        assert launches == 2 + steps * step

    by_kernels(asked, OnHost(Counting))


def test_a_network_of_ones_own_takes_another_path():
    class Mine(ir.Network):
        """What a user has made of it."""

    net = named().loss.net
    at = point(loss_of(Mine(net.layers, net.input_shape)))
    assert not isinstance(by_kernels(lambda: on(at)), DeviceExamples)


@pytest.mark.parametrize("program", ["gradient", "hvp", "gnvp"])
def test_fused_cotangents_of_kernels_run_beside_the_others(program):
    with capturing_double():
        net = ir.architectures.omniglot_cnn(5, num_filters=8)
        machine = machine_of(to_device(np.ones(1)))
        space = Space(machine, np.dtype(np.float64))
        sweeps = Sweeps(net, (1, 5, 28, 28, 1), space, fused=True)
        written = getattr(sweeps, program)
        written.launch()
        waits_for = written.graph.__self__.recording.waits_for
        # A kernel of each of four blocks, and the sum of the rows of the head, as
        # well as its kernel; the last of them is the last of all.
        assert chain_length(waits_for) == len(written.names) - 5


# Solutions by CG, one after another.


def test_a_right_hand_side_may_have_any_memory_layout():
    at, solver = named(), ir.CG(maxiter=3)
    wide = np.repeat(at.v, 2, axis=1)[:, ::2]

    def asked():
        lin = at.linearize()
        return [
            lin.conjugate_gradients(solver, "hvp", b, 50.0)[0]
            for b in (at.v, wide, np.asfortranarray(at.v))
        ]

    want, *others = by_kernels(asked)
    for got in others:
        assert_array_equal(got, want)


def test_whatever_a_solution_leaves_the_next_one_does_not_see():
    at, solver = named(), ir.CG(maxiter=3)

    def asked():
        lin = at.linearize()
        want = lin.conjugate_gradients(solver, "hvp", at.v, 50.0)[0]
        krylov = lin._examples._sweeps.krylov
        arrays = krylov.x, krylov.r, krylov.p, krylov.record, krylov.partials
        for a in (*arrays, *krylov.reals.values()):
            a[...] = np.nan
        for a in krylov.counts.values():
            a[...] = 77
        assert_array_equal(lin.conjugate_gradients(solver, "hvp", at.v, 50.0)[0], want)

    by_kernels(asked)


def test_solutions_that_are_looked_at_late_say_each_its_own():
    at = named()
    solvers = [ir.CG(maxiter=2), ir.CG(maxiter=9, rtol=1e-3), ir.CG(maxiter=4)]

    def infos(put):
        lin = at.loss.linearize(*map(put, (at.phi, at.x, at.y)))
        return [
            lin.conjugate_gradients(solver, "hvp", put(k * at.v), 50.0)[1]
            for k, solver in enumerate(solvers)
        ]

    want = by_kernels(lambda: infos(lambda a: a))
    with capturing_double():
        with waiting() as readings:
            found = infos(to_device)
        settle(readings)
        found = [value_of(info) for info in found]
    for got, info in zip(found, want, strict=True):
        for name, array in vars(info).items():
            assert_array_equal(getattr(got, name), array, err_msg=name)
