"""Compile a CUDA C source for the CPU, once per dtype and process."""

import ctypes
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from imaml_ref.kernels.launch import options, source

HERE = Path(__file__).parent
COMPILER = shutil.which("g++")
# A fiber leaves by longjmp to another stack, which a fortified longjmp refuses.
FLAGS = ("-O1", "-shared", "-fPIC", "-ffp-contract=off", "-U_FORTIFY_SOURCE", "-w")
FLAGS += ("-fsanitize=alignment",)
# A function is written out, or by a macro that writes one per tile.
BOUNDS = r"(?:__launch_bounds__\((?:[^()]|\([^()]*\))*\)\s+)?"
DIRECT = re.compile(rf'^extern "C" __global__ void\s+{BOUNDS}(\w+)\(', re.M)
BY_MACRO = re.compile(r"^([A-Z][A-Z_]+)\((\w+), [\w<>:]+\)$", re.M)


def symbols(text: str) -> list[str]:
    """Return the names of the functions that a source makes launchable."""
    return DIRECT.findall(text) + [name for _, name in BY_MACRO.findall(text)]


@cache
def folder() -> tempfile.TemporaryDirectory:
    """Return where compiled sources are until the process ends."""
    return tempfile.TemporaryDirectory(prefix="fibers")


@cache
def library(file: str, dtype: str, text: str | None = None) -> ctypes.CDLL:
    """Return the functions of a source, or of another text in its place.

    Raises:
        RuntimeError: If it does not compile.
    """
    text = source(file) if text is None else text
    name = f"{Path(file).stem}-{dtype}-{abs(hash(text)):x}"
    place = Path(folder().name) / name
    runs = "".join(f"FIBERS({symbol})\n" for symbol in symbols(text))
    # In a namespace without a name no function is merged with another, as those of
    # templates else are, and their shared memory may lie in a section of its own.
    place.with_suffix(".cpp").write_text(
        f'#include "fibers.h"\nnamespace {{\n#line 1 "{file}"\n{text}\n}}\n{runs}',
        encoding="utf-8",
    )
    command = [COMPILER or "g++", *FLAGS, *options(dtype), f"-I{HERE}", "-o"]
    command += [f"{place}.so", f"{place}.cpp"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{file} does not compile:\n{done.stderr[:4000]}")
    return ctypes.CDLL(f"{place}.so")
