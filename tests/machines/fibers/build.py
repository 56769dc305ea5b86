"""Compile a CUDA C source for the CPU, once: what is compiled is kept by its digest."""

import ctypes
import hashlib
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from imaml_ref.kernels.launch import options, source

HERE = Path(__file__).parent
COMPILER = shutil.which("g++")
KEPT = HERE.parents[2] / ".scratch" / "fibers"  # remove it whenever you like
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
def compiler() -> str:
    """Return what the compiler says of itself; another one compiles anew."""
    command = [COMPILER or "g++", "-v"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stderr


@cache
def library(file: str, dtype: str, text: str | None = None) -> ctypes.CDLL:
    """Return the functions of a source, or of another text in its place.

    Raises:
        RuntimeError: If it does not compile.
    """
    text = source(file) if text is None else text
    runs = "".join(f"FIBERS({symbol})\n" for symbol in symbols(text))
    # In a namespace without a name no function is merged with another, as those of
    # templates else are, and their shared memory may lie in a section of its own.
    whole = f'#include "fibers.h"\nnamespace {{\n#line 1 "{file}"\n{text}\n}}\n{runs}'
    flags = (*FLAGS, *options(dtype))
    stem = f"{Path(file).stem}-{dtype}"
    place = KEPT / f"{stem}-{digest(whole, *flags)}.so"
    if not place.exists():
        header = KEPT / f"header-{digest(*flags)}" / "fibers.h.gch"
        if not header.exists():
            included = '#include "fibers.h"'
            compile_to(header, included, (*flags, "-x", "c++-header"), "fibers.h")
        compile_to(place, whole, (*flags, f"-I{header.parent}"), file)
    return ctypes.CDLL(str(place))


def digest(*told: str) -> str:
    """Return a name for what comes of a text, the headers and the compiler."""
    headers = [path.read_text("utf-8") for path in sorted(HERE.glob("*.h"))]
    whole = "\0".join([*told, *headers, compiler()])
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def compile_to(place: Path, text: str, flags: tuple[str, ...], file: str) -> None:
    """Compile a text to a place, which other processes may do at the same time.

    Raises:
        RuntimeError: If it does not compile.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT) as folder:
        path = Path(folder) / "source.cpp"
        path.write_text(text, encoding="utf-8")
        command = [COMPILER or "g++", *flags, f"-I{HERE}", "-o", f"{folder}/made.so"]
        done = subprocess.run(
            [*command, str(path)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{file} does not compile:\n{done.stderr[:4000]}")
        (Path(folder) / "made.so").replace(place)
