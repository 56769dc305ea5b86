"""The linear solvers: dense solutions, SciPy's iterates, eigenvalues."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy
from scipy.sparse import linalg

from ..compute import Array, array_module, to_host
from ..solvers import (
    CG,
    MINRES,
    CertifiedCG,
    Dense,
    Factor,
    Neumann,
    Nystrom,
    PreconditionedCG,
    Woodbury,
    cg,
    cg_batched,
    dense_matrix,
    smallest_eigenvalue,
)
from .rows import Row, Setting, draw

TASKS, SIZE, STEPS = 3, 24, 12


def solver_rows(setting: Setting) -> Iterator[Row]:
    """Yield the rows of every solver."""
    yield from dense_rows(setting)
    yield from iterate_rows(setting)
    yield from spectrum_rows(setting)
    yield from low_rank_rows(setting)


def matrices(smallest: float) -> tuple[Array, Array]:
    """Return symmetric A (T, P, P) with spectra from ``smallest`` to 4, and b (T, P).

    Each task has other eigenvectors, and eigenvalues of its own in between.
    """
    rng = numpy.random.default_rng(0)
    bases = numpy.linalg.qr(draw(rng, TASKS, SIZE, SIZE))[0]
    spectra = numpy.sort(rng.uniform(0.5, 4.0, size=(TASKS, SIZE)))
    spectra[:, 0], spectra[:, -1] = smallest, 4.0
    A = (bases * spectra[:, None]) @ bases.swapaxes(1, 2)
    A = ((A + A.swapaxes(1, 2)) / 2).astype(numpy.float32).astype(numpy.float64)
    return A, draw(rng, TASKS, SIZE)


def product(setting: Setting, A: Array):
    """Return v ↦ A v on (T, P), on the device."""
    on_device = setting.put(A)
    return lambda v: (on_device @ v[..., None])[..., 0]


def dense_rows(setting: Setting) -> Iterator[Row]:
    """Yield each solver against LAPACK in float64, definite and indefinite."""
    rtol = setting.need(1e-13, 1e-7)
    methods: dict[str, Any] = {
        "CG": CG(maxiter=3 * SIZE, rtol=rtol),
        "certified CG": CertifiedCG(rtol=10 * rtol),
        "MINRES": MINRES(rtol=rtol),
        "dense LU": Dense(),
    }
    for kind, smallest in (("definite", 0.3), ("indefinite", -0.3)):
        A, b = matrices(smallest)
        want = numpy.linalg.solve(A, b[..., None])[..., 0]
        for name, method in methods.items():
            if smallest < 0 and "CG" in name:
                continue
            x, _ = method.solve(product(setting, A), setting.put(b))
            claim, pair = f"A x = b, {kind}", (x, want)
            yield setting.row(name, claim, "LAPACK in float64", pair, (10, 5))


def iterate_rows(setting: Setting) -> Iterator[Row]:
    """Yield the iterates of both CGs against SciPy's, step by step."""
    A, b = matrices(0.3)
    witness = "scipy.sparse.linalg.cg, every iterate"
    want = numpy.stack([iterates(linalg.cg, A[t], b[t]) for t in range(TASKS)], 1)
    together = iterates(cg_batched, product(setting, A), setting.put(b))
    claim = f"{STEPS} steps, all tasks at once"
    yield setting.row("CG", claim, witness, (together, want), (11, 5))
    first = iterates(cg, *(a[0].astype(setting.dtype) for a in (A, b)))
    pair = (first, want[:, 0])
    yield setting.row("cg", f"{STEPS} steps", witness, pair, (11, 5))


def iterates(solve: Callable, A: Any, b: Array) -> Array:
    """Return the first iterates of conjugate gradients, (steps, ...)."""
    seen: list[Array] = []
    solve(A, b, rtol=0.0, maxiter=STEPS, callback=lambda x: seen.append(x.copy()))
    return array_module(*seen).stack(seen)


def spectrum_rows(setting: Setting) -> Iterator[Row]:
    """Yield what is said of the smallest eigenvalue, and the dense matrix itself."""
    A, b = matrices(-0.3)
    matvec, right = product(setting, A), setting.put(b)
    witness = "LAPACK's eigenvalues in float64"
    want = numpy.linalg.eigvalsh(A)[:, 0]
    found, _ = smallest_eigenvalue(matvec, right, rtol=setting.need(1e-12, 1e-6))
    part = "smallest eigenvalue"
    yield setting.row(part, "Lanczos", witness, (found, want), (10, 5))
    _, info = CG(maxiter=SIZE).solve(matvec, right)
    above = info.smallest_ritz >= want - setting.need(1e-12, 1e-5)
    seen = info.negative_curvature > 0
    claim = "CG's Ritz value is above it; pᵀAp ≤ 0 is seen"
    yield setting.verdict(part, claim, witness, bool((above & seen).all()))
    matrix = to_host(dense_matrix(matvec, right))
    yield setting.row("dense matrix", "P products", "A itself", (matrix, A), (14, 6))


def low_rank_rows(setting: Setting) -> Iterator[Row]:
    """Yield what knows Λ of (RᵀR + Λ) x = b, with fewer rows R than parameters."""
    rng = numpy.random.default_rng(1)
    R, b = draw(rng, TASKS, 7, SIZE), draw(rng, TASKS, SIZE)
    lam, rtol = 1 + draw(rng, SIZE) ** 2, setting.need(1e-12, 1e-6)
    A = R.swapaxes(1, 2) @ R + numpy.diag(lam)
    want = numpy.linalg.solve(A, b[..., None])[..., 0]
    step = 1.9 / numpy.linalg.eigvalsh(A).max()
    rows = Factor(product(setting, R), product(setting, R.swapaxes(1, 2)), 7)
    methods: dict[str, Any] = {
        "Woodbury": Woodbury(),
        "Nyström": Nystrom(9),
        "CG by Jacobi": PreconditionedCG(rtol=rtol),
        "CG by Nyström": PreconditionedCG(rtol=rtol, by=Nystrom(5)),
        "Neumann series": Neumann(step, 3000, rtol=rtol),
    }
    for name, method in methods.items():
        given = {"factor": rows} if getattr(method, "takes_factor", False) else {}
        system = product(setting, A), setting.put(b), setting.put(1 / lam)
        pair = (method.solve(*system, **given)[0], want)
        claim, witness = "(RᵀR + Λ) x = b", "LAPACK in float64"
        yield setting.row(name, claim, witness, pair, (10, 4))
