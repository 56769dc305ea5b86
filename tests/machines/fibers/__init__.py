"""CUDA C kernels on the CPU: every CUDA thread a fiber, resumed in shuffled order."""

from .build import COMPILER, symbols
from .launcher import FiberLauncher

__all__ = ["COMPILER", "FiberLauncher", "symbols"]
