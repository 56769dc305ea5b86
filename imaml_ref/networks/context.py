"""Queries in the context of their support set: who asks for it, and is told of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..compute import Array
from ..layers import AfterSupport, BatchNorm2d, Layer


def asks(layer: Any) -> bool:
    """Whether a layer asks for the support set: ``num_support`` waits for a number."""
    return getattr(layer, "num_support", 0) is None


def check_company(layers: Mapping[str, Layer]) -> None:
    """Refuse batch normalisation beside a layer that asks for the support set.

    Raises:
        ValueError: If there are both.
    """
    mixes = any(isinstance(layer, BatchNorm2d) for layer in layers.values())
    if mixes and any(map(asks, layers.values())):
        raise ValueError(
            "BatchNorm2d would normalise queries and support set together, where "
            "another layer asks for the latter; take SupportNorm2d in its place"
        )


def told(layers: Mapping[str, Any], num_support: int) -> dict[str, Any]:
    """Return the layers for so many support examples, then queries; z of the latter."""
    given = {
        name: replace(layer, num_support=num_support) if asks(layer) else layer
        for name, layer in layers.items()
    }
    return given | {"after the support set": AfterSupport(num_support)}


def context_for(asking: Any, support_x: Array) -> dict[str, Array]:
    """Return the ``context`` of queries, if a network or loss ``looks_at_support``."""
    wanted = getattr(asking, "looks_at_support", False)
    return {"context": support_x} if wanted else {}
