"""The first block, whose patches are data: batch normalisation folded into the kernel.

The patches P (n rows) of the images do not move.  With P_c = P − m(P), and U a root of
the covariance, C = P_cᵀ P_c / n = Uᵀ U, the mean square of the channels of P_c W is the
sum of squares of S = U W, and what follows the patches is one product with a folded
kernel:

    ρ = (Σ_k S ∘ S + ε)^(−1/2),   a = ργ,   y = max([P_c, 1] [a W; β], 0)            (1)

where Σ_k sums over the entries of a patch, and ∘ multiplies entry by entry.  (Σ_k of
W ∘ (C W) is the same sum, but where the images are smooth and W an edge, a small
difference of large numbers.)  With ȳ ← [y > 0] ȳ and one product
[G; β̄] = [P_c, 1]ᵀ ȳ, and h = Σ_k W ∘ G, (2) and (3) of ``conv_block`` become, since
P_cᵀ 1 = 0 and C W = Uᵀ S,

    W̄ = a (G − ρ² h C W),   γ̄ = ρ h,   b̄ = 0                                        (2)

The R-operator, on small arrays but for the two products, with k = ρ² h and Ṡ = U Ẇ:

    ρ̇ = −ρ³ Σ_k S ∘ Ṡ,   ȧ = ρ̇γ + ργ̇,   ẏ = [y > 0] [P_c, 1] [a Ẇ + ȧ W; β̇]          (3)
    [Ġ; R{β̄}] = [P_c, 1]ᵀ R{ȳ},   ḣ = Σ_k (Ẇ ∘ G + W ∘ Ġ),   k̇ = 2ρρ̇h + ρ²ḣ          (4)
    R{W̄} = ȧ (G − k C W) + a (Ġ − k̇ C W − k C Ẇ),
    R{γ̄} = ρ̇ h + ρ ḣ,   R{b̄} = 0                                                     (5)
"""

from functools import partial
from typing import Any, NamedTuple

import numpy
from numpy import (
    add,
    greater,
    matmul,
    maximum,
    multiply,
    reciprocal,
    sqrt,
    subtract,
)

from ..compute import Array
from ..layers import BatchNorm2d, Conv2d, Params, patches
from .memory import zeros
from .products import gram_product, rows_product
from .program import Program
from .views import column, matrix, transposed
from .windows import Frame, Gathered, Margin, Windows


class Bars(NamedTuple):
    """Of (2): G (T, K, C); h, k (T, 1, C)."""

    G: Array
    h: Array
    k: Array


