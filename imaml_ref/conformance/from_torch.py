"""Turn PyTorch code into an object that the suite can ask.

    from imaml_ref import conformance
    from imaml_ref.conformance.from_torch import from_torch

    report = conformance.check(from_torch(meta_grad=my_meta_grad))

``my_meta_grad(task)`` gets a ``Task``: a Module of its own whose parameters are θ, or φ
where φ is given, the loss, λ, and support and query sets, images as (N, C, H, W).  It
returns the gradient of the task, as a dict by the names of ``named_parameters``, as a
sequence in their order, or as one flat vector.  Layouts are those of
``weights.torch_order``; a Module of the user's that flattens images in the order H, W,
C is recognised by its outputs.
"""

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest
from typing import Any

import numpy
import torch
from torch import nn
from torch.autograd.functional import vhp

from ..weights import torch_order
from .adapter import Adapter
from .case import Array, Case
from .hooks import Hooks
from .torch_networks import LOSSES, module_of

Params = dict[str, torch.Tensor]


def from_torch(
    build: nn.Module | Callable[[Case], nn.Module | None] | None = None,
    *,
    losses: Mapping[str, Callable] = LOSSES,
    outer_step: Callable | bool = True,
    refusals: Iterable[type[Exception]] = (),
    scalar_lam: bool = False,
    name: str = "PyTorch",
    **hooks: Callable,
) -> "TorchAdapter":
    """Return an object with the methods of ``conformance.asking``.

    Args:
        build: A function that returns a Module for a case, or None where it has none; a
            Module, which then stands for every case whose parameters have its shapes:
            choose those cases with ``check(..., cases=...)``.  By default
            ``module_of``.  Modules normalise by the batch: leave them in training mode.
        losses: ℓ(outputs, y) by the names of the suite.
        outer_step: (θ, gradient, state, outer) → θ and state; by default the optimiser
            of ``torch.optim`` that the case names, with the user's gradient; False for
            none.
        refusals: Exceptions that say "there is no trustworthy answer", beside
            ``conformance.Refused`` and ``LinAlgError``; any other is a crash.
        scalar_lam: Whether λ is a number in the user's program; cases with one for each
            parameter are not attempted.
        name: What the report calls it.
        hooks: ``meta_grad(task)``, the gradient of one task; ``batch_grad(tasks)``, the
            meta-gradient where the user takes the mean; ``lam_grad(task)``, of the
            shape of ``task.lam``; ``inner(task)``, φ; ``unrolled_grad(task, steps,
            step_size)``; ``hvp(task, v)`` at the parameters of ``task.model``, v by
            name; ``solve(A, b)``, ``lambda A, b: my_cg(lambda p: A @ p, b)`` for most
            solvers.  See ``hooks.Hooks`` and ``hooks.Task``.

    Raises:
        TypeError: If there is no hook of a name.
    """
    step = optimizer_step if outer_step is True else outer_step or None
    mine = Hooks(**hooks, outer_step=step)
    words: dict[str, Any] = {"refusals": refusals, "scalar_lam": scalar_lam}
    return TorchAdapter(build, mine, losses, name, **words)


def optimizer_step(theta: Params, grad: Params, state: Any, outer: dict):
    """Take a step of ``torch.optim``; the state is the optimiser with its tensors."""
    if state is None:
        params = {k: a.clone().requires_grad_() for k, a in theta.items()}
        state = params, optimizer_of(outer, params.values())
    params, optimizer = state
    for name, a in params.items():
        a.grad = grad[name]
    optimizer.step()
    return {k: a.detach().clone() for k, a in params.items()}, state


def optimizer_of(outer: dict, params) -> torch.optim.Optimizer:
    """Return the optimiser that a case names."""
    if outer["optimizer"] == "sgd":
        return torch.optim.SGD(params, lr=outer["step_size"])
    betas = outer["beta1"], outer["beta2"]
    return torch.optim.Adam(params, outer["step_size"], betas, outer["eps"])


