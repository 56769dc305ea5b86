"""The table of kernels says what the sources say; the launcher says it to CuPy."""

import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from imaml_ref.kernels.launch import Launcher, options, source
from imaml_ref.kernels.table import FILES, KERNELS
from imaml_ref.kernels.tiles import TILES
from imaml_ref.solvers import Status
from tests.machines.fibers import symbols
from tests.machines.kernel_cases import cases

C_TYPES = {"int32": "int", "int64": "long long", None: "REAL"}
BY_MACRO = re.compile(r"^([A-Z][A-Z_]+)\((\w+), [\w<>:]+\)$", re.M)


def parameters(text, symbol):
    """Return the parameters of a function: type and name, without __restrict__."""
    by_macro = {name: macro for macro, name in BY_MACRO.findall(text)}
    if symbol in by_macro:
        text = text.replace("\\\n", " ")
        for name, meaning in re.findall(r"^#define ([A-Z]+) +(int .*)$", text, re.M):
            text = re.sub(rf"\b{name}(?=[,)])", meaning, text)
        text = text[text.index(f"#define {by_macro[symbol]}(SYMBOL") :]
        symbol = "SYMBOL"
    found = re.search(
        rf"\b{symbol}\((?=\s*(?:const )?(?:REAL|int))(.*?)\) \{{", text, re.S
    )
    plain = found[1].replace("__restrict__ ", "")
    return [" ".join(parameter.split()) for parameter in plain.split(",")]


def parameter(argument):
    """Return an argument of the table as C has it."""
    name, kind, dtype = argument
    if kind in ("int", "real"):
        return f"{'int' if kind == 'int' else 'REAL'} {name}"
    return f"{'const ' if kind == 'in' else ''}{C_TYPES[dtype]}* {name}"


def launches(kernel):
    return [
        launch
        for given in cases(kernel.name, "float64")
        for launch in kernel.launched(given)
    ]


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_arguments_are_those_of_the_source(kernel):
    text = source(kernel.file)
    for symbol in {launch.symbol for launch in launches(kernel)}:
        expected = [parameter(argument) for argument in kernel.arguments]
        assert parameters(text, symbol) == expected


@pytest.mark.parametrize("file", FILES)
def test_a_source_has_the_text_of_what_it_includes(file):
    assert "#include" not in source(file)


def test_every_function_of_a_source_is_launched():
    launched = {launch.symbol for k in KERNELS.values() for launch in launches(k)}
    assert launched == {name for file in FILES for name in symbols(source(file))}


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_a_geometry_is_one_that_a_device_has(kernel):
    for _, grid, block in launches(kernel):
        assert 0 < np.prod(block) <= 1024
        assert all(0 < n < 2**31 for n in grid)
        assert max(grid[1:]) < 2**16


BEYOND = {
    "tasks": ("bn_relu", {"tasks": 2**16, "rows": 2, "channels": 3}, "1 × 65536 × 1"),
    "tasks of a product": (
        "bmm",
        {"tasks": 2**16, "m": 9, "n": 9, "k": 9},
        "1 × 1 × 65536",
    ),
    "entries": ("add_row", {"tasks": 7, "rows": 2**15, "cols": 2**15}, "7516192768"),
    "entries in fours": (
        "patches_adjoint",
        {"images": 2**13, "height": 2**10, "width": 2**9, "channels": 4},
        "4294967296",
    ),
}


@pytest.mark.parametrize(("name", "sizes", "said"), BEYOND.values(), ids=BEYOND)
def test_what_a_device_cannot_count_is_refused(name, sizes, said):
    kernel = KERNELS[name]
    given = next(cases(name, "float32")) | sizes
    with pytest.raises(ValueError, match=f"would need {said} .*fewer tasks"):
        kernel.launched(given)
    first = next(iter(sizes))
    assert kernel.launched(given | {first: 1})


@pytest.mark.parametrize(
    ("size", "m", "n", "k"),
    [
        ((64, 64), 245, 64, 576),
        ((32, 32), 80, 64, 576),
        ((32, 16), 20, 64, 576),
        ((16, 16), 9, 64, 980),
    ],
)
def test_a_product_is_cut_for_its_size(size, m, n, k):
    ints = {"m": m, "n": n, "k": k, "tasks": 32}
    assert min(TILES, key=lambda tile: tile.cost(ints))[:2] == size


