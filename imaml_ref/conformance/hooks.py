"""What programs in PyTorch and JAX are given of one task, and what they compute."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """One task, every array a tensor of the framework in the framework's layout.

    Args:
        model: PyTorch: a Module of its own, free to be changed, whose parameters are
            φ where φ is given, else θ.  JAX: the function (parameters, x) → outputs.
        loss: (outputs, y) → a scalar, the mean over examples.
        theta: θ, by the names of the framework.
        phi: φ, likewise; None where the inner problem is to be solved.
        lam: λ, a number, or like ``theta`` where there is one for each parameter.
        support: x and y of the support set.
        query: x and y of the query set.
    """

    model: Any
    loss: Callable[[Any, Any], Any]
    theta: Any
    phi: Any
    lam: Any
    support: tuple[Any, Any]
    query: tuple[Any, Any]


@dataclass(frozen=True)
class Hooks:
    """What a user computes; what is None is not attempted.

    Args:
        meta_grad: (task) → g of one task; the mean over tasks is then taken here.
        batch_grad: (list of tasks) → the meta-gradient, the mean already taken.
        lam_grad: (task) → dQ/dλ of one task, a number or like θ, as λ is.
        inner: (task) → φ, the solution of (1).
        unrolled_grad: (task, steps, step_size) → dQ(φ_K)/dθ of one task.
        solve: (A, b) → x.
        hvp: (task, v) → H v at ``task.phi``; by default it is left to the framework.
        outer_step: (θ, gradient, state, outer) → θ and state, ``state`` first None and
            ``outer`` such as {"optimizer": "sgd", "step_size": 0.25}.
    """

    meta_grad: Callable | None = None
    batch_grad: Callable | None = None
    lam_grad: Callable | None = None
    inner: Callable | None = None
    unrolled_grad: Callable | None = None
    solve: Callable | None = None
    hvp: Callable | None = None
    outer_step: Callable | None = None
