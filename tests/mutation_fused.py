"""Plant a mistake in every line of the fused path, one at a time; each must fail a test.

    python tests/mutation_fused.py                       all of its files
    python tests/mutation_fused.py windows.py rows.py    some of them

As in ``mutation.py``; but here a line is mostly a call that a program writes down, so a
call is left out, too, or does something else.  The code of the function is changed in
its place, and what runs is the tests of ``test_fused_*.py``, each on every case, until
one fails.
"""

import argparse
import ast
import sys
import time
import warnings
from collections.abc import Iterator
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from types import CodeType

import mutants
import numpy as np
import test_fused_arrays
import test_fused_descent
import test_fused_edges
import test_fused_rows
import test_fused_state
import test_fused_sweeps
import test_fused_tasks
import test_fused_windows
from fused_nets import COVERED
from mutation import Mutant, first_line, report

import imaml_ref.fused

ROOT = Path(imaml_ref.fused.__file__).parent
FILES = [p.name for p in sorted(ROOT.glob("[a-z]*.py")) if p.name != "path.py"]
SWAPPED = {
    "add": "subtract",
    "subtract": "add",
    "multiply": "add",
    "maximum": "add",
    "transposed": "matrix",
    "X": "X_dot",
    "X_dot": "X",
}
EXCUSES = {}


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
    """Yield a call left out, and another function or array in its place."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        done = isinstance(parent, ast.Expr)
        if done or node.func.attr == "do":
            yield "call lost", ast.Constant(None) if done else node.args[-1]
    if isinstance(node, ast.Name) and node.id in SWAPPED:
        yield "function", ast.Name(SWAPPED[node.id], ast.Load())
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        stem = node.attr.removesuffix("_dot")
        if stem in {"X", "rho", "a", "W", "S"}:
            other = stem if stem != node.attr else f"{stem}_dot"
            yield "tangent", ast.Attribute(node.value, other, ast.Load())
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "constant", ast.Constant(not node.value)
    if isinstance(node, ast.IfExp):
        yield "branch", node.body
        yield "branch", node.orelse
    if isinstance(node, ast.BoolOp):
        for value in node.values:
            yield "condition", value


def run(file: str) -> Iterator[Mutant]:
    """Make and test every mutant of a file."""
    tree = ast.parse((ROOT / file).read_text())
    module = import_module(f"imaml_ref.fused.{file.removesuffix('.py')}")
    for name, function in functions(tree):
        used = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
        for statement in statements(function.body):
            before = first_line(ast.unparse(statement))
            for kind, line in planted(statement, used):
                after = first_line(ast.unparse(statement))
                if after == before:
                    continue
                code = code_of(ast.fix_missing_locations(tree), name)
                where = line or statement.lineno
                found = killer(live(module, name), code)
                yield Mutant(f"fused/{file}", name, where, kind, before, after, found)


def code_of(tree: ast.Module, name: str) -> CodeType:
    """Compile a module and return the code of one of its functions."""

    def below(code):
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                yield constant
                yield from below(constant)

    whole = compile(tree, "mutant", "exec")
    return next(code for code in below(whole) if code.co_qualname == name)


def live(module, name: str):
    """Return the function that everybody calls."""
    *owner, name = name.split(".")
    found = vars(getattr(module, owner[0]) if owner else module)[name]
    if isinstance(found, cached_property):
        return found.func
    return found.fget if isinstance(found, property) else found


def killer(function, code: CodeType) -> str | None:
    """Return the name of the first test that fails with another code."""
    kept = function.__code__
    try:
        function.__code__ = code
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for test in TESTS:
                try:
                    test()
                except Exception:
                    return getattr(test, "func", test).__name__
    finally:
        function.__code__ = kept
    return None


def tests() -> Iterator[partial]:
    """Yield the tests with their cases, the quick and strict ones first."""
    state, sweeps, edges = test_fused_state, test_fused_sweeps, test_fused_edges
    for name in ("two-blocks-flat", "pool-pad-block", *COVERED):
        yield partial(sweeps.test_all_it_says_is_what_the_plain_path_says, name, None)
    for parameters in test_fused_windows.GEOMETRIES:
        for test in every(test_fused_windows, "geometry"):
            yield partial(test, test_fused_windows.Case.of(parameters))
    for size in test_fused_rows.SIZES:
        yield from (partial(t, size) for t in every(test_fused_rows, "size"))
    for module in (test_fused_windows, test_fused_rows, state, test_fused_descent):
        yield from map(partial, every(module))
    for name in state.CHAINS:
        for between in state.BETWEEN:
            for product in ("hvp", "gnvp"):
                test = state.test_a_product_is_its_own_whatever_came_between
                yield partial(test, name, between, product)
        yield from (partial(test, name) for test in every(state, "name"))
    for name in COVERED:
        yield from (partial(test, name) for test in every(sweeps, "name"))
        for start in ("from theta", "from elsewhere"):
            steps = test_fused_descent.test_the_steps_are_those_of_the_plain_path
            yield partial(steps, name, start, lambda size: 0.5)
    for wrong in edges.WRONG:
        for product in ("hvp", "gnvp"):
            test = edges.test_refusals_are_word_for_word_those_of_the_plain_path
            yield partial(test, wrong, product)
    yield from map(partial, [*every(sweeps), *every(edges)])
    yield from (
        partial(edges.test_what_a_user_wrote_keeps_its_meaning, k) for k in edges.OWN
    )
    for name in COVERED:
        test = test_fused_tasks.test_a_task_has_the_same_bits_alone_and_among_others
        yield partial(test, name, np.float32)


def every(module, *arguments: str):
    """Return the tests of a module that take these arguments."""
    found = [f for n, f in vars(module).items() if n.startswith("test_")]
    taken = [f.__code__.co_varnames[: f.__code__.co_argcount] for f in found]
    return [f for f, names in zip(found, taken, strict=True) if names == arguments]


def main() -> int:
    """Run the mutation; exit status 1 if a survivor is not explained."""
    parser = argparse.ArgumentParser(description="plant mistakes, see tests fail")
    parser.add_argument("files", nargs="*", default=FILES, help=", ".join(FILES))
    arguments = parser.parse_args()
    start = time.perf_counter()
    found = [mutant for file in arguments.files for mutant in run(file)]
    print(report(found, time.perf_counter() - start))
    return 0


TESTS = list(tests())

if __name__ == "__main__":
    sys.exit(main())
