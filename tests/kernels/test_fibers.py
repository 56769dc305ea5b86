"""Every kernel on fibers computes its formula, in whatever order its threads run."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.kernels.launch import source
from imaml_ref.kernels.table import FILES, KERNELS
from tests.machines.fibers import COMPILER, FiberLauncher
from tests.machines.kernel_cases import CASES, cases
from tests.machines.kernel_formulas import FORMULAS, FormulaLauncher

SEEDS = (1, 2)  # 0 is the order of the threads' numbers
# Sums in another order, as a part of the largest entry of an array.
WITHIN = {"float32": 2e-5, "float64": 1e-13}
ROUNDED = 2e-3  # the same where numbers are rounded to 11 bits first
MARGIN = 64  # entries around an array

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="needs g++")


class Placed:
    """A copy of an array, some entries off a round address.

    Around it is NaN, which whoever reads it has, or 7, which shows what is added to it.
    """

    def __init__(self, array, shift):
        around = np.full(1, 7 if shift else -1, array.dtype if shift else None)
        self.around = around.view(f"i{array.itemsize}")[0]
        self.room = np.full(array.size + 4 * MARGIN, self.around)
        first = -self.room.ctypes.data // array.itemsize % MARGIN + MARGIN + shift
        inside = slice(first, first + array.size)
        self.copy = self.room.view(array.dtype)[inside].reshape(array.shape)
        self.copy[...] = array
        self.inside = inside

    def assert_margin_untouched(self, name):
        outside = np.delete(self.room, self.inside)
        assert_array_equal(outside, self.around, f"{name} was written beyond its end")


def run(launcher, name, given, shift=0):
    """Run a kernel on copies of its arguments; return the arrays, by name."""
    placed = {
        id(value): Placed(value, shift)
        for value in given.values()
        if isinstance(value, np.ndarray)
    }
    arrays = {k: placed[id(v)].copy for k, v in given.items() if id(v) in placed}
    launcher(name, **given | arrays)
    for key, value in given.items():
        if id(value) in placed:
            placed[id(value)].assert_margin_untouched(f"{key} of {name}")
    arrays.pop("partials", None)  # of no meaning afterwards
    return arrays


def assert_equal(got, expected, within, about):
    for key, array in expected.items():
        finite = np.abs(array[np.isfinite(array)])
        atol = within * finite.max(initial=0) if array.dtype.kind == "f" else 0
        assert_allclose(got[key], array, 0, atol, err_msg=f"{key} of {about}")


def tolerance(name, dtype):
    return ROUNDED if name.endswith("_tf32") else WITHIN[dtype]


def test_every_kernel_has_a_formula_and_cases():
    assert set(KERNELS) == set(FORMULAS) == set(CASES)


@needs_compiler
@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, dtype) for name in KERNELS for dtype in KERNELS[name].dtypes],
)
def test_a_kernel_computes_its_formula_in_any_order_to_the_bit(name, dtype):
    for i, given in enumerate(cases(name, dtype)):
        expected = run(FormulaLauncher(dtype), name, given)
        in_order = run(FiberLauncher(dtype, 0), name, given)
        about = f"{name}, case {i}"
        assert_equal(in_order, expected, tolerance(name, dtype), about)
        # Tensor cores are imitated number by number: one order for what takes so long.
        for seed in SEEDS[: 1 if name.endswith("tf32") else None]:
            # Every other seed has arrays at odd addresses: no four entries at once.
            got = run(FiberLauncher(dtype, seed), name, given, shift=seed % 2)
            for key, array in in_order.items():
                assert_array_equal(got[key], array, f"{key} of {about}, seed {seed}")


def barriers():
    """Return file and line of every barrier in the sources."""
    return [
        (file, number)
        for file in FILES
        for number, line in enumerate(source(file).splitlines(), 1)
        if "__syncthreads(" in line or "__syncwarp(" in line
    ]


def is_caught(file, line):
    """Say whether some kernel of a file goes wrong without the barrier in a line."""
    for name in (n for n, kernel in KERNELS.items() if kernel.file == file):
        for given in cases(name, "float32"):
            expected = run(FormulaLauncher("float32"), name, given)
            for seed in SEEDS:
                try:
                    got = run(FiberLauncher("float32", seed, line), name, given)
                    assert_equal(got, expected, tolerance(name, "float32"), name)
                except (AssertionError, RuntimeError):
                    return True
    return False


@needs_compiler
@pytest.mark.parametrize(("file", "line"), barriers())
def test_a_missing_barrier_is_caught(file, line):
    assert is_caught(file, line)
