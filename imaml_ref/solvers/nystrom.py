"""A⁻¹ for A = H + Λ from r products: Nyström's approximation of H, and Woodbury.

Λ is a positive diagonal, M = Λ⁻¹, and H is known by products.  In the scale of Λ

    A⁻¹ = M^½ (I + K)⁻¹ M^½,   K = M^½ H M^½,   K v = M^½ A (M^½ v) − v             (1)

Let Ω (P, r) be r columns of the identity drawn at random, as Hataya & Yamada do, or an
orthonormal basis of r Gaussian vectors.  With Y = K Ω, r products,

    Ωᵀ Y = V w Vᵀ,   Y V w^−½ = U Σ Q,   K̂ = U θ Uᵀ,   θ = Σ²                      (2)

where w ≤ ν, of the size of rounding, are left out: w^−½ would make digits of it.  For
K ⪰ 0, 0 ⪯ K̂ ⪯ K, and K̂ = K if rank K ≤ r, for Gaussian Ω almost surely.  With c = 1,
by Woodbury, (I + K̂)⁻¹ is

    c I − U (c − (1 + θ)⁻¹) Uᵀ                                                      (3)

and with c = (1 + θ_r)⁻¹, for the least θ, the preconditioner: what was not seen is
taken for as large.

If H is indefinite, (2) leaves out its negative part: K̂ ⪰ 0, and (3) is positive
definite all the same.  As A⁻¹ it is no approximation along that part, and θ may exceed
‖K‖, where w is small because two signs cancel; CG with (3) may be slower than without.

Sources: Hataya & Yamada, AISTATS 2023 (columns); Frangella, Tropp & Udell, arXiv
2110.02820, 2021 (Gaussian Ω, the preconditioner; for stability they shift Ωᵀ Y by ν, to
have its Cholesky factor, where the cut is here: an indefinite H has none).
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ..arguments import Settings, one_of, setting, whole
from ..compute import Array, array_module, norm
from .info import SolverInfo
from .measured import inverse_strength, measured
from .recurrence import RUNNING
from .system import TOLERANCE, Matvec, make_system, product


@dataclass(frozen=True)
class Nystrom(Settings):
    """x = (Ĥ + Λ)⁻¹ b by (3): r products and no iteration; or a preconditioner.

    All tasks have one Ω, drawn from the seed at each call: chunks change no bit.  It
    keeps about 3 T r vectors (P,).  CONVERGED means that the true residual passed, for
    one more product.

    Args:
        rank: r, at most P of which are used.
        sketch: "gaussian", or "columns" of H.
        seed: Of Ω.
        rtol: Tolerance relative to ‖b‖₂, without unit; 0 to take x as it comes.
    """

    rank: int = setting(whole(), 10)
    sketch: str = setting(one_of(("gaussian", "columns")), "gaussian")
    seed: int = setting(whole(0), 0)
    rtol: float = setting(TOLERANCE, 0.0)
    name: ClassVar[str] = "Nyström"

    def solve(
        self, matvec: Matvec, b: Array, M: Any = None
    ) -> tuple[Array, SolverInfo]:
        """Return (Ĥ + Λ)⁻¹ b for every task, (T, P); M is the diagonal of Λ⁻¹."""
        system = make_system(matvec, b, rtol=self.rtol, atol=0.0)
        inverse, theta = self.sketched(matvec, b, M)
        status = array_module(b).full(len(b), RUNNING)
        x, steps = inverse(system.b, 1), 0 * status + 1
        return measured(system, x, status, steps, theta.shape[1])

    def prepare(self, matvec: Matvec, b: Array, M: Any) -> tuple[Matvec, int]:
        """Return the preconditioner, a function, and the products it took."""
        inverse, theta = self.sketched(matvec, b, M)
        return partial(inverse, c=1 / (1 + theta[:, -1:])), theta.shape[1]

    def sketched(self, matvec: Matvec, like: Array, M: Any):
        """Return v, c ↦ M^½ (3) M^½ v, and θ (T, r), for vectors like some (T, P)."""
        root, xp = inverse_strength(M, like) ** 0.5, array_module(like)
        omega = xp.asarray(self.omega(like.shape[1]), dtype=like.dtype)
        directions = (xp.zeros_like(like) + v for v in omega.T)
        Y = [root * product(matvec, root * v) - v for v in directions]  # (1)
        Y = xp.stack(Y, -1)
        known = xp.isfinite(Y).all((1, 2))[:, None, None]
        Y = xp.where(known, Y, like.dtype.type(0))  # or LAPACK raises, for all tasks
        # K is A less 1, and has the rounding of 1 where H is small.
        nu = xp.finfo(like.dtype).eps * len(omega) ** 0.5
        nu = nu * (1 + norm(Y.reshape(len(Y), -1)))[:, None]
        core = omega.T @ Y
        w, V = xp.linalg.eigh((core + core.swapaxes(1, 2)) / 2)
        V = V * xp.where(w > nu, xp.maximum(w, nu) ** -0.5, 0)[:, None, :]
        U, sigma, _ = xp.linalg.svd(Y @ V, full_matrices=False)  # (2)
        theta = sigma**2

        def inverse(v: Array, c: Any) -> Array:
            w = root * v
            along = (c - 1 / (1 + theta)) * (w[:, None, :] @ U)[:, 0]
            return root * (c * w - (U @ along[..., None])[..., 0])

        return inverse, theta

    def omega(self, size: int) -> np.ndarray:
        """Return Ω, (P, r), on the host."""
        rng, rank = np.random.default_rng(self.seed), min(self.rank, size)
        if self.sketch == "gaussian":
            return np.linalg.qr(rng.normal(size=(size, rank)))[0]
        chosen = rng.choice(size, rank, replace=False)
        return (np.arange(size)[:, None] == chosen).astype(float)
