"""What callers may give, and how values show in messages.

Knows numbers, words and the types that other libraries make of them.  Must not know
arrays of a device, nor what a setting is for.
"""

from .settings import (
    Check,
    a_layer,
    as_float,
    having,
    number,
    one_of,
    pair,
    plain,
    settle,
    sizes,
    truth,
    whole,
)
from .shown import Brief, brief

__all__ = [
    "Brief",
    "Check",
    "a_layer",
    "as_float",
    "brief",
    "having",
    "number",
    "one_of",
    "pair",
    "plain",
    "settle",
    "sizes",
    "truth",
    "whole",
]
