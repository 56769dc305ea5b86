"""Turn JAX code into an object that the suite can ask.

    from imaml_ref import conformance
    from imaml_ref.conformance.from_jax import from_jax

    report = conformance.check(from_jax(meta_grad=my_meta_grad))

``my_meta_grad(task)`` gets a ``Task``: the network as a function ``task.model(params,
x)``, the loss, θ, φ or None, λ, and support and query sets.  Parameters are nested
dicts, ``params[layer][parameter]``, with Flax's names and layouts:

    convolution, linear    kernel, bias    as ours: (kh, kw, in, out) and (in, out)
    batch normalisation    scale, bias     our gamma, beta

It returns a tree of the same form.  Images are (N, H, W, C), as with us; a function of
the user's that flattens them C, H, W is recognised by its outputs.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import jax
import numpy
from jax import numpy as jnp

from ..weights import Order, channels_before, kept
from .adapter import Adapter
from .case import Case
from .hooks import Hooks
from .jax_networks import LOSSES, apply_of
from .plain import Tensor

FLAX = {"gamma": "scale", "beta": "bias"}
ADAM = {"b1": "beta1", "b2": "beta2", "eps": "eps"}
FLAX_KINDS = {"Conv2d": "Conv", "BatchNorm2d": "BatchNorm", "Linear": "Dense"}


def from_jax(
    build: Callable[[Case], Callable | None] | None = None,
    *,
    names: Callable[[Case], Mapping[str, str]] | None = None,
    losses: Mapping[str, Callable] = LOSSES,
    outer_step: Callable | bool = True,
    refusals: Iterable[type[Exception]] = (),
    scalar_lam: bool = False,
    name: str = "JAX",
    **hooks: Callable,
) -> "JaxAdapter":
    """Return an object with the methods of ``conformance.asking``.

    Float64 is switched on while it is asked in float64, and only then.

    Args:
        build: A function that returns (params, x) → outputs for a case, or None where
            it has none; by default ``apply_of``.  For a Flax module ``lambda case:
            lambda params, x: module.apply({"params": params}, x)``.
        names: A function that returns, for a case, what its layers are called in
            ``params``; by default as in the case.  ``flax_names`` gives those of
            Flax's compact modules: Conv_0, BatchNorm_0, Dense_0.
        losses: ℓ(outputs, y) by the names of the suite.
        outer_step: (θ, gradient, state, outer) → θ and state; by default the optimiser
            of Optax that the case names, if Optax is there; False for none.
        refusals: Exceptions that say "there is no trustworthy answer", beside
            ``conformance.Refused`` and ``LinAlgError``; any other is a crash.
        scalar_lam: Whether λ is a number in the user's program; cases with one for each
            parameter are not attempted.
        name: What the report calls it.
        hooks: ``meta_grad``, ``batch_grad``, ``lam_grad``, ``inner``,
            ``unrolled_grad``, ``hvp`` and ``solve``, as in ``from_torch``, of trees.

    Raises:
        TypeError: If there is no hook of a name.
    """
    step = optimizer_step if outer_step is True else outer_step or None
    mine = Hooks(**hooks, outer_step=step)
    words: dict[str, Any] = {"refusals": refusals, "scalar_lam": scalar_lam}
    return JaxAdapter(build, names or own_names, mine, losses, name, **words)


def optimizer_step(theta, grad, state, outer: dict):
    """Take a step of Optax; the state is the optimiser with its moments.

    Raises:
        NotImplementedError: If Optax is not there.
    """
    try:
        import optax
    except ImportError:
        raise NotImplementedError("no outer_step, and no Optax") from None
    numbers = {k: outer[f] for k, f in ADAM.items() if f in outer}
    chosen = optax.adam if outer["optimizer"] == "adam" else optax.sgd
    optimizer = chosen(outer["step_size"], **numbers)
    updates, state = optimizer.update(grad, state or optimizer.init(theta), theta)
    return optax.apply_updates(theta, updates), state


def own_names(case: Case) -> dict[str, str]:
    """Return the names of the layers as they are."""
    return {e["name"]: e["name"] for e in (case.network or {})["layers"]}


def flax_names(case: Case) -> dict[str, str]:
    """Return the names that Flax gives: the kind of the layer, counted from 0."""
    found: dict[str, str] = {}
    for entry in (case.network or {})["layers"]:
        kind = FLAX_KINDS.get(entry["type"])
        if kind:
            count = sum(name.startswith(f"{kind}_") for name in found.values())
            found[entry["name"]] = f"{kind}_{count}"
    return found


def in_precision(method: Callable) -> Callable:
    """Return a method that runs with float64 if it is asked in it, else without."""

    @functools.wraps(method)
    def asked(self, case, *rest):
        dtype = (case.theta if isinstance(case, Case) else case).dtype
        with jax.enable_x64(dtype == numpy.float64):
            return method(self, case, *rest)

    return asked


class JaxAdapter(Adapter):
    """Asks JAX code; see ``from_jax``."""

    framework = "JAX"
    other_order = "the function flattens C, H, W, and got its kernels in that order"

    def __init__(self, build, names, hooks, losses, name, **settings):
        super().__init__(build, hooks, losses, name, **settings)
        self.names = names

    loss = in_precision(Adapter.loss)
    grad = in_precision(Adapter.grad)
    hvp = in_precision(Adapter.hvp)
    gnvp = in_precision(Adapter.gnvp)
    solve = in_precision(Adapter.solve)
    inner = in_precision(Adapter.inner)
    meta_grad = in_precision(Adapter.meta_grad)
    lam_grad = in_precision(Adapter.lam_grad)
    unrolled_grad = in_precision(Adapter.unrolled_grad)
    outer_step = in_precision(Adapter.outer_step)

    def layouts(self, case, *, other):
        names, found = self.names(case), {}
        for tensor in case.tensors:
            layer, _, parameter = tensor.name.partition(".")
            if layer not in names:
                raise ValueError(f"names({case.name}) has no name for {layer}")
            order = channels_first(case, tensor) if other else kept(tensor.shape)
            found[f"{names[layer]}.{FLAX.get(parameter, parameter)}"] = order
        return found

    def outputs(self, case, params, x, *, own):
        if own:
            return self.get(self.model(case, params)(params, x))
        names = self.names(case).items()  # of layers without parameters too
        renamed = {ours: params[theirs] for ours, theirs in names if theirs in params}
        return self.get(apply_of(case)(renamed, x))

    def model(self, case, params):
        apply = (self.build or apply_of)(case)
        if apply is None:
            raise NotImplementedError(f"no function for {case.name}")
        return apply

    def put(self, a):
        return jnp.asarray(a)

    def get(self, tensor):
        return numpy.asarray(tensor)

    def tree(self, named):
        return nested(named)

    def named(self, case, tree):
        return dict(leaves(tree))

    def value(self, task):
        return slope(task.model, task.loss, task.phi, *task.support)[0]

    def gradient(self, task):
        return slope(task.model, task.loss, task.phi, *task.support)[1]

    def product(self, task, v):
        return products(task.model, task.loss, task.phi, *task.support, v)[0]

    def gauss_newton(self, task, v):
        return products(task.model, task.loss, task.phi, *task.support, v)[1]


def channels_first(case: Case, tensor: Tensor) -> Order:
    """Return the layout of a parameter where images are flattened C, H, W."""
    channels = channels_before(case.net, tensor.name.partition(".")[0])
    if tensor.axes != ("in", "out") or channels in (1, tensor.shape[0]):
        return kept(tensor.shape)
    fan_in, fan_out = tensor.shape
    return Order((fan_in // channels, channels, fan_out), (1, 0, 2), tensor.shape)


def nested(named: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{"a": {"b": x}}`` from ``{"a.b": x}``."""
    tree: dict[str, Any] = {}
    for name, leaf in named.items():
        *path, last = name.split(".")
        place = tree
        for step in path:
            place = place.setdefault(step, {})
        place[last] = leaf
    return tree


def leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield ``"a.b", x`` from ``{"a": {"b": x}}``."""
    for name, branch in tree.items():
        if isinstance(branch, Mapping):
            yield from leaves(branch, f"{path}{name}.")
        else:
            yield f"{path}{name}", branch


# Two functions, because each is compiled anew for each network and each shape.


@partial(jax.jit, static_argnums=(0, 1))
def slope(apply, loss, params, x, y):
    """Return L and ∇L."""
    return jax.value_and_grad(lambda p: loss(apply(p, x), y))(params)


@partial(jax.jit, static_argnums=(0, 1))
def products(apply, loss, params, x, y, v):
    """Return H v, and G v = Jᵀ H_z J v."""
    grad = jax.grad(lambda p: loss(apply(p, x), y))
    _, hvp = jax.jvp(grad, (params,), (v,))
    z, pull = jax.vjp(lambda p: apply(p, x), params)
    _, z_dot = jax.jvp(lambda p: apply(p, x), (params,), (v,))
    _, bent = jax.jvp(jax.grad(lambda z: loss(z, y)), (z,), (z_dot,))
    return hvp, pull(bent)[0]
