"""What is asked: a layer or a loss, all of its tensors in one flat vector.

A layer's parameters are differentiated together with its input, since some formulas are
wrong only then: both lie in p.  Another case of the same layer may hold them constant.
A layer has outputs z, its loss is the mean of (zᵢ − sin i)²; a loss has its own value.
The control is the same function in elementary operations.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .witness import NEEDED_DIGITS, OF_JACOBIANS

SIZES = (3, 5)
SEEDS = (0, 1)


@dataclass(frozen=True)
class Case:
    """A layer or a loss.

    Args:
        name: Of a row of the table.
        shapes: Of its tensors, from a size n.
        function: Of these tensors, in the framework: outputs, or a scalar.
        control: The same in elementary operations, or None.
        is_loss: Whether the function is a scalar that is differentiated as it is.
        draw: Of p: "normal", "positive" (0.2 to 1.2) or "zero".
        make: Whether ``function`` is to be called first, for a fresh function: anew
            for each route, since what was called before may decide what comes.
        held: (first, last + 1) of the entries of p that the framework promises to hold
            constant, from a size n.
    """

    name: str
    shapes: Callable
    function: Callable
    control: Callable | None = None
    is_loss: bool = False
    draw: str = "normal"
    make: bool = False
    held: Callable | None = None

    def start(self, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return p (P,) and a direction v (P,), float64."""
        length = sum(map(size_of, self.shapes(size)))
        rng = np.random.default_rng([size, seed])
        p = {
            "normal": lambda: apart(rng.normal(size=length)),
            "positive": lambda: rng.uniform(0.2, 1.2, length),
            "zero": lambda: np.zeros(length),
        }[self.draw]()
        return p, rng.normal(size=length)

    def free(self, size: int, length: int) -> np.ndarray:
        """Return 1 for entries of p that are differentiated, 0 for those held, (P,)."""
        mask = np.ones(length)
        if self.held is not None:
            mask[slice(*self.held(size))] = 0.0
        return mask


def apart(p):
    """Return p, what is within 0.1 of zero 0.1 further off, away from kinks."""
    return np.where(np.abs(p) < 0.1, p + np.copysign(0.1, p), p)


def size_of(shape) -> int:
    """Return the number of entries."""
    return int(np.prod(shape))


def spans(shapes):
    """Return (first, last + 1, shape) of each tensor in the flat vector."""
    ends = np.cumsum([0, *map(size_of, shapes)]).tolist()
    return [(a, b, s) for (a, b), s in zip(pairwise(ends), shapes, strict=True)]


def target(count: int) -> np.ndarray:
    """Return what the outputs are compared with, (n,): sin i."""
    return np.sin(np.arange(count))


class Framework:
    """What a framework's file gives; arrays here are NumPy's, float64.

    ``packages`` are those whose versions count; ``cases`` the list of ``Case``;
    ``routes`` and ``gn_routes`` map a name to ``route(f, p, v)``, which returns the
    product (P,) or None.  For ``gn_routes`` f has the outputs z (n,), the product is
    that with G = Jᵀ (2/n) J; for ``routes`` f has a scalar, and it is that with H.
    """

    packages: tuple = ()
    cases: tuple = ()
    routes: dict = {}  # noqa: RUF012 - declared, set by each framework
    gn_routes: dict = {}  # noqa: RUF012
    needed: float = NEEDED_DIGITS  # of its arithmetic; see ``witness.judged``
    steps: tuple = OF_JACOBIANS

    def array(self, values):
        """Return a tensor of the framework, float64."""
        raise NotImplementedError

    def numpy(self, tensor):
        """Return an array."""
        return np.asarray(tensor)

    def evaluate(self, f, p):
        """Return f(p), by whatever is fast."""
        return f(p)

    def reshape(self, tensor, shape):
        """Return a tensor in another shape."""
        return tensor.reshape(shape)

    def mean_square(self, tensor):
        """Return the mean of the squares, a scalar of the framework."""
        return (tensor * tensor).mean()

    def gradient(self, f, p):
        """Return ∇f (P,) by one sweep backwards, or None; p is the framework's."""
        raise NotImplementedError

    def outputs(self, case: Case, function, size: int):
        """Return the function p (P,) ↦ z (n,), or for a loss ↦ a scalar."""
        parts = spans(case.shapes(size))
        function = function() if case.make else function

        def z(p):
            tensors = [self.reshape(p[a:b], shape) for a, b, shape in parts]
            found = function(*tensors)
            return found if case.is_loss else self.reshape(found, (-1,))

        return z

    def scalar(self, case: Case, z):
        """Return the function p ↦ the loss."""
        if case.is_loss:
            return z

        def f(p):
            found = z(p)
            return self.mean_square(found - self.array(target(found.shape[0])))

        return f
