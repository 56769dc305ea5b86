"""All sweeps of a network over arrays of one size, as programs.

``forward`` is written at once, the others when they are first asked for.  The arrays
hold one point φ at a time; ``linearized`` says whose.
"""

from functools import cached_property
from typing import Any

import numpy

from ..compute import Array
from ..networks import Network
from .memory import zeros
from .pieces import pieces
from .program import Program
from .windows import NO_FRAME


class Sweeps:
    """The arrays of T tasks with N examples each, and the programs that fill them.

    Args:
        net: A network that ``pieces.covers``.
        shape: (T, N, H, W, C) of its inputs.
        dtype: float32 or float64.
    """

    def __init__(self, net: Network, shape: tuple[int, ...], dtype: numpy.dtype):
        self.net, self.shape, self.dtype = net, shape, dtype
        self.linearized: Any = None
        self.phi, self.phi_bar, self.phi_dot, self.phi_bar_dot = (
            zeros((shape[0], net.layout.size), dtype) for _ in range(4)
        )
        self.forward, self.chain = Program(dtype), []
        x, frame = numpy.broadcast_to(numpy.zeros((), dtype), shape), NO_FRAME
        for piece in pieces(net):
            block = piece.make(piece.of(net.unpack(self.phi)), x, frame)
            self.chain.append((piece, block))
            x, frame = block.forward(self.forward), block.frame
        self.z = x
        self.z_bar, self.z_bar_dot = zeros((2, *x.shape), dtype)

    @property
    def size(self) -> tuple[tuple[int, ...], numpy.dtype]:
        """What examples must have to use them: the shape of x and the dtype of φ."""
        return self.shape, self.dtype

    def prepared(self, x: Array) -> tuple[Array, ...]:
        """Return what follows from inputs alone, for ``load``."""
        return self.chain[0][1].prepared(x)

    def load(self, images: tuple[Array, ...]) -> None:
        """Take what ``prepared`` has returned, here or of other sweeps of this size."""
        self.chain[0][1].load(*images)
        self.linearized = None

    @cached_property
    def vjp(self) -> Program:
        """From z̄ to φ̄, leaving what the tangents need."""
        program, self._bars = self._backward(keeps=True)
        return program

    @cached_property
    def last_vjp(self) -> Program:
        """From z̄ to φ̄, after which only ``forward`` can follow."""
        return self._backward(keeps=False)[0]

    def _backward(self, keeps: bool) -> tuple[Program, list]:
        """Write a program, and return what its blocks hand on to ``vjp_dot``."""
        program, y_bar = Program(self.dtype, keeps), self.z_bar
        p_bar, bars = self.net.unpack(self.phi_bar), []
        for piece, block in reversed(self.chain):
            y_bar, bar = block.vjp(program, y_bar, piece.of(p_bar))
            bars.append(bar)
        return program, bars

    @cached_property
    def jvp(self) -> Program:
        """From φ̇ to ż."""
        program, x_dot = Program(self.dtype), None
        p_dot = self.net.unpack(self.phi_dot)
        for piece, block in self.chain:
            x_dot = block.jvp(program, piece.of(p_dot), x_dot)
        self.z_dot = x_dot
        return program

    @cached_property
    def vjp_dot(self) -> Program:
        """From R{z̄} to R{φ̄}; ``jvp`` and ``vjp`` have run before."""
        # They say where what this one needs will be.
        _ = self.vjp, self.jvp
        program, y_bar_dot = Program(self.dtype), self.z_bar_dot
        p_bar_dot = self.net.unpack(self.phi_bar_dot)
        for (piece, block), bar in zip(reversed(self.chain), self._bars, strict=True):
            y_bar_dot = block.vjp_dot(program, bar, y_bar_dot, piece.of(p_bar_dot))
        return program
