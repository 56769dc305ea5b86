"""Every kernel compiles for the cards it is meant for, and keeps to its registers.

A register that does not fit is spilled to memory, and so is an array whose indices the
compiler does not know: the stack.
"""

import re

import pytest

from imaml_ref.kernels.launch import options, source
from imaml_ref.kernels.table import KERNELS
from tests.machines.fibers import symbols
from tests.machines.kernel_compilers import compile_log

COMPILE = compile_log()
# CuPy asks for it whatever else it is told: what is below 1e-38 in float32 is 0.
OF_CUPY = ("-ftz=true",)
NOTHING = "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads"
SOURCES = sorted({(k.file, dtype) for k in KERNELS.values() for dtype in k.dtypes})
# Registers are as many on both cards, the text is one for both types: by default the
# case that is for speed.
CHOSEN = [
    pytest.param(
        file,
        dtype,
        card,
        marks=[pytest.mark.thorough] * ((dtype, card) != ("float32", "sm_90")),
    )
    for file, dtype in SOURCES
    for card in ("sm_80", "sm_90")
]
STATIC = 48 * 1024  # bytes of shared memory that need not be asked for

pytestmark = pytest.mark.skipif(
    COMPILE is None, reason="needs the package nvidia-cuda-nvrtc, or nvcc"
)


def used(log):
    """Return stack and spills, and bytes of shared memory, by function."""
    found = {}
    for part in log.split("Function properties for ")[1:]:
        name, said = (
            part.split()[0],
            " ".join(part.splitlines()[1].split()).lstrip(". "),
        )
        shared = re.search(r"(\d+) bytes smem", part)
        found[name] = said.removeprefix("ptxas . "), int(shared[1]) if shared else 0
    return found


@pytest.mark.parametrize(("file", "dtype", "architecture"), CHOSEN)
def test_kernels_compile_without_spills(file, dtype, architecture):
    text = source(file)
    good, log = COMPILE(text, [*options(dtype), *OF_CUPY, f"-arch={architecture}"])
    assert good, log
    functions = used(log)
    assert set(functions) == set(symbols(text))
    for name, (memory, shared) in functions.items():
        assert memory == NOTHING, f"{name}: {memory}"
        assert shared <= STATIC, name


def test_a_spill_is_seen():
    text = """
    extern "C" __global__ void __launch_bounds__(1024, 2) spills(float* a, int n) {
      float kept[64];
      for (int i = 0; i < 64; i++) kept[i] = a[i * n];
      for (int k = 0; k < n; k++)
        for (int i = 0; i < 64; i++) kept[i] = kept[i] * kept[(i * 7 + 1) % 64] + k;
      for (int i = 0; i < 64; i++) a[i * n] = kept[i];
    }"""
    good, log = COMPILE(text, [*options("float32"), "-arch=sm_90"])
    assert good, log
    assert used(log)["spills"][0] != NOTHING
