"""The code released with the paper, imaml_dev: L3 to L6.

L3 asks its ``cg_solve``; L4 and L5 do what its ``omniglot_implicit_maml.py`` does with
one task: ``learn_task``, ``matrix_evaluator`` and ``cg_solve`` of its ``Learner``; L6
adds its ``outer_step_with_grad``.
"""

from dataclasses import dataclass

import numpy
import torch
from implicit_maml.learner_model import Learner
from implicit_maml.utils import cg_solve

from imaml_ref.conformance.from_torch import from_torch

from .subjects import Only, Variant
from .torch_problem import Problem

PACKAGES = ("torch",)
INNER_RATE, INNER_STEPS, CG_STEPS, CG_DAMPING = 0.1, 16, 5, 1.0  # its README's flags


@dataclass(frozen=True)
class Released:
    """The computation for one task, with the arguments of the script.

    Args:
        evaluator: (learner, task, λ) → its operator.
        tight: Whether ``cg_solve`` and the inner loop go on until they are done.
    """

    evaluator: object
    tight: bool

    def solver(self, size, norm):
        """Return the arguments of ``cg_solve``."""
        if self.tight:
            return {"cg_iters": 10 * size, "residual_tol": (1e-15 * norm) ** 2}
        return {"cg_iters": CG_STEPS}

    def solve(self, A, b):
        A, b = A.numpy(), b.numpy()
        if self.tight:
            settings = self.solver(len(b), float(numpy.linalg.norm(b)))
        else:
            settings = {}
        return torch.from_numpy(cg_solve(lambda p: A @ p, b, **settings))

    def meta_grad(self, task):
        problem = Problem(task)
        rate = problem.step_size() if self.tight else INNER_RATE
        learner = Learner(task.model, task.loss, inner_lr=rate)
        lam = lam_of(task)
        data = {"x_train": task.support[0], "y_train": task.support[1]}
        if task.phi is None:
            if self.tight and self.evaluator is as_script:
                raise NotImplementedError("the inner loop of the variant before")
            self.learn(learner, data, lam)
        x, y = task.query
        loss = learner.get_loss(x, y)
        grads = torch.autograd.grad(loss, list(learner.model.parameters()))
        v = torch.cat([g.contiguous().view(-1) for g in grads])
        settings = self.solver(len(v), float(v.norm()))
        return cg_solve(self.evaluator(learner, data, lam), v, **settings)

    def learn(self, learner, data, lam):
        """Run the inner loop: with its proximal term; or as the script does."""
        start = learner.get_params()
        if self.tight:
            options = {"add_regularization": True, "w_0": start, "lam": lam}
            learner.learn_task(data, num_steps=2000, **options)
            return
        learner.learn_task(data, num_steps=INNER_STEPS)
        learner.inner_opt.zero_grad()
        learner.regularization_loss(start, lam).backward()
        learner.inner_opt.step()

    def outer_step(self, theta, grad, state, outer):
        """Take a step with ``outer_step_with_grad``.

        Raises:
            NotImplementedError: If it is not one of SGD: its Adam has other constants.
        """
        if outer["optimizer"] != "sgd":
            raise NotImplementedError
        model = torch.nn.ParameterList([theta[n].clone() for n in theta])
        learner = Learner(model, None, outer_lr=outer["step_size"], outer_alg="sgd")
        flat = torch.cat([grad[n].reshape(-1) for n in theta])
        learner.outer_step_with_grad(flat, flat_grad=True)
        stepped = [a.detach() for a in learner.model]
        return dict(zip(theta, stepped, strict=True)), None


def lam_of(task):
    """Return λ as the script has it: a tensor, a number or one for each parameter."""
    if isinstance(task.lam, dict):
        return torch.cat([task.lam[n].reshape(-1) for n in task.theta])
    return torch.tensor(task.lam, dtype=task.support[0].dtype)


def as_script(learner, data, lam):
    """Return the operator by the call of ``omniglot_implicit_maml.py``."""
    return learner.matrix_evaluator(data, lam, CG_DAMPING)


def undamped(learner, data, lam):
    """Return the operator with both of its dampings at zero: I + H/λ."""
    return learner.matrix_evaluator(data, lam, regu_coef=0.0, lam_damping=0.0)


def variant(name, settings, evaluator, tight):
    """Return a variant."""

    def make():
        released = Released(evaluator, tight)
        adapter = from_torch(
            meta_grad=released.meta_grad,
            solve=released.solve,
            outer_step=released.outer_step,
        )
        methods = ("solve", "meta_grad", "outer_step")
        # Ten outer steps with 2000 inner ones each take too long.
        return Only(adapter, methods[:2] if tight else methods, name)

    return Variant(settings, make)


VARIANTS = {
    "tight": variant(
        "imaml_dev, dampings at zero",
        "matrix_evaluator(regu_coef=0, lam_damping=0), cg_solve(cg_iters=10 n, "
        "residual_tol=(1e-15 ‖b‖)²), learn_task(num_steps=2000, "
        "add_regularization=True), inner_lr=1/‖H + Λ‖₂",
        undamped,
        True,
    ),
    "script-tight": variant(
        "imaml_dev, its script's operator",
        "matrix_evaluator(task, lam, 1.0); all else as in tight, L3 and L4",
        as_script,
        True,
    ),
    "shipped": variant(
        "imaml_dev, README's flags",
        "matrix_evaluator(task, lam, 1.0), cg_solve(cg_iters=5), inner loop of its "
        "script: 16 steps of 0.1 without the proximal term, then one along it; at L3 "
        "cg_solve(f, b)",
        as_script,
        False,
    ),
}
