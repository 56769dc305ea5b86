"""What failed, was copied or thrown away on the sweeps of a device leaves no trace."""

import copy
import gc
import pickle
import weakref
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import digits
from imaml_ref.fused import plain_path
from imaml_ref.kernels.descent import Descent
from imaml_ref.kernels.solve import Krylov
from imaml_ref.meta_gradients.objective import ProximalObjective
from imaml_ref.training.evaluation import measure
from tests.helpers.fused_points import named, needs_fused, values
from tests.machines.kernel_formulas import FormulaLauncher
from tests.machines.kernel_machine import OnHost, by_kernels, capturing_double
from tests.machines.kernel_points import moved, problem

pytestmark = needs_fused


class Failing(FormulaLauncher):
    """Formulas of which the n-th call, or the n-th array, does not come."""

    left: float = np.inf

    @classmethod
    def count(cls):
        cls.left -= 1
        if cls.left < 0:
            cls.left = np.inf
            raise MemoryError("out of memory")

    def zeros(self, *args):
        self.count()
        return super().zeros(*args)

    def bind(self, *args, **kwargs):
        launch = super().bind(*args, **kwargs)

        def call():
            self.count()
            launch()

        return call


ASKED = {
    "gradient": lambda at, examples: examples.gradient(at.phi),
    "value": lambda at, examples: examples.value(at.phi),
    "hvp": lambda at, examples: examples.linearize(at.phi).hvp(at.v),
    "gnvp": lambda at, examples: examples.linearize(at.phi).gnvp(at.v),
    "steps": lambda at, examples: examples.descend(at.phi, at.phi[0], 2.0, 0.1, 2)[0],
}


@pytest.mark.parametrize("what", ASKED)
def test_what_has_failed_anywhere_can_be_asked_again(what):
    at, ask = named("pool-pad-block"), ASKED[what]
    want = by_kernels(lambda: ask(at, at.loss.on(at.phi[0], at.x, at.y)))

    def again(calls):
        at = named("pool-pad-block")  # with a network that has no arrays yet
        examples = at.loss.on(at.phi[0], at.x, at.y)
        Failing.left = calls
        try:
            ask(at, examples)
        except MemoryError:
            return ask(at, examples)
        finally:
            Failing.left = np.inf
        return None

    calls, got = 0, by_kernels(lambda: again(0), OnHost(Failing))
    while got is not None:
        assert_array_equal(got, want, err_msg=f"after {calls} calls")
        calls += 1
        got = by_kernels(partial(again, calls), OnHost(Failing))
    assert calls > 5


def test_products_that_have_failed_can_be_asked_again():
    at, machine = named("pool-pad-block"), OnHost(Failing)
    want = by_kernels(lambda: values(at.linearize(), at.v))
    lin, failed = by_kernels(at.linearize, machine), 0
    for calls in range(60):
        for what in ("hvp", "gnvp"):
            product = getattr(lin, what)
            Failing.left = calls
            try:
                by_kernels(partial(product, at.v), machine)
            except MemoryError:
                failed += 1
            finally:
                Failing.left = np.inf
            for name in ("hvp", "gnvp"):
                got = by_kernels(partial(getattr(lin, name), at.v), machine)
                assert_array_equal(got, want[name])
    assert failed > 5


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda a: pickle.loads(pickle.dumps(a))]
)
def test_linearisations_examples_and_objectives_can_be_copied(copied):
    at = named("two-blocks-flat")

    def asked():
        objective = ProximalObjective(at.loss, at.phi[0], at.x, at.y, 2.0)
        grad, lin = objective.grad(at.phi), at.linearize()
        assert_array_equal(copied(objective).grad(at.phi), grad)
        assert_array_equal(copied(objective.examples).gradient(at.phi), lin.grad)
        other = copied(lin)
        for what, array in values(lin, at.v).items():
            assert_array_equal(values(other, at.v)[what], array)

    by_kernels(asked)


def test_sweeps_that_nobody_has_are_freed_at_once():
    def used():
        at = named("two-blocks-flat")
        lin = at.linearize()
        lin.examples.descend(at.phi, at.phi[0], 2.0, 0.1, 1)
        lin.examples.solve(lin, ir.CG(), "hvp", at.v, 2.0)
        return weakref.ref(lin.examples._sweeps)

    gc.disable()  # what only a collection frees is not freed in time
    try:
        assert by_kernels(used)() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("lam", [np.array([2.0]), np.array([[2.0], [3.0]])], ids=str)
def test_a_strength_that_no_kernel_knows_takes_another_path(monkeypatch, lam):
    at, inner = named("two-blocks-flat"), ir.GradientDescent(0.05, 3)

    def asked():
        objective = ProximalObjective(at.loss, at.phi[0], at.x, at.y, lam)
        lin = at.linearize()
        x, _ = lin.examples.solve(lin, ir.CG(), "hvp", at.v, 50 + lam)
        return inner.solve(objective, at.phi[0]), x

    for kind, name in ((Krylov, "solve"), (Descent, "run")):
        monkeypatch.setattr(kind, name, None)  # as if there were none

    got, got_x = by_kernels(asked)
    with plain_path():
        objective = ProximalObjective(at.loss, at.phi[0], at.x, at.y, lam)
        want, lin = inner.solve(objective, at.phi[0]), at.linearize()
        want_x, _ = ir.CG().solve(
            lambda p: lin.hvp(p) + (50 + lam) * p, at.v, M=1 / (50 + lam)
        )
    assert digits(got, want) > 11
    assert digits(got_x, want_x) > 11


@pytest.mark.parametrize("labels", ["support_y", "query_y"])
def test_a_label_that_is_no_class_is_refused_in_the_words_of_the_plain_path(labels):
    at = problem()
    getattr(at.tasks, labels)[1, 0] = 7
    with pytest.raises(ValueError, match="labels must be from 0 to 4") as want:
        at.plain()
    with capturing_double(), pytest.raises(ValueError) as got:  # noqa: PT011
        moved(at).gradient()
    assert str(got.value) == str(want.value)


NO_CLASS = {
    "adapt": lambda at, t: ir.adapt(at.loss, at.theta, t.support_x, t.support_y),
    "maml": lambda at, t: ir.MAML(at.loss)(at.theta, t),
    "evaluate": lambda at, t: measure(ir.IMAML(at.loss), at.theta, t, True),
}


@pytest.mark.parametrize("ask", NO_CLASS)
def test_whoever_computes_on_a_device_refuses_a_label_that_is_no_class(ask):
    at = problem(num_tasks=2)
    half = at.tasks.query_y if ask == "evaluate" else at.tasks.support_y
    half[1, 2] = 7
    with capturing_double(), pytest.raises(ValueError, match="from 0 to 4"):
        NO_CLASS[ask](at := moved(at), at.tasks)
