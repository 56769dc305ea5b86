"""The tests mirror the folders of the package; texts name what is there."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

import imaml_ref

PACKAGE = Path(imaml_ref.__file__).parent
PROJECT = Path(__file__).parents[2]
TESTS = PROJECT / "tests"
FILES = sorted(TESTS.rglob("*.py"))
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *PROJECT.glob("docs/*.md")]
ROOTS = {"tests", "data_tools", "benchmarks"}  # what the root of a checkout has
# What plants mistakes has tests to run; nothing else knows a test file.
RUNS_TESTS = TESTS / "mutation"
NAMED = re.compile(r"\btests/[\w/*.-]*[\w*]|(?<=-[mp] )tests(?:\.\w+)+")


def name_of(path):
    return str(path.relative_to(PROJECT))


def imported(path):
    """Return the modules that a file imports, by their whole names."""
    package, found = path.relative_to(PROJECT).parts[:-1], []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*above, *filter(None, [node.module])])
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return found


def is_test_file(module):
    path = PROJECT.joinpath(*module.split("."))
    return path.name.startswith("test_") and path.with_suffix(".py").exists()


def test_every_folder_of_the_package_has_a_folder_of_tests():
    folders = {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    alone = {p.stem for p in PACKAGE.glob("[a-z]*.py")}
    assert {n for n in folders if not list(TESTS.glob(f"{n}/test_*.py"))} == set()
    assert {n for n in alone if not (TESTS / f"test_{n}.py").exists()} == set()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_of_tests_stands_on_its_own(path):
    """No test file imports another, and helpers are imported by their whole names."""
    others = {p.stem for p in [*FILES, *TESTS.iterdir()]} - ROOTS
    for module in imported(path):
        assert module.partition(".")[0] not in others, f"{module} has no folder"
        if not path.is_relative_to(RUNS_TESTS):
            assert not is_test_file(module), f"{module}: move it to tests/helpers"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_of_tests_is_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("path", [*PAGES, *FILES], ids=name_of)
def test_the_tests_that_a_text_names_are_there(path):
    for name in NAMED.findall(path.read_text(encoding="utf-8")):
        place = name if "/" in name else name.replace(".", "/") + ".py"
        assert list(PROJECT.glob(place)), name


def test_the_drawing_of_the_house_is_made_of_its_imports(monkeypatch):
    path = PROJECT / "docs" / "draw_house.py"
    spec = importlib.util.spec_from_file_location("draw_house", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(script, "PACKAGE", PACKAGE)  # CI installs it elsewhere
    drawn = path.with_name("house.svg").read_text(encoding="utf-8")
    assert drawn == script.house(), "it is old: run python docs/draw_house.py"
