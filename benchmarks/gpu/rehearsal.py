"""Without a card: kernels are their formulas in NumPy, those that the tests have."""

import sys
from contextlib import nullcontext
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np

import imaml_ref as ir
from imaml_ref.kernels import on_machine

from .place import Place

CHECKOUT = Path(__file__).parents[2]


class Formulas:
    """What stands in for a card: arrays of NumPy, a graph that is its launches."""

    def has(self, a) -> bool:
        return isinstance(a, np.ndarray)

    def launcher(self, dtype):
        if str(CHECKOUT) not in sys.path:
            sys.path.insert(0, str(CHECKOUT))  # others, too, have a package of tests
        return import_module("tests.machines.kernel_formulas").FormulaLauncher(dtype)

    def record(self, run):
        return run


@cache
def formulas() -> Formulas:
    """Return the machine; one, so that arrays are used again."""
    return Formulas()


def kernels_of(place: Place):
    """Return a context in which kernels run at a place."""
    if place.on_card:
        return nullcontext()
    ir.set_num_threads(1)  # a device has one queue
    return on_machine(formulas())
