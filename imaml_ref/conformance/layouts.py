"""Recognise tensors whose axes are in another order than ours."""

from itertools import permutations

from ..checks import digits
from ..weights import Order
from .agreement import rows
from .case import Array, Case
from .plain import Tensor


def layout_hint(case: Case, got: Array, want: Array, required: float) -> str:
    """Say which tensors are right but for the order of their axes; empty if none is.

    Args:
        case: Whose answer it is.
        got: An answer that is not right, flat.
        want: The right one.
        required: Digits in which a tensor must agree to be recognised.
    """
    found = (order_of(t, case, got, want, required) for t in case.tensors)
    return "; ".join(filter(None, found))


def order_of(
    tensor: Tensor, case: Case, got: Array, want: Array, required: float
) -> str:
    """Say in which order the axes of a tensor are, if not in ours."""
    if want.ndim == 0 or want.shape[-1] != case.net.layout.size:
        return ""
    pairs = [(g[tensor.where], w[tensor.where]) for _, g, w in rows(case, got, want)]
    ours, *others = orders(len(tensor.shape))
    for order in (ours, *others):
        theirs = Order(tensor.shape, order, tuple(tensor.shape[i] for i in order))
        if all(digits(theirs.ours(g), w) >= max(required, 3.0) for g, w in pairs):
            names, known = (", ".join(tensor.axes[i] for i in o) for o in (order, ours))
            said = f"{tensor.name} is in the order ({names}), not ({known})"
            return said if order != ours else ""
    return ""


def orders(num_axes: int) -> list[tuple[int, ...]]:
    """Return every order of axes: ours first, then PyTorch's (out, in, kh, kw)."""
    known = [tuple(range(num_axes)), {2: (1, 0), 4: (3, 2, 0, 1)}.get(num_axes)]
    rest = permutations(range(num_axes))
    return list(dict.fromkeys(o for o in [*known, *rest] if o is not None))
