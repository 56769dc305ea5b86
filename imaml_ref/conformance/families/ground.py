"""What (5) is made of at a point, as arrays: what the families compute with.

    g = Λ (H + Λ)⁻¹ v,   H = ∇²L(φ),  v = ∇Q(φ)

``Ground`` needs no case: diagnosis of a user's own problem makes one as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy

from ..axes import times
from ..case import Array, Case


@dataclass(frozen=True)
class Ground:
    """The quantities of (5) for T tasks.

    Args:
        theta: θ, (P,).
        phi: φ, (T, P).
        lam: λ, (P,): of a number, that many times.
        H: Hessians of L, (T, P, P).
        v: Gradients of Q, (T, P).
        s: Gradients of L, (T, P).
        facts: Numbers of the case by letter: T, N, M, D, λ, … .
        parts: Name and place of each tensor in a vector of length P.
        lazily: More matrices and vectors, by name, computed when asked for.
        operator: What is solved with, (T, P, P), where it is not H + Λ.
    """

    theta: Array
    phi: Array
    lam: Array
    H: Array
    v: Array
    s: Array
    facts: Mapping[str, float]
    parts: Sequence[tuple[str, slice]] = ()
    lazily: Mapping[str, Any] = field(default_factory=dict)
    operator: Array | None = None

    @property
    def d(self) -> Array:
        """φ − θ, (T, P)."""
        return self.phi - self.theta

    @cached_property
    def eye(self) -> Array:
        """The identity, (P, P)."""
        return numpy.eye(self.theta.size)

    @cached_property
    def A(self) -> Array:
        """H + Λ, (T, P, P), or what stands in its place."""
        if self.operator is not None:
            return self.operator
        return self.H + numpy.diag(self.lam)

    @cached_property
    def g(self) -> Array:
        """(5), (T, P)."""
        return self.lam * solve(self.A, self.v)

    def also(self, name: str) -> Array:
        """Return another matrix (T, P, P) or vector (T, P).

        Raises:
            KeyError: If this ground has none of that name.
        """
        return self.lazily[name]()

    def mask(self, *words: str) -> Array:
        """Return 1 at the entries of tensors whose names have one of some words."""
        found = numpy.zeros(self.theta.size)
        for name, where in self.parts:
            found[where] = any(word in name for word in words)
        return found


def solve(A: Array, b: Array) -> Array:
    """Return A⁻¹ b of every task, (T, P)."""
    return numpy.linalg.solve(A, b[..., None])[..., 0]


def lam_gradient(ground: Ground, rows: Array, axes: int) -> Array:
    """Return (7) of gradients Λ x (T, P): (P,), or their sum, (), where λ is a number.

    Args:
        ground: Where they are.
        rows: Λ x of every task.
        axes: Of the answer, 1 or 0.
    """
    each = (-rows / ground.lam * ground.d).mean(0)
    return each if axes else numpy.asarray(each.sum())


def facts_of(case: Case) -> dict[str, float]:
    """Return the numbers that a mistake may multiply or divide by."""
    if not case.network:
        return {"n": float(len(case.b))}
    found: dict[str, float] = {"P": float(case.net.layout.size)}
    if case.inputs["lam"].ndim == 0:
        found["λ"] = float(case.lam)
    groups = getattr(case, "groups", (case,))
    found["T"] = float(sum(len(g.inputs["support_x"]) for g in groups))
    found["(T + 1)"] = found["T"] + 1
    if found["T"] > 1:
        found["(T − 1)"] = found["T"] - 1
    if len(groups) == 1:
        found["N"] = float(case.inputs["support_x"].shape[1])
        found["M"] = float(case.inputs["query_x"].shape[1])
    found["D"] = float(case.net.num_outputs)
    return found


def ground_of(case: Case, phi: Array, subject: Any) -> Ground:
    """Return the ground of a case at a φ (T, P)."""
    P = case.theta.size
    groups = getattr(case, "groups", (case,))
    edges = numpy.cumsum([0, *(len(g.inputs["support_x"]) for g in groups)])
    phis = [phi[a:b] for a, b in pairwise(edges)]
    pairs = list(zip(groups, phis, strict=True))

    def whole(f):
        return numpy.concatenate([f(g, p) for g, p in pairs])

    return Ground(
        case.theta,
        phi,
        case.lam * numpy.ones(P),
        whole(subject.curvature),
        whole(subject.outer_gradient),
        whole(lambda g, p: subject.at_support(g, p).grad),
        facts_of(case),
        tuple((t.name, t.where) for t in case.tensors),
        {name: kept(f, whole) for name, f in others(subject).items()},
    )


def kept(f, whole):
    """Return a function without arguments that computes once."""
    store: list[Array] = []

    def get() -> Array:
        if not store:
            store.append(whole(f))
        return store[0]

    return get


def others(subject: Any) -> dict[str, Any]:
    """Return more matrices and vectors, functions of case and φ."""

    def start(case: Case, phi: Array) -> Array:
        return numpy.repeat(case.theta[None], len(phi), 0)

    def columns(case: Case, phi: Array, product) -> Array:
        return numpy.stack([product(case, phi, e) for e in numpy.eye(phi.shape[1])], -1)

    def gauss_newton(case: Case, phi: Array) -> Array:
        return columns(
            case,
            phi,
            lambda c, p, e: subject.at_support(c, p).gnvp(
                numpy.repeat(e[None], len(p), 0)
            ),
        )

    def fisher(case: Case, phi: Array) -> Array:
        per = example_gradients(subject, case, phi)
        return per.swapaxes(1, 2) @ per / per.shape[1]

    return {
        "G": gauss_newton,
        "F": fisher,
        "H at θ": lambda c, p: subject.curvature(c, start(c, p)),
        "H of the query set": lambda c, p: subject.curvature(swapped(c), p),
        "v at θ": lambda c, p: subject.outer_gradient(c, start(c, p)),
        "∇L at θ": lambda c, p: subject.at_support(c, start(c, p)).grad,
        "v of both sets": lambda c, p: subject.outer_gradient(together(c), p),
        "G of the query set": lambda c, p: gauss_newton(swapped(c), p),
    }


def example_gradients(subject: Any, case: Case, phi: Array) -> Array:
    """Return the gradient of each support example, (T, N, P)."""
    count = case.inputs["support_x"].shape[1]
    found = []
    for i in range(count):
        one = {f"support_{k}": case.inputs[f"support_{k}"][:, i : i + 1] for k in "xy"}
        one_case = replace(case, inputs={**case.inputs, **one})
        found.append(subject.at_support(one_case, phi).grad)
    return numpy.stack(found, 1)


def swapped(case: Case) -> Case:
    """Return a case whose support sets are its query sets."""
    query = {f"support_{k}": case.inputs[f"query_{k}"] for k in "xy"}
    return replace(case, name=f"{case.name} swapped", inputs={**case.inputs, **query})


def exchanged(case: Case) -> Case:
    """Return a case whose support sets are its query sets, and the other way."""
    support = {f"query_{k}": case.inputs[f"support_{k}"] for k in "xy"}
    other = swapped(case)
    name = f"{case.name} exchanged"
    return replace(other, name=name, inputs={**other.inputs, **support})


def together(case: Case) -> Case:
    """Return a case whose query sets are its support and query sets."""
    both = {
        f"query_{k}": numpy.concatenate(
            [case.inputs[f"support_{k}"], case.inputs[f"query_{k}"]], 1
        )
        for k in "xy"
    }
    return replace(case, name=f"{case.name} together", inputs={**case.inputs, **both})


__all__ = ["Ground", "facts_of", "ground_of", "lam_gradient", "solve", "times"]
