"""How far the path on a device goes: the layers, kernels, or graphs of kernels.

    plain            the layers, one array operation after another
    kernels          fused kernels, launched one by one
    graphs           the same, a sweep at a time; taken unless something else is asked
    fused            graphs of kernels that convolve and normalise in one
    …-3xtf32         products in float32 on tensor cores, in three terms: 22 bits
    …-tf32           in one term: 11 bits, three digits; for training, not for checks

``IMAML_REF_DEVICE_STAGE`` in the environment, or ``with device_stage(...):``, asks for
another; ``fused.plain_path`` and ``IMAML_REF_PLAIN=1`` mean the first on a device too.
"""

import os
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, NamedTuple

from ..compute import Array, holding
from .graphs import cuda_of


class Stage(NamedTuple):
    """What is done at a stage.

    Args:
        kernels: Whether kernels compute, or else the layers.
        graphs: Whether launches are recorded.
        fused: Whether one kernel convolves and normalises, where there is one.
        products: The end of the names of products in float32.
    """

    kernels: bool = True
    graphs: bool = True
    fused: bool = False
    products: str = ""


STAGES = {
    "plain": Stage(kernels=False, graphs=False),
    "kernels": Stage(graphs=False),
    "graphs": Stage(),
    "graphs-3xtf32": Stage(products="_3xtf32"),
    "graphs-tf32": Stage(products="_tf32"),
    "fused": Stage(fused=True),
    "fused-3xtf32": Stage(fused=True, products="_3xtf32"),
    "fused-tf32": Stage(fused=True, products="_tf32"),
}

DEFAULT = os.environ.get("IMAML_REF_DEVICE_STAGE") or "graphs"

_stage: ContextVar[str] = ContextVar("imaml_ref_device_stage", default=DEFAULT)
_machine: ContextVar[Any] = ContextVar("imaml_ref_machine", default=None)


def current_stage() -> Stage:
    """Return the stage that was asked for.

    Raises:
        ValueError: If there is no such stage.
    """
    return known(current_name())


def current_name() -> str:
    """Return the name of the stage that was asked for, whether there is one or not."""
    return _stage.get()


def known(name: str) -> Stage:
    """Return a stage by its name.

    Raises:
        ValueError: If there is no such stage.
    """
    if name not in STAGES:
        raise ValueError(f"a device stage is one of {', '.join(STAGES)}, got {name!r}")
    return STAGES[name]


def device_stage(name: str) -> AbstractContextManager:
    """Compute on devices at a stage inside the ``with``, on the threads it uses too.

    Arrays of NumPy know of no stage.

    Args:
        name: One of ``STAGES``.

    Raises:
        ValueError: If there is no such stage.
    """
    known(name)
    return holding(_stage, name)


def machine_of(a: Array) -> Any:
    """Return what runs kernels on an array; None where nothing does."""
    own = _machine.get()
    return own if own is not None and own.has(a) else cuda_of(a)


def on_machine(machine: Any) -> AbstractContextManager:
    """Run kernels on another machine inside the ``with``, on the arrays that it has.

    Args:
        machine: Has ``has``, ``launcher`` and ``record``, as ``graphs.Cuda``.
    """
    return holding(_machine, machine)
