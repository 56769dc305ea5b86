"""Whether a contender computes the same meta-gradients, task by task.

In float32 two right programs differ in some tasks: a ReLU whose argument is nearly zero
changes its side on the way, and with it φ.  Hence the median, and a share.  With many
examples or inner steps most tasks meet such a ReLU, for every program in another step;
then the same program is asked in float64, where hardly any task does, unless it is far
from right: such a jump is of some 10 %.
"""

import numpy as np

# By dtype: digits of the median, digits of a task, share of the tasks that have them.
REQUIRED = {"float32": (5.0, 4.0, 0.9), "float64": (10.0, 8.0, 0.9)}
MOST_DIGITS = 17.0
JUMP_DIGITS = 0.5  # what is further off than this is not for rounding


def digits(found: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return −log₁₀(‖g − g_ref‖ / ‖g_ref‖) of each row, (T,); 0 if it is not finite."""
    found = found.astype(reference.dtype)
    off = np.linalg.norm(found - reference, axis=-1)
    relative = off / np.linalg.norm(reference, axis=-1)
    relative = np.where(np.isfinite(relative), relative, 1.0)
    return -np.log10(np.maximum(relative, 10**-MOST_DIGITS))


def may_be_rounding(per_task, dtype: str) -> bool:
    """Whether it is float32 and not far from right: then float64 is to decide."""
    return dtype == "float32" and float(np.median(per_task)) >= JUMP_DIGITS


def fault(found: dict[str, np.ndarray], per_task, dtype: str) -> str | None:
    """Return what is wrong with the meta-gradients of a contender, or None.

    Args:
        found: "tasks" (T, P), and "mean" (P,) of what is timed.
        per_task: Digits of each task.
        dtype: In which it computed.
    """
    median, least, share = REQUIRED[dtype]
    have = float(np.mean(np.asarray(per_task) >= least))
    if np.median(per_task) < median:
        return f"other meta-gradients: {np.median(per_task):.1f} digits, needs {median}"
    if have < share:
        return f"{have:.0%} of the tasks have {least:g} digits, needs {share:.0%}"
    mean = found["tasks"].mean(0, dtype=np.float64)
    if digits(found["mean"], mean) < median:
        return "what is timed is not the mean of the meta-gradients compared"
    return None
