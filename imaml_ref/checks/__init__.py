"""Witnesses: whether a derivative is right, and if not, where.

Knows contracts: what a layer, a loss or a network promises.  Must not know how one
keeps its promise.
"""

from .layers import check_layer, layer_report
from .models import check_loss, check_network, loss_report, network_report, random_point
from .oracles import (
    MOST_DIGITS,
    adjoint_gap,
    as_digits,
    central_difference,
    complex_step,
    digits,
    linearity_gap,
    norm,
    symmetry_gap,
    taylor_slopes,
    unit_roundoff,
)
from .rows import Check, Report, Worst

__all__ = [
    "MOST_DIGITS",
    "Check",
    "Report",
    "Worst",
    "adjoint_gap",
    "as_digits",
    "central_difference",
    "check_layer",
    "check_loss",
    "check_network",
    "complex_step",
    "digits",
    "layer_report",
    "linearity_gap",
    "loss_report",
    "network_report",
    "norm",
    "random_point",
    "symmetry_gap",
    "taylor_slopes",
    "unit_roundoff",
]
