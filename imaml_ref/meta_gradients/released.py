"""The inner loop of the paper's released code: K plain steps and one pull-back.

    φ_{k+1} = φ_k − α ∇L(φ_k),   k = 0, …, K − 1,   then   φ ← φ_K − αλ (φ_K − θ)

No step contains the proximal term, so φ is not stationary for (1), and the implicit
formula does not apply to it.  It is here to reproduce and to explain other people's
numbers.
"""

from dataclasses import dataclass, replace

from ..arguments import Settings, number, setting, whole
from ..compute import Array
from ..inner import GradientDescent


@dataclass(frozen=True)
class PullBackDescent(Settings):
    """The released inner loop.

    Args:
        step_size: α > 0, in parameter²/loss.
        num_steps: K.

    Raises:
        ValueError: If a setting is out of its range.
    """

    step_size: float = setting(number("(0, inf)"), 0.1)
    num_steps: int = setting(whole(0), 16)

    def solve(self, objective, theta: Array, start: Array | None = None) -> Array:
        """Return φ (T, P).

        Raises:
            InnerDivergence: If ‖∇L‖ overflows, or grows a thousandfold.
        """
        plain = GradientDescent(self.step_size, self.num_steps)
        phi = plain.solve(replace(objective, lam=0), theta, start)
        return phi - self.step_size * (objective.lam * (phi - theta))
