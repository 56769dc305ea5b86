"""Convolution, batch normalisation and ReLU as one block.

With X the patches, m(a) the mean over rows, c = Z − m(Z) for Z = X W (the bias b of the
convolution only shifts Z, so c does not depend on it: b̄ = R{b̄} = 0),

    ρ = (m(c²) + ε)^(−1/2),   a = ργ,   y = max(a c + β, 0),   s = [y > 0]           (1)

The letters are those of ``layers.batch_norm``, with c in place of x̂ = ρ c: every factor
is then a row, and x̂ is never written.  With ȳ ← s ȳ, e = m(ȳ), q = m(c ȳ), k = ρ² q
and n rows,

    Z̄ = a (ȳ − e − k c),   γ̄ = n ρ q,   β̄ = n e                                      (2)
    W̄ = Xᵀ Z̄,   x̄ = patchesᵀ(Z̄ Wᵀ)                                                  (3)

Tangents, with Ż = Ẋ W + X Ẇ and μ = m(Ż), hence ċ = Ż − μ, and m(c ċ) = m(c Ż):

    ρ̇ = −ρ³ m(c Ż),   ȧ = ρ̇γ + ργ̇,   ẏ = s (a Ż + ȧ c + β̇ − a μ)                    (4)

The product rule on (2), with R{ȳ} ← s R{ȳ}, ė = m(R{ȳ}), q̇ = m(c R{ȳ}) + m(Ż ȳ) − μ e
and k̇ = 2ρρ̇q + ρ²q̇:

    R{Z̄} = a R{ȳ} + ȧ ȳ − (a k)˙ c − a k Ż + (a k μ − (a e)˙)                        (5)
    R{γ̄} = n (ρ̇ q + ρ q̇),   R{β̄} = n ė                                             (6)
    R{W̄} = Ẋᵀ Z̄ + Xᵀ R{Z̄},   R{x̄} = patchesᵀ([R{Z̄}, Z̄] [W, Ẇ]ᵀ)                     (7)
"""

from functools import partial
from typing import NamedTuple

from numpy import (
    add,
    copyto,
    greater,
    matmul,
    maximum,
    multiply,
    reciprocal,
    sqrt,
    subtract,
)

from ..compute import Array
from ..layers import BatchNorm2d, Conv2d, Params
from .products import rows_product, stripes_product
from .program import Program
from .rows import Rows, wide
from .views import column, matrix, transposed
from .windows import Frame, Gathered, Margin, Windows


class Bars(NamedTuple):
    """Of (2): s ȳ, tiled; e, q, k (T, g, C); [·, Z̄] and [W, ·], half filled, of (7)."""

    y: Array
    e: Array
    q: Array
    k: Array
    Z: Array
    ZZ: Array
    WW: Array


