"""What the adapters to PyTorch and JAX share: they ask one task at a time.

The suite asks with flat NumPy arrays for all tasks; programs are written for one task
and for named tensors in the layout of their framework.  In between stand

    hooks.Task, Hooks          what a program is given of one task; what it computes
    translation.Translation    there and back
    Adapter                    asks it task by task, and gathers what it answers
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy

from .case import Array, Case
from .hooks import Hooks, Task
from .translation import Translation


class Adapter(Translation):
    """An object that the suite can ask, made of what a user has.

    Args:
        build: The user's model, or what makes one for a case; None for that of the
            suite.
        hooks: The user's functions.
        losses: ℓ(outputs, y) by the names of the suite; a case with another loss is
            not attempted.
        name: What the report calls it.
        refusals: Exceptions by which the user's program refuses.
        scalar_lam: Whether it knows no λ for each parameter.
    """

    def __init__(
        self,
        build: Any,
        hooks: Hooks,
        losses: Mapping,
        name: str,
        *,
        refusals: Iterable[type] = (),
        scalar_lam: bool = False,
    ):
        super().__init__(build, losses)
        self.hooks, self.name = hooks, name
        self.refusals, self.scalar_lam = tuple(refusals), scalar_lam

    # What a framework computes.

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

    def inner(self, case: Case) -> Array:
        """Return φ (T, P).

        Raises:
            NotImplementedError: If the user has no inner loop to show.
        """
        return self.rows(case, map(self.hook("inner"), self.tasks(case, None)))

    def lam_grad(self, case: Case, phi: Array | None = None) -> Array:
        """Return dF/dλ, () or (P,).

        Raises:
            NotImplementedError: If the user has none.
            ValueError: If it is of another shape than λ.
        """
        found = map(self.hook("lam_grad"), self.tasks(case, phi))
        if numpy.ndim(case.lam):
            return self.rows(case, found).mean(0)
        each = [
            numpy.asarray(a if isinstance(a, float) else self.get(a)) for a in found
        ]
        for a in each:
            if a.size != 1:
                raise ValueError(
                    f"{case.name}: lam_grad expects a number, as λ is one, got an "
                    f"array of shape {a.shape}"
                )
        return numpy.mean([a.item() for a in each]).astype(case.theta.dtype)

    def unrolled_grad(self, case: Case) -> Array:
        """Return the gradient (P,) through descent from θ.

        Raises:
            NotImplementedError: If the user has none.
        """
        unrolled, tasks = self.hook("unrolled_grad"), self.tasks(case, None)
        found = (unrolled(task, **case.unrolled) for task in tasks)
        return self.rows(case, found).mean(0)

    def meta_grad(self, case: Case, phi: Array | None = None) -> Array:
        """Return the meta-gradient (P,).

        Raises:
            NotImplementedError: If the user has none.
        """
        if self.hooks.batch_grad is not None:
            return self.flat(case, self.hooks.batch_grad(self.tasks(case, phi)))
        found = map(self.hook("meta_grad"), self.tasks(case, phi))
        return self.rows(case, found).mean(0)

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

    def by_adapter(self, answer: str) -> str:
        """Return how an answer is computed where the user does not; else nothing.

        The forward pass of a model of the user's is the user's.
        """
        if answer not in ("loss", "grad", "hvp", "gnvp") or (
            self.build if answer == "loss" else getattr(self.hooks, answer, None)
        ):
            return ""
        model = "a model of yours" if self.build else "a model of its own"
        way = "" if answer == "loss" else f", by autograd of {self.framework}"
        return f"computed by the adapter, from {model}{way}"

    def rows(self, case: Case, found) -> Array:
        """Return what was found for each task as an array (T, P)."""
        return numpy.stack([self.flat(case, params) for params in found])

    def each(self, case: Case, f: Callable[[Task, Any], Any]) -> Array:
        """Return f(task, v) (T, P) at the φ of the case, v its direction."""
        pairs = zip(self.tasks(case, case.phi), case.v, strict=True)
        return self.rows(case, (f(task, self.params(case, v)) for task, v in pairs))
