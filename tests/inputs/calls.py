"""Calls from Python, with arguments of other types and shapes than the usual ones."""

from fractions import Fraction

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import imaml_ref as ir

from . import Drawn, pick

NO_NUMBERS = ("x", True, float("nan"), -0.5, 1j, [0.1], {}, np.array([0.1, 0.2]))


def draw(rng: np.random.Generator) -> Drawn:
    """Draw a system, a setting, an estimate, or a loss."""
    return pick(rng, [solving, setting, estimating, labelling])(rng)


def real_forms(value: float) -> list:
    """Return a number in the types in which users have it."""
    exact = Fraction(value)
    return [
        value,
        np.float64(value),
        np.float32(value),
        np.float16(value),
        np.array(value),
        np.array(value, np.float32),
        exact,
    ]


def solving(rng: np.random.Generator) -> Drawn:
    """Draw A x = b for ``ir.cg``; NumPy's dense solution is the witness."""
    n = int(rng.integers(2, 9))
    half = rng.integers(-4, 5, size=(n, n)).astype(float)
    dense, b = half @ half.T + n * np.eye(n), rng.integers(-9, 10, size=n) + 0.5
    forms = {
        "array": dense,
        "lists": dense.tolist(),
        "integers": dense.astype(int),
        "float32": dense.astype(np.float32),
        "Fortran": np.asfortranarray(dense),
        "csr_array": sparse.csr_array(dense),
        "coo_matrix": sparse.coo_matrix(dense),
        "dia": sparse.dia_array(dense),
        "operator": aslinearoperator(dense),
        "own operator": LinearOperator((n, n), lambda v: dense @ v, dtype=float),
        "function": lambda v: dense @ v,
    }
    sides = {
        "array": b,
        "list": b.tolist(),
        "column": b[:, None],
        "reversed": b[::-1].copy()[::-1],
        "scaled": b * 2.0 ** int(rng.integers(-900, 900)),
        "strided": np.repeat(b, 2)[::2],
    }
    wrong_sides = {
        "one more": np.append(b, 1.0),
        "a number": 2.0,
        "a row": b[None],
        "a text": "b",
        "two columns": np.stack([b, b], 1),
        "empty": b[:0],
    }
    form = pick(rng, forms)
    if rng.random() < 0.3:
        side = pick(rng, wrong_sides)
        label = f"cg, n = {n}, A as {form}, b as {side}"
        given = wrong_sides[side]
        return Drawn(label, lambda _: ir.cg(forms[form], given), ("",))
    side = pick(rng, sides)
    rhs = sides[side]
    exact = np.linalg.solve(dense, np.ravel(rhs))

    def close(found):
        x, info = found
        assert info == 0
        assert x.shape == (n,)
        # ‖x − x*‖ ≤ κ rtol ‖x*‖; κ is below 1e3 for what is drawn here
        assert np.abs(x - exact).max() <= 1e3 * 1e-9 * np.abs(exact).max()

    label = f"cg, n = {n}, A as {form}, b as {side}"
    return Drawn(label, lambda _: ir.cg(forms[form], rhs, rtol=1e-9), close)


SETTINGS = {
    "step_size of SGD": (ir.SGD, "step_size"),
    "step_size of Adam": (ir.Adam, "step_size"),
    "eps of Adam": (lambda e: ir.Adam(0.25, eps=e), "eps"),
    "beta1 of Adam": (lambda b: ir.Adam(0.25, beta1=b), "beta1"),
    "step_size of GradientDescent": (ir.GradientDescent, "step_size"),
    "step_size of Momentum": (ir.Momentum, "step_size"),
    "rtol of CG": (lambda r: ir.CG(rtol=r), "rtol"),
    "lam of IMAML": (lambda s: ir.IMAML(LOSS, lam=s), "lam"),
    "damping of IMAML": (lambda d: ir.IMAML(LOSS, lam=0.5, damping=d), "damping"),
}
NET = ir.architectures.linear((3,), 2)
LOSS = ir.TaskLoss(NET, ir.SquaredError())


def setting(rng: np.random.Generator) -> Drawn:
    """Draw a number for a setting, in some type: built as with a float, or refused."""
    value = float(rng.integers(1, 64)) / 64  # exact in every type
    name = pick(rng, SETTINGS)
    build, word = SETTINGS[name]
    good = rng.random() < 0.6
    # λ and α may be one per parameter; how many there are, nobody knows yet
    each = word == "lam" or build is ir.GradientDescent
    wrong = [v for v in NO_NUMBERS if not (each and np.iterable(v))]
    given = pick(rng, real_forms(value) if good else wrong)
    label = f"{name}: {type(given).__name__} {getattr(given, 'dtype', '')} {given!r}"
    if not good:
        return Drawn(label, lambda _: build(given), (word,))
    theta, grad = rng.normal(size=(2, NET.layout.size)).astype(np.float32)

    def same(built):
        want = stepped(build(value), theta, grad)
        found = stepped(built, theta, grad)
        assert found.dtype == theta.dtype
        np.testing.assert_array_equal(found, want)

    return Drawn(label, lambda _: build(given), same)


def stepped(built, theta, grad):
    """Return what a setting leads to: a step, an inner solution, or a meta-gradient."""
    tasks = tasks_of(np.random.default_rng(3), np.float32)
    if hasattr(built, "step"):
        return built.step(theta, grad, built.init(theta))[0]
    if callable(built):
        return built(theta, tasks).grad
    how = {"solver": built} if isinstance(built, ir.CG) else {"inner": built}
    return ir.implicit_gradient(LOSS, theta, tasks, lam=2.0, **how).grad


