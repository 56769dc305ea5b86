"""The mistakes of the catalogue as families without numbers."""

from typing import Any

from ..mutants import CATALOGUE, sentence
from .evidence import Explanation
from .family import Family

# Members of a family with numbers: told by their own name, with their history.
MEMBER_OF = {
    "lam-added-twice": "strength-times",
    "hvp-of-sum": "curvature-times",
    "curvature-sign": "curvature-times",
    "damping-left-on": "damped",
    "cg-loose-tolerance": "cg-relative-tolerance",
    "cg-tolerance-one": "cg-relative-tolerance",
    "cg-absolute-tolerance": "cg-absolute-tolerance",
    "cg-one-step": "cg-steps",
    "cg-five-steps": "cg-steps",
    "cg-without-beta": "steepest-descent-steps",
    "cg-half-in-the-step": "cg-scaled-step",
    "cg-tenth-in-the-step": "cg-scaled-step",
    "cg-old-residual": "cg-with-the-old-residual",
    "neumann-one-term": "neumann-in-h",
    "neumann-ten-terms": "neumann",
    "product-for-solve": "multiplied",
    "solve-left-out": "solve-left-out",
    "gauss-newton-for-hessian": "gauss-newton",
    "fisher-for-hessian": "fisher",
    "diagonal-for-hessian": "diagonal-of-h",
    "curvature-at-theta": "curvature-on-the-way",
    "curvature-of-query": "curvature-of-the-query-set",
    "v-at-theta": "v-at-theta",
    "lam-not-multiplied": "strength-left-out",
    "lam-wrong-side": "strength-on-the-other-side",
    "tasks-mixed": "tasks-mixed",
    "mean-curvature": "mean-curvature",
    "five-inner-steps": "inner-steps",
    "five-steps-unrolled": "unrolled-steps",
    "norm-eps-outside": "bn-eps-outside",
    "outer-ascent": "outer-rate-times",
    "step-of-sum": "outer-rate-times",
    "hvp-central-difference": "central-difference",
    "hvp-forward-difference": "forward-difference",
    # Families that say the same where there is nothing to leave out.
    "decay": "decay-but-norms",
    "l1": "l1-but-norms",
    "proximal": "proximal-but-norms",
}
# What the catalogue has as a sum of known vectors, or as a factor.
AS_SUM = {
    "first-order", "reptile", "solve-left-out", "tasks-summed", "first-task-only",
    "last-task-only", "hvp-with-lam", "hvp-of-sum", "lam-not-multiplied", "loss-sum",
    "gradient-sign", "query-loss-sum", "gauss-newton-for-hessian",
    "fisher-for-hessian", "diagonal-for-hessian", "fisher-for-gauss-newton",
    "product-for-solve", "lam-divided", "cg-tolerance-one",
}  # fmt: skip


def member(name: str) -> Family:
    """Return a mistake of the catalogue as a family."""

    def at(lab: Any, verdict: Any) -> Any:
        return lab.answers((name,), verdict.case, verdict.level).get(verdict.answer)

    topic = CATALOGUE[name].__module__.rpartition(".")[2]
    return Family(name, sentence(name), topic, (), {}, at)


MEMBERS = tuple(map(member, CATALOGUE))


def is_one(name: str, other: str) -> bool:
    """Whether a mistake of the catalogue is a member of a family, or a known sum."""
    return MEMBER_OF.get(name) == other or (other == "sum" and name in AS_SUM)


def without_twins(found: list[Explanation]) -> list[Explanation]:
    """Return explanations without those that say what a named one says already."""
    names = {e.names[0] for e in found}
    return [
        e
        for e in found
        if not any(n != e.names[0] and is_one(n, e.names[0]) for n in names)
    ]
