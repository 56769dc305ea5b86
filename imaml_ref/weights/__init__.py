"""Weights in and out: θ as tensors of PyTorch, and as files.

Knows networks, and in which order others lay parameters out.  Must not know what θ was
trained for, and imports no other framework.
"""

from .files import load_weights, save_weights
from .orders import Order, channels_before, kept, torch_order
from .torch_state import from_torch_state_dict, to_torch_state_dict

__all__ = [
    "Order",
    "channels_before",
    "from_torch_state_dict",
    "kept",
    "load_weights",
    "save_weights",
    "to_torch_state_dict",
    "torch_order",
]
