"""The accused: a task loss at a point, run in a dtype on a device."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy

from ..compute import Array, to_device
from .model_point import ModelPoint
from .rows import Tensors


@dataclass(frozen=True)
class ModelRun:
    """A task loss at a point, in a dtype on a device.

    Args:
        point: The loss, and where.
        dtype: The dtype of all real arguments.
        device: "cpu" or "cuda".
    """

    point: ModelPoint
    dtype: numpy.dtype
    device: str

    def put(self, a: Array) -> Array:
        """Copy an array to the device; a real one in the dtype."""
        a = a.astype(self.dtype) if a.dtype.kind == "f" else a
        return to_device(a) if self.device == "cuda" else a

    @cached_property
    def first(self) -> Tensors:
        """The value, gradient and products with v."""
        return self.results(slice(None))

    @cached_property
    def operator(self) -> Any:
        """The product with H as a function on the device."""
        return self.linearized(slice(None)).hvp

    def results(self, tasks: slice) -> Tensors:
        """Return the value, gradient and products with v of some of the tasks."""
        lin, v = self.linearized(tasks), self.put(self.point.v[tasks])
        results = {"value": lin.value, "grad": lin.grad, "hvp": lin.hvp(v)}
        return results | ({"gnvp": lin.gnvp(v)} if hasattr(lin, "gnvp") else {})

    def linearized(self, tasks: slice) -> Any:
        """Linearise at the point."""
        arrays = (self.point.phi, self.point.x, self.point.y)
        return self.point.loss.linearize(*(self.put(a[tasks]) for a in arrays))
