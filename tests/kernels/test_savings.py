"""What the sweeps on a device do not do again, and what they let run beside."""

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref.compute.backend import to_device
from imaml_ref.kernels.space import Space
from imaml_ref.kernels.stage import machine_of
from imaml_ref.kernels.sweeps import Sweeps
from tests.helpers.fused_points import named, needs_fused
from tests.machines.kernel_formulas import FormulaLauncher
from tests.machines.kernel_machine import (
    OnHost,
    by_kernels,
    capturing_double,
    chain_length,
)

pytestmark = needs_fused


def on(at, **changes):
    """Return L of the examples of a point, one of θ, x and y perhaps changed."""
    given = {"theta": at.phi[0], "x": at.x, "y": at.y} | changes
    return at.loss.on(*given.values())


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
        sweeps = lin.examples._sweeps
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


TOLERANCES = [{"rtol": 1e-3}, {"atol": 0.5}, {"rtol": 1e-3, "atol": 0.5}, {}]


@pytest.mark.parametrize("options", TOLERANCES, ids=str)
def test_cg_makes_no_step_when_all_tasks_have_ended(options):
    at, solver = named(), ir.CG(maxiter=9, **options)

    def asked():
        lin = at.linearize()
        krylov = lin.examples._sweeps.krylov
        step = len(krylov.step("hvp", "continue", ()).names)

        def solve():
            found.append(lin.examples.solve(lin, solver, "hvp", at.v, 50.0)[1])

        found = []
        launches = launches_of(solve)
        steps = found[0].iterations.max()
        assert (steps < 9) == bool(options)
        # Begin, the first direction, and the steps.
        assert launches == 2 + steps * step

    by_kernels(asked, OnHost(Counting))


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
