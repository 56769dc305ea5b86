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
from .table import chunks

SCALARS = ("tolerance", "rho", "residual", "sigma")
LENGTH = ("rho", "sigma", "residual", "alpha")


class Krylov:
    """The arrays of the iteration for some sweeps, and its programs.

    Args:
        sweeps: The sweeps, where p is φ̇.
    """

    def __init__(self, sweeps: Any):
        # The sweeps keep it; if it kept them, only a collection would free them.
        self.sweeps, self.space = proxy(sweeps), sweeps.space
        zeros, (tasks, size) = self.space.zeros, sweeps.phi.shape
        self.x, self.r, self.p = sweeps.vector(), sweeps.vector(), sweeps.phi_dot
        self.sizes = {"tasks": tasks, "size": size}
        self.partials = zeros((tasks, 2, chunks(size)))
        self.reals = {n: zeros((tasks,)) for n in (*SCALARS, "alpha", "beta")}
        self.counts = {n: zeros((tasks,), "int32") for n in ("status", "iterations")}
        self.moves = zeros((tasks,), "int32")
        self.record = zeros((len(Record._fields), tasks))
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
            records.append(self.record.copy())
        # As in ``System``: what Ritz values are divided by.
        scale = 1 / unit_M if shape else M.copy()
        found = self.found(scale, unit, unit_M.copy(), records)
        return self.x * unit[:, None], found

    def strengths(self, shape: tuple[int, ...]) -> tuple[Array, Array, Array]:
        """Return the arrays in which s and M/m wait, (1,) or (P,), and m, (1,)."""
        if shape not in self._strengths:
            s, M = (self.space.zeros(shape or (1,)) for _ in range(2))
            self._strengths[shape] = s, M, self.space.zeros((1,))
        return self._strengths[shape]

    def runs(self) -> bool:
        """Whether any task has not ended."""
        return bool((self.counts["status"] == int(RUNNING)).any())

    def begin(self, b: Array, M: Array, M_step: int, solver: Any, unit: Array) -> None:
        """Start from x = 0: (1), for b in some unit."""
        self.space.launch(
            "cg_begin",
            b=array_module(b).ascontiguousarray(b),
            M=M,
            M_step=M_step,
            rtol=float(solver.rtol),
            atol=unit.dtype.type(solver.atol) / unit,
            x=self.x,
            r=self.r,
            p=self.p,
            partials=self.partials,
            **self.counts,
            **{name: self.reals[name] for name in SCALARS},
            **self.sizes,
        )
        self.reals["beta"][...] = 0
        direction = Program(self.space)
        self.write_direction(direction, {"M": M, "M_step": M_step})
        direction.launch()

    def step(self, curvature: str, conduct: str, shape: tuple[int, ...]) -> Program:
        """Return one step, (2) to (7)."""
        key = curvature, conduct, shape
        if key in self._steps:
            return self._steps[key]
        product, Hp = self.sweeps.product(curvature)
        (s, M, unit_M), step = self.strengths(shape), len(shape)
        at_p = {"Hp": Hp, "p": self.p, "shift": s, "shift_step": step}
        diagonal = {"M": M, "M_step": step}
        program = Program(self.space, product)
        self.write_length(program, at_p, unit_M, CONDUCTS.index(conduct))
        self.write_move(program, at_p | diagonal)
        self.write_direction(program, diagonal)
        self._steps[key] = program
        return program

    def write_length(
        self, program: Program, at_p: dict, unit_M: Array, conduct: int
    ) -> None:
        """Write (2), (3): α, and how the tasks fare."""
        program.do(
            "cg_length",
            **at_p,
            conduct=conduct,
            partials=self.partials,
            unit_M=unit_M,
            **{name: self.reals[name] for name in LENGTH},
            record=self.record,
            moves=self.moves,
            **self.counts,
            **self.sizes,
        )

    def write_move(self, program: Program, where: dict) -> None:
        """Write (4) to (6): x, r, β, and how the tasks fare."""
        program.do(
            "cg_move",
            **where,
            x=self.x,
            r=self.r,
            partials=self.partials,
            record=self.record,
            moves=self.moves,
            status=self.counts["status"],
            **self.reals,
            **self.sizes,
        )

    def write_direction(self, program: Program, diagonal: dict) -> None:
        """Write (7): p."""
        program.do(
            "cg_direction",
            **diagonal,
            beta=self.reals["beta"],
            sigma=self.reals["sigma"],
            status=self.counts["status"],
            r=self.r,
            p=self.p,
            **self.sizes,
        )

    def found(self, scale, unit, unit_M, records: list[Array]) -> Any:
        """Return a SolverInfo, or a reading of it, of what is here now."""
        counts = [count.copy() for count in self.counts.values()]
        reals = [self.reals[name].copy() for name in ("residual", "tolerance")]
        return read(told, scale, unit, unit_M, *counts, *reals, *records)


def told(scale, unit, unit_M, status, iterations, residual, tolerance, *records):
    """Return the SolverInfo of records (6, T), all on the host."""
    counts = (a.astype(numpy.int64) for a in (status, iterations))
    scalars = [row for record in records for row in record]
    return described(scale, unit, unit_M, *counts, residual, tolerance, *scalars)
