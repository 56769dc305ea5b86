"""SciPy's ``cg``, with its promise kept.

One system A x = b is a batch of one task: the recurrence is that of ``recurrence``, the
check of the true residual that of ``certified``.  A Hermitian system is solved as the
symmetric one of its real and imaginary parts,

    Re(uᴴ v) = (Re u)ᵀ(Re v) + (Im u)ᵀ(Im v),                                     (1)

which has the same iterates, because all products uᴴv that CG divides are real.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from .certified import solve_certified
from .info import SolverInfo, Status
from .system import STEPS, make_system


def cg(
    A: Any,
    b: Any,
    x0: Any = None,
    *,
    rtol: float = 1e-5,
    atol: float = 0.0,
    maxiter: int | None = None,
    M: Any = None,
    callback: Callable[[np.ndarray], object] | None = None,
) -> tuple[np.ndarray, int]:
    """Solve A x = b, A symmetric (Hermitian) positive definite: a drop-in for SciPy's.

    The iterates are those of ``scipy.sparse.linalg.cg``, and so are the arguments.  It
    differs in five ways.

    - info = 0 says that ‖b − A x‖ ≤ max(rtol ‖b‖, atol) holds for the *true* residual.
      SciPy tests the recursive one.  Where that one lies, the iteration starts again
      from the true residual, until maxiter, or until three restarts have not halved it.
    - info = 0 also if the last step allowed is the one that converges, and the test is
      ≤, as SciPy documents, not <: an exact solution ends the iteration at once.
    - pᵀAp = 0 does not give NaN: the x before that step is returned, with info < 0.
      At pᵀAp < 0 the iteration goes on, as SciPy's does; A is then not positive
      definite, x is right all the same if info = 0, and ``MINRES`` is the method.
    - A and M may be plain functions v ↦ A v on (n,).
    - callback gets an array of its own at each step, not a buffer written again.

    Args:
        A: Array, sparse matrix, LinearOperator (n, n), or a function.
        b: Right-hand side, (n,) or (n, 1).
        x0: Where to start, likewise, or "Mb" for M b; zero if None.
        rtol: Tolerance relative to ‖b‖₂, without unit.
        atol: Absolute tolerance, in units of b.
        maxiter: Most steps, at least 1; 10 n if None.
        M: Preconditioner ≈ A⁻¹, positive definite: as A.
        callback: Called as callback(xk) after each step.

    Returns:
        x (n,), and info: 0 converged; > 0 the number of iterations made without
        convergence; < 0 minus the ``Status`` that ended it: BREAKDOWN (pᵀAp = 0),
        INDEFINITE_PRECONDITIONER (rᵀMr ≤ 0) or NOT_FINITE.

    Raises:
        ValueError: If a shape or an option is wrong.
        TypeError: If A or M returns a wider type than A and b have.

    Sources: see ``recurrence`` and ``certified``.
    """
    maxiter = STEPS("maxiter", maxiter)
    b = _vector(b)
    A = _operator("A", A, b)
    if not b.size:
        return b.ravel(), 0
    dtype = np.result_type(_floating(np.empty(0, A.dtype)), b)
    b = b.astype(dtype, copy=False).ravel()
    precondition = None if M is None else _operator("M", M, b)
    reported = None if callback is None else lambda x: callback(_flat(x, dtype))
    system = make_system(
        _rows(A, dtype),
        _row(b),
        None if x0 is None else _row(_first(x0, precondition, b)),
        rtol=rtol,
        atol=atol,
        M=None if precondition is None else _rows(precondition, dtype),
    )
    x, info = solve_certified(
        system,
        maxiter=10 * b.size if maxiter is None else maxiter,
        refresh=0,
        callback=reported,
    )
    return _flat(x, dtype), _code(info)


def _code(info: SolverInfo) -> int:
    """Return the integer of SciPy's contract."""
    status = Status(int(info.status[0]))
    if status in {Status.MAXITER, Status.STAGNATION}:
        return int(info.iterations[0])
    return -int(status)


def _floating(a: np.ndarray) -> np.ndarray:
    """Return a, made float64 if LAPACK does not know its type, as SciPy does."""
    return a if a.dtype.char in "fdFD" else a.astype(np.float64)


def _vector(b: Any) -> np.ndarray:
    """Return b as an array (n,) or (n, 1) of a type that LAPACK knows.

    Raises:
        ValueError: If its shape is another.
    """
    shape = np.shape(b)
    if len(shape) != 1 and shape[1:] != (1,):
        raise ValueError(f"b must have shape (n,) or (n, 1), like A, got {shape}")
    return _floating(np.asarray(b))


def _operator(name: str, A: Any, b: np.ndarray) -> LinearOperator:
    """Return A as a square LinearOperator of b's size.

    Raises:
        ValueError: If its shape does not fit.
        TypeError: If it is none of what there is to choose from.
    """
    n = b.shape[0]
    if callable(A) and not isinstance(A, LinearOperator) and not hasattr(A, "shape"):
        return LinearOperator((n, n), matvec=A, dtype=b.dtype)
    if not hasattr(A, "shape"):
        raise TypeError(
            f"{name} must be an array, a sparse matrix, a LinearOperator or a "
            f"function, got {type(A).__name__}"
        )
    A = aslinearoperator(A)
    if A.shape != (n, n):
        raise ValueError(f"{name} must have shape ({n}, {n}), like b, got {A.shape}")
    return A


def _first(x0: Any, M: LinearOperator | None, b: np.ndarray) -> np.ndarray:
    """Return x₀ as an array like b.

    Raises:
        ValueError: If its shape does not fit.
    """
    if isinstance(x0, str) and x0 == "Mb":
        return b if M is None else M.matvec(b)
    if isinstance(x0, str):
        raise ValueError(f"x0 must be an array or 'Mb', got {x0!r}")
    x0 = np.asarray(x0)
    if x0.shape not in {b.shape, (b.size, 1)}:
        raise ValueError(f"x0 must have shape {b.shape}, like b, got {x0.shape}")
    return x0.ravel().astype(b.dtype)


def _rows(A: LinearOperator, dtype: np.dtype) -> Callable[[np.ndarray], np.ndarray]:
    """Return A as a product of real (1, n) rows, or (1, 2n) by (1).

    Raises:
        TypeError: From the product, if A returns a wider type.
    """

    def matvec(v):
        q = np.asarray(A.matvec(_flat(v, dtype)))
        if not np.can_cast(q.dtype, dtype):
            raise TypeError(
                f"a product must be {dtype}, like A and b, got {q.dtype}; "
                "give b and the operator one dtype"
            )
        return _row(q.astype(dtype, copy=False))

    return matvec


def _row(v: np.ndarray) -> np.ndarray:
    """Return v (n,) as one real row: (1, n), or (1, 2n) if v is complex."""
    return np.ascontiguousarray(v).view(v.real.dtype)[None]


def _flat(row: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return the vector (n,) of a row."""
    return row[0].view(dtype)
