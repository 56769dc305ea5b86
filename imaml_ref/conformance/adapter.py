"""What the adapters to PyTorch and JAX share: they ask one task at a time.

The suite asks with flat NumPy arrays for all tasks; programs are written for one task
and for named tensors in the layout of their framework.  In between stands

    Task       what a program is given of one task
    Hooks      what a program computes
    Adapter    asks it task by task, and gathers what it answers
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy

from .case import Array, Case
from .orders import Order


@dataclass(frozen=True)
class Task:
    """One task, every array a tensor of the framework in the framework's layout.

    Args:
        model: PyTorch: a Module of its own, free to be changed, whose parameters are
            φ where φ is given, else θ.  JAX: the function (parameters, x) → outputs.
        loss: (outputs, y) → a scalar, the mean over examples.
        theta: θ, by the names of the framework.
        phi: φ, likewise; None where the inner problem is to be solved.
        lam: λ, a number, or like ``theta`` where there is one for each parameter.
        support: x and y of the support set.
        query: x and y of the query set.
    """

    model: Any
    loss: Callable[[Any, Any], Any]
    theta: Any
    phi: Any
    lam: Any
    support: tuple[Any, Any]
    query: tuple[Any, Any]


@dataclass(frozen=True)
class Hooks:
    """What a user computes; what is None is not attempted.

    Args:
        meta_grad: (task) → g of one task; the mean over tasks is then taken here.
        batch_grad: (list of tasks) → the meta-gradient, the mean already taken.
        solve: (A, b) → x.
        hvp: (task, v) → H v at ``task.phi``; by default it is left to the framework.
        outer_step: (θ, gradient, state, outer) → θ and state, ``state`` first None and
            ``outer`` such as {"optimizer": "sgd", "step_size": 0.25}.
    """

    meta_grad: Callable | None = None
    batch_grad: Callable | None = None
    solve: Callable | None = None
    hvp: Callable | None = None
    outer_step: Callable | None = None


class Adapter(ABC):
    """An object that the suite can ask, made of what a user has.

    Args:
        build: The user's model, or what makes one for a case.
        hooks: The user's functions.
        losses: ℓ(outputs, y) by the names of the suite; a case with another loss is
            not attempted.
        name: What the report calls it.
    """

    def __init__(self, build: Any, hooks: Hooks, losses: Mapping, name: str):
        self.build, self.hooks, self.losses, self.name = build, hooks, losses, name

    # What a framework has to say.

    @abstractmethod
    def orders(self, case: Case) -> dict[str, Order]:
        """Return their name and layout of each parameter, in our order."""

    @abstractmethod
    def model(self, case: Case, params: Any) -> Any:
        """Return the ``model`` of a task."""

    @abstractmethod
    def put(self, a: Array) -> Any:
        """Return an array as a tensor."""

    @abstractmethod
    def get(self, tensor: Any) -> Array:
        """Return a tensor as an array."""

    @abstractmethod
    def value(self, task: Task) -> Any:
        """Return L at φ."""

    @abstractmethod
    def gradient(self, task: Task) -> Any:
        """Return ∇L at φ."""

    @abstractmethod
    def product(self, task: Task, v: Any) -> Any:
        """Return H v at φ."""

    @abstractmethod
    def gauss_newton(self, task: Task, v: Any) -> Any:
        """Return G v at φ."""

    def images(self, x: Array) -> Array:
        """Return a batch of images (N, H, W, C) in their layout."""
        return x

    def tree(self, named: dict[str, Any]) -> Any:
        """Return tensors by name as the framework holds parameters."""
        return named

    def named(self, case: Case, tree: Any) -> dict[str, Any]:
        """Return parameters by name, from any form in which a user may give them."""
        return dict(tree)

    # What the suite asks for.

    def loss(self, case: Case) -> Array:
        """Return L (T,)."""
        tasks = self.tasks(case, case.phi)
        return numpy.stack([self.get(self.value(task)) for task in tasks])

    def grad(self, case: Case) -> Array:
        """Return ∇L (T, P)."""
        return self.each(case, lambda task, v: self.gradient(task))

    def hvp(self, case: Case) -> Array:
        """Return H v (T, P)."""
        return self.each(case, self.hooks.hvp or self.product)

    def gnvp(self, case: Case) -> Array:
        """Return G v (T, P)."""
        return self.each(case, self.gauss_newton)

    def solve(self, A: Array, b: Array) -> Array:
        """Return x with A x = b.

        Raises:
            NotImplementedError: If the user has no solver.
        """
        return self.get(self.hook("solve")(self.put(A), self.put(b)))

    def meta_grad(self, case: Case, phi: Array | None = None) -> Array:
        """Return the meta-gradient (P,).

        Raises:
            NotImplementedError: If the user has none.
        """
        tasks = self.tasks(case, phi)
        if self.hooks.batch_grad is not None:
            return self.flat(case, self.hooks.batch_grad(tasks))
        return self.rows(case, map(self.hook("meta_grad"), tasks)).mean(0)

    def outer_step(self, case: Case, theta: Array, state: Any) -> tuple[Array, Any]:
        """Return the next θ (P,) and the state of the user's optimiser.

        Raises:
            NotImplementedError: If the user has none.
        """
        outer_step = self.hook("outer_step")
        grad = self.meta_grad(case.at(theta))
        before, slope = self.params(case, theta), self.params(case, grad)
        after, state = outer_step(before, slope, state, dict(case.outer))
        return self.flat(case, after), state

    def hook(self, name: str) -> Callable:
        """Return a function of the user's, or raise NotImplementedError."""
        found = getattr(self.hooks, name)
        if found is None:
            raise NotImplementedError(f"no {name}")
        return found

    # To their side and back.

    def tasks(self, case: Case, phi: Array | None) -> list[Task]:
        """Return the tasks of a case, at a φ (T, P) or with none.

        Raises:
            NotImplementedError: If the user's losses lack that of the case.
        """
        if case.loss not in self.losses:
            raise NotImplementedError(f"no {case.loss}")
        points = [None] * case.num_tasks if phi is None else list(phi)
        return [self.task(case, t, point) for t, point in enumerate(points)]

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

    def params(self, case: Case, flat: Array) -> Any:
        """Return a flat array (P,) as their parameters."""
        pairs = zip(case.tensors, self.orders(case).items(), strict=True)
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

    def rows(self, case: Case, found) -> Array:
        """Return what was found for each task as an array (T, P)."""
        return numpy.stack([self.flat(case, params) for params in found])

    def each(self, case: Case, f: Callable[[Task, Any], Any]) -> Array:
        """Return f(task, v) (T, P) at the φ of the case, v its direction."""
        pairs = zip(self.tasks(case, case.phi), case.v, strict=True)
        return self.rows(case, (f(task, self.params(case, v)) for task, v in pairs))
