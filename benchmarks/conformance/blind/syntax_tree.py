"""Mutations of a syntax tree: every small change that a slip of the pen could make.

changes(text) → (start, end, after, what), bytes of the source and their new text
"""

import ast

SWAPPED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
COMPARED = {ast.Lt: ast.GtE, ast.LtE: ast.Lt, ast.Gt: ast.Lt, ast.GtE: ast.Gt}
COMPARED |= {ast.Eq: ast.NotEq, ast.In: ast.NotIn}
RENAMED = {"mean": "sum", "sum": "mean", "argmax": "argmin", "gather": "gather"}
RENAMED |= {"expm1": "exp", "sqrt": "square", "logsumexp": "sum", "norm": "sum"}


def changes(text):
    """Return the mutations of a source, in the order of the tree."""
    tree = ast.parse(text)
    lines = [0]
    for line in text.encode().splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    found = []
    for node in interesting(tree):
        start = lines[node.lineno - 1] + node.col_offset
        end = lines[node.end_lineno - 1] + node.end_col_offset
        found += [(start, end, after, what) for after, what in mutations(node)]
    return found


def interesting(node):
    """Yield nodes that compute something: no imports, messages or texts."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom | ast.Raise | ast.JoinedStr):
            continue
        if hasattr(child, "lineno"):
            yield child
        yield from interesting(child)


def mutations(node):
    """Return the new texts of a node, each with what was done."""
    make = {
        ast.BinOp: binary,
        ast.Constant: constant,
        ast.Compare: comparison,
        ast.UnaryOp: unary,
        ast.Call: call,
        ast.Assign: dropped,
        ast.If: condition,
        ast.Break: lambda node: [("pass", "break dropped")],
    }.get(type(node), lambda node: [])
    return make(node)


def text_of(node, **fields):
    """Return a node with other fields, as text in parentheses."""
    values = {name: getattr(node, name) for name in node._fields}
    return f"({ast.unparse(type(node)(**(values | fields)))})"


def binary(node):
    """Another operator, operands swapped, one operand alone."""
    out = []
    if other := SWAPPED.get(type(node.op)):
        out.append((text_of(node, op=other()), "operator"))
        out.append((f"({ast.unparse(node.left)})", "right operand dropped"))
    if not isinstance(node.op, ast.Add | ast.Mult):
        swapped = text_of(node, left=node.right, right=node.left)
        out.append((swapped, "operands swapped"))
    return out


def constant(node):
    """A number one more, half, or with the other sign; no texts, no truth values."""
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    if isinstance(value, float):
        return [(repr(value * 0.5), "constant halved"), (repr(value + 0.1), "constant")]
    return [(f"{value + 1}", "constant + 1"), (f"({value - 1})", "constant − 1")]


def comparison(node):
    """Another comparison."""
    other = COMPARED.get(type(node.ops[0]))
    return [(text_of(node, ops=[other()]), "comparison")] if other else []


def unary(node):
    """The sign, or the not, dropped."""
    return [(f"({ast.unparse(node.operand)})", "sign dropped")]


def call(node):
    """Arguments swapped, another function, a range one shorter."""
    out, name = [], getattr(node.func, "attr", getattr(node.func, "id", ""))
    if len(node.args) >= 2 and name not in ("Task", "pad", "conv2d", "getattr"):
        first, second, *rest = node.args
        out.append((text_of(node, args=[second, first, *rest]), "arguments swapped"))
    if name in RENAMED and isinstance(node.func, ast.Attribute):
        func = ast.Attribute(node.func.value, RENAMED[name], ast.Load())
        out.append((text_of(node, func=func), "function"))
    if name == "range":
        shorter = ast.BinOp(node.args[-1], ast.Sub(), ast.Constant(1))
        out.append((text_of(node, args=[*node.args[:-1], shorter]), "range one less"))
    return out


def dropped(node):
    """An assignment that uses the old value of its name, dropped."""
    used = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
    names = {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return [("pass", "assignment dropped")] if used & names else []


def condition(node):
    """The other branch: the whole statement with its condition negated."""
    other = ast.UnaryOp(ast.Not(), node.test)
    body = ast.unparse(ast.If(other, node.body, node.orelse))
    pad = "\n" + " " * node.col_offset
    return [(body.replace("\n", pad), "condition negated")]