class InputBlock:
    """The three layers on images (T, N, H, W, C) of one size, which ``load`` brings.

    The rows of [P_c, 1] include those of the frame around y, which are zero, so that
    the products write and read framed images; or they are gathered as the next block
    wants them, so that the products write and read its patches.

    Args:
        conv: The convolution.
        norm: The batch normalisation.
        margin: What the next block wants around y.
        p: The parameters of both, views (T, ...) of φ.
        x: An array (T, N, H, W, C), of which only the shape counts.
        frame: Of no use here: nobody frames the images.
        gathers: Whether to write the patches that the next block would gather from y,
            each pixel as often as windows meet it, in place of y.
    """

    def __init__(
        self,
        conv: Conv2d,
        norm: BatchNorm2d,
        margin: Margin,
        p: Params,
        x: Array,
        frame: Frame,
        gathers: bool = False,
    ):
        self.p, self.eps, self.window = p, norm.eps, conv.window
        self.W = matrix(p["kernel"])
        tasks, length, channels = self.W.shape
        counts = self.window.counts(*x.shape[2:4])
        self.inside = frame = margin.frame(*counts)
        images = (tasks, x.shape[1], *counts, length + 1)
        self.P_1 = zeros((*images[:2], *frame.around(*counts), length + 1), x.dtype)
        self._gather = Program(x.dtype)
        self.frame: Frame | Gathered = frame
        self.out_shape = (*self.P_1.shape[:-1], channels)
        P = self.P_1
        if gathers:
            windows = Windows(margin.window, frame, images)
            P = windows.patches(self._gather, self.P_1)
            self.frame = Gathered(margin.window, frame, (*images[:-1], channels))
            self.out_shape = (*P.shape[:2], -1)
        self.P = P.reshape(tasks, -1, length + 1)
        self.U = zeros((tasks, length, length), self.W.dtype)

    def prepared(self, x: Array) -> tuple[Array, Array]:
        """Return P_c (T, N, H', W', K) and U of images, computed in float64."""
        P = patches(x, self.window).astype(numpy.float64)
        P -= P.mean(1, keepdims=True)
        U = triangle(P, x.shape[1]) / P.shape[1] ** 0.5
        P = P.reshape(*self.inside.inside(self.P_1).shape[:-1], -1)
        return P.astype(self.U.dtype), U.astype(self.U.dtype)

    def load(self, P: Array, U: Array) -> None:
        """Take P_c and U; of n rows, where n < K, U has only n."""
        inside = self.inside.inside(self.P_1)
        inside[..., :-1], inside[..., -1] = P, 1
        self._gather.run()
        self.U[:, : U.shape[1]] = U

    def forward(self, program: Program) -> Array:
        """Write y of (1)."""
        do, W = program.do, self.W
        tasks, length, channels = W.shape
        self.S = S = do(matmul, self.U, W, program.array(*W.shape))
        self.CW = do(matmul, transposed(self.U), S, program.array(*W.shape))
        self.rho, self.a = (program.array(tasks, 1, channels) for _ in range(2))
        folded = program.array(tasks, length + 1, channels)
        gamma, beta = column(self.p["gamma"]), self.p["beta"]

        def fold():
            rho = add(sum_k(S * S), self.eps, self.rho)
            reciprocal(sqrt(rho, rho), rho)
            multiply(rho, gamma, self.a)
            multiply(self.a, W, folded[:, :-1])
            folded[:, -1] = beta

        do(fold)
        self.y = y = program.array(*self.P.shape[:2], channels)
        rows_product(program, self.P, folded, y)
        do(partial(maximum, y, 0, out=y))
        self.s = do(greater, y, 0, program.bools(*y.shape))
        return y.reshape(self.out_shape)

    def vjp(self, program: Program, y_bar: Array, p_bar: Params) -> tuple[None, Bars]:
        """Write p̄ of (2), b̄ being 0 as it is.  ȳ becomes [y > 0] ȳ."""
        G_1 = self.masked_product(program, y_bar)
        G, W_bar = G_1[:, :-1], matrix(p_bar["kernel"])
        h, k = (program.array(*self.rho.shape) for _ in range(2))

        def parameters():
            sum_k(self.W * G, h)
            multiply(self.rho, h, k)
            p_bar["gamma"][...] = k[:, 0]
            multiply(self.rho, k, k)
            subtract(G, multiply(k, self.CW, W_bar), W_bar)
            multiply(self.a, W_bar, W_bar)
            p_bar["beta"][...] = G_1[:, -1]

        program.do(parameters)
        return None, Bars(G, h, k)

    def masked_product(self, program: Program, y_bar: Array) -> Array:
        """Write [P_c, 1]ᵀ ([y > 0] ȳ), (T, K + 1, C)."""
        y_bar = y_bar.reshape(self.y.shape)
        program.do(multiply, y_bar, self.s, y_bar)
        G_1 = program.array(len(y_bar), self.P.shape[-1], y_bar.shape[-1])
        return gram_product(program, self.P, y_bar, G_1)

    def jvp(self, program: Program, p_dot: Params, x_dot: None) -> Array:
        """Write ẏ of (3); the images do not move."""
        do, rho, a, W = program.do, self.rho, self.a, self.W
        self.W_dot = W_dot = matrix(p_dot["kernel"])
        self.rho_dot, self.a_dot = (program.array(*rho.shape) for _ in range(2))
        self.S_dot = S_dot = do(matmul, self.U, W_dot, program.array(*W.shape))
        folded = program.array(len(W), W.shape[1] + 1, W.shape[2])

        def fold():
            self.rho_dot[...] = -rho * rho * rho * sum_k(self.S * S_dot)
            self.a_dot[...] = self.rho_dot * column(self.p["gamma"])
            self.a_dot += rho * column(p_dot["gamma"])
            folded[:, :-1] = a * W_dot + self.a_dot * W
            folded[:, -1] = p_dot["beta"]

        do(fold)
        y_dot = program.array(*self.y.shape)
        rows_product(program, self.P, folded, y_dot)
        do(multiply, y_dot, self.s, y_dot)
        return y_dot.reshape(self.out_shape)

    def vjp_dot(
        self, program: Program, bars: Bars, y_bar_dot: Array, p_bar_dot: Params
    ) -> None:
        """Write R{p̄} of (5); R{ȳ} becomes [y > 0] R{ȳ}."""
        G_1_dot = self.masked_product(program, y_bar_dot)
        G_dot, W_bar_dot = G_1_dot[:, :-1], matrix(p_bar_dot["kernel"])

        def parameters():
            rho, rho_dot, (G, h, k) = self.rho, self.rho_dot, bars
            h_dot = sum_k(self.W_dot * G + self.W * G_dot)
            k_dot = 2 * rho * rho_dot * h + rho * rho * h_dot
            W_bar_dot[...] = self.a_dot * (G - k * self.CW)
            moving = G_dot - k_dot * self.CW - k * (transposed(self.U) @ self.S_dot)
            W_bar_dot[...] += self.a * moving
            p_bar_dot["gamma"][...] = (rho_dot * h + rho * h_dot)[:, 0]
            p_bar_dot["beta"][...] = G_1_dot[:, -1]

        program.do(parameters)


def triangle(P: Array, examples: int) -> Array:
    """Return U with Uᵀ U = Pᵀ P, (T, K, K): image by image, then of what that left.

    An image's patches fit into a core's own cache.
    """
    qr: Any = numpy.linalg.qr  # its annotation knows no mode of one array
    of_images = qr(P.reshape(len(P), examples, -1, P.shape[-1]), mode="r")
    return qr(of_images.reshape(len(P), -1, P.shape[-1]), mode="r")


def sum_k(a: Array, out: Array | None = None) -> Array:
    """Return Σ_k: (T, K, C) -> (T, 1, C)."""
    return add.reduce(a, axis=1, keepdims=True, out=out)
