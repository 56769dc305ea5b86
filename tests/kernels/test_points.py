"""Whose point the sweeps on a device hold, and what they give away of it."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from tests.helpers.fused_points import elsewhere, named, needs_fused, values
from tests.machines.kernel_formulas import FormulaLauncher
from tests.machines.kernel_machine import OnHost, by_kernels, on_one_thread
from tests.machines.kernel_points import spoken

pytestmark = needs_fused


def on(at, **changes):
    """Return L of the examples of a point, one of θ, x and y perhaps changed."""
    given = {"theta": at.phi[0], "x": at.x, "y": at.y} | changes
    return at.loss.on(*given.values())


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
    return lin.examples.solve(lin, ir.CG(maxiter=2), curvature, at.v, 50.0)


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
        return lin.examples.solve(lin, ir.CG(maxiter=3), "hvp", at.v, 50.0)[0]

    lin = by_kernels(at.linearize)
    alone = partial(lin.examples.solve, lin)
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
            lin.examples.solve(lin, ir.CG(maxiter=2), curvature, at.v, 50.0)
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
        x, info = lin.examples.solve(lin, ir.CG(maxiter=2), "hvp", at.v, 50.0)
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
        assert theirs.examples._sweeps is lin.examples._sweeps
        theirs.examples.solve(theirs, ir.CG(maxiter=4, rtol=0.5), "gnvp", other.v, 9.0)
        spoken(other)
        on(other).descend(other.phi, other.phi[0], 1.0, 0.1, 3)
        on(other).gradient(other.phi)
        assert_array_equal(lin.accuracy(), accuracy)
        return found, kept

    found, kept = by_kernels(returned)
    for name, a in kept.items():
        assert np.isfinite(a).all(), name
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
    return lin.examples.solve(lin, ir.CG(maxiter=2), "gnvp", at.v, 50.0)[0]
