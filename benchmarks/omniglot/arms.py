"""The estimators that are trained, and their controls."""

from dataclasses import dataclass

import imaml_ref as ir
from imaml_ref.layers import Softplus

PROXIMAL = ir.GradientDescent(0.1, 16)
NET = ir.architectures.omniglot_cnn


@dataclass(frozen=True)
class Arm:
    """One estimator: its name, how to make its algorithm at a λ, and its net."""

    name: str
    make: object
    net: object = NET

    def algorithm(self, lam):
        loss = ir.TaskLoss(self.net(5), ir.SoftmaxCrossEntropy())
        return self.make(loss, lam)


def exact(loss, lam, inner=PROXIMAL, cg_steps=5):
    return ir.IMAML(loss, lam=lam, inner=inner, solver=ir.CG(maxiter=cg_steps))


ESTIMATORS = [
    Arm(
        "first order, proximal loop",
        lambda loss, lam: ir.FirstOrderMAML(loss, lam=lam, inner=PROXIMAL),
    ),
    Arm("exact operator (paper)", exact),
    Arm(
        "Gauss-Newton",
        lambda loss, lam: ir.IMAML(
            loss, lam=lam, inner=PROXIMAL, curvature="gauss-newton"
        ),
    ),
    Arm("released operator and loop", lambda loss, lam: ir.ReleasedIMAML(loss, lam)),
    Arm(
        "first order, released loop",
        lambda loss, lam: ir.FirstOrderMAML(loss, lam=lam, inner=ir.PullBackDescent()),
    ),
]
CONTROLS = [
    Arm("exact, softplus net", exact, lambda ways: NET(ways, activation=Softplus)),
    Arm(
        "first order, softplus net",
        ESTIMATORS[0].make,
        lambda ways: NET(ways, activation=Softplus),
    ),
    Arm("exact, no batch norm", exact, lambda ways: NET(ways, norm=None)),
    Arm(
        "first order, no batch norm",
        ESTIMATORS[0].make,
        lambda ways: NET(ways, norm=None),
    ),
    Arm(
        "exact, 64 inner steps",
        lambda loss, lam: exact(loss, lam, ir.GradientDescent(0.1, 64)),
    ),
    Arm("exact, 20 CG steps", lambda loss, lam: exact(loss, lam, cg_steps=20)),
]
ARMS = ESTIMATORS + CONTROLS


def slug(arm):
    return arm.name.replace(",", "").replace("(", "").replace(")", "").replace(" ", "-")