class ConvBlock:
    """The three layers on arrays of one size; what a sweep leaves, the next ones read.

    Images between blocks, and their tangents and cotangents, are framed.

    Args:
        conv: The convolution.
        norm: The batch normalisation.
        margin: What the next block wants around y.
        p: The parameters of both, views (T, ...) of φ.
        x: Framed images, (T, N, H, W, C), or the patches of such.
        frame: Their frame, or their windows.
    """

    def __init__(
        self,
        conv: Conv2d,
        norm: BatchNorm2d,
        margin: Margin,
        p: Params,
        x: Array,
        frame: Frame | Gathered,
    ):
        self.p, self.x, self.eps = p, x, norm.eps
        self.W = matrix(p["kernel"])
        self.windows = windows = (
            frame
            if isinstance(frame, Gathered)
            else Windows(conv.window, frame, frame.inside(x).shape)
        )
        self.rows = Rows(len(x), windows.num_rows, conv.out_channels, x.dtype)
        self.y_shape = (*windows.shape[:2], *windows.counts, conv.out_channels)
        self.frame = margin.frame(*windows.counts)

    def forward(self, program: Program) -> Array:
        """Write y of (1)."""
        do, rows = program.do, self.rows
        self.X = self.windows.patches(program, self.x)
        self.c = c = rows.array(program)
        rows_product(program, self.X, self.W, rows.rows(c))
        do(subtract, c, wide(rows.mean(program, c)), c)
        t = do(multiply, c, c, rows.array(program))
        self.rho = rho = rows.mean(program, t)
        self.a, shift = rows.row(program), rows.row(program)
        gamma, beta = column(self.p["gamma"]), column(self.p["beta"])

        def scale():
            add(rho, self.eps, rho)
            reciprocal(sqrt(rho, rho), rho)
            multiply(rho, gamma, self.a)
            shift[...] = beta

        do(scale)
        do(multiply, c, wide(self.a), t)
        do(add, t, wide(shift), t)
        whole = self.frame.array(program, self.y_shape)
        self.y, self.s = self.frame.inside(whole), program.bools(*self.y_shape)
        do(partial(maximum, t.reshape(self.y_shape), 0, out=self.y))
        do(greater, self.y, 0, self.s)
        return whole

    def vjp(self, program: Program, y_bar: Array, p_bar: Params) -> tuple[Array, Bars]:
        """Write p̄ of (2), (3), b̄ being 0 as it is; return x̄ and what is used again."""
        do, rows, c, rho = program.do, self.rows, self.c, self.rho
        y_bar = self.masked(program, y_bar)
        e = rows.mean(program, y_bar)
        Z_bar = do(multiply, c, y_bar, rows.array(program))
        q, k = rows.mean(program, Z_bar), rows.row(program)

        def parameters():
            multiply(rho, q, k)
            multiply(k[:, 0], rows.count, p_bar["gamma"])
            multiply(e[:, 0], rows.count, p_bar["beta"])
            multiply(rho, k, k)

        do(parameters)
        do(multiply, c, wide(k), Z_bar)
        do(subtract, y_bar, Z_bar, Z_bar)
        do(subtract, Z_bar, wide(e), Z_bar)
        do(multiply, Z_bar, wide(self.a), Z_bar)
        Z_bar = rows.rows(Z_bar)
        stripes_product(program, self.X, Z_bar, matrix(p_bar["kernel"]))
        # X has been used for the last time, unless tangents are to follow.
        X_bar = program.array(*self.X.shape) if program.keeps else self.X
        do(matmul, Z_bar, transposed(self.W), X_bar)
        bars = Bars(y_bar, e, q, k, Z_bar, *self.halves(program, Z_bar))
        return self.windows.adjoint(program, X_bar), bars

    def halves(self, program: Program, Z_bar: Array) -> tuple[Array, Array]:
        """Write what tangents do not change of [R{Z̄}, Z̄] and [W, Ẇ] of (7)."""
        if not program.keeps:
            return Z_bar, self.W
        ZZ, WW = (
            program.array(*a.shape[:2], 2 * self.rows.channels) for a in (Z_bar, self.W)
        )
        program.do(copyto, ZZ[:, :, self.rows.channels :], Z_bar)
        program.do(copyto, WW[:, :, : self.rows.channels], self.W)
        return ZZ, WW

    def masked(self, program: Program, y_bar: Array) -> Array:
        """Write s ȳ, tiled."""
        rows = self.rows.array(program)
        inside = self.frame.inside(y_bar)
        program.do(multiply, inside, self.s, rows.reshape(self.y_shape))
        return rows

    def jvp(self, program: Program, p_dot: Params, x_dot: Array) -> Array:
        """Write ẏ of (4)."""
        do, rows, c, rho = program.do, self.rows, self.c, self.rho
        self.W_dot = matrix(p_dot["kernel"])
        self.X_dot = self.windows.patches(program, x_dot)
        self.Z_dot = Z_dot = rows.array(program)
        t = rows.array(program)
        rows_product(program, self.X_dot, self.W, rows.rows(Z_dot))
        rows_product(program, self.X, self.W_dot, rows.rows(t))
        do(add, Z_dot, t, Z_dot)
        do(multiply, c, Z_dot, t)
        c_Z_dot, self.mu = rows.mean(program, t), rows.mean(program, Z_dot)
        self.rho_dot, self.a_dot, shift = (rows.row(program) for _ in range(3))
        gamma, gamma_dot, beta_dot = map(
            column, (self.p["gamma"], p_dot["gamma"], p_dot["beta"])
        )

        def scale():
            multiply(-rho * rho * rho, c_Z_dot, self.rho_dot)
            add(self.rho_dot * gamma, rho * gamma_dot, self.a_dot)
            subtract(beta_dot, self.a * self.mu, shift)

        do(scale)
        y_dot = do(multiply, Z_dot, wide(self.a), rows.array(program))
        do(multiply, c, wide(self.a_dot), t)
        do(add, y_dot, t, y_dot)
        do(add, y_dot, wide(shift), y_dot)
        whole = self.frame.array(program, self.y_shape)
        do(multiply, y_dot.reshape(self.y_shape), self.s, self.frame.inside(whole))
        return whole

    def vjp_dot(
        self, program: Program, bars: Bars, y_bar_dot: Array, p_bar_dot: Params
    ) -> Array:
        """Write R{p̄} of (6), (7); return R{x̄}."""
        do, rows = program.do, self.rows
        y_bar_dot = self.masked(program, y_bar_dot)
        Z_bar_dot = rows.rows(self.Z_bar_dot(program, bars, y_bar_dot, p_bar_dot))
        W_bar_dot = matrix(p_bar_dot["kernel"])
        t = program.array(*W_bar_dot.shape)
        stripes_product(program, self.X, Z_bar_dot, W_bar_dot)
        stripes_product(program, self.X_dot, bars.Z, t)
        do(add, W_bar_dot, t, W_bar_dot)
        do(copyto, bars.ZZ[:, :, : rows.channels], Z_bar_dot)
        do(copyto, bars.WW[:, :, rows.channels :], self.W_dot)
        # Ẋ has been used for the last time.
        X_bar_dot = do(matmul, bars.ZZ, transposed(bars.WW), self.X_dot)
        return self.windows.adjoint(program, X_bar_dot)

    def Z_bar_dot(
        self, program: Program, bars: Bars, y_bar_dot: Array, p_bar_dot: Params
    ) -> Array:
        """Write R{Z̄} of (5), tiled, and R{γ̄}, R{β̄} of (6)."""
        do, rows, c, Z_dot = program.do, self.rows, self.c, self.Z_dot
        y_bar, e, q, k, *_ = bars
        t = rows.array(program)
        e_dot = rows.mean(program, y_bar_dot)
        c_y = rows.mean(program, do(multiply, c, y_bar_dot, t))
        Z_y = rows.mean(program, do(multiply, Z_dot, y_bar, t))
        of_c, of_Z_dot, shift = (rows.row(program) for _ in range(3))

        def factors():
            rho, a, rho_dot, a_dot = self.rho, self.a, self.rho_dot, self.a_dot
            q_dot = c_y + Z_y - self.mu * e
            k_dot = 2 * rho * rho_dot * q + rho * rho * q_dot
            p_bar_dot["gamma"][...] = rows.count * (rho_dot * q + rho * q_dot)[:, 0]
            p_bar_dot["beta"][...] = rows.count * e_dot[:, 0]
            of_c[...] = -(a_dot * k + a * k_dot)
            of_Z_dot[...] = -a * k
            shift[...] = a * k * self.mu - a_dot * e - a * e_dot

        do(factors)
        total = do(multiply, y_bar_dot, wide(self.a), rows.array(program))
        for row, array in ((self.a_dot, y_bar), (of_c, c), (of_Z_dot, Z_dot)):
            do(add, total, do(multiply, array, wide(row), t), total)
        return do(add, total, wide(shift), total)
