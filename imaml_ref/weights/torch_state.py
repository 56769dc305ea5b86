"""θ from the state dict of a PyTorch module, and back, without PyTorch.

``features.3.weight`` is the weight of the module ``features.3``: with four axes that of
a convolution, with two of a linear layer, with one of a normalisation.  The i-th module
of a kind is our i-th layer of that kind, whatever they are called, unless ``names``
says otherwise.  A tensor is what becomes an array; layouts are those of ``orders``.
"""

from collections.abc import Mapping
from typing import Any

import numpy

from ..arguments import brief
from ..compute import Array, check_array, to_host
from ..networks import Network
from .orders import torch_order

Arrays = dict[str, numpy.ndarray]
THEIRS = {"kernel": "weight", "gamma": "weight", "beta": "bias"}
STATISTICS = "running_mean", "running_var", "num_batches_tracked"


def from_torch_state_dict(
    net: Network, state_dict: Mapping[str, Any], *, names: Mapping[str, str] = {}
) -> tuple[numpy.ndarray, Arrays]:
    """Return θ (P,), in the precision of the tensors, and the running statistics.

    These, ``{"norm1.running_mean": (C,), ...}``, are no parameters; ``BatchNorm2d``
    takes those of the batch.

    Args:
        net: The network.
        state_dict: Tensors or arrays by name, such as ``module.state_dict()``.
        names: Their module of a layer, ``{"conv1": "stem.conv"}``.

    Raises:
        TypeError: If an entry is no tensor, or parameters are not all of one dtype.
        ValueError: If tensors are missing, superfluous or misshapen; all are named.
    """
    tensors = arrays_of(state_dict)
    modules = matched(net, tensors, names)
    theirs = fitting(net, tensors, modules)
    named = {
        name: torch_order(net, name).ours(tensors[theirs[name]]).reshape(shape)
        for name, shape in zip(net.layout.names, net.layout.shapes, strict=True)
    }
    layers, rest = {m: layer for layer, m in modules.items()}, {}
    for name in tensors:
        module, _, last = name.rpartition(".")
        if name not in theirs.values():
            rest[f"{layers.get(module, module)}.{last}"] = tensors[name]
    return net.pack(named), rest


def to_torch_state_dict(
    net: Network,
    theta: Array,
    *,
    like: Mapping[str, Any] | None = None,
    names: Mapping[str, str] = {},
) -> Arrays:
    """Return θ as arrays in PyTorch's layout, for ``torch.as_tensor`` to take.

    Args:
        net: The network.
        theta: θ, (P,).
        like: The state dict of the module that it is for, whose names it gets and all
            that is not in θ.  None names modules as our layers.
        names: As for ``from_torch_state_dict``.

    Raises:
        TypeError: If θ is no array, or an entry of ``like`` no tensor.
        ValueError: If θ is not (P,), or ``like`` does not fit.
    """
    named, found = parameters_of(net, theta), arrays_of(like or {})
    theirs = {name: in_torch(name, names) for name in named}
    if like is not None:
        theirs = fitting(net, found, matched(net, found, names))
    for name, a in named.items():
        found[theirs[name]] = torch_order(net, name).theirs(a).copy()
    return found


def parameters_of(net: Network, theta: Array) -> Arrays:
    """Return views of θ by name, on the host.

    Raises:
        TypeError: If θ is no array.
        ValueError: If it is not (P,).
    """
    check_array("θ", theta)
    if theta.shape != (net.layout.size,):
        raise ValueError(f"θ expects shape ({net.layout.size},), got {theta.shape}")
    return net.layout.unpack(to_host(theta))


def arrays_of(state_dict: Mapping[str, Any]) -> Arrays:
    """Return copies of tensors as arrays.

    Raises:
        TypeError: If an entry is no tensor, or of a dtype that NumPy has not.
    """
    found = {}
    for name, tensor in state_dict.items():
        try:
            for step in ("detach", "cpu", "numpy"):
                tensor = getattr(tensor, step, lambda a=tensor: a)()
            found[name] = numpy.array(tensor)
            if found[name].dtype.kind not in "fiub":
                raise TypeError(f"{brief(tensor)}; give the part that has tensors only")
        except (TypeError, ValueError, RuntimeError) as error:
            raise TypeError(f"{name} is no tensor for NumPy: {error}") from error
    return found


def in_torch(name: str, modules: Mapping[str, str]) -> str:
    """Return PyTorch's name of a parameter, its module that of its layer or so too."""
    layer, _, own = name.rpartition(".")
    return f"{modules.get(layer, layer)}.{THEIRS.get(own, own)}".removeprefix(".")


def kinds(axes: Mapping[str, int]) -> dict[str, int]:
    """Return the kind of each module, in order, from the axes of tensors by name."""
    found: dict[str, int] = {}
    for name, count in axes.items():
        module, _, last = name.rpartition(".")
        known = 1 if last in STATISTICS else found.get(module, 0)
        found[module] = count if last == "weight" else known
    return found


def matched(net: Network, tensors: Arrays, names: Mapping[str, str]) -> dict[str, str]:
    """Return their module of each layer with parameters, where there is one.

    Raises:
        ValueError: If ``names`` has what is no such layer.
    """
    ours = zip(net.layout.names, net.layout.shapes, strict=True)
    layers = kinds({in_torch(name, {}): len(shape) for name, shape in ours})
    if odd := names.keys() - layers:
        raise ValueError(f"names has {', '.join(odd)}; layers are {', '.join(layers)}")
    modules, found = kinds({name: a.ndim for name, a in tensors.items()}), dict(names)
    for layer, kind in layers.items():
        free = [m for m, k in modules.items() if k == kind and m not in found.values()]
        if layer not in names and free:
            found[layer] = free[0]
    return found


def fitting(
    net: Network, tensors: Arrays, modules: Mapping[str, str]
) -> dict[str, str]:
    """Return their name of each parameter, all of which are there and of its shape.

    Raises:
        ValueError: If tensors are missing, superfluous or misshapen; all are named.
    """
    found = {name: in_torch(name, modules) for name in net.layout.names}
    used, odd = list(found.values()), []
    for name, theirs in found.items():
        want, got = torch_order(net, name).shape, tensors.get(theirs)
        if name.rpartition(".")[0] not in modules or got is None:
            odd.append(f"nothing for {name}")
        elif got.shape != want or used.count(theirs) > 1:
            odd.append(f"{theirs} {got.shape} for {name}, expected one tensor {want}")
    rest = {n for n in tensors if n.rpartition(".")[2] not in STATISTICS} - {*used}
    odd += [f"{name} is superfluous" for name in tensors if name in rest]
    if odd:
        raise ValueError(
            f"the state dict does not fit the network: {'; '.join(odd)}; where order "
            "and kind mislead, give names"
        )
    return found
