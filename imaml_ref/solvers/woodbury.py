"""(G + Λ) x = b where G = RᵀR has few rows, exact for any P; and Jacobi's diagonal.

R is (K, P), Λ a positive diagonal, M = Λ⁻¹.  With C = R M Rᵀ, (K, K),

    (RᵀR + Λ)⁻¹ = M − M Rᵀ (I + C)⁻¹ R M                                            (1)

for (RᵀR + Λ) times the right side is I + Rᵀ [R M − (I + C)(I + C)⁻¹ R M] = I.  I + C is
symmetric, its eigenvalues are ≥ 1, and its columns e_k + R M Rᵀ e_k cost a product with
Rᵀ and one with R each.  Where C is c, (1) subtracts c/(1 + c) from 1: the error of x is
like κ ε with κ = 1 + c_max, as that of a factorisation.

The Gauss-Newton operator of N examples with D outputs z is such a G, K = N D: with
J = ∂z/∂φ and H_z = S Sᵀ, R = Sᵀ J.  Where z is affine in φ, H = G.  Jacobi's M is

    M_i = 1 / (Λ_i + Σ_k (Rᵀ e_k)_i²)                                               (2)

for H as well: its own diagonal costs P products, or is noise, and may be negative.

Source: Woodbury, Inverting Modified Matrices, Princeton, 1950.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from ..arguments import Settings, setting
from ..compute import Array, array_module
from .info import SolverInfo, Status
from .measured import inverse_strength, measured
from .system import TOLERANCE, Matvec, make_system


class Factor(NamedTuple):
    """R of G = RᵀR by its products: R v, (T, P) -> (T, K), and Rᵀ s; and K."""

    push: Callable[[Array], Array]
    pull: Callable[[Array], Array]
    size: int

    def rows(self, like: Array):
        """Yield Rᵀ e_k for each k, (T, P), of the dtype and tasks of an array."""
        xp = array_module(like)
        for unit in xp.eye(self.size, dtype=like.dtype):
            yield self.pull(xp.zeros((len(like), 1), like.dtype) + unit)


@dataclass(frozen=True)
class Woodbury(Settings):
    """Solve (G + Λ) x = b by (1), to rounding; for Gauss-Newton, and any P.

    It costs K + 1 products, one with R and one with Rᵀ counted as one.  CONVERGED: the
    true residual, of the A asked for, passed ``rtol`` (relative to ‖b‖₂, without unit);
    MISMATCH: it did not, so A is not G + Λ.
    """

    rtol: float = setting(TOLERANCE, 1e-5)
    name: ClassVar[str] = "Woodbury"
    takes_factor: ClassVar[bool] = True

    def solve(
        self, matvec: Matvec, b: Array, M: Any = None, *, factor: Factor
    ) -> tuple[Array, SolverInfo]:
        """Solve A x = b for every task; M is the diagonal of Λ⁻¹, ``factor`` R."""
        system = make_system(matvec, b, rtol=self.rtol, atol=0.0)
        M, xp = inverse_strength(M, b), array_module(b)
        columns = [factor.push(M * row) for row in factor.rows(b)]
        core = xp.eye(factor.size, dtype=b.dtype) + xp.stack(columns, -1)
        inverse = xp.linalg.inv((core + core.swapaxes(1, 2)) / 2)
        inside = (inverse @ factor.push(M * system.b)[..., None])[..., 0]
        x = M * (system.b - factor.pull(inside))
        status = xp.full(len(b), int(Status.MISMATCH))
        return measured(system, x, status, 0 * status + 1, factor.size)


@dataclass(frozen=True)
class Jacobi:
    """Makes the M of (2), for K products with Rᵀ, each counted as one with A."""

    takes_factor: ClassVar[bool] = True

    def prepare(self, matvec: Matvec, b: Array, M: Any, *, factor: Factor):
        """Return M (T, P), and the products it took; M was Λ⁻¹."""
        diagonal = 1 / inverse_strength(M, b) + 0 * b
        for row in factor.rows(b):
            diagonal = diagonal + row * row
        return 1 / diagonal, factor.size
