"""What a product with H or G should be, from function values, and what a verdict needs.

Central differences of sixth order along a unit vector v, with f₊ₖ = f(p + k h v):

    ḟ ≈ [45 (f₊₁ − f₋₁) − 9 (f₊₂ − f₋₂) + (f₊₃ − f₋₃)] / 60 h,   error O(h⁶)     (1)

are taken at several steps h.  Two neighbouring steps whose results agree best give the
result, and its digits are −log₁₀ of the relative gap: the witness says itself how good
it is.  J is (1) of the outputs along every coordinate.  From it follow the gradient of
the loss, which the framework's must equal, and G v = Jᵀ B J v.  H v is (1) of that
gradient.  No route to a product is ever compared with another route.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

STEPS = (3e-1, 1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
OF_JACOBIANS = (3e-3, 1e-3, 2e-4, 5e-5)  # fewer, since each is P differences
WEIGHTS = {1: 45 / 60, 2: -9 / 60, 3: 1 / 60}
MOST_DIGITS = 15.0
NEEDED_DIGITS = (
    6.0  # of the witness, of arithmetic in float64: fewer, and nothing is said
)


@dataclass(frozen=True)
class Witness:
    """A derivative by differences.

    Args:
        value: Its entries.
        digits: −log₁₀ of the relative gap between two steps, at most 15.
    """

    value: np.ndarray
    digits: float


def difference(function, p, v, step):
    """Return (1) of a function of p (P,) along v (P,), shaped as the function."""
    pairs = [
        w * (function(p + k * step * v) - function(p - k * step * v))
        for k, w in WEIGHTS.items()
    ]
    return sum(pairs) / step


def derivative(function, p, v) -> Witness:
    """Return the derivative of a function of p (P,) along v (P,), and its digits."""
    length = np.linalg.norm(v)
    found = [length * difference(function, p, v / length, step) for step in STEPS]
    return best(found)


def jacobian(function, p, steps=OF_JACOBIANS) -> Witness:
    """Return J (n, P) of a function with n outputs, and its digits."""
    found = [
        np.stack([difference(function, p, e, h) for e in np.eye(len(p))], -1)
        for h in steps
    ]
    return best(found)


def best(found) -> Witness:
    """Return what two neighbours agree on best; NaN and no digits if none is finite."""
    gaps = [relative(b, a) for a, b in pairwise(found)]
    gaps = [gap if np.isfinite(gap) else np.inf for gap in gaps]
    k = int(np.argmin(gaps))
    if not np.isfinite(gaps[k]):
        return Witness(np.full_like(found[0], np.nan), 0.0)
    digits = -np.log10(max(gaps[k], 10**-MOST_DIGITS))
    return Witness(found[k + 1], float(max(digits, 0.0)))


def relative(found, want) -> float:
    """Return ‖found − want‖ / ‖want‖; the absolute error where want is zero."""
    scale = np.linalg.norm(want)
    off = np.linalg.norm(np.asarray(found, dtype=float) - want)
    return float(off / scale if scale > 1e-9 else off)


def judged(found, witness: Witness, needed=NEEDED_DIGITS) -> tuple[str, float | None]:
    """Return what a product is, in a word, and its relative error.

    Args:
        found: (P,), or None where the framework gave none.
        witness: What it should be.
        needed: Digits of the witness, d: right is an error of at most 10^(1 − d), wrong
            one of at least 10^(2 − d).
    """
    if found is None:
        return "None", None
    found = np.asarray(found, dtype=float)
    if not np.isfinite(witness.value).all() or witness.digits < needed:
        return "no witness", None
    if not np.isfinite(found).all():
        return "NaN", None
    error = relative(found, witness.value)
    if error <= 10 ** (1 - needed):
        return "right", error
    if error < 10 ** (2 - needed):
        return "unclear", error
    return ("zero" if not found.any() else "wrong"), error
