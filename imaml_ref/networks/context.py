"""Queries in the context of their support set: who asks for it, and is told of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from ..compute import Array
from ..layers import AfterSupport, BatchNorm2d, Layer


def everything(layers: Mapping[str, Layer]) -> Iterator[Layer]:
    """Yield the layers, those beside a skip among them."""
    for layer in layers.values():
        yield layer
        for chain in getattr(layer, "chains", ()):
            yield from everything(chain)


def check_company(layers: Mapping[str, Layer]) -> None:
    """Refuse batch normalisation beside a layer that asks for the support set.

    Raises:
        ValueError: If there are both.
    """
    known = [*everything(layers)]
    mixes = any(isinstance(layer, BatchNorm2d) for layer in known)
    if mixes and any(layer.looks_at_support for layer in known):
        raise ValueError(
            "BatchNorm2d would normalise queries and support set together, where "
            "another layer asks for the latter; take SupportNorm2d in its place"
        )


def told(layers: Mapping[str, Layer], num_support: int) -> dict[str, Layer]:
    """Return the layers for so many support examples, then queries; z of the latter."""
    given = {name: layer.given(num_support) for name, layer in layers.items()}
    return given | {"after the support set": AfterSupport(num_support)}


def context_for(asking: Any, support_x: Array) -> dict[str, Array]:
    """Return the ``context`` of queries, if a network or loss ``looks_at_support``."""
    wanted = getattr(asking, "looks_at_support", False)
    return {"context": support_x} if wanted else {}
