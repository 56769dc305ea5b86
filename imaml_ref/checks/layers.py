"""Whether the four methods of a layer are right, and if not, which one and where.

Each method is judged alone, against the one before it in

    forward  →  jvp  →  vjp  →  vjp_dot

so that one mistake shows in one row.  jvp is compared with the complex step of forward,
entry by entry and with what is saved; vjp with the transpose of that complex step;
vjp_dot, fed with the true tangents of what is saved, with the complex step of vjp.  The
witness always runs in float64 on the host, whatever the layer runs in.

What this does not check: that forward computes what its name says, and points on a
kink.
"""

from dataclasses import replace
from typing import Any

import numpy

from ..arguments import a_layer, sizes
from ..compute import Array, to_host
from .layer_point import Point, differentiate
from .layer_run import LayerRun
from .oracles import as_digits, central_difference, norm, relative
from .rows import COARSE, REQUIRED, Check, Report, Worst, compare, pattern, verdict
from .rows import worst_entry as worst_of
from .run import dtype_check, repeat_check, tasks_check

PROBES = 256  # entries of a wrong cotangent that are looked at to find the worst


def check_layer(layer: Any, x_shape: tuple[int, ...], **options) -> Report:
    """Check a layer: an AssertionError says which method is wrong, and where.

    Args:
        layer: Anything with ``shapes`` and the four methods of ``layers.base.Layer``.
        x_shape: Shape of an input, (T, N, ...), small, its axes of different lengths.
        **options: Those of :func:`layer_report`.

    Returns:
        The report, all of whose checks passed.

    Raises:
        AssertionError: If one did not.
        ValueError: If there is no layer, or no shape.
    """
    a_layer("layer", layer)
    x_shape = sizes((2, 3, 4))("x_shape", x_shape)
    return layer_report(layer, x_shape, **options).raise_if_failed()


def layer_report(
    layer: Any,
    x_shape: tuple[int, ...],
    *,
    seed: int = 0,
    dtype: Any = numpy.float64,
    device: str = "cpu",
    required: float | None = None,
) -> Report:
    """Check a layer at a random point, and report.

    Args:
        layer: Anything with ``shapes`` and the four methods of ``layers.base.Layer``.
        x_shape: Shape of an input, (T, N, ...), small, its axes of different lengths.
        seed: Of the point: parameters, input, tangents and cotangents are normal.
        dtype: What the layer runs in, float32 or float64.
        device: Where it runs, "cpu" or "cuda".
        required: Digits that pass; 12 in float64 and 5 in float32 unless given.
    """
    point = Point(layer, x_shape, seed)
    run = LayerRun(point, numpy.dtype(dtype), device)
    need = REQUIRED[run.dtype.name] if required is None else required
    checks = (
        complex_safe_check("forward", point),
        jvp_check(run, need),
        *vjp_checks(run, need),
        complex_safe_check("vjp", point),
        vjp_dot_check(run, need),
        tasks_check(run, need),
        unchanged_check(run),
        repeat_check(run),
        dtype_check(run),
    )
    return Report(f"{described(layer)} on {x_shape}", checks)


def described(layer: Any) -> str:
    """Return a layer's repr, or the name of its class where that says no more."""
    plain = type(layer).__repr__ is object.__repr__
    return type(layer).__name__ if plain else repr(layer)


def complex_safe_check(method: str, point: Point) -> Check:
    """Compare the complex step of a method with central differences.

    Without agreement no other row means anything: an abs, conj, vdot or a comparison of
    complex numbers keeps the step from passing through.
    """
    want = differentiate(central_difference, getattr(point, method))
    got = getattr(point, f"{method}_dot")
    what = f"{method} is complex-safe"
    return compare(what, "central differences", got, want, COARSE)


def jvp_check(run: LayerRun, need: float) -> Check:
    """Compare ẏ and the tangents of what is saved with the complex step of forward.

    A tangent may be None where the true one is zero: that of an index, or a mask.
    """
    got = run.first.tensors["jvp"]
    truth = run.point.forward_dot
    want = {n.replace("saved", "saved_dot", 1): a for n, a in truth.items()}
    want["y_dot"] = want.pop("y")
    want = {n: a for n, a in want.items() if n in got or a.any()}
    what, witness = "jvp is the derivative of forward", "complex step of forward"
    return compare(what, witness, got, want, need)


def vjp_checks(run: LayerRun, need: float) -> tuple[Check, ...]:
    """Compare ⟨p̄_n, ṗ_n⟩ with ⟨ȳ, ẏ⟩ along each argument n alone."""
    got = run.first.tensors["vjp"]
    names = [*run.point.p, "x"]
    if odd := sorted(set(names) ^ set(got)):
        fault = f"missing or unknown: {', '.join(odd)}"
        return (verdict("vjp is the adjoint of jvp", "names in shapes", [fault]),)
    return tuple(vjp_check(run.point, n, to_host(got[n]), need) for n in names)


def vjp_check(point: Point, name: str, got: Array, need: float) -> Check:
    """Compare one cotangent in a random direction; where it fails, entry by entry."""
    what, witness = f"vjp is the adjoint of jvp in {name}", "complex step of forward"
    v = point.x_dot if name == "x" else point.p_dot[name]
    if got.shape != v.shape:
        fault = f"{name}_bar has shape {got.shape}, expected {v.shape}"
        return verdict(what, witness, [fault])
    y_dot = point.forward_dot_along(name)
    gap = float((got * v).sum() - (point.y_bar * y_dot).sum())
    score = as_digits(relative(gap, norm(point.y_bar) * norm(y_dot)))
    found = locate(point, name, got) if score < need else (None, "")
    return Check(what, witness, score, need, *found)


def locate(point: Point, name: str, got: Array) -> tuple[Worst, str]:
    """Find the worst entry of task 0's cotangent, and the pattern of the mistake."""
    where, want = point.cotangent_entries(name, PROBES)
    probed = got[0].ravel()[where]
    worst = worst_of(f"{name}_bar", probed, want)
    place = numpy.unravel_index(int(where[worst.index[0]]), got[0].shape)
    return replace(worst, index=(0, *map(int, place))), pattern(probed, want)


def vjp_dot_check(run: LayerRun, need: float) -> Check:
    """Compare vjp_dot, given the true tangents, with the complex step of vjp."""
    got = run.vjp_dot_given(run.point.forward_dot)
    what, witness = "vjp_dot is the derivative of vjp", "complex step of vjp"
    return compare(what, witness, got, run.point.vjp_dot, need)


def unchanged_check(run: LayerRun) -> Check:
    """Demand that no method changes what it is given."""
    return verdict("no argument is changed", "its bits before", run.first.changed)
