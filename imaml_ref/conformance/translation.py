"""From flat NumPy arrays for all tasks to tensors of a framework for one, and back."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy

from ..weights import Order
from .case import Array, Case
from .hooks import Task


class Translation(ABC):
    """The layout of a framework, for models of the suite or of a user.

    Args:
        build: The user's model, or what makes one for a case; None for that of the
            suite.
        losses: ℓ(outputs, y) by the names of the suite; a case with another loss is
            not attempted.
    """

    framework = ""
    other_order = ""  # what a model does that flattens images in the other order

    def __init__(self, build: Any, losses: Mapping):
        self.build, self.losses = build, losses
        self.flattened: dict[str, bool] = {}

    # What a framework has to say.

    @abstractmethod
    def layouts(self, case: Case, *, other: bool) -> dict[str, Order]:
        """Return their name and layout of each parameter, in our order.

        Args:
            case: The case.
            other: Whether images are flattened in the order that is not the usual one.
        """

    @abstractmethod
    def model(self, case: Case, params: Any) -> Any:
        """Return the ``model`` of a task."""

    @abstractmethod
    def outputs(self, case: Case, params: Any, x: Any, *, own: bool) -> Array:
        """Return what a model gives for x: the user's own, or that of the suite."""

    @abstractmethod
    def put(self, a: Array) -> Any:
        """Return an array as a tensor."""

    @abstractmethod
    def get(self, tensor: Any) -> Array:
        """Return a tensor as an array."""

    def images(self, x: Array) -> Array:
        """Return a batch of images (N, H, W, C) in their layout."""
        return x

    def tree(self, named: dict[str, Any]) -> Any:
        """Return tensors by name as the framework holds parameters."""
        return named

    def named(self, case: Case, tree: Any) -> dict[str, Any]:
        """Return parameters by name, from any form in which a user may give them."""
        return dict(tree)

    # There and back.

    def orders(self, case: Case) -> dict[str, Order]:
        """Return their name and layout of each parameter, in our order."""
        return self.layouts(case, other=self.flattens_otherwise(case))

    def flattens_otherwise(self, case: Case) -> bool:
        """Whether a model of the user's flattens images in the other order.

        That is so where its outputs are those of the suite's model with the columns of
        the first linear layer in that order, and not in the usual one.
        """
        if self.build is None:
            return False
        name, _, _ = case.name.partition("/")  # of a case, not of its groups
        if name not in self.flattened:
            usual, other = (self.layouts(case, other=o) for o in (False, True))
            self.flattened[name] = usual != other and self.fits(case, other)
        return self.flattened[name]

    def fits(self, case: Case, other: Mapping[str, Order]) -> bool:
        """Whether the user's model is right in the other layout, and in it alone."""
        x, _ = self.examples(groups_of(case)[0], "support", 0)
        usual = self.params(case, case.theta, self.layouts(case, other=False))
        turned = self.params(case, case.theta, other)
        try:
            want = self.outputs(case, usual, x, own=False)
            found = [self.outputs(case, p, x, own=True) for p in (usual, turned)]
        except Exception:  # what does not run is told where it is asked
            return False
        close = [
            a.shape == want.shape and numpy.allclose(a, want, rtol=1e-4, atol=1e-5)
            for a in found
        ]
        return close == [False, True]

    def tasks(self, case: Case, phi: Array | None) -> list[Task]:
        """Return the tasks of a case, of all its groups, at a φ (T, P) or with none.

        Raises:
            NotImplementedError: If the user's losses lack that of the case.
        """
        if case.loss not in self.losses:
            raise NotImplementedError(f"no {case.loss}")
        places = [(g, t) for g in groups_of(case) for t in range(g.num_tasks)]
        points = [None] * len(places) if phi is None else list(phi)
        pairs = zip(places, points, strict=True)
        return [self.task(group, t, point) for (group, t), point in pairs]

    def task(self, case: Case, t: int, phi: Array | None) -> Task:
        """Return one task."""
        at = case.theta if phi is None else phi
        lam = case.inputs["lam"]
        return Task(
            model=self.model(case, self.params(case, at)),
            loss=self.losses[case.loss],
            theta=self.params(case, case.theta),
            phi=None if phi is None else self.params(case, phi),
            lam=self.params(case, lam) if lam.ndim else float(lam),
            support=self.examples(case, "support", t),
            query=self.examples(case, "query", t),
        )

    def examples(self, case: Case, which: str, t: int) -> tuple[Any, Any]:
        """Return x and y of a task."""
        x, y = (case.inputs[f"{which}_{k}"][t] for k in ("x", "y"))
        return self.put(self.images(x) if x.ndim == 4 else x), self.put(y)

    def params(self, case: Case, flat: Array, orders: Any = None) -> Any:
        """Return a flat array (P,) as their parameters, by default in their layout."""
        orders = self.orders(case) if orders is None else orders
        pairs = zip(case.tensors, orders.items(), strict=True)
        named = {
            name: self.put(order.theirs(flat[tensor.where]))
            for tensor, (name, order) in pairs
        }
        return self.tree(named)

    def flat(self, case: Case, params: Any) -> Array:
        """Return their parameters as a flat array (P,).

        Raises:
            ValueError: If a parameter is missing, unknown, or of another shape.
        """
        found, orders = self.named(case, params), self.orders(case)
        for name in sorted(set(found) ^ set(orders)):
            kind = "unknown" if name in found else "missing"
            raise ValueError(f"{case.name}: {kind} parameter {name}")
        pieces = {name: self.get(found[name]) for name in orders}
        for name, piece in pieces.items():
            if piece.shape != orders[name].shape:
                raise ValueError(
                    f"{case.name}: {name} expects shape {orders[name].shape}, "
                    f"got {piece.shape}"
                )
        return numpy.concatenate([orders[n].ours(a) for n, a in pieces.items()])

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to say of the user's models."""
        found = ", ".join(name for name, other in self.flattened.items() if other)
        return (f"{self.other_order}: {found}",) if found else ()


def groups_of(case: Case) -> tuple[Case, ...]:
    """Return the groups of tasks of one size; mostly the case alone."""
    return getattr(case, "groups", (case,))
