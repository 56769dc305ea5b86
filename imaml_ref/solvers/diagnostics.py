"""From the scalars of all steps to what each task should know."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..compute import read
from .info import SolverInfo
from .lanczos import smallest_ritz_values
from .recurrence import Record, State
from .system import System


def summarise(system: System, state: State, records: list[Record]) -> Any:
    """Turn the records of all steps, and where they led, into a SolverInfo.

    On a device it is a reading of one: CG asks for nothing on the way.
    """
    units = (system.scale, system.unit, system.unit_M)
    last = (state.status, state.iterations, state.residual, system.tolerance)
    scalars = [scalar for record in records for scalar in record]
    return read(described, *units, *last, *scalars)


def described(scale, unit, unit_M, status, iterations, residual, tolerance, *scalars):
    """Return the SolverInfo of what ``summarise`` reads, all on the host."""
    active, c, squared_p, rho, beta, sigma = stacked(Record, scalars, len(status))
    seen = active.astype(bool) & np.isfinite(c)
    negative = seen & (c <= 0)
    step, value = first_negative(c, negative)
    length = (unit * unit_M).real.astype(np.float64) * at_step(sigma, step)
    return SolverInfo(
        status=status,
        iterations=iterations,
        residual=residual * unit,
        tolerance=tolerance * unit,
        smallest_ritz=in_units_of_A(smallest_ritz(c, rho, beta, seen), scale),
        smallest_rayleigh=quotients(c, squared_p, seen),
        negative_curvature=negative.sum(0),
        first_negative=value * length * length,
        first_negative_step=step,
        num_products=active.sum(0).astype(int),
        measured=np.zeros(len(status), dtype=bool),
    )


def in_units_of_A(ritz: np.ndarray, scale: Any) -> np.ndarray:
    """Return Ritz values (T,) over ``System.scale``; inf, if none is known, stays so.

    Without a step there is none, and M may be anything: 0 and negative numbers too.
    """
    scale = np.broadcast_to(np.real(scale), ritz.shape)
    return np.divide(ritz, scale, out=ritz.copy(), where=np.isfinite(ritz))


def at_step(a: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Return a (steps, T) at the step of each task, from 1; 1 where it is 0."""
    if not len(a):
        return np.ones(len(step))
    chosen = np.take_along_axis(a, np.maximum(step - 1, 0)[None], 0)[0]
    return np.where(step > 0, chosen, 1.0)


def stacked(kind: Any, scalars: Sequence[Any], num_tasks: int) -> list[np.ndarray]:
    """Return the fields of records of a kind, each (steps, T), float64.

    Args:
        kind: The kind.
        scalars: The fields of one record after the other, each (T,), on the host.
        num_tasks: T.
    """
    kinds = len(kind._fields)
    table = np.array([a.real for a in scalars], dtype=np.float64)
    return list(table.reshape(-1, kinds, num_tasks).swapaxes(0, 1))


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
