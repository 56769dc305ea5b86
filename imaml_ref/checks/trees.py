"""What a layer saves, whatever its shape: tuples, named tuples, dicts, arrays."""

from collections.abc import Callable
from typing import Any

from ..compute import Array


def map_leaves(f: Callable[[str, Any], Any], tree: Any, path: str = "") -> Any:
    """Rebuild a tree with f(path, leaf) for each leaf.

    Tuples, lists, named tuples and dicts are branches; anything else is a leaf, None
    included.  A path is made of field names, keys and positions, joined by dots.
    """

    def at(name, branch):
        return map_leaves(f, branch, f"{path}.{name}" if path else str(name))

    if isinstance(tree, dict):
        return {k: at(k, branch) for k, branch in tree.items()}
    if hasattr(tree, "_fields"):
        pairs = zip(tree._fields, tree, strict=True)
        return type(tree)(*(at(name, branch) for name, branch in pairs))
    if isinstance(tree, tuple | list):
        return type(tree)(at(i, branch) for i, branch in enumerate(tree))
    return f(path, tree)


def arrays(tree: Any) -> dict[str, Array]:
    """Return the arrays of a tree by path."""
    found = {}

    def note(path, leaf):
        if hasattr(leaf, "dtype"):
            found[path] = leaf

    map_leaves(note, tree)
    return found


def floats(tree: Any) -> dict[str, Array]:
    """Return the arrays of a tree that can have a tangent: real or complex ones."""
    return {path: a for path, a in arrays(tree).items() if a.dtype.kind in "fc"}
