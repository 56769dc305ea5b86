"""Which of the two paths computes: the fused one, unless the plain one is asked for."""

import os
from contextlib import AbstractContextManager
from contextvars import ContextVar

from ..compute import holding

_plain: ContextVar[bool] = ContextVar(
    "imaml_ref_plain", default=os.environ.get("IMAML_REF_PLAIN", "0") not in ("", "0")
)


def is_plain() -> bool:
    """Return whether the plain path was asked for."""
    return _plain.get()


def plain_path() -> AbstractContextManager:
    """Compute with the plain layers inside the ``with``, on the threads it uses too."""
    return holding(_plain, True)
