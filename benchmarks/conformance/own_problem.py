"""Diagnose mistakes on a problem of the size of Omniglot: P = 113,221, products only.

    python benchmarks/run.py conformance.own_problem [NAME ...]

Answers with a mistake in them are computed in full space with the package's solvers,
and handed to what ``conformance.diagnose_at`` calls, the problem made once for all of
them; what it says is printed, with its seconds.
"""

import argparse
import sys
import time

import numpy

from imaml_ref.conformance.own_certificate import OwnProblem
from imaml_ref.conformance.own_problem import judged
from imaml_ref.data import Episodes, draw, glyph_alphabets
from imaml_ref.layers import Softplus
from imaml_ref.meta_gradients import TaskLoss
from imaml_ref.networks import SoftmaxCrossEntropy, architectures
from imaml_ref.solvers import CG, CertifiedCG

TASKS, LAM = 2, 2.0


def problem() -> OwnProblem:
    """Return two tasks of five ways and one shot, on the net of the released code.

    It is smooth, and its kernels are ten times what they are drawn as: with ReLU, and
    from the usual start, (1) with λ = 2 has no minimum that Newton's method finds, and
    there is nothing to certify.
    """
    data = glyph_alphabets(seed=1, num_alphabets=6, num_characters=6, num_drawings=8)
    episodes = Episodes(data, num_ways=5, num_shots=1, num_queries=3)
    net = architectures.omniglot_cnn(5, activation=Softplus)
    rng = numpy.random.default_rng(3)
    tasks = draw(episodes, "train", num_tasks=TASKS, seed=3, step=0, dtype=float)
    return OwnProblem(TaskLoss(net, SoftmaxCrossEntropy()), net.init(rng), tasks, LAM)


class Mistaken:
    """Meta-gradients with one mistake each, (T, P), at φ* (T, P)."""

    def __init__(self, own: OwnProblem, phi):
        self.at, self.v = own.support(phi), own.query(phi).grad
        self.s, self.lam = self.at.grad, own.lam

    def solved(self, c=1.0, shift=0.0, solver=None, b=None):
        """Return λ (c H + (λ + shift) I)⁻¹ b."""
        solver = solver or CertifiedCG(rtol=1e-14, maxiter=500)

        def product(p):
            return c * self.at.hvp(p) + (self.lam + shift) * p

        return self.lam * solver.solve(product, self.v if b is None else b)[0]

    def clipped(self, norm):
        """Return g_t clipped to a norm."""
        g = self.solved()
        size = numpy.linalg.norm(g, axis=1, keepdims=True)
        return g * numpy.minimum(1, norm * numpy.median(size) / size)

    def series(self, terms, step):
        """Return λ η Σ (I − ηA)ʲ v."""
        term, x = self.v, 0 * self.v
        for _ in range(terms):
            x, term = x + term, term - step * (self.at.hvp(term) + self.lam * term)
        return self.lam * step * x

    def gauss_newton(self):
        """Return (5) with G in place of H."""
        solver = CertifiedCG(rtol=1e-14, maxiter=500)
        return (
            self.lam * solver.solve(lambda p: self.at.gnvp(p) + self.lam * p, self.v)[0]
        )


MISTAKES = {
    "right": lambda m: m.solved(),
    "damping 0.0371": lambda m: m.solved(shift=0.0371),
    "H + 1.7 λ": lambda m: m.solved(shift=0.7 * LAM),
    "1.37 H": lambda m: m.solved(c=1.37),
    "7 CG steps": lambda m: m.solved(solver=CG(maxiter=7, rtol=0.0)),
    "first order": lambda m: m.v,
    "g + 0.37 ∇L": lambda m: m.solved() + 0.37 * m.s,
    "v + 0.23 ∇L": lambda m: m.solved(b=m.v + 0.23 * m.s),
    "λ left out": lambda m: m.solved() / LAM,
    "summed over tasks": lambda m: m.solved() * TASKS,
    "clipped to 0.9 of the median norm": lambda m: m.clipped(0.9),
    "Neumann, 9 terms, step 0.043": lambda m: m.series(9, 0.043),
    "Gauss-Newton": lambda m: m.gauss_newton(),
    "noise": lambda m: numpy.random.default_rng(5).normal(size=m.v.shape),
    "noise of 1e-6": lambda m: m.solved() * (
        1 + 1e-6 * numpy.random.default_rng(5).normal(size=m.v.shape)
    ),
}  # fmt: skip


def main() -> None:
    """Print what is said of each mistake."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MISTAKES))
    names = parser.parse_args().names or MISTAKES
    own = problem()
    print(f"P = {len(own.theta):,}, T = {len(own.tasks)}, λ = {own.lam}")
    phi, _ = own.once("star", own.solution)
    mistaken = Mistaken(own, phi)
    for name in names:
        g = MISTAKES[name](mistaken).mean(0)
        since = time.perf_counter(), time.process_time()
        found = judged(own, {"phi": phi, "meta_grad": g})
        took = time.perf_counter() - since[0], time.process_time() - since[1]
        print(f"\n## {name} ({took[0]:.0f} s, {took[1]:.0f} s of computing)\n\n{found}")
        sys.stdout.flush()
