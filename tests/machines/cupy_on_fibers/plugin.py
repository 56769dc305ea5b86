"""A plugin of pytest: what CuPy compiles and launches is compiled for fibers, and run.

The kernels of this package run as they are; of CuPy's own only what they include is
another.  Every launch has its threads in another order.
"""

import ctypes
import hashlib
import os
import re
import subprocess
from functools import cache
from itertools import count
from pathlib import Path

import cupy.cuda.compiler

from imaml_ref.kernels.table import KERNELS
from tests.machines.fibers.build import FLAGS, symbols
from tests.machines.kernel_cases import cases

from .build import headers

HERE = Path(__file__).parent
KEPT = Path(os.environ["CUPY_CACHE_DIR"])
INCLUDE = Path(cupy.__file__).parent / "_core" / "include"
INCLUDED = [
    INCLUDE,
    *(INCLUDE / "cupy/_cccl" / n for n in ("cub", "thrust", "libcudacxx")),
]
BEGIN, END, INSTANTIATE, REPLAY = range(4)
KERNEL = re.compile(
    r'extern "C" __global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s*)?(\w+)\s*\('
)
seeds = count(1)


def text_of(source: str) -> str:
    """Return a source of CUDA C for g++."""
    names = dict.fromkeys(symbols(source) or KERNEL.findall(source))
    heads = re.findall(r"^#include <.*$", source, re.M)
    source = re.sub(r"^#include <.*$", "", source, flags=re.M)
    # What is atomic is not among what this package asks of CuPy.
    heads = [head for head in heads if "atomics" not in head]
    first = "prelude.h" if heads else "fibers.h"
    runs = [f"FIBERS({name})" for name in names]
    parts = [f'#include "{first}"', *heads, "namespace {", source, "}", *runs, ""]
    return "\n".join(parts)


def compiled(source: str, options=(), *rest, **more) -> tuple[bytes, None]:
    """Compile in the place of NVRTC; return the name of a library for an image."""
    defined = [option for option in options if option.startswith("-D")]
    text = text_of(source)
    name = hashlib.sha256(repr((text, defined)).encode()).hexdigest()
    library = KEPT / f"{name}.so"
    if not library.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        library.with_suffix(".cpp").write_text(text, encoding="utf-8")
        folders = [HERE, HERE.parent / "fibers", *INCLUDED]
        command = ["g++", "-std=c++17", "-fpermissive", *FLAGS, *defined, *headers()]
        command += [f"-I{folder}" for folder in folders]
        command += ["-o", library, library.with_suffix(".cpp")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{library}: {done.stderr[:2000]}")
    return name.encode() + b"\0", None


@cache
def library(name: str) -> ctypes.CDLL:
    """Return a compiled image."""
    return ctypes.CDLL(str(KEPT / f"{name}.so"))


@cache
def number_of_arguments() -> dict[str, int]:
    """Return how many arguments each function of this package takes."""
    return {
        launch.symbol: len(kernel.arguments)
        for kernel in KERNELS.values()
        for given in cases(kernel.name, kernel.dtypes[0])
        for launch in kernel.launched(given)
    }


class Machine:
    """Runs launches, and keeps those that streams record.

    Attributes:
        errors: What went wrong in a launch, for CuPy cannot be told.
    """

    def __init__(self):
        self.recording, self.graphs, self.errors = [], {}, []

    def launch(self, image, name, sizes, arguments, recorded) -> None:
        launch = image.decode(), name.decode(), sizes[:3], sizes[3:6]
        if recorded:
            self.recording.append((*launch, copies(name.decode(), arguments)))
        else:
            self.run(*launch, arguments)

    def run(self, image, name, grid, block, arguments) -> None:
        function = getattr(library(image), f"run_{name}")
        sizes = [(ctypes.c_uint * 3)(*three) for three in (grid, block)]
        fault = function(arguments, *sizes, next(seeds) % 7, 0)
        if fault:
            self.errors.append(f"{name}: fault {fault}")

    def tell(self, what, a, b) -> None:
        if what == BEGIN:
            self.recording = []
        elif what == END:
            self.graphs[a] = self.recording
        elif what == INSTANTIATE:
            self.graphs[a] = self.graphs[b]
        else:
            for launch in self.graphs[a]:
                self.run(*launch)


def copies(name: str, arguments):
    """Return copies of arguments, each of which has at most eight bytes."""
    size = number_of_arguments()[name]
    held = (ctypes.c_uint64 * size)()
    for i in range(size):
        held[i] = ctypes.c_uint64.from_address(arguments[i]).value
    first = ctypes.addressof(held)
    found = (ctypes.c_void_p * size)(*(first + 8 * i for i in range(size)))
    found.held = held
    return found


def noting(function):
    """Return a function that keeps what it cannot raise through C."""

    def call(*arguments):
        try:
            function(*arguments)
        except Exception as error:
            machine.errors.append(repr(error))

    return call


machine = Machine()
LAUNCH = ctypes.CFUNCTYPE(
    None,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.POINTER(ctypes.c_uint),
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.c_int,
)
TELL = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
calls = LAUNCH(noting(machine.launch)), TELL(noting(machine.tell))
ctypes.CDLL("libcuda.so.1").stand_in_calls(*calls)
cupy.cuda.compiler._compile_using_nvrtc_no_warning = compiled


def pytest_runtest_teardown(item) -> None:
    """Fail a test in which a launch went wrong."""
    errors, machine.errors = machine.errors, []
    assert not errors, errors[:3]
