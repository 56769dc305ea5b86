"""Plant a mistake in each line of the fused path, one at a time; a test must fail.

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
from functools import cached_property, partial, wraps
from importlib import import_module
from itertools import product
from pathlib import Path
from types import CodeType

import mutants
import numpy as np
import pytest
import test_fused_descent
import test_fused_edges as edges
import test_fused_rows
import test_fused_state as state
import test_fused_sweeps as sweeps
import test_fused_tasks
import test_fused_windows
from fused_nets import COVERED
from mutation import EQUIVALENT, Mutant, first_line, report

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
SAME_SHAPE = "a tangent has the shape of its namesake, and only that counts"
ANY_SHAPE = "what is written to is reshaped anyway"
FOLDED = "folded = program.array(len({}), {}.shape[1] + 1, {}.shape[2])"
EQUIVALENT |= {
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
                try:
                    code = code_of(ast.fix_missing_locations(tree), name)
                except (SyntaxError, ValueError):
                    continue  # no mistake that one can make
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
            return next((t.func.__name__ for t in TESTS if fails(t)), None)
    finally:
        function.__code__ = kept


def fails(test: partial) -> bool:
    """Whether a test fails, or something fails that nobody waits for."""
    unheard, kept = [], sys.unraisablehook
    sys.unraisablehook = unheard.append
    try:
        test()
    except (Exception, pytest.fail.Exception):
        return True
    finally:
        sys.unraisablehook = kept
    return bool(unheard)


def tests() -> Iterator[partial]:
    """Yield the tests with their cases, the quick and strict ones first."""
    for name in ("two-blocks-flat", "pool-pad-block", *COVERED):
        yield partial(sweeps.test_all_it_says_is_what_the_plain_path_says, name, None)
    few = sweeps.test_so_it_is_for_any_number_of_tasks_and_examples
    yield from on_each(product(COVERED, [1], [1]), [star(few)])
    cases = [test_fused_windows.Case.of(c) for c in test_fused_windows.GEOMETRIES]
    yield from on_each(cases, every(test_fused_windows, "geometry"))
    yield from on_each(test_fused_rows.SIZES, every(test_fused_rows, "size"))
    for module in (test_fused_windows, test_fused_rows, state, test_fused_descent):
        yield from map(partial, every(module))
    yield from on_each(
        product(state.CHAINS, state.BETWEEN, ("hvp", "gnvp")),
        [star(state.test_a_product_is_its_own_whatever_came_between)],
    )
    yield from on_each(state.CHAINS, every(state, "name"))
    yield from on_each(COVERED, every(sweeps, "name"))
    steps = test_fused_descent.test_the_steps_are_those_of_the_plain_path
    starts = ("from theta", "from elsewhere")
    yield from on_each(product(COVERED, starts, [lambda size: 0.5]), [star(steps)])
    refused = edges.test_refusals_are_word_for_word_those_of_the_plain_path
    yield from on_each(product(edges.WRONG, ("hvp", "gnvp")), [star(refused)])
    yield from map(partial, [*every(sweeps), *every(edges)])
    yield from on_each(edges.OWN, every(edges, "kind")[-1:])
    alone = test_fused_tasks.test_a_task_has_the_same_bits_alone_and_among_others
    yield from on_each(product(COVERED, [np.float32]), [star(alone)])


def on_each(cases, functions) -> Iterator[partial]:
    """Yield each of the tests on each of the cases."""
    for case in cases:
        for function in functions:
            yield partial(function, case)


def star(function):
    """Return a function of a tuple of arguments."""
    return wraps(function)(lambda arguments: function(*arguments))


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
    return 0 if all(m.killer or m.excuse for m in found) else 1


TESTS = list(tests())

if __name__ == "__main__":
    sys.exit(main())
