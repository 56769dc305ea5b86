"""Plant a mistake in each line of the fused path, one at a time; a test must fail.

    python -m tests.mutation.fused                       all of its files
    python -m tests.mutation.fused windows.py rows.py    some of them

from the root of a checkout.  As in ``derivatives.py``; but here a line is mostly a call
that a program writes down, so a call is left out, too, or does something else.  The
code of the function is changed in its place, and what runs is the tests in tests/fused,
each on every case, until one fails.
"""

import argparse
import ast
import inspect
import sys
import time
import warnings
from collections.abc import Iterator
from functools import cached_property, partial, wraps
from importlib import import_module
from itertools import product
from pathlib import Path
from types import CodeType

import numpy as np
import pytest

import imaml_ref.fused
from tests.fused import (
    test_arrays,
    test_descent,
    test_edges,
    test_products,
    test_rows,
    test_state,
    test_sweeps,
    test_tasks,
    test_windows,
)
from tests.helpers.fused_nets import COVERED
from tests.mutation.derivatives import Mutant, first_line, report
from tests.mutation.mutants_fused import functions, planted, statements

ROOT = Path(imaml_ref.fused.__file__).parent
FILES = [p.name for p in sorted(ROOT.glob("[a-z]*.py")) if p.name != "path.py"]


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
                where, function = line or statement.lineno, live(module, name)
                if code.co_freevars != function.__code__.co_freevars:
                    continue  # without its super() a function has no place for one
                found = killer(function, code)
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
    return inspect.unwrap(found.fget if isinstance(found, property) else found)


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
        yield partial(
            test_sweeps.test_all_it_says_is_what_the_plain_path_says, name, None
        )
    few = test_sweeps.test_so_it_is_for_any_number_of_tasks_and_examples
    yield from on_each(product(COVERED, [1], [1]), [star(few)])
    cases = [test_windows.Case.of(c) for c in test_windows.GEOMETRIES]
    yield from on_each(cases, every(test_windows, "geometry"))
    yield from on_each(test_rows.SIZES, every(test_rows, "size"))
    for module in (test_windows, test_rows, test_state, test_descent):
        yield from map(partial, every(module))
    yield from on_each(
        product(test_state.CHAINS, test_state.BETWEEN, ("hvp", "gnvp")),
        [star(test_state.test_a_product_is_its_own_whatever_came_between)],
    )
    yield from on_each(test_state.CHAINS, every(test_state, "name"))
    yield from on_each(COVERED, every(test_sweeps, "name"))
    steps = test_descent.test_the_steps_are_those_of_the_plain_path
    starts = ("from theta", "from elsewhere")
    yield from on_each(product(COVERED, starts, [lambda size: 0.5]), [star(steps)])
    refused = test_edges.test_refusals_are_word_for_word_those_of_the_plain_path
    yield from on_each(product(test_edges.WRONG, ("hvp", "gnvp")), [star(refused)])
    yield from map(partial, [*every(test_sweeps), *every(test_edges)])
    products = every(test_products, "name", "monkeypatch")
    yield from on_each(
        ["rows_product", "gram_product", "stripes_product"], [patched(products[0])]
    )
    yield from on_each(COVERED, [patched(products[1])])
    takes = [every(test_arrays, "made", *more) for more in ((), ("monkeypatch",))]
    yield from on_each([None], map(with_made, [*takes[0][1:], *takes[1]]))
    yield from map(partial, every(test_arrays))
    yield from on_each(
        test_edges.OWN, [test_edges.test_what_a_user_wrote_keeps_its_meaning]
    )
    yield from on_each(test_sweeps.UNCOVERED, every(test_sweeps, "other"))
    alone = test_tasks.test_a_task_has_the_same_bits_alone_and_among_others
    yield from on_each(product(COVERED, [np.float32]), [star(alone)])


def on_each(cases, functions) -> Iterator[partial]:
    """Yield each of the tests on each of the cases."""
    for case in cases:
        for function in functions:
            yield partial(function, case)


def with_made(function):
    """Return a test with the list of arrays made."""

    def test(_):
        with pytest.MonkeyPatch.context() as monkeypatch:
            made = test_arrays.counted(monkeypatch)
            also = function.__code__.co_argcount > 1
            function(made, *([monkeypatch] if also else []))

    return wraps(function)(test)


def patched(function):
    """Return a test without its fixture."""

    def test(case):
        with pytest.MonkeyPatch.context() as monkeypatch:
            function(case, monkeypatch)

    return wraps(function)(test)


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
