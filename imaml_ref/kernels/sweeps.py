"""All sweeps of a network and a loss over arrays of one size, as programs.

The arrays hold the examples of one task batch at a time, and one point φ; ``loaded``
and ``linearized`` say whose.  A program is written when it is first asked for.
"""

from functools import cached_property
from threading import RLock
from typing import Any

from ..compute import Array
from ..networks import Network
from .conv_block import Views
from .descent import Descent
from .pieces import pieces
from .program import Program
from .solve import Krylov
from .space import Space


class Sweeps:
    """The arrays of T tasks with N examples each, and the programs that fill them.

    Args:
        net: A network that ``pieces.covers``.
        shape: (T, N, H, W, C) of its inputs.
        space: Where they are made.
        fused: Whether to convolve and normalise in one kernel, where there is one.
    """

    def __init__(
        self, net: Network, shape: tuple[int, ...], space: Space, fused: bool = False
    ):
        self.net, self.space, self.lock = net, space, RLock()
        self.loaded: Any = None
        self.linearized: Any = None
        self.has_bars = False
        self._descents: dict[tuple, Descent] = {}
        self.x, self.labels = space.zeros(shape), space.zeros(shape[:2], "int64")
        self.phi = self.vector()
        self.tasks, self.examples = shape[:2]
        self.chain, x = [], self.x
        for piece in pieces(net, fused):
            block = piece.make(piece.of(self.views(self.phi)), x, space)
            self.chain.append((piece, block))
            x = block.y
        self.z = x.reshape(*shape[:2], -1)
        self.probs, self.z_bar, self.z_bar_dot = space.zeros((3, *self.z.shape))
        self.value, self.hits = space.zeros((2, self.tasks))

    def vector(self) -> Array:
        """Return zeros for a vector of all parameters of each task, (T, P)."""
        return self.space.zeros((len(self.x), self.net.layout.size))

    # φ̄, φ̇ and R{φ̄}.
    phi_bar, phi_dot = cached_property(vector), cached_property(vector)
    phi_bar_dot = cached_property(vector)

    def views(self, flat: Array) -> dict[str, Views]:
        """Return each layer's parameters as parts (T, n) of (T, P)."""
        layout = self.net.layout
        slices = dict(zip(layout.names, layout.slices, strict=True))
        return {
            name: {p: flat[:, slices[f"{name}.{p}"]] for p in layer.shapes}
            for name, layer in self.net.layers.items()
        }

    def hold(self, owner: Any, x: Array, labels: Array) -> None:
        """Take examples, unless they are here already."""
        if self.loaded is not owner:
            # Nobody's, until all is here: what fails half-way is tried again.
            self.loaded = self.linearized = None
            self.x[...] = x
            self.labels[...] = labels
            self.load.run()
            self.loaded = owner

    @cached_property
    def load(self) -> Program:
        """What does not depend on φ."""
        program = Program(self.space)
        self.chain[0][1].load(program)
        return program

    @cached_property
    def forward(self) -> Program:
        """From φ to L, the number of right answers, and z̄."""
        program = Program(self.space)
        for _, block in self.chain:
            block.forward(program)
        program.do(
            "cross_entropy",
            z=self.z,
            labels=self.labels,
            value=self.value,
            probs=self.probs,
            z_bar=self.z_bar,
            hits=self.hits,
            **self.sizes,
        )
        return program

    @property
    def sizes(self) -> dict[str, int]:
        """What the kernels of the loss want to know."""
        classes = self.z.shape[-1]
        return {"tasks": self.tasks, "rows": self.examples, "classes": classes}

    @cached_property
    def vjp(self) -> Program:
        """From z̄ to φ̄, leaving what the tangents need."""
        program, y_bar = Program(self.space), self.z_bar
        p_bar = self.views(self.phi_bar)
        sizes = [getattr(block, "scratch_size", 0) for _, block in self.chain]
        self.space.reserve(max(sizes))
        for piece, block in reversed(self.chain):
            y_bar = block.vjp(program, y_bar, piece.of(p_bar))
        program.join()
        return program

    @cached_property
    def gradient(self) -> Program:
        """From φ to φ̄."""
        return Program(self.space, self.forward, self.vjp)

    @cached_property
    def jvp(self) -> Program:
        """From φ̇ to ż."""
        program = Program(self.space)
        x_dot: Any = None
        p_dot = self.views(self.phi_dot)
        for piece, block in self.chain:
            x_dot = block.jvp(program, piece.of(p_dot), x_dot)
        self.z_dot = x_dot.reshape(self.z.shape)
        return program

    def curvature(self, z_bar_dot: Array) -> Program:
        """From ż to H_z ż, written to an array."""
        program = Program(self.space)
        program.do(
            "cross_entropy_hvp",
            probs=self.probs,
            z_dot=self.z_dot,
            z_bar_dot=z_bar_dot,
            **self.sizes,
        )
        return program

    @cached_property
    def hvp(self) -> Program:
        """From φ̇ to H φ̇ in the place of R{φ̄}, at a point with ``vjp``."""
        # They say where what this one needs will be.
        _, jvp = self.vjp, self.jvp
        program, y_bar_dot = Program(self.space), self.z_bar_dot
        p_bar_dot = self.views(self.phi_bar_dot)
        for piece, block in reversed(self.chain):
            y_bar_dot = block.vjp_dot(program, y_bar_dot, piece.of(p_bar_dot))
        program.join()
        return Program(self.space, jvp, self.curvature(self.z_bar_dot), program)

    @cached_property
    def gnvp(self) -> Program:
        """From φ̇ to G φ̇ in the place of φ̄, after which ``hvp`` needs ``vjp`` again."""
        jvp = self.jvp
        return Program(self.space, jvp, self.curvature(self.z_bar), self.vjp)

    def product(self, curvature: str) -> tuple[Program, Array]:
        """Return "hvp" or "gnvp", and where its result will be."""
        own = {"hvp": self.phi_bar_dot, "gnvp": self.phi_bar}
        return getattr(self, curvature), own[curvature]

    def descent(self, theta_shape, lam_shape) -> Descent:
        """Return steps for θ and λ of these shapes."""
        key = theta_shape, lam_shape
        if key not in self._descents:
            self._descents[key] = Descent(self, *key)
        return self._descents[key]

    @cached_property
    def krylov(self) -> Krylov:
        """Return conjugate gradients at the point that the arrays hold."""
        return Krylov(self)
