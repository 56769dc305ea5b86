"""One flat vector holds all parameters; layers see named views of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import Any

from ..compute import Array, array_module, check_array
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

    @cached_property
    def layers(self) -> dict[str, slice]:
        """Where the parameters of each layer that has some lie, in order, L of them."""
        found: dict[str, slice] = {}
        for name, where in zip(self.names, self.slices, strict=True):
            layer = name.rpartition(".")[0]
            found[layer] = slice(found.get(layer, where).start, where.stop)
        return found

    def spread(self, each: Array) -> Array:
        """Return (P,) with the number of its layer, (L,), for every parameter."""
        lengths = [where.stop - where.start for where in self.layers.values()]
        return array_module(each).repeat(each, lengths)

    def gathered(self, flat: Array) -> Array:
        """Return the sum over each layer, (..., L), of (..., P)."""
        sums = [flat[..., where].sum(-1) for where in self.layers.values()]
        return array_module(flat).stack(sums, -1)

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
            TypeError: If one is no array.
            ValueError: If names are missing or unknown, or shapes are not those of the
                layout behind the same axes; all are named.
        """
        for name, a in named.items():
            check_array(name, a)
        shapes = dict(zip(self.names, self.shapes, strict=True))
        odd = [f"{name} is missing" for name in shapes if name not in named]
        odd += [f"{name} is unknown" for name in named if name not in shapes]
        pairs = [(n, named[n].shape, s) for n, s in shapes.items() if n in named]
        leads = [found[: max(0, len(found) - len(own))] for _, found, own in pairs]
        lead = max(leads, key=leads.count, default=())
        odd += [
            f"{name} expects shape {(*lead, *own)}, got {found}"
            for name, found, own in pairs
            if found != (*lead, *own)
        ]
        if odd:
            raise ValueError(f"parameters do not fit: {'; '.join(odd)}")
        flat = [named[name].reshape(*lead, -1) for name in shapes]
        return array_module(*flat).concatenate(flat, axis=-1)


def flattened(named: Mapping[str, Any]) -> dict[str, Array]:
    """Return arrays by "layer.parameter", of dicts by layer or of such names.

    Raises:
        TypeError: If they are not all of one dtype.
    """
    flat: dict[str, Array] = {}
    for layer, p in named.items():
        inside = isinstance(p, Mapping)
        flat |= {f"{layer}.{n}": a for n, a in p.items()} if inside else {layer: p}
    kinds = {a.dtype: name for name, a in flat.items() if hasattr(a, "dtype")}
    if len(kinds) > 1:
        said = ", ".join(f"{name} is {dtype}" for dtype, name in kinds.items())
        raise TypeError(f"parameters must be all of one dtype; {said}")
    return flat


def check_direction(phi: Array, v: Array) -> None:
    """Refuse a direction that would be broadcast, to be the same for all tasks or not.

    Raises:
        TypeError: If v is no array.
        ValueError: If v has not the shape of φ.
    """
    check_array("a direction", v)
    if v.shape != phi.shape:
        raise ValueError(
            f"a direction expects the shape (T, P) of φ, {phi.shape}, got {v.shape}; "
            "for one direction in all tasks use np.broadcast_to(v, phi.shape)"
        )


def assign(views: Params, values: Params) -> None:
    """Write each value into the view of the same name."""
    for name, view in views.items():
        view[...] = values[name]
