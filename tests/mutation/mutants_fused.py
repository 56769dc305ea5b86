"""Mistakes that can be planted in programs, made on their syntax tree."""

import ast
from collections.abc import Iterator

from tests.mutation import mutants
from tests.mutation.derivatives import EQUIVALENT

SWAPPED = {
    "add": "subtract",
    "subtract": "add",
    "multiply": "add",
    "maximum": "add",
    "transposed": "matrix",
    "X": "X_dot",
    "X_dot": "X",
}
SAME_SHAPE = "a tangent has the shape of its namesake, and only that counts"
ANY_SHAPE = "what is written to is reshaped anyway"
FOLDED = "folded = program.array(len({}), {}.shape[1] + 1, {}.shape[2])"
AGAIN = "what is there already is computed again"
EQUIVALENT |= {
    ("fused/examples.py", "return self.y"): AGAIN,
    (
        "fused/examples.py",
        "self._is_softmax = task_loss.loss is SoftmaxCrossEntropy",
    ): AGAIN,
    (
        "fused/examples.py",
        "self.grad, self._has_bars = (sweeps.phi_bar.copy(), False)",
    ): AGAIN,
}
EQUIVALENT |= {
    (
        "fused/lending.py",
        "self._lock, self._process = (RLock(), 1)",
    ): "as good a nobody",
    ("fused/lending.py", "self._process = 1"): "as good a nobody",
    (
        "fused/memory.py",
        "self._lock, self._rest = (Lock(), CHUNK_BYTES)",
    ): "the memory was made when the module was",
    (
        "fused/lending.py",
        "return isinstance(theta, numpy.ndarray) and isinstance(x, numpy.ndarray) and "
        "(theta.dtype in (numpy.float32, numpy.float64)) and (x.dtype == theta.dtype) "
        "and (x.shape[2:] == self.net.input_shape) and (x.size > 1)",
    ): "no image that is convolved has one entry",
}
EQUIVALENT[
    (
        "fused/input_block.py",
        "of_images = P.reshape(len(P), examples, -1, P.shape[-1])",
    )
] = "the triangle of all rows at once is the same, and takes longer"
EQUIVALENT[
    ("fused/memory.py", "memory = mmap.mmap(-1, num_bytes, mmap.MAP_PRIVATE)")
] = "Python adds the other flag where there is no file"
EITHER = "both ways compute the same; which is faster was measured"
EQUIVALENT |= {
    ("fused/pieces.py", f"gathers = margin is not None{rest}"): EITHER
    for rest in ("", " and margin.window")
} | {
    ("fused/pieces.py", f"return prod(window.size) <= {right}"): EITHER
    for right in ("OFTEN / prod(window.stride)", "OFTEN", "prod(window.stride)")
}
EQUIVALENT |= {
    (
        "fused/pieces.py",
        "pads = list(takewhile(lambda named: named[1] is ZeroPad2d, layers))",
    ): "zero pads are then layers of their own, as anywhere else",
    ("fused/sweeps.py", "return self._backward(keeps=True)"): (
        "arrays more, of the same values"
    ),
    (
        "fused/windows.py",
        "whole = 1 < len(pixels) == len(range(place, extent, stride))",
    ): ("one pixel is set to zero and added to: what was to be assigned"),
    ("fused/conv_block.py", "X_bar = program.array(*self.X.shape)"): (
        "an array more, of the same values"
    ),
    (
        "fused/conv_block.py",
        "stripes_product(program, self.X, Z_bar, p_bar['kernel'])",
    ): ANY_SHAPE,
    ("fused/conv_block.py", "W_bar_dot = p_bar_dot['kernel']"): ANY_SHAPE,
    (
        "fused/input_block.py",
        "self.S_dot = S_dot = do(matmul, self.U, W_dot, program.array(*W_dot.shape))",
    ): SAME_SHAPE,
} | {
    ("fused/input_block.py", FOLDED.format(*names)): SAME_SHAPE
    for names in (("W_dot", "W", "W"), ("W", "W_dot", "W"), ("W", "W", "W_dot"))
}


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield the functions and methods of a module, by qualified name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        for inner in (
            getattr(node, "body", []) if isinstance(node, ast.ClassDef) else []
        ):
            if isinstance(inner, ast.FunctionDef):
                yield f"{node.name}.{inner.name}", inner


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the innermost statements, those of functions inside too."""
    for node in body:
        inner = getattr(node, "body", [])
        if inner:
            yield from statements(inner)
            yield from statements(getattr(node, "orelse", []))
        if isinstance(node, ast.If | ast.For | ast.With | ast.Try | ast.FunctionDef):
            continue
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant("")  # which nobody runs
        if not is_text and not isinstance(node, ast.Raise):
            yield node


def planted(statement: ast.stmt, names: set[str]) -> Iterator[tuple[str, int]]:
    """Change the statement in place, yield, and change it back, once per mistake."""
    yield from mutants.planted(statement, names)
    for parent in list(ast.walk(statement)):
        for name, value in list(ast.iter_fields(parent)):
            slots = enumerate(value) if isinstance(value, list) else [(None, value)]
            for index, node in list(slots):
                for kind, new in others(parent, node):
                    mutants.put(parent, name, index, ast.copy_location(new, node))
                    yield kind, statement.lineno
                    mutants.put(parent, name, index, node)


def others(parent: ast.AST, node) -> Iterator[tuple[str, ast.expr]]:
    """Yield a call left out, and another function, array or branch in its place."""
    alone = isinstance(parent, ast.Expr)
    match node:
        case ast.Call(func=ast.Attribute()) if alone:
            yield "call lost", ast.Constant(None)
        case ast.Call(func=ast.Attribute(attr="do")):
            yield "call lost", node.args[-1]
        case ast.Name(id=name, ctx=ast.Load()) if name in SWAPPED:
            yield "function", ast.Name(SWAPPED[name], ast.Load())
        case ast.Attribute(attr=name, ctx=ast.Load()) if tangent(name):
            yield "tangent", ast.Attribute(node.value, tangent(name), ast.Load())
        case ast.Constant(value=bool(value)) if getattr(parent, "arg", "") != "strict":
            yield "constant", ast.Constant(not value)
        case ast.IfExp(body=one, orelse=other) | ast.BoolOp(values=[one, other, *_]):
            yield "branch", one
            yield "branch", other


def tangent(name: str) -> str | None:
    """Return x for ẋ, and ẋ for x, of what a block keeps of both."""
    stem = name.removesuffix("_dot")
    if stem not in {"X", "rho", "a", "W", "S"}:
        return None
    return stem if stem != name else f"{stem}_dot"
