"""Other λ, other tasks, other data, other outer steps; and what must be refused."""

from collections.abc import Iterator
from dataclasses import replace

import numpy

from ..layers import AveragePool2d, BatchNorm2d, MaxPool2d, Softplus, Tanh
from ..networks import architectures
from .case import Case
from .computation import Computation
from .problem import ALL, TO_STEP, Problems, problem
from .small_nets import conv_net, mlp

ADAM = {"optimizer": "adam"}


def other_strengths() -> Problems:
    """Yield a λ per parameter, and λ large and small."""
    yield problem(
        "ridge-lam-vector",
        "A λ per parameter, closed form.",
        architectures.linear((3,), 2),
        loss="squared-error",
        lam=0.5,
        vector=True,
        levels=TO_STEP,
    )
    yield problem(
        "mlp-lam-vector", "A λ per parameter.", mlp(Tanh), vector=True, levels=TO_STEP
    )
    yield problem(
        "conv-lam-vector",
        "A λ per parameter, batch normalisation.",
        conv_net(BatchNorm2d(3), Softplus(), AveragePool2d(), bias=False),
        vector=True,
    )
    yield problem(
        "lam-large",
        "λ = 64: the meta-gradient is nearly first order.",
        mlp(Tanh),
        lam=64.0,
        second_order=False,
    )
    yield problem(
        "lam-small",
        "λ = 1/16: the meta-gradient is far from first order.",
        architectures.linear((3,), 3),
        lam=0.0625,
        support=8,
    )


def other_tasks() -> Problems:
    """Yield other numbers of tasks and examples, other data, other outer steps."""
    yield problem("one-task", "T = 1.", mlp(Softplus), tasks=1, levels=TO_STEP)
    yield problem(
        "five-tasks", "T = 5: what sums, what averages.", mlp(Softplus), tasks=5
    )
    yield problem(
        "one-example",
        "One support and two query examples.",
        mlp(Tanh),
        support=1,
        query=2,
    )
    yield duplicated()
    yield tied()
    yield problem(
        "more-queries",
        "A query set larger than the support set, batch normalisation.",
        conv_net(BatchNorm2d(3), Tanh(), AveragePool2d(), bias=False),
        support=3,
        query=7,
    )
    yield problem(
        "adam",
        "Outer steps by Adam, with the corrections of its moments.",
        mlp(Tanh),
        outer=ADAM | {"step_size": 0.125, "beta1": 0.9, "beta2": 0.99, "eps": 2.0**-10},
        levels=ALL,
    )


def duplicated():
    """Return a case in which support examples occur twice."""
    case, levels = problem(
        "duplicates",
        "Support examples that occur twice, and count twice.",
        conv_net(BatchNorm2d(3), Tanh(), AveragePool2d(), bias=False),
        support=6,
    )
    for name in ("support_x", "support_y"):
        case.inputs[name][:, 4:] = case.inputs[name][:, :2]
    return case, levels


def tied():
    """Return a case in which windows of a max-pooling hold equal entries."""
    case, levels = problem(
        "ties",
        "Flat images: the largest entry of a window occurs several times.",
        conv_net(Tanh(), MaxPool2d()),
    )
    for name in ("support_x", "query_x"):
        case.inputs[name][:] = case.inputs[name][:, :, :1, :1]
    return case, levels


def conditioned() -> Problems:
    """Yield ridge regressions whose H + λI has a condition number of 10, 1e3, 1e6."""
    for name, scales in (
        ("10", (1, 2, 3)),
        ("1e3", (1, 8, 32)),
        ("1e6", (1, 32, 1024)),
    ):
        case, levels = problem(
            f"kappa-{name}",
            f"A condition number of H + λI of about {name}.",
            architectures.linear((3,), 2),
            loss="squared-error",
            lam=0.25,
            support=6,
        )
        for which in ("support_x", "query_x"):
            case.inputs[which] *= numpy.array(scales, float)
        yield case, levels


def refused() -> Iterator[Case]:
    """Yield problems without a trustworthy meta-gradient at the φ that is given."""
    case, _ = problem("not-stationary", "A φ that solves no inner problem.", mlp(Tanh))
    yield replace(
        case,
        inputs={**case.inputs, "solution": case.phi},
        refuse={"L4": "φ is not stationary: (5) does not apply"},
    )
    case, _ = problem(
        "saddle",
        "A stationary φ at which H + λI has a negative eigenvalue.",
        mlp(Tanh),
        tasks=1,
        lam=0.125,
        span=1.0,
        seed=2,
    )
    yield replace(
        case,
        inputs={**case.inputs, "solution": Computation().solution(case)},
        refuse={"L4": "H + λI is not positive definite: φ is no minimum"},
    )
