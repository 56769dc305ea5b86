"""Put CuPy and what stands in for NVIDIA's libraries into a folder.

    pip install cupy-cuda13x cython setuptools
    pip install nvidia-cuda-runtime nvidia-cuda-crt nvidia-cuda-profiler-api
    python -m tests.machines.cupy_on_fibers.build CUPY_SOURCES FOLDER

CUPY_SOURCES is a checkout of CuPy at the version that is installed.  One module of its
wheel is compiled again from there, the one that has NVIDIA's runtime inside.  The last
line printed is how to run tests then.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
MODULE = "cupy_backends/cuda/api/runtime"
COMPILE = ("g++", "-std=c++17", "-O1", "-w", "-fPIC")
SETTINGS = {
    "CUPY_USE_CUDA_PYTHON": False,
    "CUPY_CUFFT_STATIC": False,
    "CUPY_CUDA_VERSION": 13000,
    "CUPY_HIP_VERSION": 0,
}
# What nobody asks for: a runtime says that it does not know it.
REST = 'extern "C" int {name}() {{ return {value}; }}\n'


def run(*command) -> str:
    """Run a command that must succeed; return what it printed."""
    done = subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True
    )
    return done.stdout


def headers() -> list[str]:
    """Return the options of g++ for NVIDIA's headers."""
    (nvidia,) = find_spec("nvidia").submodule_search_locations
    return [f"-I{nvidia}/cu13/include"]


def symbols(library: Path, which: str, prefix: str) -> set[str]:
    """Return the functions with a prefix that a library defines, or expects."""
    listed = run(
        "nm", f"--{which}-only", *(["-D"] if ".so" in library.name else []), library
    )
    return set(re.findall(rf" [TU] ({prefix}\w+)", listed))


def library(folder: Path, name: str, source: str, asked: set[str], value: int) -> None:
    """Compile a source, and an answer to whatever else is asked for."""
    own, rest = folder / f"{source}.o", folder / f"{source}_rest.cpp"
    run(*COMPILE, *headers(), "-c", "-o", own, HERE / f"{source}.cpp")
    missing = sorted(asked - symbols(own, "defined", "cu"))
    rest.write_text("".join(REST.format(name=n, value=value) for n in missing))
    # CuPy expects NVIDIA's versions of symbols, which are the names of the libraries.
    versions = folder / f"{source}.map"
    versions.write_text(f"{name} {{ global: *; }};\n")
    linked = f"-Wl,-soname,{name}", f"-Wl,--version-script={versions}"
    run(*COMPILE, "-shared", *linked, "-o", folder / name, own, rest)


def runtime_module(sources: Path, folder: Path) -> Path:
    """Compile CuPy's module of the runtime, which then expects one from outside."""
    import Cython
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    extension = Extension(
        MODULE.replace("/", "."),
        [f"{MODULE}.pyx"],
        language="c++",
        extra_compile_args=["-O0", "-w", f"-I{sources}", *headers()],
    )
    modules = cythonize(
        [extension],
        language_level=3,
        compile_time_env=SETTINGS | {"CUPY_CYTHON_VERSION": Cython.__version__},
    )
    command = Distribution({"ext_modules": modules}).get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(folder / "site"), str(folder / "temp")
    command.ensure_finalized()
    command.run()
    return folder / "site" / f"{MODULE}{sysconfig.get_config_var('EXT_SUFFIX')}"


def main(sources: Path, folder: Path) -> None:
    """Build everything into a folder."""
    site, wheel = folder / "site", Path(find_spec("cupy").origin).parents[1]
    for name in ("cupy", "cupyx", "cupy_backends"):
        shutil.copytree(wheel / name, site / name, dirs_exist_ok=True)
    for info in wheel.glob("cupy_cuda13x-*.dist-info"):
        shutil.copytree(info, site / info.name, dirs_exist_ok=True)
    module = runtime_module(sources, folder)
    (blas,) = (site / "cupy_backends/cuda/libs").glob("cublas.*.so")
    library(
        folder, "libcuda.so.1", "runtime", symbols(module, "undefined", "cuda"), 801
    )
    library(folder, "libcublas.so.13", "blas", symbols(blas, "undefined", "cublas"), 15)
    shutil.rmtree(folder / "temp")
    print(
        f"LD_PRELOAD={folder}/libcuda.so.1:{folder}/libcublas.so.13 CUPY_ACCELERATORS= "
        f"CUPY_CACHE_DIR={folder}/cache PYTHONPATH={site}:. "
        "python -m pytest -p tests.machines.cupy_on_fibers.plugin -m gpu "
        "tests/devices/test_gpu_kernels.py"
    )


if __name__ == "__main__":
    import os

    given, wanted = (Path(word).resolve() for word in sys.argv[1:])
    os.chdir(given)
    main(given, wanted)
