"""Every way to a meta-gradient, and a network that moves pixels, for any device."""

import numpy as np

import imaml_ref as ir
from imaml_ref.layers import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU
from imaml_ref.networks.network import Network
from tests.helpers.problems import PROBLEMS, make_problem


def pooled():
    """A block of a few-shot net and its end: all that moves pixels."""
    layers = {
        "conv": Conv2d(2, 3, padding=(1, 1)),
        "norm": BatchNorm2d(3),
        "relu": ReLU(),
        "pool": MaxPool2d(),
        "flat": Flatten(),
        "linear": Linear(18, 4),
    }
    net = Network(layers, (5, 6, 2))
    return make_problem(net, ir.SoftmaxCrossEntropy(), lam=0.6, step_size=0.1)


NETS = PROBLEMS | {"pooled": pooled()}


def last_layer(p):
    return (list(p.loss.net.layout.layers)[-1],)


def each(p):
    spread = np.random.default_rng(9).uniform(0.5, 1, p.loss.net.layout.size)
    return p.step_size * spread


def layers(p):
    return p.step_size / np.arange(1.0, 1 + len(p.loss.net.layout.layers))


# For these the host need not wait for a device; for those below it must.
QUIET = {
    "imaml": lambda p: ir.IMAML(p.loss, p.lam, p.descent(4)),
    "gauss-newton": lambda p: ir.IMAML(
        p.loss, p.lam, p.descent(4), curvature="gauss-newton", damping=0.1
    ),
    "truncated": lambda p: ir.IMAML(
        p.loss, 0.01, p.descent(4), solver=ir.CG(9, on_negative_curvature="truncate")
    ),
    "momentum": lambda p: ir.IMAML(p.loss, p.lam, ir.Momentum(p.step_size, 4)),
    "adam": lambda p: ir.IMAML(p.loss, p.lam, ir.InnerAdam(0.01, 4, decay=0.5)),
    "maml": lambda p: ir.MAML(p.loss, inner=p.descent(3)),
    "anil": lambda p: ir.MAML(p.loss, None, p.descent(3), adapted=last_layer(p)),
    "anil-implicit": lambda p: ir.IMAML(
        p.loss, p.lam, p.descent(4), adapted=last_layer(p)
    ),
    "multi-step": lambda p: ir.MAML(
        p.loss, None, p.descent(3), weights=(0, 0.5, 0.25, 1), last=2
    ),
    "fomaml": lambda p: ir.FirstOrderMAML(p.loss, p.lam, p.descent(3)),
    "reptile": lambda p: ir.Reptile(p.loss, inner=p.descent(3)),
    "released": lambda p: ir.ReleasedIMAML(p.loss, p.lam),
}
WAITING = {
    "meta-sgd": lambda p: ir.MAML(p.loss, None, ir.GradientDescent(each(p), 3)),
    "per-layer": lambda p: ir.MAML(p.loss, p.lam, ir.GradientDescent(layers(p), 3)),
    "newton-cg": lambda p: ir.IMAML(p.loss, p.lam, ir.NewtonCG(2)),
    "l-bfgs": lambda p: ir.IMAML(p.loss, p.lam, ir.LBFGS(3)),
    "tolerant": lambda p: ir.IMAML(p.loss, p.lam, solver=ir.CG(9, rtol=1e-3)),
    "minres": lambda p: ir.IMAML(p.loss, p.lam, solver=ir.MINRES()),
    "certified": lambda p: ir.IMAML(p.loss, p.lam, solver=ir.CertifiedCG()),
    "dense": lambda p: ir.IMAML(p.loss, p.lam, solver=ir.Dense()),
    "neumann": lambda p: ir.IMAML(p.loss, p.lam, solver=ir.Neumann(0.05, 9)),
    "nyström": lambda p: ir.IMAML(p.loss, p.lam, solver=ir.Nystrom(4)),
    "woodbury": lambda p: ir.IMAML(
        p.loss, p.lam, solver=ir.Woodbury(), curvature="gauss-newton"
    ),
    "jacobi": lambda p: ir.IMAML(p.loss, p.lam, solver=ir.PreconditionedCG()),
    "sketched": lambda p: ir.IMAML(
        p.loss, p.lam, solver=ir.PreconditionedCG(by=ir.Nystrom(4))
    ),
}
