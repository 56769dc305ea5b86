"""One step of gradient descent on the proximal objective, in the place of φ."""

import numpy
from scipy.linalg.blas import get_blas_funcs

from ..compute import Array, length


class Step:
    """φ ← φ − α (∇L + Λ (φ − θ)), task by task.

    A task's vectors fit into a core's own cache, those of several may not.

    Args:
        phi: φ (T, P), where it changes.
        grad: ∇L (T, P), which is read.
        theta: θ, (P,), or one for each task, (T, P).
        lam: λ, a number or (P,).
        step_size: α.
    """

    def __init__(self, phi: Array, grad: Array, theta: Array, lam, step_size: float):
        theta = numpy.broadcast_to(theta, phi.shape)
        self.tasks = list(zip(phi, grad, theta, strict=True))
        self.lam, self.step_size = lam, step_size
        self.away = numpy.empty(phi.shape[1:], phi.dtype)
        # In place, in one pass where NumPy makes two.
        self.add_multiple = get_blas_funcs("axpy", dtype=phi.dtype)

    def __call__(self) -> Array:
        """Make the step; return ‖∇L + Λ (φ − θ)‖ where it began, (T,)."""
        norms = numpy.empty(len(self.tasks), self.away.dtype)
        for t, (phi, grad, theta) in enumerate(self.tasks):
            step = numpy.subtract(phi, theta, self.away)
            numpy.multiply(step, self.lam, step)
            # Not in the place of ∇L, where what is always zero is never written again.
            numpy.add(grad, step, step)
            norms[t] = length(step)
            self.add_multiple(step, phi, a=-self.step_size)
        return norms
