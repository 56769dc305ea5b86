"""Turn PyTorch code into an object that the suite can ask.

    from imaml_ref import conformance
    from imaml_ref.conformance.from_torch import from_torch

    report = conformance.check(from_torch(meta_grad=my_meta_grad))

``my_meta_grad(task)`` gets a ``Task``: a Module of its own whose parameters are θ, or φ
where φ is given, the loss, λ, and support and query sets, images as (N, C, H, W).  It
returns the gradient of the task, as a dict by the names of ``named_parameters``, as a
sequence in their order, or as one flat vector.  Layouts:

    kernel of a convolution    (kh, kw, in, out) ↔ (out, in, kh, kw)
    kernel of a linear layer   (in, out) ↔ (out, in)
    the same after Flatten     columns in the order H, W, C ↔ C, H, W
"""

import copy
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import numpy
import torch
from torch import nn
from torch.autograd.functional import vhp
from torch.nn.functional import cross_entropy

from .adapter import Adapter, Hooks
from .case import Array, Case
from .orders import Order, channels_before, kept
from .plain import Tensor

Params = dict[str, torch.Tensor]


def squared_error(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the mean over examples of ½‖z − y‖²."""
    return ((z - y) ** 2).sum(-1).mean() / 2


LOSSES: dict[str, Callable] = {
    "cross-entropy": cross_entropy,
    "squared-error": squared_error,
}
LAYERS: dict[str, Callable[[dict], nn.Module]] = {
    "Conv2d": lambda e: nn.Conv2d(
        e["in_channels"],
        e["out_channels"],
        tuple(e["kernel_size"]),
        tuple(e["stride"]),
        tuple(e["padding"]),
        bias=e["use_bias"],
    ),
    "ZeroPad2d": lambda e: nn.ZeroPad2d((0, e["right"], 0, e["bottom"])),
    "BatchNorm2d": lambda e: nn.BatchNorm2d(
        e["num_channels"], e["eps"], track_running_stats=False
    ),
    "Linear": lambda e: nn.Linear(e["in_features"], e["out_features"]),
    "Flatten": lambda e: nn.Flatten(),
    "ReLU": lambda e: nn.ReLU(),
    "Softplus": lambda e: nn.Softplus(),
    "Tanh": lambda e: nn.Tanh(),
    "ELU": lambda e: nn.ELU(e["alpha"]),
    "MaxPool2d": lambda e: nn.MaxPool2d(tuple(e["window"])),
    "AveragePool2d": lambda e: nn.AvgPool2d(tuple(e["window"])),
    "GlobalAveragePool2d": lambda e: nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten()
    ),
}


def from_torch(
    build: nn.Module | Callable[[Case], nn.Module | None] | None = None,
    *,
    losses: Mapping[str, Callable] = LOSSES,
    meta_grad: Callable | None = None,
    batch_grad: Callable | None = None,
    solve: Callable | None = None,
    hvp: Callable | None = None,
    outer_step: Callable | None = None,
    name: str = "PyTorch",
) -> "TorchAdapter":
    """Return an object with the methods of ``conformance.asking``.

    Args:
        build: A function that returns a Module for a case, or None where it has none; a
            Module, which then stands for every case whose parameters have its shapes:
            choose those cases with ``check(..., cases=...)``.  By default
            ``module_of``.  Modules normalise by the batch: leave them in training mode.
        losses: ℓ(outputs, y) by the names of the suite.
        meta_grad: (task) → the gradient of one task; see ``adapter.Task``.
        batch_grad: (list of tasks) → the meta-gradient, where the user takes the mean.
        solve: (A, b) → x; ``lambda A, b: my_cg(lambda p: A @ p, b)`` for most solvers.
        hvp: (task, v) → H v at the parameters of ``task.model``, v by name.
        outer_step: (θ, gradient, state, outer) → θ and state; by default the optimiser
            of ``torch.optim`` that the case names, with the user's gradient.
        name: What the report calls it.
    """
    hooks = Hooks(meta_grad, batch_grad, solve, hvp, outer_step or optimizer_step)
    return TorchAdapter(build or module_of, hooks, losses, name)


def module_of(case: Case) -> nn.Sequential:
    """Return the network of a case as a Module, its layers named as in the case."""
    entries = (case.network or {})["layers"]
    layers = OrderedDict((e["name"], LAYERS[e["type"]](e)) for e in entries)
    return nn.Sequential(layers)


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

    def module(self, case: Case) -> nn.Module:
        """Return a Module of one's own for a case, of its dtype.

        Raises:
            NotImplementedError: If there is none, or its parameters are not the case's.
        """
        fixed = isinstance(self.build, nn.Module)
        module = copy.deepcopy(self.build if fixed else self.build(case))
        if module is None:
            raise NotImplementedError(f"no Module for {case.name}")
        shapes = [tuple(a.shape) for a in module.parameters()]
        if shapes != [order_of(case, tensor).shape for tensor in case.tensors]:
            raise NotImplementedError(f"another Module than that of {case.name}")
        return module.to(torch.from_numpy(case.theta).dtype)

    def orders(self, case):
        names = [name for name, _ in self.module(case).named_parameters()]
        orders = [order_of(case, tensor) for tensor in case.tensors]
        return dict(zip(names, orders, strict=True))

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


def order_of(case: Case, tensor: Tensor) -> Order:
    """Return the layout of a parameter in PyTorch."""
    if tensor.axes == ("kh", "kw", "in", "out"):
        kh, kw, fan_in, fan_out = tensor.shape
        return Order(tensor.shape, (3, 2, 0, 1), (fan_out, fan_in, kh, kw))
    if tensor.axes == ("in", "out"):
        fan_in, fan_out = tensor.shape
        channels = channels_before(case, tensor.name.partition(".")[0])
        split = (fan_in // channels, channels, fan_out)
        return Order(split, (2, 1, 0), (fan_out, fan_in))
    return kept(tensor)
