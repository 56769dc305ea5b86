"""The questions of all levels in order, and what each answer is computed from."""

from .families.family import Question

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


def beneath(question: Question) -> set[Question]:
    """Return all that an answer is computed from."""
    found = set(FROM.get(question, ()))
    return found.union(*map(beneath, found))
