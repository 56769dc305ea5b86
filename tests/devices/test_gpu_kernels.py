"""On a card: every kernel against its formula, alone and in a meta-step."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.compute.backend import to_device
from imaml_ref.kernels import device_stage, on_machine
from imaml_ref.kernels.graphs import cuda_of
from imaml_ref.kernels.launch import Launcher
from imaml_ref.kernels.table import KERNELS
from tests.helpers.problems import make_problem
from tests.machines.gpu_card import needing_card, put
from tests.machines.kernel_cases import cases
from tests.machines.kernel_formulas import FormulaLauncher
from tests.machines.launch_check import (
    Checking,
    CheckingLauncher,
    assert_near,
    tolerance,
)

DTYPES = ("float32", "float64")
MARGIN = 64  # entries around an array
FILL = {"f": np.nan, "i": -1}


class Placed:
    """A copy of an array on the card, some entries off a round address."""

    def __init__(self, array, shift):
        fill = FILL[array.dtype.kind]
        self.before = np.full(array.size + 2 * MARGIN, fill, array.dtype)
        self.inside = slice(MARGIN + shift, MARGIN + shift + array.size)
        self.before[self.inside] = array.ravel()
        self.room = to_device(self.before)
        self.copy = self.room[self.inside].reshape(array.shape)

    def found(self, name):
        """Return what is there now; nothing around it may have changed."""
        after = self.room.get()
        for rest in (slice(self.inside.start), slice(self.inside.stop, None)):
            assert_array_equal(after[rest], self.before[rest], f"beside {name}")
        return after[self.inside].reshape(self.copy.shape)


def on_card(name, dtype, given, shift=0):
    """Run a kernel on copies of its arguments; return the arrays, by name."""
    placed = {
        id(value): Placed(value, shift)
        for value in given.values()
        if isinstance(value, np.ndarray)
    }
    arrays = {k: placed[id(v)].copy for k, v in given.items() if id(v) in placed}
    Launcher(dtype)(name, **given | arrays)
    return {k: placed[id(given[k])].found(k) for k in arrays if k != "partials"}


def by_formula(name, dtype, given):
    """Run a formula on copies of its arguments; return the arrays, by name."""
    copies = {id(v): v.copy() for v in given.values() if isinstance(v, np.ndarray)}
    arrays = {k: copies[id(v)] for k, v in given.items() if id(v) in copies}
    FormulaLauncher(dtype)(name, **given | arrays)
    return arrays


class Twice:
    """Stands for a launcher that computes something else."""

    dtype = np.dtype("float64")

    def zeros(self, *shape):
        raise AssertionError

    def bind(self, name, **arguments):
        def run():
            FormulaLauncher(self.dtype)(name, **arguments)
            arguments["out"][...] *= 2

        return run


def test_the_check_of_a_launch_sees_what_is_wrong_and_what_is_right():
    whole, a = np.ones((2, 9)), np.ones((2, 4, 3))
    given = {"a": a, "out": whole[:, 2:5], "tasks": 2, "rows": 4, "cols": 3}
    given["out_task"] = 9
    CheckingLauncher(FormulaLauncher("float64"), [])("row_sums", **given)
    assert_array_equal(whole[:, 2:5], 4)
    with pytest.raises(AssertionError, match="out of row_sums"):
        CheckingLauncher(Twice(), [])("row_sums", **given)


@needing_card
@pytest.mark.parametrize(
    ("name", "dtype"), [(name, d) for name in KERNELS for d in KERNELS[name].dtypes]
)
def test_a_kernel_computes_its_formula(name, dtype):
    for i, given in enumerate(cases(name, dtype)):
        expected = by_formula(name, dtype, given)
        for shift in (0, 1):  # at an odd address no four entries come at once
            for key, array in on_card(name, dtype, given, shift).items():
                about = f"{key} of {name}, case {i}"
                assert_near(array, expected[key], tolerance(name, dtype), about)


@needing_card
@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_has_the_same_bits_every_time(name):
    for given in cases(name, "float32"):
        first = on_card(name, "float32", given)
        for _ in range(3):
            for key, array in on_card(name, "float32", given).items():
                assert_array_equal(array, first[key], key)


OMNIGLOT, CONV4 = ir.architectures.omniglot_cnn(5), ir.architectures.conv4(5)
SIZES = {"1-shot": (OMNIGLOT, 1), "5-shot": (OMNIGLOT, 5), "conv4": (CONV4, 1)}
KINDS = [(d, c) for d in DTYPES for c in ("hessian", "gauss-newton")]


@needing_card
@pytest.mark.parametrize(("dtype", "curvature"), KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_every_launch_of_a_meta_step_computes_its_formula(size, dtype, curvature):
    problem = put(real_sizes(*SIZES[size]).astype(dtype))
    checking = Checking(cuda_of(problem.theta))
    algorithm = ir.IMAML(
        problem.loss,
        lam=problem.lam,
        inner=problem.descent(1),
        solver=ir.CG(maxiter=1),
        curvature=curvature,
    )
    with on_machine(checking), device_stage("kernels"):
        algorithm(problem.theta, problem.tasks)
    assert {"descend", "cg_move", "bn_relu_jvp", "bmm"} <= set(checking.names)


def real_sizes(net, shots):
    """Return a problem of a network at its full width."""
    sizes = {"num_tasks": 2, "support": 5 * shots, "query": 5 * shots}
    return make_problem(net, ir.SoftmaxCrossEntropy(), lam=2.0, step_size=0.1, **sizes)
