"""A machine that compares every launch with its formula, on the arrays of the launch.

Sizes, strides, aliases and places in larger arrays are then those of a real meta-step.
Nothing may change but what the formula changes.
"""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.kernels.table import KERNELS
from tests.machines.kernel_formulas import FormulaLauncher

# Sums in another order, as a part of the largest entry of an array.
WITHIN = {"float32": 1e-4, "float64": 1e-12}
ROUNDED = 2e-3  # the same where numbers are rounded to 11 bits first


def tolerance(name, dtype):
    """Return how far a kernel may be from its formula, likewise."""
    return ROUNDED if name.endswith("_tf32") else WITHIN[dtype]


def address(a):
    """Return where the first entry of an array is."""
    return a.ctypes.data if isinstance(a, np.ndarray) else a.data.ptr


def root(a):
    """Return the array that owns the memory of a view."""
    while a.base is not None:
        a = a.base
    return a


class Copies:
    """Copies on the host of the arrays of a launch; what shared memory shares it."""

    def __init__(self, arguments):
        self.roots, self.views = {}, {}
        for name, a in arguments.items():
            if hasattr(a, "strides"):
                self.views[name] = self.view(a)

    def view(self, a):
        owner = root(a)
        if address(owner) not in self.roots:
            self.roots[address(owner)] = self.copy(owner)
        memory = self.roots[address(owner)]
        offset = address(a) - address(owner)
        return np.ndarray(a.shape, a.dtype, memory.data, offset, a.strides)

    def copy(self, owner):
        assert owner.flags.c_contiguous
        host = owner.copy() if isinstance(owner, np.ndarray) else owner.get()
        return host.reshape(-1)


def assert_near(got, want, within, about):
    """Assert that arrays agree, real ones to a part of the largest entry."""
    finite = np.abs(want[np.isfinite(want)])
    atol = within * finite.max(initial=0) if want.dtype.kind == "f" else 0
    assert_allclose(got, want, 0, atol, err_msg=about)


def compared(name, got, want, dtype):
    """Assert that a launch has done what its formula does, and nothing else."""
    written = {a.name for a in KERNELS[name].arguments if a.kind in ("out", "inout")}
    for key in written - {"partials"}:
        array = want.views[key]
        assert_near(got.views[key], array, tolerance(name, dtype), f"{key} of {name}")
    for key in written:
        want.views[key][...] = got.views[key]
    for where, memory in want.roots.items():
        assert_array_equal(got.roots[where], memory, f"{name}: beside its arrays")


class Checking:
    """Launches on a machine, each compared with its formula.

    Args:
        machine: As ``kernels.on_machine`` takes it.
    """

    def __init__(self, machine):
        self.machine, self.names = machine, []
        self.has, self.record = machine.has, machine.record

    def launcher(self, dtype):
        return CheckingLauncher(self.machine.launcher(dtype), self.names)


class CheckingLauncher:
    """Launches kernels and their formulas."""

    def __init__(self, launcher, names):
        self.launcher, self.names = launcher, names
        self.dtype, self.zeros = launcher.dtype, launcher.zeros

    def __call__(self, name, **arguments):
        self.bind(name, **arguments)()

    def bind(self, name, **arguments):
        run = self.launcher.bind(name, **arguments)

        def checked():
            want = Copies(arguments)
            run()
            got = Copies(arguments)
            FormulaLauncher(self.dtype)(name, **arguments | want.views)
            compared(name, got, want, np.dtype(self.dtype).name)
            self.names.append(name)

        return checked
