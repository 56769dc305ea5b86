"""How far the path on a device goes: the layers, kernels, or graphs of kernels.

    plain      the layers, one array operation after another
    kernels    fused kernels, launched one by one
    graphs     the same, a sweep at a time; what is taken unless something else is asked

``fused.plain_path`` and ``IMAML_REF_PLAIN=1`` mean the first one on a device too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..backend import Array
from .graphs import cuda_of

STAGES = ("plain", "kernels", "graphs")

_stage: ContextVar[str] = ContextVar("imaml_ref_device_stage", default="graphs")
_machine: ContextVar[Any] = ContextVar("imaml_ref_machine", default=None)


def stage() -> str:
    """Return which stage was asked for."""
    return _stage.get()


@contextmanager
def device_stage(name: str) -> Iterator[None]:
    """Compute on devices at a stage inside the ``with``, on the threads it uses too.

    Args:
        name: "plain", "kernels" or "graphs".

    Raises:
        ValueError: If there is no such stage.
    """
    if name not in STAGES:
        raise ValueError(f"device_stage takes {', '.join(STAGES)}, got {name!r}")
    token = _stage.set(name)
    try:
        yield
    finally:
        _stage.reset(token)


def machine_of(a: Array) -> Any:
    """Return what runs kernels on an array; None where nothing does."""
    own = _machine.get()
    return own if own is not None and own.has(a) else cuda_of(a)


@contextmanager
def on_machine(machine: Any) -> Iterator[None]:
    """Run kernels on another machine inside the ``with``, on the arrays that it has.

    Args:
        machine: Has ``has``, ``launcher``, ``pool`` and ``record``, as ``graphs.Cuda``.
    """
    token = _machine.set(machine)
    try:
        yield
    finally:
        _machine.reset(token)
