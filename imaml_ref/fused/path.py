"""Which of the two paths computes: the fused one, unless the plain one is asked for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_plain: ContextVar[bool] = ContextVar(
    "imaml_ref_plain", default=os.environ.get("IMAML_REF_PLAIN", "0") not in ("", "0")
)


def is_plain() -> bool:
    """Return whether the plain path was asked for."""
    return _plain.get()


@contextmanager
def plain_path() -> Iterator[None]:
    """Compute with the plain layers inside the ``with``, on the threads it uses too."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)
