"""A task loss at a point, run in a dtype on a device."""

from functools import cached_property
from typing import Any

from .rows import Tensors
from .run import Run


class ModelRun(Run):
    """A task loss at a point."""

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
