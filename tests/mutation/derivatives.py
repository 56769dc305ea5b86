"""Plant a mistake in every line of a derivative, one at a time; each must fail a test.

    python -m tests.mutation.derivatives                    all layers, losses, patches
    python -m tests.mutation.derivatives layers/linear.py   some of them
    python -m tests.mutation.derivatives --out FILE.md      and write the report

from the root of a checkout.

A mutant is a module with one node of its syntax tree changed: a sign, an operator, a
lost term or factor, x for ẋ, a constant, an axis, sum for mean, a call left out.  It is
made and run in this process, so that a thousand of them take seconds.  What runs is
``CASE_TESTS`` of layers/test_layers.py and networks/test_losses.py, the tests.
Validation (``raise``), docstrings, and methods that no derivative uses are left as
they are.
"""

import argparse
import ast
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import imaml_ref
from tests.helpers import cases
from tests.layers import test_layers
from tests.mutation import mutants
from tests.networks import test_losses

COMMAND = "python -m tests.mutation.derivatives"
ROOT = Path(imaml_ref.__file__).parent
LAYERS = sorted(f"layers/{p.name}" for p in (ROOT / "layers").glob("[a-z]*.py"))
KNOWN = [f for f in [*LAYERS, "networks/losses.py"] if f != "layers/base.py"]
# Mutants that compute the same: (file, changed statement) -> why no test can fail.
ROOM = "a larger buffer, of which the same part is used"
SAME_SHAPE = "ȳ and R{ȳ} have the same shape, and only that counts"
UNUSED = "what stands in for x > 0 is not used"
PADDED = "padded = array_module({0}).zeros((tasks, examples, {1}, channels), {0}.dtype)"
EQUIVALENT = {
    ("layers/activations.py", "low = xp.where(positive, 1, x)"): UNUSED,
    (
        "layers/batch_norm.py",
        "moving -= x_hat_dot * (gamma_bar / count(y_bar_dot))",
    ): SAME_SHAPE,
    (
        "layers/batch_norm.py",
        "moving -= x_hat * (turning / count(y_bar_dot))",
    ): SAME_SHAPE,
} | {
    ("layers/ops.py", PADDED.format(array, size)): ROOM
    for array in ("x", "x_bar")
    for size in (
        "height + 3 * top, width + 2 * left",
        "height + 2 * top, width + 3 * left",
    )
}
EQUIVALENT[
    "networks/losses.py", "of_label = (e_y * xp.where(e_y == 0, 1, z)).sum(-1)"
] = "what stands in is multiplied by zero"
EQUIVALENT["layers/ops.py", "ones = array_module(a).ones((2, a.shape[1]), a.dtype)"] = (
    "the sum twice, of which the first is used"
)
EQUIVALENT |= {
    (
        "layers/normalisation.py",
        "return (p_bar_dot, x_bar_dot.reshape(y_bar_dot.shape))",
    ): SAME_SHAPE,
    (
        "layers/normalisation.py",
        "(x_hat, rho), shape = (saved, saved_dot.x_hat.shape)",
    ): "x̂ and its tangent have the same shape, and only that counts",
    (
        "layers/gated.py",
        "g, slope = (xp.where(v.real <= 0, d, 1) / (1 + d), d / (1 + d) ** 2)",
    ): "d is 1 at v = 0",
    (
        "layers/gated.py",
        "return array_module(x).where(g == 0, 1, x) * g",
    ): "what stands in is multiplied by zero",
}
HERE = "layers/support_norm.py"
FIXED = "α (1 − α) = 0 stands before it"
EQUIVALENT |= {
    (HERE, "return 1.0"): FIXED,
    (HERE, "x = x - total(share * x) / pixels(x)"): "the same sum, more slowly",
    (HERE, "M_dot = sums(z_dot, 2 * z * z_dot) / pixels(z_dot)"): SAME_SHAPE,
    (
        HERE,
        "(z, rho, M, alpha, share), n = "
        "(saved, self.num_support or y_bar_dot.shape[1])",
    ): SAME_SHAPE,
    (
        HERE,
        "x_bar_dot = A_dot * y_bar + A * y_bar_dot + x_bar_dot / pixels(z_dot)",
    ): SAME_SHAPE,
    (
        "layers/running_norm.py",
        "mu, rho = (a.astype(dtype) for a in both)",
    ): "only on a device is it a copy",
}
SECOND = ("jvp", "vjp_dot", "bend", "hvp")


@dataclass(frozen=True)
class Mutant:
    """One planted mistake.

    Args:
        file: The module, from the root of the package.
        function: Where it is.
        line: Its line.
        kind: What sort of mistake.
        before: The statement as it was.
        after: The statement as it is.
        killer: The test that failed, or None.
    """

    file: str
    function: str
    line: int
    kind: str
    before: str
    after: str
    killer: str | None

    @property
    def excuse(self) -> str | None:
        """Why no test can fail, if none can."""
        return EQUIVALENT.get((self.file, self.after))


