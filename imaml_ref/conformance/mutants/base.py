"""What every mistake is: the reference computation, with a few methods overridden."""

import re
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy

from ...layers import Layer
from ..case import Array, Case
from ..computation import LOSSES, Computation, Refused
from .layers import Kinds, recast

# Whoever leaves these alone has the φ*, or the H, of the reference.
OF_LOSS = ("layer", "criterion", "linearized", "at_support")
OF_H = (*OF_LOSS, "product", "curvature")
OF_SOLUTION = (
    *OF_LOSS,
    "lam",
    "anchor",
    "start",
    "inner_gradient",
    "solution",
)


class Mistake(Computation):
    """The reference computation; a subclass is wrong in one place.

    The first line of a subclass's docstring is what the report says.  Overriding
    methods go through ``super()``, so that two mistakes can be made at once:
    ``type("Both", (A, B), {})``.

    Where the reference refuses, a mistake says why and goes on, as most programs would.

    Args:
        shared: φ* and H by case and point, kept for all mistakes that do not touch
            them; by default each keeps its own.
        looks: Whether it looks for what should be refused; without, it is faster.

    Attributes:
        name: What it is called: LamHalved is "lam-halved".
        level: The first level at which it can show.
        effect: What it typically does to the answers.
        found_in: Public code in which it was found; empty if none.
        kinds: Layers and optimisers, each with what stands in its place.
    """

    name: str = ""
    level: str = ""
    effect: str = ""
    found_in: str = ""
    kinds: Kinds = ()

    def __init_subclass__(cls):
        if "name" not in vars(cls):
            cls.name = re.sub(r"(?<=.)(?=[A-Z])", "-", cls.__name__).lower()

    def __init__(self, shared: dict | None = None, *, looks: bool = True):
        self.shared: dict = {} if shared is None else shared
        self.looks = looks
        self.networks: dict = {}

    def recast(self, bag: Any) -> Any:
        """Return a layer or an optimiser as all mistakes that it makes have it."""
        for kind in reversed(type(self).__mro__):
            bag = recast(bag, vars(kind).get("kinds", ()))
        return bag

    def layer(self, layer: Layer) -> Layer:
        """Return what stands in the place of a layer."""
        return self.recast(super().layer(layer))

    def optimizer(self, case: Case) -> Any:
        """Return what stands in the place of the optimiser."""
        return self.recast(super().optimizer(case))

    def network(self, case: Case) -> Any:
        """Return f, built once."""
        if case.net not in self.networks:
            self.networks[case.net] = super().network(case)
        return self.networks[case.net]

    def solution(self, case: Case) -> Array:
        """Return φ* (T, P), shared among those that solve the same inner problem."""
        key = ("solution", case.name, case.theta.tobytes())
        compute = partial(super().solution, case)
        return self.once(compute, key) if self.keeps(OF_SOLUTION, case) else compute()

    def curvature(self, case: Case, phi: Array) -> Array:
        """Return H (T, P, P), shared among those that compute the same."""
        key = ("curvature", case.name, phi.tobytes())
        compute = partial(super().curvature, case, phi)
        return self.once(compute, key) if self.keeps(OF_H, case) else compute()

    def once(self, compute: Callable[[], Array], key: tuple) -> Array:
        """Return what was computed under a key, now or before."""
        if key not in self.shared:
            self.shared[key] = compute()
        return self.shared[key]

    def keeps(self, hooks: tuple[str, ...], case: Case) -> bool:
        """Whether it overrides none of some methods, or to no effect in a case."""
        return all(self.keeps_one(hook, case) for hook in hooks)

    def keeps_one(self, hook: str, case: Case) -> bool:
        """Whether it leaves one method alone."""
        if hook == "layer":
            return self.network(case) is case.net
        if getattr(type(self), hook) is getattr(Mistake, hook):
            return True
        if hook == "criterion":
            return type(self.criterion(case)) is LOSSES[case.loss]
        return hook == "lam" and numpy.array_equal(self.lam(case), case.lam)

    def found(self, case: Case, phi: Array | None) -> Array:
        """Return φ (T, P); warn where it should be refused."""
        if phi is None or self.looks:
            return super().found(case, phi)
        return phi

    def refuse_unstationary(self, case: Case, phi: Array) -> None:
        """Warn where φ is no solution."""
        try:
            super().refuse_unstationary(case, phi)
        except Refused as refused:
            warnings.warn(str(refused), stacklevel=2)

    def refuse_indefinite(self, A: Array) -> None:
        """Warn where A is not positive definite."""
        try:
            super().refuse_indefinite(A)
        except Refused as refused:
            warnings.warn(str(refused), stacklevel=2)
