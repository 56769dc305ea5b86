"""Mistakes drawn from a seed, anywhere in the package that no other script looks at."""

import ast
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.derivatives import KNOWN, first_line
from tests.mutation.mutants_fused import functions, planted, statements


@dataclass(frozen=True)
class Drawn:
    """A mistake, and where.

    Args:
        file: The module, from the root of the package.
        function: Where it is.
        line: The line of the statement.
        kind: What sort of mistake.
        before: The statement as it was.
        after: The statement as it is.
        twin: How many like it come before it in the function.
    """

    file: str
    function: str
    line: int
    kind: str
    before: str
    after: str
    twin: int = 0

    @property
    def place(self) -> tuple:
        """What another state of the sources may have, too, on another line."""
        return self.file, *self.statement

    @property
    def statement(self) -> tuple:
        """What another state of the sources may have, too, in another file."""
        return self.function, self.kind, self.before, self.after, self.twin


def files(package: Path) -> list[str]:
    """Return the modules that are in no other script, from the root of the package."""
    found = [p.relative_to(package).as_posix() for p in package.rglob("*.py")]
    elsewhere = {f for f in found if f.startswith("fused/")} - {"fused/path.py"}
    return sorted(set(found) - set(KNOWN) - elsewhere)


def mistakes(file: str, tree: ast.Module) -> Iterator[tuple[Drawn, ast.stmt]]:
    """Yield every mistake of a module, with its statement; the tree has it then."""
    for name, function in functions(tree):
        names = {n.id for n in ast.walk(function) if isinstance(n, ast.Name)}
        seen: dict[tuple, int] = {}
        for statement in statements(function.body):
            before = first_line(ast.unparse(statement))
            for kind, _ in planted(statement, names):
                yield from drawn(file, name, kind, before, statement, seen)
        for branch in conditions(function):
            before = first_line(ast.unparse(branch))
            held = ast.copy_location(ast.Expr(branch.test), branch)
            for kind, _ in planted(held, names):
                branch.test = held.value
                yield from drawn(file, name, kind, before, branch, seen)
            branch.test = held.value


def conditions(function: ast.FunctionDef) -> list[ast.If | ast.While]:
    """Return what branches, checks of arguments left out."""
    found = [n for n in ast.walk(function) if isinstance(n, ast.If | ast.While)]
    return [n for n in found if not any(isinstance(s, ast.Raise) for s in n.body)]


def drawn(file, name, kind, before, statement, seen) -> Iterator:
    """Yield the mistake that is in a statement now, if it is one."""
    after = first_line(ast.unparse(statement))
    if after != before:
        key = (kind, before, after)
        seen[key] = seen.get(key, -1) + 1
        line = statement.lineno
        yield Drawn(file, name, line, kind, before, after, seen[key]), statement


def draw(package: Path, count: int, seed: int) -> list[Drawn]:
    """Draw statements of a package from a seed, and a mistake in each."""
    rng = random.Random(seed)
    by_statement: dict[tuple, list[Drawn]] = {}
    for file in files(package):
        tree = ast.parse((package / file).read_text("utf-8"))
        for mistake, statement in mistakes(file, tree):
            key = (file, mistake.function, statement.lineno, statement.col_offset)
            by_statement.setdefault(key, []).append(mistake)
    keys, found = sorted(by_statement), []
    rng.shuffle(keys)
    while len(found) < count:
        mistake = rng.choice(by_statement[keys.pop()])
        if can_be_made((package / mistake.file).read_text("utf-8"), mistake):
            found.append(mistake)
    return found


def can_be_made(source: str, wanted: Drawn) -> bool:
    """Whether Python compiles a mistake."""
    try:
        compile(with_mistake(source, wanted), wanted.file, "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def still_there(package: Path, wanted: list[Drawn]) -> list[Drawn]:
    """Return the mistakes of a list that another state of the sources can have.

    Where the file has the mistake no more, or is no more, the function may have moved:
    then it is in the one file that has the same mistake in a function of that name.
    """
    asked, there = {m.statement for m in wanted}, defaultdict(list)
    for file in files(package):
        tree = ast.parse((package / file).read_text("utf-8"))
        for mistake, _ in mistakes(file, tree):
            if mistake.statement in asked:
                there[mistake.statement].append(mistake)
    found = []
    for old in wanted:
        places = there[old.statement]
        here = [m for m in places if m.file == old.file] or places
        found += here if len(here) == 1 else []
    return found


def with_mistake(source: str, wanted: Drawn) -> str:
    """Return a module with a mistake in it."""
    tree = ast.parse(source)
    for mistake, _ in mistakes(wanted.file, tree):
        if mistake.place == wanted.place:
            return ast.unparse(ast.fix_missing_locations(tree))
    raise LookupError(wanted)


def with_marks(source: str, numbered: dict[int, Drawn]) -> str:
    """Return a module that says so whenever it comes to one of some statements."""
    tree, marks = ast.parse(source), {}
    for mistake, statement in mistakes(next(iter(numbered.values())).file, tree):
        for number, wanted in numbered.items():
            if mistake.place == wanted.place:
                marks.setdefault(id(statement), []).append(number)

    class Marker(ast.NodeTransformer):
        def visit(self, node):
            node = self.generic_visit(node)
            call = "__import__('reached').mark({})"
            found = [ast.parse(call.format(n)).body[0] for n in marks.get(id(node), [])]
            return [*found, node] if found else node

    return ast.unparse(ast.fix_missing_locations(Marker().visit(tree)))
