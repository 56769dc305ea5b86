"""Steps of gradient descent on the proximal objective, in the place of φ.

A step is the same launches whatever k, θ, λ and α are: these wait in arrays.
"""

from typing import Any

from ..compute import Array, array_module
from .program import Program
from .table import chunks


class Descent:
    """φ ← φ − α (∇L + Λ (φ − θ)) on the arrays of some sweeps.

    Args:
        sweeps: The sweeps.
        theta_shape: Of θ: (P,), or (T, P) for one of each task.
        lam_shape: Of λ: () or (P,).
    """

    def __init__(
        self, sweeps: Any, theta_shape: tuple[int, ...], lam_shape: tuple[int, ...]
    ):
        space = sweeps.space
        tasks, size = sweeps.phi.shape
        self.theta, self.lam = space.zeros(theta_shape), space.zeros(lam_shape or (1,))
        self.step_size, self.squares = space.zeros((1,)), space.zeros((tasks,))
        step = Program(space)
        step.do(
            "descend",
            phi=sweeps.phi,
            grad=sweeps.phi_bar,
            theta=self.theta,
            theta_task=size if len(theta_shape) == 2 else 0,
            lam=self.lam,
            lam_step=len(lam_shape),
            step_size=self.step_size,
            partials=space.zeros((tasks, chunks(size))),
            squares=self.squares,
            tasks=tasks,
            size=size,
        )
        self.step = Program(space, sweeps.gradient, step)

    def run(
        self, theta: Array, lam: Any, step_size: float, num_steps: int
    ) -> list[Array]:
        """Make K steps; return ‖∇L + Λ (φ − θ)‖ where each began, (T,)."""
        self.theta[...], self.lam[...], self.step_size[...] = theta, lam, step_size
        squares = array_module(self.squares).empty(
            (num_steps, len(self.squares)), self.squares.dtype
        )
        for k in range(num_steps):
            self.step.run()
            squares[k] = self.squares
        return list(squares**0.5)