def test_states_have_the_numbers_of_the_solvers():
    text = source("cg.cu")
    numbers = dict(re.findall(r"^  ([A-Z_]+) = (\d),?$", text, re.M))
    numbers["MAXITER"] = numbers.pop("RUNNING")
    assert numbers == {name: str(int(Status[name])) for name in numbers}


# What is given must be what the table lists.


def given(**changes):
    arguments = next(cases("add_row", "float32"))
    return {k: v for k, v in (arguments | changes).items() if v is not None}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"row": None}, TypeError, r"takes a, row, .*missing: \['row'\]"),
        ({"column": 1}, TypeError, r"unknown: \['column'\]"),
        ({"a": [1.0]}, TypeError, "a must be a numpy array of float32, got list"),
        ({"a": np.zeros(9)}, TypeError, "of float32, got ndarray of float64"),
        ({"rows": 2.0}, TypeError, "rows must be a Python int, got float"),
        ({"rows": True}, TypeError, "rows must be a Python int, got bool"),
        ({"rows": 2**31}, ValueError, "rows must be from 0 to 2147483647"),
        ({"rows": -1}, ValueError, "rows must be from 0 to 2147483647, got -1"),
    ],
)
def test_what_is_not_in_the_table_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        KERNELS["add_row"].values(given(**changes), np.ndarray, "float32")


def test_a_real_must_be_a_float():
    arguments = next(cases("bmm", "float32")) | {"beta": "1"}
    with pytest.raises(TypeError, match="beta must be a Python float, got str"):
        KERNELS["bmm"].values(arguments, np.ndarray, "float32")


def test_kernels_compute_in_two_dtypes():
    with pytest.raises(TypeError, match="float32 or float64, got dtype float16"):
        options("float16")


class StandIn:
    """What the launcher asks of CuPy; keeps what it is told."""

    ndarray = np.ndarray

    def __init__(self):
        self.compiled, self.launched = [], []

    def RawModule(self, code, options):
        self.compiled.append((code, options))
        return SimpleNamespace(get_function=lambda name: self.function(name))

    def function(self, name):
        return lambda grid, block, values: self.launched.append(
            (name, grid, block, values)
        )

    def zeros(self, shape, dtype):
        return np.zeros(shape, dtype)


@pytest.fixture
def cupy(monkeypatch):
    stand_in = StandIn()
    monkeypatch.setitem(sys.modules, "cupy", stand_in)
    return stand_in


def test_a_launch_says_what_the_table_says(cupy):
    arguments = next(cases("descend", "float32"))
    Launcher("float32")("descend", **arguments)
    assert cupy.compiled == [(source("descent.cu"), ("-std=c++17", "-DREAL=float"))]
    expected = KERNELS["descend"].launched(arguments)
    assert [launched[:3] for launched in cupy.launched] == expected
    for _, _, _, values in cupy.launched:
        assert values[0] is arguments["phi"]
        assert isinstance(values[3], np.int32)


def test_reals_are_of_the_dtype_of_the_launcher(cupy):
    for dtype in (np.float32, np.float64):
        Launcher(dtype)("bmm", **next(cases("bmm", dtype)))
        assert type(cupy.launched[-1][3][-1]) is dtype


def test_a_bound_kernel_is_compiled_and_checked_once(cupy):
    launcher = Launcher("float64")
    run = launcher.bind("add_row", **next(cases("add_row", "float64")))
    launcher.bind("row_sums", **next(cases("row_sums", "float64")))
    assert len(cupy.compiled) == 1
    assert not cupy.launched
    run()
    run()
    assert [launched[0] for launched in cupy.launched] == ["add_row", "add_row"]


def test_arrays_of_zeros_are_real_unless_said(cupy):
    launcher = Launcher("float32")
    assert launcher.zeros((2, 3)).dtype == "float32"
    assert launcher.zeros((2, 3), "int32").dtype == "int32"
