"""Conjugate gradients where the sweeps are: (H + s) x = b for all tasks, or with G.

The recurrence, its letters, numbers and units are those of ``solvers.recurrence``.  Its
scalars are arrays, and a task that has ended goes on with α = 0 and p = 0, so that a
step is the same launches for everybody.
"""

from typing import Any
from weakref import proxy

import numpy

from ..compute import Array, array_module, in_units, read
from ..solvers import CONDUCTS, RUNNING, Record, described
from .program import Program
from .table import KERNELS, chunks

REALS = ("tolerance", "rho", "residual", "sigma", "alpha", "beta")
COUNTS = ("status", "iterations", "moves")


class Krylov:
    """The arrays of the iteration for some sweeps, and its programs.

    Args:
        sweeps: The sweeps, where p is φ̇.
    """

    def __init__(self, sweeps: Any):
        # The sweeps keep it; if it kept them, only a collection would free them.
        self.sweeps, self.space = proxy(sweeps), sweeps.space
        zeros, (tasks, size) = self.space.zeros, sweeps.phi.shape
        self.sizes = {"tasks": tasks, "size": size}
        self.arrays = {
            "x": sweeps.vector(),
            "r": sweeps.vector(),
            "p": sweeps.phi_dot,
            "partials": zeros((tasks, 2, chunks(size))),
            "record": zeros((len(Record._fields), tasks)),
            **{name: zeros((tasks,)) for name in REALS},
            **{name: zeros((tasks,), "int32") for name in COUNTS},
        }
        self._strengths: dict[tuple[int, ...], tuple[Array, Array, Array]] = {}
        self._steps: dict[tuple, Program] = {}

    def solve(self, solver: Any, curvature: str, b: Array, shift: Any):
        """Return x (T, P), and what is found out about each task, or a reading of it.

        Args:
            solver: A ``solvers.CG``.
            curvature: "hvp" or "gnvp".
            b: Right-hand sides, (T, P).
            shift: s > 0, a number or (P,); the preconditioner is M = 1/s.
        """
        shape = getattr(shift, "shape", ())
        s, M, unit_M = self.strengths(shape)
        s[...], M[...] = shift, 1 / shift
        M[...], unit_M[...] = in_units(M)
        b, unit = in_units(b)
        self.begin(b, M, len(shape), solver, unit)
        step = self.step(curvature, solver.on_negative_curvature, shape)
        records: list[Array] = []
        for _ in range(10 * b.shape[1] if solver.maxiter is None else solver.maxiter):
            # Without a tolerance nobody asks: a question waits for the device.
            if (solver.rtol or solver.atol) and not self.runs():
                break
            step.run()
            records.append(self.arrays["record"].copy())
        # As in ``System``: what Ritz values are divided by.
        scale = 1 / unit_M if shape else M.copy()
        found = self.found(scale, unit, unit_M.copy(), records)
        return self.arrays["x"] * unit[:, None], found

    def strengths(self, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
        """Return the arrays in which s and M/m wait, (1,) or (P,), and m, (1,)."""
        if shape not in self._strengths:
            s, M = (self.space.zeros(shape or (1,)) for _ in range(2))
            self._strengths[shape] = s, M, self.space.zeros((1,))
        return self._strengths[shape]

    def runs(self) -> bool:
        """Whether any task has not ended."""
        return bool((self.arrays["status"] == int(RUNNING)).any())

    def taken(self, kernel: str, **own: Any) -> dict[str, Any]:
        """Return what a kernel takes, of its own and of what is here, by name."""
        known = self.arrays | self.sizes | own
        return {a.name: known[a.name] for a in KERNELS[kernel].arguments}

    def begin(self, b: Array, M: Array, M_step: int, solver: Any, unit: Array) -> None:
        """Start from x = 0: (1), for b in some unit."""
        diagonal = {"M": M, "M_step": M_step}
        own: dict[str, Any] = {
            "b": array_module(b).ascontiguousarray(b),
            "rtol": float(solver.rtol),
            "atol": unit.dtype.type(solver.atol) / unit,
        }
        self.space.launch("cg_begin", **self.taken("cg_begin", **own, **diagonal))
        self.arrays["beta"][...] = 0
        self.space.launch("cg_direction", **self.taken("cg_direction", **diagonal))

    def step(self, curvature: str, conduct: str, shape: tuple[int, ...]) -> Program:
        """Return one step, (2) to (7): the product, α, then x, r, β, then p."""
        key = curvature, conduct, shape
        if key not in self._steps:
            product, Hp = self.sweeps.product(curvature)
            s, M, unit_M = self.strengths(shape)
            own = {
                "Hp": Hp,
                "shift": s,
                "shift_step": len(shape),
                "M": M,
                "M_step": len(shape),
                "unit_M": unit_M,
                "conduct": CONDUCTS.index(conduct),
            }
            program = Program(self.space, product)
            for kernel in ("cg_length", "cg_move", "cg_direction"):
                program.do(kernel, **self.taken(kernel, **own))
            self._steps[key] = program
        return self._steps[key]

    def found(self, scale, unit, unit_M, records: list[Array]) -> Any:
        """Return a SolverInfo, or a reading of it, of what is here now."""
        names = ("status", "iterations", "residual", "tolerance")
        here = [self.arrays[name].copy() for name in names]
        return read(told, scale, unit, unit_M, *here, *records)


def told(scale, unit, unit_M, status, iterations, residual, tolerance, *records):
    """Return the SolverInfo of records (6, T), all on the host."""
    counts = (a.astype(numpy.int64) for a in (status, iterations))
    scalars = [row for record in records for row in record]
    return described(scale, unit, unit_M, *counts, residual, tolerance, *scalars)
