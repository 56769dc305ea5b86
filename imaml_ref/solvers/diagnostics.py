"""From the scalars of all steps to what each task should know."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..backend import to_host
from ..readings import read
from .info import SolverInfo
from .lanczos import smallest_ritz_values
from .recurrence import Record, State
from .system import System


def summarise(system: System, state: State, records: list[Record]) -> Any:
    """Turn the records of all steps, and where they led, into a SolverInfo.

    On a device it is a reading of one: CG asks for nothing on the way.
    """
    last = (state.status, state.iterations, state.residual, system.tolerance)
    scalars = [scalar for record in records for scalar in record]
    return read(partial(described, system.scale), *last, *scalars)


def described(scale: Any, status, iterations, residual, tolerance, *scalars):
    """Return the SolverInfo of what ``summarise`` reads, all on the host."""
    kinds = len(Record._fields)
    records = [scalars[i : i + kinds] for i in range(0, len(scalars), kinds)]
    active, c, squared_p, rho, beta = stacked(Record, records, len(status))
    seen = active.astype(bool) & np.isfinite(c)
    negative = seen & (c <= 0)
    step, value = first_negative(c, negative)
    ritz = smallest_ritz(c, rho, beta, seen)
    return SolverInfo(
        status=status,
        iterations=iterations,
        residual=residual,
        tolerance=tolerance,
        smallest_ritz=ritz / (1.0 if scale is None else scale),
        smallest_rayleigh=quotients(c, squared_p, seen),
        negative_curvature=negative.sum(0),
        first_negative=value,
        first_negative_step=step,
        num_products=active.sum(0).astype(int),
    )


def stacked(kind: Any, records: Sequence[Any], num_tasks: int) -> list[np.ndarray]:
    """Return the fields of records of a kind, each (steps, T), float64, on the host."""
    shape = (len(records), num_tasks)
    return [
        np.array([to_host(r[i]).real for r in records], dtype=np.float64).reshape(shape)
        for i in range(len(kind._fields))
    ]


def quotients(c: np.ndarray, squared_p: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the smallest c / pᵀp of those seen, (T,); inf if there is none."""
    rayleigh = np.full(c.shape, np.inf)
    # A direction so short that its square underflows says nothing.
    np.divide(c, squared_p, out=rayleigh, where=seen & (squared_p > 0))
    return rayleigh.min(0, initial=np.inf)


def first_negative(c: np.ndarray, negative: np.ndarray):
    """Return the step (from 1; 0 if none) and the value (NaN if none) of the first."""
    steps = np.zeros(c.shape[1], dtype=int)
    values = np.full(c.shape[1], np.nan)
    for task in np.flatnonzero(negative.any(0)):
        first = negative[:, task].argmax()
        steps[task], values[task] = first + 1, c[first, task]
    return steps, values


def smallest_ritz(c, rho, beta, seen) -> np.ndarray:
    """Return the smallest Ritz value of each task, (T,), for M^(1/2) A M^(1/2).

    Tasks of as many steps are one call: for each alone it would take longer than the
    steps do on a device.
    """
    found, counts = np.empty(c.shape[1]), seen.sum(0)
    for count in np.unique(counts):
        tasks = np.flatnonzero(counts == count)
        c_k, rho_k, beta_k = (
            a.T[tasks][seen.T[tasks]].reshape(len(tasks), count) for a in (c, rho, beta)
        )
        found[tasks] = smallest_ritz_values(c_k / rho_k, beta_k)
    return found
