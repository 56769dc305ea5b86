"""Compilers of CUDA C that need no device: NVRTC, as CuPy has it, or else nvcc."""

import ctypes
import importlib.util
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path


@cache
def nvrtc():
    """Return the library of the package nvidia-cuda-nvrtc, or None."""
    found = importlib.util.find_spec("nvidia")
    for folder in (found.submodule_search_locations or []) if found else []:
        for path in sorted(Path(folder).rglob("libnvrtc.so*")):
            return ctypes.CDLL(str(path))
    return None


NVCC = shutil.which("nvcc")


def nvrtc_log(text, options):
    """Compile; return whether that went well, and what the compiler said."""
    library, program, size = nvrtc(), ctypes.c_void_p(), ctypes.c_size_t()
    library.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"", 0, None, None)
    options = [o.encode() for o in (*options, "--ptxas-options=-v")]
    given = (ctypes.c_char_p * len(options))(*options)
    result = library.nvrtcCompileProgram(program, len(options), given)
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return result == 0, log.value.decode()


def nvcc_log(text, options):
    """Compile; return whether that went well, and what the compiler said."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "source.cu"
        path.write_text(text, encoding="utf-8")
        command = [
            NVCC,
            *options,
            "-cubin",
            "-Xptxas",
            "-v",
            "-o",
            path.with_suffix(".x"),
        ]
        done = subprocess.run(
            [*command, path], capture_output=True, text=True, check=False
        )
    return done.returncode == 0, done.stdout + done.stderr


def compile_log():
    """Return the compiler at hand, as a function of a text and options, or None."""
    return nvrtc_log if nvrtc() else nvcc_log if NVCC else None
