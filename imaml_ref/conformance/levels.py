"""The levels of the suite: what is given, and what is asked for.

    L1   loss and gradient of the support set at a given φ
    L2   H v and the Gauss-Newton product G v there
    L3   the linear solve A x = b, operator given
    L4   the meta-gradient (5) and dF/dλ (7) with the solutions φ_t* given
    L5   φ_t*, the inner problem (1) to be solved, and both with it
    L6   one outer step:  θ_1 from θ_0 = θ
    L7   ten outer steps: θ_10
    U    the gradient of mean_t Q_t(φ_K(θ)), K plain gradient steps on L from θ (MAML)

Each of L1 to L7 builds on those above it, so the first that fails tells where to look;
U stands beside them, on L1 and L2.
Answers are of shape (T,), (T, P), (P,) or (n,), and judged tensor by tensor.
"""

from dataclasses import dataclass

OUTER_STEPS = {"L6": 1, "L7": 10}


@dataclass(frozen=True)
class Level:
    """A level.

    Args:
        name: "L1" to "L7", or "U".
        title: What is asked, in words.
        answers: Names of the answers.
    """

    name: str
    title: str
    answers: tuple[str, ...]


LEVELS = {
    level.name: level
    for level in (
        Level("L1", "loss and gradient at φ", ("loss", "grad")),
        Level("L2", "Hv and Gauss-Newton v at φ", ("hvp", "gnvp")),
        Level("L3", "linear solve, operator given", ("x",)),
        Level("L4", "meta-gradient, φ* given", ("meta_grad", "lam_grad")),
        Level("L5", "meta-gradient, φ* solved for", ("inner", "meta_grad", "lam_grad")),
        Level("L6", "one outer step", ("theta",)),
        Level("L7", "ten outer steps", ("theta",)),
        Level("U", "gradient through K inner steps (MAML)", ("unrolled_grad",)),
    )
}
