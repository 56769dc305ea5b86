"""The questions of all levels in order, and what each answer is computed from."""

from collections import Counter
from collections.abc import Iterable

from .case import Case
from .families.evidence import Place, layers, place
from .families.family import Question
from .judge import FAIL, Verdict

QUESTIONS: tuple[Question, ...] = (
    ("L1", "grad"),  # it says more than the loss, which follows
    ("L1", "loss"),
    ("L2", "hvp"),
    ("L2", "gnvp"),
    ("L3", "x"),
    ("L4", "meta_grad"),
    ("L4", "lam_grad"),
    ("L5", "inner"),
    ("L5", "meta_grad"),
    ("L5", "lam_grad"),
    ("L6", "theta"),
    ("L7", "theta"),
    ("U", "unrolled_grad"),
)
# What an answer is computed from: where that fails in a case, the answer fails too.
FROM: dict[Question, tuple[Question, ...]] = {
    ("L1", "loss"): (("L1", "grad"),),
    ("L2", "hvp"): (("L1", "grad"),),
    ("L2", "gnvp"): (("L1", "grad"),),
    ("L4", "meta_grad"): (("L1", "grad"), ("L2", "hvp")),
    ("L4", "lam_grad"): (("L4", "meta_grad"),),
    ("L5", "inner"): (("L1", "grad"),),
    ("L5", "meta_grad"): (("L4", "meta_grad"),),
    ("L5", "lam_grad"): (("L4", "lam_grad"), ("L5", "meta_grad")),
    ("L7", "theta"): (("L6", "theta"), ("L5", "meta_grad")),
    ("U", "unrolled_grad"): (("L1", "grad"), ("L2", "hvp")),
}
# Nothing above is computed from its answers: explained, they are in nobody's way.
ALONE: tuple[Question, ...] = (("L6", "theta"),)


def beneath(question: Question) -> set[Question]:
    """Return all that an answer is computed from."""
    found = set(FROM.get(question, ()))
    return found.union(*map(beneath, found))


def failing(verdicts: Iterable[Verdict], cases: Iterable[Case]) -> set[Place]:
    """Return what fails, and what would.

    That is ∇L and H v of a case that is not asked for them, where most that are, with
    the same loss or a layer of the same kind, fail.

    Args:
        verdicts: All of a report.
        cases: All that were judged.
    """
    listed, known = list(verdicts), list(cases)
    kinds = {case.name: {case.loss, *layers(case)} for case in known}
    found = {place(v) for v in listed if v.outcome == FAIL}
    for question in (("L1", "grad"), ("L2", "hvp")):
        count: Counter[str] = Counter()  # more that fail than pass, by kind
        for v in listed:
            if (v.level, v.answer) == question:
                change = 1 if v.outcome == FAIL else -1
                count.update(dict.fromkeys(kinds[v.case], change))
        found |= {
            (case.name, *question)
            for case in known
            if question[0] not in case.levels
            and any(count[kind] > 0 for kind in kinds[case.name])
        }
    return found
