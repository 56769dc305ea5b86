"""Labels and targets: what a loss takes for y, and what it refuses.

The labels of a classification are integers (T, N), or *soft*: for each example the
probabilities of the classes, (T, N, D), of which unit vectors are a case.  The gradient
p − e_y is that of the cross-entropy only where each e_y sums to 1.
"""

from functools import partial
from typing import Any

import numpy

from ..compute import Array, read


def is_soft(y: Array) -> bool:
    """Whether labels are probabilities (T, N, D); else they are to be integers."""
    return y.ndim == 3 and y.dtype.kind == "f"


def unit_vectors(xp, z, y):
    """Return e_y (T, N, D) in the real dtype of z.

    On a device, whom nobody asks in every sweep, a label that is not among the outputs
    has NaN for its unit vector, and so has the loss; ``check_labels`` asks once.

    Raises:
        TypeError: If the labels are not integers.
        ValueError: If they have the wrong shape, or are not among the outputs.
    """
    num_outputs = z.shape[-1]
    if y.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, got dtype {y.dtype}")
    if y.shape != z.shape[:2]:
        raise ValueError(f"labels expect shape {z.shape[:2]}, got {y.shape}")
    if xp is not numpy:
        e_y = (y[..., None] == xp.arange(num_outputs)).astype(z.real.dtype)
        return e_y / e_y.sum(-1, keepdims=True)
    check_labels(y, num_outputs)
    return (y[..., None] == xp.arange(num_outputs)).astype(z.real.dtype)


def check_labels(y: Array, num_outputs: int) -> None:
    """Refuse labels of a classification that say nothing, wherever they are.

    Raises:
        ValueError: If an integer is not among the outputs, or a row of soft labels no
            probabilities; while readings wait, when they are settled.
    """
    if not y.size:
        return
    if y.dtype.kind in "iu":
        read(partial(refuse_strangers, num_outputs), y.min(), y.max())
    elif is_soft(y):
        # A quotient for each entry, the sum divided by and the sum looked at: D ε.
        room = y.shape[-1] * float(numpy.finfo(y.dtype).eps)
        sums = y.sum(-1)
        read(partial(refuse_improbable, room), sums.min(), sums.max(), y.min())


def refuse_strangers(num_outputs: int, least: Any, largest: Any) -> None:
    """Refuse labels that are not among the outputs.

    Raises:
        ValueError: If the least or the largest of them is not.
    """
    if least < 0 or largest >= num_outputs:
        raise ValueError(
            f"labels must be from 0 to {num_outputs - 1}, one per output of the "
            f"network, got {int(least)} to {int(largest)}"
        )


def refuse_improbable(room: float, least: Any, largest: Any, entry: Any) -> None:
    """Refuse rows of soft labels that are no probabilities.

    Args:
        room: How far from what it should be a number may be.
        least: The least sum of a row.
        largest: The largest.
        entry: The least entry of all.

    Raises:
        ValueError: If a row does not sum to 1, or an entry is below 0.
    """
    if not (1 - room <= least and largest <= 1 + room):
        raise ValueError(
            "labels (T, N, D) must be probabilities, rows that sum to 1, got sums from "
            f"{least:.9g} to {largest:.9g}; divide by y.sum(-1, keepdims=True)"
        )
    if entry < -room:
        raise ValueError(
            f"labels (T, N, D) must be probabilities, from 0 to 1, got {entry:.9g}; "
            "give integers (T, N), or a softmax"
        )


def check_targets(z: Array, y: Array) -> None:
    """Refuse targets that would not stay in the shape and the dtype of z.

    Raises:
        ValueError: If their shape is not that of z.
        TypeError: If their dtype is not the real dtype of z.
    """
    if y.shape != z.shape:
        raise ValueError(f"targets expect shape {z.shape}, got {y.shape}")
    if y.dtype != z.real.dtype and y.dtype != z.dtype:
        raise TypeError(
            f"targets must have the real dtype of φ, {z.real.dtype}, got {y.dtype}; "
            "convert them with y.astype(...)"
        )
