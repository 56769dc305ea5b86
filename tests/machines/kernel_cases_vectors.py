"""Cases of the kernels on vectors; see kernel_cases.

Tasks are in every state that a kernel of CG tells from others: running, ended, about
to end in each way, and not finite.
"""

from itertools import product

import numpy as np

from imaml_ref.kernels.table import chunks
from imaml_ref.solvers import Status
from tests.machines.kernel_maker import each

RUNNING = int(Status.MAXITER)


def strength(make, name, size, each):
    """Return a number, or one per parameter, by its name and step."""
    return {name: make.positive(size if each else 1), f"{name}_step": int(each)}


def vectors(make, tasks, size, reads=(), writes=()):
    given = {name: make.normal(tasks, size) for name in reads}
    given |= {name: make.unwritten(tasks, size) for name in writes}
    given["partials"] = make.unwritten(tasks, 2, chunks(size))
    return given | {"tasks": tasks, "size": size}


def descend(make, size, each, shared, tasks=3):
    given = vectors(make, tasks, size, ("phi", "grad"))
    given["theta"] = make.normal(*([] if shared else [tasks]), size)
    given |= {"theta_task": 0 if shared else size, "step_size": make.positive(1)}
    return (
        given | strength(make, "lam", size, each) | {"squares": make.unwritten(tasks)}
    )


def sigmas(make, tasks):
    """Return powers of two."""
    return np.ldexp(np.ones(tasks, make.dtype), make.ints(9, tasks) - 4)


REALS = ("tolerance", "rho", "residual", "sigma")


def cg_begin(make, size, each):
    tasks = 6
    given = vectors(make, tasks, size, ("b",), ("x", "r", "p"))
    given["b"][0] = 0  # solved already
    given["b"][1, size // 2] = np.nan
    given["b"][2, size - 1] = np.inf
    given["b"][3] *= 1e-4  # within atol
    given |= strength(make, "M", size, each)
    given |= {n: make.unwritten(tasks) for n in REALS}
    given |= {n: make.unwritten_ints(tasks) for n in ("iterations", "status")}
    return given | {"rtol": 0.1, "atol": np.full(tasks, 0.01, make.dtype)}


def indefinite(make, size, each):
    """Begin with an M that is not positive definite."""
    given = cg_begin(make, size, each)
    return given | {"M": -given["M"]}


def cg_length(make, size, each, conduct):
    tasks, kind = 9, np.finfo(make.dtype)
    given = vectors(make, tasks, size, ("Hp", "p"))
    given["Hp"] += 3 * given["p"]
    given["Hp"][2:4] = -10 * given["p"][2:4]  # negative curvature
    given["p"][4] = 0  # c = 0
    given["Hp"][5, size - 1] = np.nan
    given["Hp"][7:] = given["p"][7:] / kind.eps  # α leaves the range
    status = [RUNNING, int(Status.CONVERGED), *[RUNNING] * 7]
    given |= {
        "status": np.array(status, "int32"),
        "iterations": np.array([1, 2, 0, 3, 4, 5, 0, 1, 1], "int32"),
        "moves": make.unwritten_ints(tasks),
        "rho": make.positive(tasks),
        "sigma": sigmas(make, tasks),
        "residual": make.positive(tasks),
        "unit_M": 2 * make.ints(2, 1).astype(make.dtype) + 2,
        "alpha": make.unwritten(tasks),
        "record": make.unwritten(6, tasks),
        "conduct": conduct,
    }
    given["rho"][7:], given["sigma"][7:], given["residual"][7] = kind.tiny, 1, kind.eps
    return given | strength(make, "shift", size, each)


def cg_move(make, size, each):
    tasks = 7
    given = vectors(make, tasks, size, ("Hp", "p", "x", "r"))
    given["r"][3, size - 1] = np.inf
    ended = [int(Status.TRUNCATED), int(Status.CONVERGED)]
    given |= {
        "alpha": make.positive(tasks),
        "moves": np.array([1, 1, 1, 1, 1, 0, 1], "int32"),
        "tolerance": np.array([0.1, 0.1, 1e3, 0.1, 0.1, 0.1, 0.1], make.dtype),
        "rho": make.positive(tasks),
        "residual": make.positive(tasks),
        "sigma": sigmas(make, tasks),
        "status": np.array([*[RUNNING] * 4, *ended, RUNNING], "int32"),
        "beta": make.unwritten(tasks),
        "record": make.unwritten(6, tasks),
    }
    given["alpha"][5] = 0
    return given | strength(make, "shift", size, each) | strength(make, "M", size, each)


def overflow(make, size, each):
    """Move where ρ is infinite though ‖r‖ is not, and where M is negative."""
    given = cg_move(make, size, each)
    given["M"] *= np.finfo(make.dtype).max / 4 if each else -1
    return given


def cg_direction(make, size, each):
    tasks = 3
    given = vectors(make, tasks, size, ("r", "p"))
    del given["partials"]
    given["p"][1, 2] = np.nan
    status = [RUNNING, int(Status.NOT_FINITE), RUNNING]
    given |= {"beta": make.normal(tasks), "sigma": sigmas(make, tasks)}
    given |= {"status": np.array(status, "int32")}
    return given | strength(make, "M", size, each)


SIZES = [
    {"size": size, "each": each} for size, each in product((75, 4500), (False, True))
]
# More chunks than threads add them.
MANY_CHUNKS = {"size": 257 * 2048 + 1, "each": False, "tasks": 1}

STEPS = [size | {"shared": shared} for size in SIZES for shared in (False, True)]
CONDUCTS = [size | {"conduct": conduct} for size in SIZES for conduct in (0, 1, 2)]

CASES = {
    "descend": each(descend, [*STEPS, MANY_CHUNKS | {"shared": True}]),
    "cg_begin": [*each(cg_begin, SIZES), *each(indefinite, SIZES)],
    "cg_length": each(cg_length, CONDUCTS),
    "cg_move": [*each(cg_move, SIZES), *each(overflow, SIZES)],
    "cg_direction": each(cg_direction, SIZES),
}
