"""One flat vector holds all parameters; layers see named views of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod

from ..compute import Array, array_module
from ..layers import Params


@dataclass(frozen=True)
class ParameterLayout:
    """Where each named parameter lies in a flat vector of length P.

    Args:
        names: Names such as ``conv1.kernel``, in the order of the chain.
        shapes: Their shapes, without the task axis.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where each parameter lies, parallel to ``names`` and ``shapes``."""
        ends = list(accumulate(map(prod, self.shapes)))
        return tuple(slice(a, b) for a, b in zip([0, *ends], ends, strict=False))

    @property
    def size(self) -> int:
        """P, the number of parameters."""
        return self.slices[-1].stop if self.slices else 0

    def unpack(self, flat: Array) -> dict[str, Array]:
        """Return views (..., *shape) of a flat array (..., P), by name.

        Raises:
            ValueError: If the last axis of ``flat`` is not P long.
        """
        if flat.shape[-1:] != (self.size,):
            raise ValueError(
                f"expected a flat array of shape (..., {self.size}), got {flat.shape}"
            )
        return {
            name: flat[..., where].reshape((*flat.shape[:-1], *shape))
            for name, where, shape in zip(
                self.names, self.slices, self.shapes, strict=True
            )
        }

    def pack(self, named: Mapping[str, Array]) -> Array:
        """Return a flat array (..., P) with copies of the named arrays (..., *shape).

        Raises:
            ValueError: If a name is missing or unknown, or a shape does not end as the
                layout says.
        """
        if set(named) != set(self.names):
            odd = sorted(set(named) ^ set(self.names))
            raise ValueError(f"missing or unknown parameters: {', '.join(odd)}")
        flat = []
        for name, shape in zip(self.names, self.shapes, strict=True):
            lead = named[name].shape[: named[name].ndim - len(shape)]
            if named[name].shape != (*lead, *shape):
                raise ValueError(
                    f"{name} expects shape (..., {', '.join(map(str, shape))}), "
                    f"got {named[name].shape}"
                )
            flat.append(named[name].reshape(*lead, -1))
        return array_module(*flat).concatenate(flat, axis=-1)


def assign(views: Params, values: Params) -> None:
    """Write each value into the view of the same name."""
    for name, view in views.items():
        view[...] = values[name]
