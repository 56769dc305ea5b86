"""A case of the suite: a problem, and apart from it the certified answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy

from ..data import TaskBatch
from ..networks import Network
from .levels import LEVELS
from .plain import Tensor, built, tensors

Array = numpy.ndarray
SETS = ("support_x", "support_y", "query_x", "query_y")


@dataclass(frozen=True)
class Answer:
    """What is right, and how we know.

    Args:
        want: The answer, float64.
        certified: Digits in which the routes agree.
        routes: How it was computed, at least two ways.
        kappa: Condition number: relative change of the answer over that of the input.
        required: Digits that are asked for, by dtype: min(stated, −log₁₀(κu) − 2).
        conventions: Answers by conventions other than ours, by name, where they differ.
    """

    want: Array
    certified: float
    routes: tuple[str, ...]
    kappa: float
    required: Mapping[str, float]
    conventions: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A problem, its inputs multiples of 2⁻¹⁰, and its answers.

    Args:
        name: Such as ``mlp-tanh``.
        title: What it is there for, one sentence.
        inputs: Arrays by name: ``theta`` (P,), ``phi`` and ``v`` (T, P), ``lam`` () or
            (P,), ``support_x`` (T, N, ...), ``support_y``, ``query_x``, ``query_y``; or
            ``A`` (n, n) and ``b`` (n,).  ``solution`` (T, P), the φ* given at L4, is
            computed, and no multiple of 2⁻¹⁰.
        answers: Certified answers by level and name.
        refuse: Levels that have no trustworthy answer, each with the reason: whoever
            computes one there must warn.
        network: The network as plain data; None for a linear system.
        loss: "cross-entropy", the mean of −log softmax, or "squared-error", the mean
            over examples of ½‖z − y‖².
        outer: Optimiser of the outer steps and its numbers.
        unrolled: Of level U: ``{"steps": K, "step_size": α}``.
        sets: Where tasks are of unequal size, the support and query sets of each group
            of tasks of one size; they are then not among the inputs, whose ``phi``,
            ``v`` and ``solution`` have the tasks of all groups, in this order.
        second_order: Whether the first-order answer is at least 5 % away.
    """

    name: str
    title: str
    inputs: Mapping[str, Array]
    answers: Mapping[str, Mapping[str, Answer]] = field(default_factory=dict)
    refuse: Mapping[str, str] = field(default_factory=dict)
    network: Mapping[str, Any] | None = None
    loss: str = ""
    outer: Mapping[str, Any] = field(default_factory=dict)
    unrolled: Mapping[str, Any] = field(default_factory=dict)
    sets: tuple[Mapping[str, Array], ...] = ()
    second_order: bool = False

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels at which something is asked."""
        return tuple(n for n in LEVELS if n in self.answers or n in self.refuse)

    def asks(self, level: str) -> tuple[str, ...]:
        """Return the names of what is asked at a level."""
        known = self.answers.get(level)
        names = LEVELS[level].answers
        return tuple(n for n in names if n in known) if known else names

    @property
    def theta(self) -> Array:
        """θ, (P,)."""
        return self.inputs["theta"]

    @property
    def phi(self) -> Array:
        """The φ of L1 and L2, (T, P): any point, not a solution."""
        return self.inputs["phi"]

    @property
    def v(self) -> Array:
        """The directions of L2, (T, P)."""
        return self.inputs["v"]

    @property
    def solution(self) -> Array:
        """The φ given at L4, (T, P)."""
        return self.inputs["solution"]

    @property
    def lam(self) -> Any:
        """λ, a number or (P,)."""
        lam = self.inputs["lam"]
        return lam.item() if lam.ndim == 0 else lam

    @property
    def A(self) -> Array:
        """The matrix of L3, (n, n)."""
        return self.inputs["A"]

    @property
    def b(self) -> Array:
        """The right-hand side of L3, (n,)."""
        return self.inputs["b"]

    @property
    def num_tasks(self) -> int:
        """T, of all groups."""
        return sum(len(s["support_x"]) for s in self.sets or (self.inputs,))

    @cached_property
    def tasks(self) -> TaskBatch:
        """Support and query sets.

        Raises:
            NotImplementedError: If the tasks are of unequal size.
        """
        if self.sets:
            raise NotImplementedError(
                f"{self.name} has tasks of unequal size, which are no one batch; "
                "take them from case.groups"
            )
        return TaskBatch(*(self.inputs[name] for name in SETS))

    @cached_property
    def groups(self) -> tuple["Case", ...]:
        """Cases of the same θ and λ, each with tasks of one size; mostly itself alone."""
        if not self.sets:
            return (self,)
        found, start = [], 0
        for i, sets in enumerate(self.sets):
            end = start + len(sets["support_x"])
            rows = {
                name: self.inputs[name][start:end]
                for name in ("phi", "v", "solution")
                if name in self.inputs
            }
            inputs = {**self.inputs, **rows, **sets}
            name, start = f"{self.name}/{i}", end
            found.append(replace(self, name=name, inputs=inputs, sets=(), answers={}))
        return tuple(found)

    @cached_property
    def net(self) -> Network:
        """The network, of our own layers."""
        return built(self.network or {})

    @cached_property
    def tensors(self) -> tuple[Tensor, ...]:
        """Where each parameter lies in a flat vector; empty for a linear system."""
        return tensors(self.net) if self.network else ()

    def unpack(self, flat: Array) -> dict[str, Array]:
        """Return the tensors (..., *shape) of a flat array (..., P), by name."""
        return self.net.layout.unpack(flat)

    def pack(self, named: Mapping[str, Array]) -> Array:
        """Return a flat array (..., P) from tensors (..., *shape) by name."""
        return self.net.layout.pack(named)

    def at(self, theta: Array) -> "Case":
        """Return the same problem at another θ, without answers."""
        return replace(self, inputs={**self.inputs, "theta": theta}, answers={})

    def astype(self, dtype: str) -> "Case":
        """Return the case with its real inputs in another precision."""

        def cast(arrays: Mapping[str, Array]) -> dict[str, Array]:
            return {
                name: a.astype(dtype) if a.dtype.kind == "f" else a
                for name, a in arrays.items()
            }

        return replace(self, inputs=cast(self.inputs), sets=tuple(map(cast, self.sets)))