def tasks_of(rng: np.random.Generator, dtype=np.float64) -> ir.TaskBatch:
    """Draw two tasks of a ridge regression."""
    sizes = ((2, 5, 3), (2, 5, 2), (2, 4, 3), (2, 4, 2))
    return ir.TaskBatch(*(rng.normal(size=size).astype(dtype) for size in sizes))


def ridge_gradient(theta, tasks, lam):
    """Return the exact meta-gradient by NumPy's dense solver, parameters (W, b)."""
    total = np.zeros_like(theta)
    for x, y, qx, qy in zip(
        tasks.support_x, tasks.support_y, tasks.query_x, tasks.query_y, strict=True
    ):
        design, query = (np.hstack([a, np.ones((len(a), 1))]) for a in (x, qx))
        A = design.T @ design / len(x) + lam * np.eye(4)
        W = np.linalg.solve(A, design.T @ y / len(x) + lam * theta.reshape(4, 2))
        v = query.T @ (query @ W - qy) / len(qx)
        total += lam * np.linalg.solve(A, v).ravel() / 2
    return total


def estimating(rng: np.random.Generator) -> Drawn:
    """Draw λ, θ or tasks for ``implicit_gradient``."""
    tasks, value = tasks_of(rng), float(rng.integers(8, 200)) / 64
    theta = rng.normal(size=8)
    forms = real_forms(value)
    spoiled = {
        "lam 0": (theta, tasks, 0.0, "lam"),
        "lam of another length": (theta, tasks, np.ones(7), "lam"),
        "lam with one 0": (theta, tasks, np.eye(8)[0], "lam"),
        "lam as a text": (theta, tasks, str(value), "lam"),
        "lam NaN": (theta, tasks, float("nan"), "lam"),
        "lam too small for its inverse": (theta, tasks, 1e-320, "lam"),
        "theta (1, P)": (theta[None], tasks, value, "theta"),
        "theta too long": (np.append(theta, 1.0), tasks, value, ""),
        "theta of integers": (np.arange(8), tasks, value, ""),
        "theta float32, data float64": (
            theta.astype(np.float32),
            tasks,
            value,
            "dtype",
        ),
        "no tasks": (theta, [], value, "task"),
    }
    if rng.random() < 0.5:
        name = pick(rng, spoiled)
        *given, word = spoiled[name]
        return Drawn(f"implicit_gradient, {name}", implicit(*given), (word,))
    lam = pick(rng, [*forms, np.full(8, value), np.full(8, value, np.float32)])
    shown = f"{type(lam).__name__} {getattr(lam, 'dtype', '')} {np.shape(lam)} {value}"

    def close(found):
        want = ridge_gradient(theta, tasks, value)
        # 60 Newton and CG steps of a system of condition below 1e3 end at rounding
        np.testing.assert_allclose(found.grad, want, rtol=1e-8, atol=1e-10)

    return Drawn(f"implicit_gradient, lam {shown}", implicit(theta, tasks, lam), close)


def implicit(theta, tasks, lam):
    """Return what asks for a meta-gradient, solved to the end."""

    def ask(_):
        solver, inner = ir.CG(maxiter=60, rtol=1e-13), ir.NewtonCG(60, 60)
        return ir.implicit_gradient(
            LOSS, theta, tasks, lam=lam, inner=inner, solver=solver
        )

    return ask


def labelling(rng: np.random.Generator) -> Drawn:
    """Draw labels of some type for the cross-entropy; the formula by hand."""
    outer, classes = ir.SoftmaxCrossEntropy(), 4
    z = rng.normal(size=(2, 3, classes)) * 10.0 ** rng.integers(-2, 3)
    y = rng.integers(classes, size=(2, 3))
    one_hot = np.eye(classes)[y]
    good = {
        "int64": y,
        "int8": y.astype(np.int8),
        "uint8": y.astype(np.uint8),
        "one-hot": one_hot,
        "smoothed": 0.9 * one_hot + 0.1 / classes,
    }
    bad = {
        "too large": y + classes,
        "negative": y - classes,
        "floats": y.astype(float),
        "one task less": y[:1],
        "one example less": y[:, :2],
        "rows of sum 2": 2 * one_hot,
        "rows of sum 0": 0 * one_hot,
        "another number of classes": one_hot[..., :3],
        "one-hot of integers": one_hot.astype(int),
    }
    if rng.random() < 0.5:
        name = pick(rng, bad)
        label = f"labels {name}, z up to {np.abs(z).max():.3f}"
        return Drawn(label, lambda _: graded(outer, z, bad[name]), ("",))
    name = pick(rng, good)
    wide = z.astype(np.longdouble)
    p = np.exp(wide - wide.max(2, keepdims=True))
    p /= p.sum(2, keepdims=True)
    weights = good["smoothed"] if name == "smoothed" else one_hot

    def close(found):
        value, grad = found
        terms = np.where(weights > 0, -weights * np.log(p), 0)
        np.testing.assert_allclose(value, terms.sum(2).mean(1).astype(float), rtol=1e-9)
        np.testing.assert_allclose(
            grad, ((p - weights) / 3).astype(float), rtol=1e-9, atol=1e-15
        )

    label = f"labels {name}, z up to {np.abs(z).max():.3f}"
    return Drawn(label, lambda _: graded(outer, z, good[name]), close)


def graded(outer, z, y):
    """Return value and gradient."""
    value, saved = outer.forward(z, y)
    return value, outer.grad(saved)
