"""How values show in a message and on a screen: in a few words, on one line.

An array of more than a few entries is its dtype and shape, a long collection its length
and kind.  What it holds can be asked for; a screen full of pixels cannot be read.
"""

from dataclasses import fields, is_dataclass
from math import prod
from typing import Any

FEW, LONG = 6, 80  # entries, and characters


def brief(value: Any) -> str:
    """Return a value in one short line."""
    shape: tuple[int, ...] = getattr(value, "shape", ())
    if shape and hasattr(value, "dtype"):
        if prod(shape) > FEW or hasattr(value, "get"):
            return f"<{value.dtype} {tuple(shape)}>"
    elif isinstance(value, dict):
        pairs = [f"{brief(k)}: {brief(v)}" for k, v in list(value.items())[:FEW]]
        return "{" + ", ".join(pairs + ["…"] * (len(value) > FEW)) + "}"
    elif isinstance(value, list | tuple | set | frozenset) and len(value) > FEW:
        return f"<{type(value).__name__} of {len(value)}>"
    text = " ".join(repr(value).split())
    whole = is_dataclass(value) or len(text) <= LONG
    return text if whole else text[:LONG] + "…"


class Brief:
    """What a dataclass of arrays inherits, with ``repr=False``, to fit a screen."""

    def __repr__(self) -> str:
        found = ((f.name, getattr(self, f.name)) for f in fields(self) if f.repr)  # type: ignore[arg-type]
        shown = ", ".join(f"{name}={brief(value)}" for name, value in found)
        return f"{type(self).__name__}({shown})"
