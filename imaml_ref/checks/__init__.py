"""Witnesses: whether a derivative is right, and if not, where."""

from .layers import check_layer, layer_report
from .models import check_loss, check_network, loss_report, network_report
from .oracles import (
    adjoint_gap,
    central_difference,
    complex_step,
    digits,
    linearity_gap,
    symmetry_gap,
    taylor_slopes,
)
from .rows import Check, Report, Worst

__all__ = [
    "Check",
    "Report",
    "Worst",
    "adjoint_gap",
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
    "symmetry_gap",
    "taylor_slopes",
]
