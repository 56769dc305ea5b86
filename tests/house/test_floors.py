"""The house: a folder imports only folders below it, and only through their doors."""

import ast
import importlib
import inspect
import re
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import imaml_ref

FLOORS = [  # lowest first
    "arguments",  # what callers may give, how values show
    "compute",  # where and by whom arrays are computed
    "files",  # files that are whole or absent
    "config",  # the keys of a run, presets, TOML
    "layers",  # one file a layer, with its derivation
    "solvers",  # A x = b
    "optimizers",  # step rules, shared by the two loops
    "data",  # tasks: episodes, HDF5, glyphs, sinusoids
    "networks",  # layers in a chain, losses, linearisation
    "weights",  # θ from PyTorch and back, and as files
    "fused",  # the same, faster: on the processor
    "kernels",  # the same, faster: on a GPU
    "inner",  # argmin G
    "meta_gradients",  # (1) to (9): from θ and tasks to g
    "training",  # θ ← optimiser(θ, g), and how good it is
    "checks",  # witnesses of layers, losses and networks
    "verify",  # witnesses of everything, as a table
    "conformance",  # witnesses of somebody else's meta-gradient
    "runs",  # a folder each: configuration to tested θ
    "cli",  # words in, words out
]
ROOT = Path(imaml_ref.__file__).parent
MODULES = {
    ".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in ROOT.rglob("*.py")
}
INSIDE = sorted(m for m in MODULES if not m.startswith("_"))
PROJECT = Path(__file__).parents[2]
PAGES = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")]
OTHERS = ("examples", "data_tools", "benchmarks")
SCRIPTS = [p for f in OTHERS for p in PROJECT.glob(f"{f}/**/*.py")]


# What needs another library is asked for by its name.
SIDE_DOORS = {f"conformance.{n}" for n in ("from_jax", "from_torch", "pytest_plugin")}
SIDE_DOORS |= {"conformance.families"}  # for those who add one
# A benchmark that measures what lies inside looks in: by its folder, at what.
WINDOWS = {
    "blind": {
        f"conformance.{n}" for n in ("json_report", "own_judging", "own_problem")
    },
    "conformance": {
        f"conformance.{n}"
        for n in (
            *("json_report", "laboratory", "own_certificate", "own_problem"),
            *("answers", "families", "families.members", "judge", "matrix", "mutants"),
        )
    },
    "gpu": {"kernels.graphs", "kernels.stage", "kernels.table"},
    "omniglot": {"training.loop"},
    "shared": {"compute.parallel", "runs.drawing"},
    "step_profile": {"layers", "meta_gradients"}
    | {f"fused.{n}" for n in ("plain_blocks", "program", "rows", "sweeps", "windows")},
}


def folder(module: str) -> str:
    return module.partition(".")[0]


@cache
def imports(module: str) -> list[tuple[str, str]]:
    """Return (module, name) for each import of ours; (folder, name) through a door."""
    stem, found = module.split(".")[:-1], []
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = stem[: len(stem) + 1 - node.level]
            target = ".".join([*above, *filter(None, [node.module])])
            found += [(target, alias.name) for alias in node.names]
    found = [t if t[0] else (t[1], "") for t in found]
    return [t for t in found if t[0] != "_version"]


def named_by_the_door(name: str) -> set[str]:
    door = importlib.import_module(f"imaml_ref.{name}".rstrip("."))
    own = {n for n, v in vars(door).items() if inspect.getmodule(v) is door}
    return set(getattr(door, "__all__", own))


def test_every_folder_has_a_floor():
    doors = {p.parent.name for p in ROOT.glob("*/__init__.py")}
    here = doors | {p.stem for p in ROOT.glob("*.py")}
    assert set(FLOORS) == here - {"__init__", "__main__", "_version"}
    assert len([p for p in ROOT.iterdir() if p.is_file()]) <= 6


@pytest.mark.parametrize("module", INSIDE)
def test_imports_go_down(module):
    own = FLOORS.index(folder(module))
    for target, name in imports(module):
        other = FLOORS.index(folder(target))
        assert other <= own, f"{module} imports {target}, which is above it"
        if other < own and name:
            assert target == folder(target), (
                f"{module} comes through a window: {target}"
            )
            assert name in named_by_the_door(target), f"{target} does not name {name}"


@pytest.mark.parametrize("name", [f for f in FLOORS if (ROOT / f).is_dir()])
def test_no_folder_runs_in_a_circle(name):
    rooms = {m for m in INSIDE if folder(m) == name and not m.endswith("__init__")}
    graph = {}
    for room in rooms:
        targets = {t for t, _ in imports(room)} | {f"{t}.{n}" for t, n in imports(room)}
        graph[room] = targets & rooms
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"in a circle: {error.args[1]}")


@pytest.mark.parametrize("name", [f for f in FLOORS if (ROOT / f).is_dir()])
def test_a_door_says_what_its_folder_must_not_know(name):
    door = importlib.import_module(f"imaml_ref.{name}")
    assert "must not" in door.__doc__.lower()
    assert sorted(door.__all__) == sorted(set(door.__all__))
    for public in door.__all__:
        assert hasattr(door, public), public


IMPORT = re.compile(
    r"^ *from imaml_ref([.\w]*) import (\([^)]*\)|.*)$|^ *import imaml_ref([.\w]*)",
    re.M,
)


@pytest.mark.parametrize("path", [*PAGES, *SCRIPTS], ids=lambda p: p.name)
def test_others_come_through_doors(path):
    """The package itself is one; so is each folder of it, and nothing else."""
    for target, names, bare in IMPORT.findall(path.read_text(encoding="utf-8")):
        door = (target or bare).removeprefix(".")
        if door in SIDE_DOORS or door in WINDOWS.get(path.parent.name, ()):
            continue
        assert "." not in door, f"{path.name} comes through a window: {door}"
        listed = re.sub(r"#.*", "", names).strip("()").replace("\n", " ").split(",")
        for name in filter(None, (n.split(" as ")[0].strip() for n in listed)):
            public = named_by_the_door(door) | (set() if door else set(FLOORS))
            assert name in public, f"{path.name}: {door or 'imaml_ref'} has no {name}"


def test_the_check_of_imports_sees_one_that_is_wrong():
    text = "from imaml_ref.solvers.cg import cg\nfrom imaml_ref import (\n  a,\n  b)\n"
    assert [(t, n) for t, n, _ in IMPORT.findall(text)] == [
        (".solvers.cg", "cg"),
        ("", "(\n  a,\n  b)"),
    ]
