"""Diagnose on the user's own network, λ and data, from arrays that were computed.

    found = diagnose_at({"phi": phi, "meta_grad": g}, loss, theta, tasks, lam=2.0)
    print(found)

What is right is computed here and certified (``own_certificate``).  With P ≤ 400 the
problem is a case like any other, and all that ``diagnosis`` knows is tried; beyond it,
with one λ, the families of ``krylov.WITHIN`` are, from products with H alone.
"""

from collections.abc import Mapping
from typing import Any

import numpy

from ..compute import one_blas_thread
from ..data import TaskBatch
from ..meta_gradients import TaskLoss
from .case import Array
from .own_certificate import OwnProblem
from .own_diagnosis import OwnDiagnosis
from .own_judging import Judging

NAMES = ("phi", "loss", "grad", "v", "direction", "hvp", "meta_grad", "lam_grad")


def diagnose_at(
    mine: Any, loss: TaskLoss, theta: Array, tasks: TaskBatch, *, lam: Any = 2.0
) -> OwnDiagnosis:
    """Judge arrays that a user computed on a problem of their own, and diagnose them.

    Args:
        mine: A dict, or an object with attributes, of some of ``phi`` (T, P), the
            user's solutions of (1); at them, or else at φ*: ``loss`` (T,) and ``grad``
            (T, P) of the support set, ``v`` (T, P) of the query set, ``hvp`` (T, P)
            along ``direction`` (P,) or (T, P), ``meta_grad`` (P,), and ``lam_grad``
            like λ.
        loss: The loss on our layers, to which the arrays are said to belong.
        theta: θ, (P,).
        tasks: A batch of tasks.
        lam: λ > 0, a number or (P,), in loss/parameter².

    Raises:
        TypeError: If tasks are no ``TaskBatch``, or loss has no network.
        ValueError: If an array has not its shape, is not finite, or there is none.
    """
    return judged(problem_of(loss, theta, tasks, lam), mine)


def problem_of(loss: TaskLoss, theta: Array, tasks: TaskBatch, lam: Any) -> OwnProblem:
    """Return the problem, in float64; what is computed for it is computed once.

    Raises:
        TypeError: See ``diagnose_at``.
        ValueError: If λ is not positive, or of another shape.
    """
    if not isinstance(tasks, TaskBatch) or not hasattr(loss, "net"):
        raise TypeError(
            "diagnose_at expects loss as a TaskLoss and tasks as a TaskBatch, got "
            f"{type(loss).__name__} and {type(tasks).__name__}"
        )
    if getattr(loss, "looks_at_support", False):
        raise TypeError("diagnose_at takes no network that looks at the support set")
    theta, lam = numpy.asarray(theta, float), numpy.asarray(lam, float)
    if lam.shape not in ((), theta.shape) or not (lam > 0).all():
        raise ValueError(f"lam must be > 0, a number or {theta.shape}, got {lam}")
    tasks = tasks.map(lambda a: a.astype(float) if a.dtype.kind == "f" else a)
    return OwnProblem(loss, theta, tasks, lam if lam.ndim else lam.item())


def judged(problem: OwnProblem, mine: Any) -> OwnDiagnosis:
    """Judge and diagnose arrays, ``mine``, on a problem that may be asked again."""
    like_lam = numpy.shape(problem.lam)
    got = given(mine, problem.theta.shape, len(problem.tasks), like_lam)
    with one_blas_thread(), numpy.errstate(all="ignore"):
        return Judging(problem, got).result()


def given(mine: Any, shape: tuple, tasks: int, like_lam: tuple) -> dict[str, Array]:
    """Return the arrays that were given, by name.

    Raises:
        ValueError: If one has not its shape or is not finite, or there is none.
    """
    found = dict(mine) if isinstance(mine, Mapping) else dict(vars(mine))
    found = {name: a for name, a in found.items() if a is not None}
    rows = (tasks, *shape)
    shapes = dict.fromkeys(("phi", "grad", "v", "hvp", "direction"), rows)
    shapes |= {"loss": (tasks,), "meta_grad": shape, "lam_grad": like_lam}
    unknown = set(found) - set(NAMES)
    if unknown or not set(found) - {"direction"}:
        raise ValueError(
            f"mine expects some of {', '.join(NAMES)}, got {', '.join(found) or 'none'}"
        )
    if ("hvp" in found) != ("direction" in found):
        raise ValueError("mine expects hvp and direction together, got one of them")
    for name, a in found.items():
        a = numpy.asarray(a)
        found[name] = a if a.dtype == numpy.float32 else a.astype(float)
        right = a.shape == shapes[name] or (name == "direction" and a.shape == shape)
        if not right or not numpy.isfinite(found[name]).all():
            raise ValueError(
                f"{name} expects finite numbers of shape {shapes[name]}, got shape "
                f"{a.shape} with {int((~numpy.isfinite(found[name])).sum())} that are "
                "not finite"
            )
    return found
