"""θ as .npz or .safetensors: parameters by our names, and no code.

safetensors is left to its own package, an extra, which checks bounds and overlaps; to
do so here would take a hundred lines.
"""

import importlib
import io
import os
from pathlib import Path
from typing import Any

import numpy

from ..compute import Array
from ..files import BadFile, atomic_path
from ..networks import Network
from .torch_state import parameters_of


def save_weights(path: str | os.PathLike, net: Network, theta: Array) -> None:
    """Write θ (P,) as FILE.npz or FILE.safetensors, whole or not at all.

    Raises:
        TypeError: If θ is no array.
        ValueError: If θ is not (P,), or the file of another kind.
        OSError: If it cannot be written.
    """
    named, package = parameters_of(net, theta), package_of(path)
    with atomic_path(path) as temporary:
        if package is numpy:
            numpy.savez(temporary, allow_pickle=False, **named)
        else:
            package.save_file(named, temporary)


def load_weights(path: str | os.PathLike, net: Network) -> numpy.ndarray:
    """Return θ (P,) from a file of ``save_weights``, bit for bit.

    Raises:
        OSError: If there is no such file, or it cannot be read.
        BadFile: If it is damaged, or not of this network; all that differs is named.
    """
    package, data = package_of(path), Path(path).read_bytes()
    try:
        if package is numpy:
            return net.pack(dict(numpy.load(io.BytesIO(data), allow_pickle=False)))
        return net.pack(package.load(data))
    except Exception as error:  # of damaged bytes packages raise whatever they find
        why = " ".join(str(error).split())
        raise BadFile(
            f"{path} has no weights of this network: {why}; tensors of PyTorch are "
            "taken by from_torch_state_dict"
        ) from error


def package_of(path: str | os.PathLike) -> Any:
    """Return what reads and writes a file: numpy or safetensors.numpy.

    Raises:
        ValueError: If it is of another kind.
        ModuleNotFoundError: If safetensors is not installed.
    """
    kind = Path(path).suffix
    if kind not in (".npz", ".safetensors"):
        raise ValueError(f"{path} must end in .npz or .safetensors, got {kind!r}")
    try:
        return numpy if kind == ".npz" else importlib.import_module("safetensors.numpy")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path} needs safetensors: pip install 'imaml-ref[weights]', or use .npz"
        ) from error
