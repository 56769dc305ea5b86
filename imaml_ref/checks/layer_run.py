"""The four methods of a layer, run in a dtype on a device and watched."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..compute import Array
from .layer_point import cotangents
from .rows import Tensors, under
from .run import Run, same_bits
from .trees import arrays, floats, map_leaves

METHODS = ("forward", "jvp", "vjp", "vjp_dot")


class LayerRun(Run):
    """The four methods of a layer at a point."""

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """What the methods are called with."""
        names = ("p", "x", "p_dot", "x_dot", "y_bar", "y_bar_dot")
        return {name: self.put(getattr(self.point, name)) for name in names}

    def results(self, tasks: slice) -> "Results":
        """Return what the four methods return for some of the tasks."""
        arguments = map_leaves(lambda _, a: a[tasks], self.arguments)
        return call(self.point.layer, arguments)

    def vjp_dot_given(self, forward_dot: Tensors) -> Tensors:
        """Call vjp_dot with the tangents of what is saved from somewhere else."""
        exact = self.put(forward_dot)
        saved, saved_dot = self.first.saved

        def replaced(path, leaf):
            name = f"saved.{path}" if path else "saved"
            return leaf if leaf is None else exact.get(name, leaf)

        saved_dot = map_leaves(replaced, saved_dot)
        return vjp_dot(self.point.layer, self.arguments, saved, saved_dot)


@dataclass(frozen=True)
class Results:
    """What the methods return.

    Args:
        tensors: By method, then by name; float arrays only.
        saved: What forward saved, and its tangents from jvp, as they are.
        changed: Which method changed which of its arguments.
    """

    tensors: dict[str, Tensors]
    saved: tuple[Any, Any]
    changed: tuple[str, ...]

    def __iter__(self):
        for method in METHODS:
            for name, a in self.tensors[method].items():
                yield f"{method}: {name}", a


def call(layer: Any, a: dict[str, Any]) -> Results:
    """Call the four methods in turn, each with the layer's own saved tangents."""
    watch = Watch(a)
    y, saved = layer.forward(a["p"], a["x"])
    watch.after("forward", saved=saved)
    y_dot, saved_dot = layer.jvp(a["p"], saved, a["p_dot"], a["x_dot"])
    watch.after("jvp", saved_dot=saved_dot)
    first = layer.vjp(a["p"], saved, a["y_bar"])
    watch.after("vjp")
    second = vjp_dot(layer, a, saved, saved_dot)
    watch.after("vjp_dot")
    tensors = {
        "forward": {"y": y} | under("saved", floats(saved)),
        "jvp": {"y_dot": y_dot} | under("saved_dot", floats(saved_dot)),
        "vjp": cotangents(first),
        "vjp_dot": second,
    }
    return Results(tensors, (saved, saved_dot), tuple(watch.changed))


def vjp_dot(layer: Any, a: dict[str, Any], saved: Any, saved_dot: Any) -> Tensors:
    """Call vjp_dot."""
    cotangents_in = a["y_bar"], a["y_bar_dot"]
    found = layer.vjp_dot(a["p"], saved, a["p_dot"], saved_dot, *cotangents_in)
    return cotangents(found)


class Watch:
    """Notes which method changes which of the arrays that it was given."""

    def __init__(self, arguments: dict[str, Any]):
        self.changed: list[str] = []
        self.seen: dict[str, tuple[Array, Array]] = {}
        self.add(**arguments)

    def add(self, **trees) -> None:
        """Keep copies of the arrays of named trees."""
        for name, tree in trees.items():
            for path, a in under(name, arrays(tree)).items():
                self.seen[path] = (a, a.copy())

    def after(self, method: str, **trees) -> None:
        """Compare all arrays with their copies, then add new ones to watch."""
        for path, (a, before) in self.seen.items():
            if not same_bits(a, before):
                self.changed.append(f"{method} changed {path}")
        self.seen = {path: (a, a.copy()) for path, (a, _) in self.seen.items()}
        self.add(**trees)
