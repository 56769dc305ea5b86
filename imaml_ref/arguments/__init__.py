"""What callers may give, and how values show in messages.

Knows numbers, words and the types that other libraries make of them.  Must not know
arrays of a device, nor what a setting is for.
"""

from .settings import (
    Check,
    Settings,
    a_layer,
    adopt,
    as_float,
    having,
    number,
    one_of,
    optional,
    pair,
    plain,
    setting,
    sizes,
    truth,
    whole,
)
from .shown import Brief, brief

__all__ = [
    "Brief",
    "Check",
    "Settings",
    "a_layer",
    "adopt",
    "as_float",
    "brief",
    "having",
    "number",
    "one_of",
    "optional",
    "pair",
    "plain",
    "setting",
    "sizes",
    "truth",
    "whole",
]
