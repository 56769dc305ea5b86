"""Answers that are sums of known vectors: a v + b g, H u + λ u, one task of several.

Each question has columns by the text that the report writes.  One or two of them are
fitted at a time; each factor gets a rule of its own.
"""

from collections.abc import Sequence
from typing import Any

import numpy

from ..axes import times
from ..case import Array
from ..judge import Verdict, given
from .ground import Ground, solve
from .outer import sums
from .unrolled import through

Columns = dict[str, Array]


def columns(lab: Any, verdict: Verdict) -> Columns:
    """Return the columns for an answer; none where nothing is known."""
    make = {
        "hvp": of_products,
        "gnvp": of_products,
        "meta_grad": of_meta_gradients,
        "lam_grad": of_lam_gradients,
        "x": of_solves,
        "theta": sums if verdict.level == "L6" else None,
        "unrolled_grad": of_unrolled,
    }.get(verdict.answer)
    if make is None:
        return {}
    key = ("columns", verdict.case, verdict.level, verdict.answer)
    return lab.once(key, lambda: make(lab, verdict))


def distinct(lab: Any, verdicts: Sequence[Verdict]) -> list[str]:
    """Return the columns for answers, without those that another is in all of them."""
    found, names = [columns(lab, v) for v in verdicts], list[str]()
    for name in found[0]:
        if not any(all(alike(c, name, n) for c in found) for n in names):
            names.append(name)
    return names


def alike(known: Columns, one: str, other: str) -> bool:
    """Whether two columns are one."""
    if one not in known or other not in known:
        return False
    a, b = known[one], known[other]
    return float(numpy.linalg.norm(a - b)) <= 1e-9 * float(numpy.linalg.norm(a))


def of_unrolled(lab: Any, verdict: Verdict) -> Columns:
    """Return the gradient through K steps, and what is near it, (P,)."""
    case = lab.case(verdict)
    K, step = case.unrolled["steps"], case.unrolled["step_size"]
    first = through(lab, verdict, step, False, False)
    rows = {
        "g": through(lab, verdict, step, True, False)[K - 1],
        "v (first order)": first[K - 1],
    }
    subject = lab.subject(*lab.base)
    phi = [numpy.repeat(c.theta[None], c.num_tasks, 0) for c in case.groups]
    pairs = list(zip(case.groups, phi, strict=True))
    at_theta = [subject.outer_gradient(c, p) for c, p in pairs]
    rows["v at θ"] = numpy.concatenate(at_theta).mean(0)
    support = [subject.at_support(c, p).grad for c, p in pairs]
    rows["∇L at θ"] = numpy.concatenate(support).mean(0)
    return rows


def of_products(lab: Any, verdict: Verdict) -> Columns:
    """Return H u, G u and their like, (T, P)."""
    ground, u = lab.ground(verdict), lab.case(verdict).v
    s = ground.s
    square = numpy.einsum("ti,ti->t", s, u)[:, None] * s
    diagonal = numpy.einsum("tii->ti", ground.H)
    return {
        "H v": times(ground.H, u),
        "G v": times(ground.also("G"), u),
        "F v (the empirical Fisher matrix)": times(ground.also("F"), u),
        "v": u,
        "λ v": ground.lam * u,
        "diag(H) v": diagonal * u,
        "∇L (∇Lᵀ v)": square,
        "∇L": s,
        "H v at θ": times(ground.also("H at θ"), u),
        "H v of the query set": times(ground.also("H of the query set"), u),
        "G v of the query set": times(ground.also("G of the query set"), u),
        "Hᵀ v": times(ground.H.swapaxes(1, 2), u),
        "H H v": times(ground.H, times(ground.H, u)),
    }


def of_solves(lab: Any, verdict: Verdict) -> Columns:
    """Return x, b, A b, A⁻² b, (n,)."""
    ground = lab.ground(verdict)
    A, b = ground.A[0], ground.v[0]
    x = numpy.linalg.solve(A, b)
    return {"x": x, "b": b, "A b": A @ b, "A⁻¹ x": numpy.linalg.solve(A, x)}


def of_meta_gradients(lab: Any, verdict: Verdict) -> Columns:
    """Return g, v, ∇L, φ − θ and what the solve makes of them, (P,)."""
    ground: Ground = lab.ground(verdict)
    lam, A = ground.lam, ground.A
    rows = {
        "g": ground.g,
        "v": ground.v,
        "∇L": ground.s,
        "(φ − θ)": ground.d,
        "Λ (φ − θ)": lam * ground.d,
        "Λ (H + Λ)⁻¹ ∇L": lam * solve(A, ground.s),
        "Λ (H + Λ)⁻¹ (φ − θ)": lam * solve(A, ground.d),
        "H v": times(ground.H, ground.v),
        "H g": times(ground.H, ground.g),
        "(H + Λ)⁻¹ g": solve(A, ground.g),
        "θ": numpy.repeat(ground.theta[None], len(ground.v), 0),
        "φ": ground.phi,
        "v at θ": ground.also("v at θ"),
        "∇L at θ": ground.also("∇L at θ"),
    }
    found = {name: lab.assembled(verdict, a) for name, a in rows.items()}
    if len(ground.v) > 1:
        for t, g in enumerate(ground.g):
            last = t == len(ground.g) - 1
            name = "last" if last else ("first", "second", "third", "fourth")[min(t, 3)]
            alone = lab.assembled(verdict, g[None])
            found.setdefault(f"g of the {name} task alone", alone)
    weights = sizes(lab.case(verdict))
    if weights is not None:
        whole = lab.assembled(verdict, (weights @ ground.g)[None])
        found["g weighted by the tasks' sizes"] = whole
    return found


def sizes(case: Any) -> Array | None:
    """Return the share of each task in the examples, where sizes differ."""
    groups = getattr(case, "groups", (case,))
    if len(groups) == 1:
        return None
    shapes = [g.inputs["support_x"].shape[:2] for g in groups]
    found = numpy.concatenate([numpy.full(t, float(n)) for t, n in shapes])
    return found / found.sum()


def of_lam_gradients(lab: Any, verdict: Verdict) -> Columns:
    """Return (7), −x (φ − θ), and what is near it; a number for a number λ."""
    ground: Ground = lab.ground(verdict)
    x, d = solve(ground.A, ground.v), ground.d
    rows = {
        "x (φ − θ)": x * d,
        "g (φ − θ)": ground.lam * x * d,
        "v (φ − θ)": ground.v * d,
        "x ∇L": x * ground.s,
        "(φ − θ)²": d * d,
        "x θ": x * ground.theta,
        "x φ": x * ground.phi,
        "x g": x * ground.g,
        "g": ground.g,
        "x": x,
    }
    found = {name: a.mean(0) for name, a in rows.items()}
    if given(verdict).ndim == 0:
        return {name: numpy.asarray(a.sum()) for name, a in found.items()}
    P = ground.theta.size
    found["Σ x (φ − θ) in every entry"] = numpy.full(P, found["x (φ − θ)"].sum())
    return found
