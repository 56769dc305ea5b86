"""The kinds of work, and what of a meta-step belongs to them on both paths."""

import re

from imaml_ref import IMAML
from imaml_ref.fused import FusedExamples, FusedLinearization
from imaml_ref.inner import GradientDescent
from imaml_ref.meta_gradients import estimation, objective, task_mean
from imaml_ref.networks import Linearization, SoftmaxCrossEntropy
from imaml_ref.solvers import CG

from .clock import Clock, Label, watched

PRODUCTS, PATCHES, NORM = "products", "patches", "batch norm"
ENTRIES, LOSS, VECTORS, REST = (
    "element-wise",
    "loss",
    "vectors of length P",
    "Python, rest",
)
KINDS = (PRODUCTS, PATCHES, NORM, ENTRIES, LOSS, VECTORS, REST)

INNER, SOLVER, POINTS, MEAN = "inner steps", "CG", "to and from φ", "mean over tasks"
# What is around the sweeps: where it belongs, and its kind.
AROUND = (
    (IMAML, "__call__", "", REST),
    (task_mean, "gather", MEAN, VECTORS),
    (estimation, "chunk_at", "diagnostics", VECTORS),
    (GradientDescent, "solve", INNER, VECTORS),
    (objective.ProximalObjective, "grad", INNER, VECTORS),
    (CG, "solve", SOLVER, VECTORS),
    (objective.ProximalLinearization, "hvp", SOLVER, VECTORS),
    (objective.ProximalObjective, "linearize", POINTS, VECTORS),
    (Linearization, "__init__", POINTS, VECTORS),
    (Linearization, "hvp", POINTS, VECTORS),
    (FusedExamples, "gradient", POINTS, VECTORS),
    (FusedLinearization, "__init__", POINTS, VECTORS),
    (FusedLinearization, "hvp", POINTS, VECTORS),
    *(
        (SoftmaxCrossEntropy, name, LOSS, LOSS)
        for name in ("targets", "forward", "grad", "hvp", "accuracy")
    ),
)
PLACES = frozenset(place for *_, place, _ in AROUND)


def around(clock: Clock) -> list:
    """Return the changes that watch what is around the sweeps."""
    return [
        (owner, name, watched(clock, getattr(owner, name), Label(place, kind)))
        for owner, name, place, kind in AROUND
    ]


def block_of(layer_name: str) -> str:
    """Return the block that a layer belongs to: conv3, norm3, activation3 are one."""
    number = re.search(r"\d+$", layer_name)
    return f"block {number.group()}" if number else layer_name
