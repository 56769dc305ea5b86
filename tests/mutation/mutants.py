"""Mistakes that can be planted in a derivative, made on its syntax tree."""

import ast
from collections.abc import Iterator

NOT_DERIVATIVES = {
    "__post_init__",
    "__init__",
    "__repr__",
    "shapes",
    "init",
    "accuracy",
    "given",
    "looks_at_support",
}
NOT_DERIVATIVES |= {"unit_vectors", "counts", "features", "named_layers"}
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.BitOr: ast.BitAnd,
}
COMPARISONS = {
    ast.Gt: (ast.GtE, ast.Lt),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.Eq: (ast.NotEq,),
}
METHODS = {"sum": "mean", "mean": "sum", "max": "min", "argmax": "argmin"}


def derivatives(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Yield the functions that a derivative is made of."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef) or node.name in NOT_DERIVATIVES:
            continue
        if not node.name.startswith("check_"):
            yield node


def statements(function: ast.FunctionDef) -> Iterator[ast.stmt]:
    """Yield the innermost statements of a function, validation and docstring left out.

    The head of a loop counts as one.
    """

    def below(body):
        for node in body:
            inner = [*getattr(node, "body", []), *getattr(node, "orelse", [])]
            raises = any(isinstance(n, ast.Raise) for n in inner)
            # A bare expression is a docstring, or the call of a check.
            skipped = isinstance(node, ast.Expr | ast.Raise | ast.FunctionDef)
            if raises or skipped:
                continue
            if isinstance(node, ast.For | ast.If):
                yield from below(inner)
            else:
                yield node

    yield from below(function.body)


def planted(statement: ast.stmt, names: set[str]) -> Iterator[tuple[str, int]]:
    """Change the statement in place, yield, and change it back, once per mistake."""
    if isinstance(statement, ast.AugAssign):
        yield from swapped_operator(statement)
    for parent in list(ast.walk(statement)):
        for name, value in list(ast.iter_fields(parent)):
            slots = enumerate(value) if isinstance(value, list) else [(None, value)]
            for index, node in list(slots):
                if not isinstance(node, ast.expr) or means_nothing(parent, name, node):
                    continue
                for kind, new in alternatives(node, names):
                    put(parent, name, index, ast.copy_location(new, node))
                    yield kind, node.lineno
                    put(parent, name, index, node)


def swapped_operator(statement: ast.AugAssign) -> Iterator[tuple[str, int]]:
    """Turn += into −=, and leave the term out."""
    operator, value = statement.op, statement.value
    statement.op = OPERATORS[type(operator)]()
    yield "sign", statement.lineno
    statement.op = operator
    statement.value = ast.copy_location(
        ast.BinOp(ast.Constant(0), ast.Mult(), value), value
    )
    yield "term lost", statement.lineno
    statement.value = value


def means_nothing(parent: ast.AST, field: str, node: ast.expr) -> bool:
    """Whether a constant is a name, as in p["kernel"], or the −1 of a reshape."""
    if isinstance(parent, ast.UnaryOp):
        return isinstance(node, ast.Constant)
    is_key = isinstance(parent, ast.Subscript) and field == "slice"
    return is_key and isinstance(node, ast.Constant) and isinstance(node.value, str)


def put(parent: ast.AST, field: str, index: int | None, node: ast.expr) -> None:
    """Set a child of a node."""
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def alternatives(node: ast.expr, names: set[str]) -> Iterator[tuple[str, ast.expr]]:
    """Yield the mistakes that can be made at a node."""
    by_type = {
        ast.BinOp: binary,
        ast.UnaryOp: unary,
        ast.Compare: comparison,
        ast.Constant: constant,
        ast.Tuple: shorter,
        ast.Call: call,
    }
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield from tangents(node, names)
    elif type(node) in by_type:
        yield from by_type[type(node)](node)


def binary(node):
    """Swap the operator; leave out one side."""
    left, right, operator = node.left, node.right, node.op
    if type(operator) in OPERATORS:
        kind = "sign" if isinstance(operator, ast.Add | ast.Sub) else "operator"
        yield kind, ast.BinOp(left, OPERATORS[type(operator)](), right)
        kind = "term lost" if kind == "sign" else "factor lost"
        yield kind, left
        yield kind, right
    if isinstance(operator, ast.Pow):
        yield "power lost", left


def unary(node):
    if isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield "sign", node.operand


def comparison(node):
    for other in COMPARISONS.get(type(node.ops[0]), ()):
        yield "comparison", ast.Compare(node.left, [other()], node.comparators)


def constant(node):
    """Count one too many: exponents, axes, offsets."""
    if isinstance(node.value, int | float) and not isinstance(node.value, bool):
        yield "constant", ast.Constant(node.value + 1)


def shorter(node):
    """Forget one axis of several."""
    if all(isinstance(n, ast.Constant) for n in node.elts) and len(node.elts) > 1:
        for index in range(len(node.elts)):
            rest = [n for i, n in enumerate(node.elts) if i != index]
            yield "axis lost", ast.Tuple(rest, node.ctx)


def call(node):
    """Take sum for mean; leave a function of arrays out."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
        method = ast.Attribute(node.func.value, METHODS[node.func.attr], ast.Load())
        yield "method", ast.Call(method, node.args, node.keywords)
    if isinstance(node.func, ast.Name) and node.func.id.islower() and node.args:
        yield "call lost", node.args[-1]


def tangents(node, names):
    """Take x for ẋ, and ẋ for x."""
    stem = node.id.removesuffix("_dot")
    other = stem if node.id.endswith("_dot") else f"{stem}_dot"
    if other in names:
        yield "tangent", ast.Name(other, ast.Load())
