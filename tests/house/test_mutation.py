"""The tests of two layers are themselves tested: planted mistakes fail them."""

import ast

import pytest

from tests.mutation import derivatives as mutation
from tests.mutation import mutants

QUICK = ["layers/batch_norm.py", "layers/convolution.py"]


@pytest.mark.parametrize("file", mutation.KNOWN)
def test_without_a_mistake_nothing_fails(file):
    assert mutation.killer(file, ast.parse((mutation.ROOT / file).read_text())) is None


@pytest.mark.parametrize("file", QUICK)
def test_planted_mistakes_are_found(file):
    found = list(mutation.run(file))
    assert len(found) > 40
    assert {"jvp", "vjp", "vjp_dot"} <= {m.function for m in found}
    assert mutation.rate(found) >= 0.95, mutation.report(found, 0.0)


def test_mistakes_are_taken_back():
    tree = ast.parse((mutation.ROOT / QUICK[0]).read_text())
    before = ast.dump(tree)
    for function in mutants.derivatives(tree):
        names = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
        for statement in mutants.statements(function):
            planted = list(mutants.planted(statement, names))
            assert planted or isinstance(statement, ast.Assign | ast.Return)
    assert ast.dump(tree) == before


@pytest.mark.parametrize(
    ("line", "mistakes"),
    [
        ("y = a - b", ["a + b", "a", "b"]),
        ("y = s * x_dot", ["s / x_dot", "s", "x_dot", "s * x"]),
        ("y = -rho ** 3", ["rho ** 3", "-rho ** 4", "-rho"]),
        ("y = a.sum((1, 2))", ["a.mean((1, 2))", "a.sum((1,))", "a.sum((2,))"]),
        ("y = project(a, b)", ["b"]),
        ("y = p['kernel'].reshape(n, -1)", []),
    ],
)
def test_the_mistakes_are_those_one_makes(line, mistakes):
    (statement,) = ast.parse(line).body
    found = {ast.unparse(statement) for _ in mutants.planted(statement, {"x", "x_dot"})}
    assert {f"y = {mistake}" for mistake in mistakes} <= found
    assert bool(mistakes) == bool(found)