class TorchAdapter(Adapter):
    """Asks PyTorch code; see ``from_torch``."""

    framework = "PyTorch"
    other_order = "the Module flattens H, W, C, and got its kernels in that order"

    def module(self, case: Case) -> nn.Module:
        """Return a Module of one's own for a case, of its dtype.

        Raises:
            NotImplementedError: If there is none, or a Module that stands for several
                cases has not the parameters of this one.
            ValueError: If the one that was made for the case has not.
        """
        fixed = isinstance(self.build, nn.Module)
        module = copy.deepcopy(self.build if fixed else (self.build or module_of)(case))
        if module is None:
            raise NotImplementedError(f"no Module for {case.name}")
        if odd := misfit(case, module):
            raise (NotImplementedError if fixed else ValueError)(odd)
        return module.to(torch.from_numpy(case.theta).dtype)

    def layouts(self, case, *, other):
        names = [name for name, _ in self.module(case).named_parameters()]
        ours = case.net.layout.names
        orders = [torch_order(case.net, n, rows_first=other) for n in ours]
        return dict(zip(names, orders, strict=True))

    def outputs(self, case, params, x, *, own):
        module = self.module(case) if own else module_of(case).to(x.dtype)
        with torch.no_grad():
            for a, value in zip(module.parameters(), params.values(), strict=True):
                a.copy_(value)
            return self.get(module(x))

    def model(self, case, params):
        module = self.module(case)
        with torch.no_grad():
            for name, a in module.named_parameters():
                a.copy_(params[name])
        return module

    def put(self, a):
        return torch.from_numpy(numpy.array(a))

    def get(self, tensor):
        return tensor.detach().numpy()

    def images(self, x: Array) -> Array:
        return x.transpose(0, 3, 1, 2)

    def named(self, case, tree):
        if isinstance(tree, Mapping):
            return dict(tree)
        orders = self.orders(case)
        if isinstance(tree, torch.Tensor):
            shapes = [order.shape for order in orders.values()]
            pieces = zip(tree.split([*map(math.prod, shapes)]), shapes, strict=True)
            tree = [piece.reshape(shape) for piece, shape in pieces]
        return dict(zip(orders, tree, strict=True))

    def value(self, task):
        x, y = task.support
        return task.loss(task.model(x), y)

    def gradient(self, task):
        return gradient(self.value(task), task.model)

    def product(self, task, v):
        slope = gradient(self.value(task), task.model, create_graph=True)
        return gradient(inner(slope, v), task.model)

    def gauss_newton(self, task, v):
        x, y = task.support
        z = task.model(x)
        u = torch.zeros_like(z, requires_grad=True)
        pulled = gradient(z, task.model, grad_outputs=u, create_graph=True)
        (z_dot,) = torch.autograd.grad(inner(pulled, v), u, retain_graph=True)
        _, bent = vhp(lambda z: task.loss(z, y), z.detach(), z_dot)
        return gradient(z, task.model, grad_outputs=bent)


def gradient(output: torch.Tensor, module: nn.Module, **options: Any) -> Params:
    """Return the gradient in the parameters of a Module, by name."""
    names, params = zip(*module.named_parameters(), strict=True)
    found = torch.autograd.grad(
        output, params, allow_unused=True, materialize_grads=True, **options
    )
    return dict(zip(names, found, strict=True))


def inner(a: Params, b: Params) -> torch.Tensor:
    """Return ⟨a, b⟩."""
    return torch.stack([(a[k] * b[k]).sum() for k in a]).sum()


def misfit(case: Case, module: nn.Module) -> str:
    """Say which parameter of a Module is not that of a case; nothing if all are."""
    found = [(n, tuple(a.shape)) for n, a in module.named_parameters()]
    wanted = [(n, torch_order(case.net, n).shape) for n in case.net.layout.names]
    for mine, ours in zip_longest(found, wanted):
        if mine is None or ours is None or mine[1] != ours[1]:
            got = f"{mine[0]} of shape {mine[1]}" if mine else "no more parameters"
            want = f"{ours[1]} for {ours[0]}" if ours else "no more parameters"
            return f"the Module has {got}, {case.name} expects {want}"
    return ""