def run(file: str) -> Iterator[Mutant]:
    """Make and test every mutant of a file."""
    tree = ast.parse((ROOT / file).read_text())
    for function in mutants.derivatives(tree):
        names = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
        names |= {a.arg for a in function.args.args}
        for statement in mutants.statements(function):
            before = ast.unparse(statement)
            for kind, line in mutants.planted(statement, names):
                yield Mutant(
                    file,
                    function.name,
                    line or statement.lineno,
                    kind,
                    first_line(before),
                    first_line(ast.unparse(statement)),
                    killer(file, tree),
                )


def killer(file: str, tree: ast.Module) -> str | None:
    """Return the name of the first test that fails on the mutant."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            modules = built(file, tree)
        except Exception:
            return "import"
        for module in modules:
            for case, tests in cases_of(module):
                for test in tests:
                    try:
                        test(case)
                    except Exception:
                        return test.__name__
    return None


def built(file: str, tree: ast.Module) -> list[ModuleType]:
    """Return the mutant as a module, with the modules above it for ops.py."""
    name = f"imaml_ref.{file.removesuffix('.py').replace('/', '.')}"
    mutant = executed(name, tree)
    if file != "layers/ops.py":
        return [mutant]
    above = ("imaml_ref.layers.convolution", "imaml_ref.layers.pooling")
    original = sys.modules[name]
    sys.modules[name] = mutant
    try:
        sources = [Path(sys.modules[n].__file__).read_text() for n in above]
        pairs = zip(above, sources, strict=True)
        return [executed(n, ast.parse(source)) for n, source in pairs]
    finally:
        sys.modules[name] = original


def executed(name: str, tree: ast.Module) -> ModuleType:
    """Return a module made of a tree; nothing else sees it."""
    module = ModuleType(f"{name}_mutant")
    module.__package__ = name.rpartition(".")[0]
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        exec(compile(ast.fix_missing_locations(tree), name, "exec"), vars(module))
    finally:
        del sys.modules[module.__name__]
    return module


def cases_of(module: ModuleType):
    """Yield the cases of what a mutant defines, each with its tests."""
    name = module.__name__.removesuffix("_mutant")
    for case in cases.LAYERS.values():
        if type(case.layer).__module__ == name:
            yield case.of(module), test_layers.CASE_TESTS
    for case in test_losses.LOSSES.values():
        if type(case.loss).__module__ == name:
            yield case.of(module), test_losses.CASE_TESTS


def first_line(text: str) -> str:
    return text.splitlines()[0]


def report(found: list[Mutant], seconds: float) -> str:
    """Return a table of kill rates and the survivors, in Markdown."""
    lines = ["| file | mutants | killed | share |", "|---|---|---|---|"]
    for file in dict.fromkeys(m.file for m in found):
        lines.append(row(file, [m for m in found if m.file == file]))
    second = [m for m in found if m.function in SECOND]
    lines.append(row(f"of all, in {', '.join(SECOND)}", second))
    lines.append(row("all", found))
    survivors = [m for m in found if m.killer is None]
    lines += ["", f"{len(survivors)} survivors, {seconds:.0f} s", ""]
    for m in survivors:
        lines.append(f"- `{m.file}:{m.line}` {m.function}, {m.kind}: `{m.before}`")
        lines.append(f"  became `{m.after}`: {m.excuse or 'NOT EXPLAINED'}")
    return "\n".join(lines)


def row(name: str, found: list[Mutant]) -> str:
    killed = sum(m.killer is not None for m in found)
    return f"| {name} | {len(found)} | {killed} | {rate(found):.1%} |"


def rate(found: list[Mutant]) -> float:
    """Return the share of mutants that a test killed, the equivalent ones counted."""
    return sum(m.killer is not None for m in found) / max(len(found), 1)


def main() -> int:
    """Run the mutation; exit status 1 if a survivor is not explained."""
    parser = argparse.ArgumentParser(description="plant mistakes, see tests fail")
    parser.add_argument("files", nargs="*", default=KNOWN, help=", ".join(KNOWN))
    parser.add_argument("--out", type=Path, help="write the report here too")
    arguments = parser.parse_args()
    start = time.perf_counter()
    found = [mutant for file in arguments.files for mutant in run(file)]
    text = report(found, time.perf_counter() - start)
    print(text)
    if arguments.out:
        command = " ".join([COMMAND, *sys.argv[1:]])
        arguments.out.write_text(f"# Planted mistakes\n\n    {command}\n\n{text}\n")
    explained = all(m.killer or m.excuse for m in found)
    return 0 if explained and rate(found) >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
