"""From a configuration to the objects that it names: tasks, network, algorithm, θ."""

import hashlib
import math
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy

from ..compute import Array, to_device
from ..config import DEVICES, Config
from ..data import Episodes, Sinusoids, TaskSource, glyph_alphabets, open_dataset
from ..fused import is_plain
from ..inner import LBFGS, Adam, GradientDescent, Momentum, NewtonCG
from ..kernels import current_name, current_stage
from ..meta_gradients import (
    IMAML,
    MAML,
    FirstOrderMAML,
    PullBackDescent,
    ReleasedIMAML,
    Reptile,
    TaskLoss,
    check_held,
)
from ..networks import Network, SoftmaxCrossEntropy, SquaredError, architectures
from ..optimizers import Adam as MetaAdam
from ..solvers import CG

PREFERRED_SCHEME = "random-1200"


@dataclass(frozen=True)
class Model:
    """A network with its loss and the algorithm that trains it."""

    net: Network
    loss: TaskLoss
    algorithm: Any


def make_model(
    config: Config, *, input_shape: tuple[int, ...], num_outputs: int, task: str
) -> Model:
    """Return the network, loss and algorithm that a configuration names.

    Args:
        config: The configuration.
        input_shape: Shape of one input.
        num_outputs: Ways, or dimension of a target.
        task: "classification" or "regression".

    Raises:
        ValueError: If the parts do not fit together.
    """
    net = make_net(config, input_shape, num_outputs)
    regression = task == "regression"
    loss = TaskLoss(net, SquaredError() if regression else SoftmaxCrossEntropy())
    return Model(net, loss, make_algorithm(config, loss))


def make_source(config: Config) -> TaskSource:
    """Return where the tasks come from.

    Raises:
        FileNotFoundError: If the data file is absent.
        ValueError: If it is no data set, or has not enough classes or drawings.
    """
    if config.data == "sinusoid":
        return Sinusoids(config.shots, config.queries)
    images = glyph_alphabets() if config.data == "glyphs" else open_dataset(config.data)
    return Episodes(
        images,
        config.ways,
        config.shots,
        config.queries,
        split_scheme=scheme_of(config, images),
        invert=config.invert,
        rotate=config.rotate,
    )


def scheme_of(config: Config, images) -> str | None:
    """Return the split scheme to use; None is the first of the data."""
    if config.split_scheme != "auto":
        return config.split_scheme
    return PREFERRED_SCHEME if PREFERRED_SCHEME in images.splits else None


def make_net(config: Config, input_shape: tuple[int, ...], num_outputs: int) -> Network:
    """Return the network of a configuration.

    Raises:
        ValueError: If the inputs are not what it takes.
    """
    name, width = config.net, config.num_filters
    if name == "auto":
        name = "omniglot-cnn" if len(input_shape) == 3 else "mlp"
    if name == "mlp":
        return architectures.mlp(input_shape, (width, width), num_outputs)
    if name == "linear":
        return architectures.linear(input_shape, num_outputs)
    if len(input_shape) != 3:
        raise ValueError(
            f"net {name} takes images (H, W, C), {config.data} has {input_shape}; "
            "use net mlp or linear"
        )
    make = architectures.conv4 if name == "conv4" else architectures.omniglot_cnn
    norm = architectures.NORMS[config.norm]
    try:
        return make(num_outputs, input_shape=input_shape, num_filters=width, norm=norm)
    except ValueError as error:
        what = f"net {name} with norm {config.norm} and {width} filters"
        raise ValueError(f"{what} takes no {input_shape}: {error}") from error


def make_algorithm(config: Config, loss: TaskLoss):
    """Return the algorithm of a configuration.

    Raises:
        ValueError: If λ is to be learned where there is none, or the precision of the
            run does not hold it, or the inner loop is not one that the algorithm takes.
    """
    name, inner = config.algorithm, make_inner(config)
    implicit = name in ("imaml", "released-imaml")
    lam = config.lam if implicit or config.proximal else None
    learns = name == "maml" or (name == "imaml" and not config.first_order_steps)
    if config.lam_lr and (lam is None or not learns):
        early = " with first-order-steps" * (config.first_order_steps > 0)
        raise ValueError(
            f"lam-lr {config.lam_lr} has no λ to learn in {name}{early}; use 0"
        )
    if lam is not None:
        check_held("lam", lam, numpy.empty(0, config.dtype))
    if name == "maml":
        if not isinstance(inner, GradientDescent):
            who = config.inner
            raise ValueError(f"maml unrolls gradient descent only; inner is {who}")
        layout, rate = loss.net.layout, config.inner_lr
        each = {"layer": len(layout.layers), "parameter": layout.size}
        if config.alpha_of in each:
            inner = replace(inner, step_size=numpy.full(each[config.alpha_of], rate))
    kind, own = kind_of(config, tuple(loss.net.layout.layers))
    return kind(loss, lam, inner, **own)


def kind_of(config: Config, layers: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
    """Return the class of an algorithm, and its own settings, for layers by name."""
    adapted = {"all": None, "head": layers[-1:], "body": layers[:-1]}[config.adapted]
    partly: dict[str, Any] = {"adapted": adapted}
    both = partly | {"first_order_steps": config.first_order_steps}
    refused = config.negative_curvature
    solver = CG(maxiter=config.cg_steps, on_negative_curvature=refused)
    kinds: dict[str, tuple[Any, dict[str, Any]]] = {
        "imaml": (IMAML, both | {"solver": solver, "curvature": config.curvature}),
        "released-imaml": (ReleasedIMAML, {"cg_steps": config.cg_steps}),
        "maml": (MAML, both | {"annealing": config.annealing}),
        "fomaml": (FirstOrderMAML, partly),
        "reptile": (Reptile, {}),
    }
    return kinds[config.algorithm]


def make_inner(config: Config):
    """Return the inner optimiser of a configuration."""
    rate, steps = config.inner_lr, config.inner_steps
    if config.inner == "lbfgs":
        return LBFGS(maxiter=steps)
    if config.inner == "newton-cg":
        return NewtonCG(num_steps=steps, cg_steps=config.cg_steps)
    kinds: dict[str, Any] = {
        "gd": GradientDescent,
        "momentum": Momentum,
        "adam": Adam,
        "pull-back": PullBackDescent,
    }
    return kinds[config.inner](step_size=rate, num_steps=steps)


def make_optimizers(config: Config) -> tuple[MetaAdam, Any, Any]:
    """Return the optimiser of θ and, if they are learned, those of log λ and log α."""
    rates = config.lam_lr, config.alpha_lr
    of_lam, of_alpha = (MetaAdam(rate) if rate else None for rate in rates)
    half_life = config.meta_lr_half_life or math.inf
    of_theta = MetaAdam(config.meta_lr, eps=config.adam_eps, half_life=half_life)
    return of_theta, of_lam, of_alpha


def first_theta(config: Config, net: Network) -> Array:
    """Draw θ (P,) from the seed, in the precision and on the device of the run."""
    rng = numpy.random.default_rng(config.seed)
    return placed(net.init(rng, dtype=numpy.dtype(config.dtype)), config.device)


def placed(a: numpy.ndarray, device: str) -> Array:
    """Return a host array where the run computes.

    Raises:
        RuntimeError: If the device is "cuda" and there is none.
    """
    return to_device(a) if device == "cuda" else a


def resolved_device(device: str) -> str:
    """Return "cpu" or "cuda"; "auto" is the GPU if there is one.

    Raises:
        RuntimeError: If the device is "cuda" and there is none.
        ValueError: If it has another name, or the environment asks for a stage of the
            path on a GPU that there is not.
    """
    if device not in DEVICES:
        raise ValueError(f"device must be one of {', '.join(DEVICES)}, got {device!r}")
    if device == "cpu":
        return "cpu"
    try:
        to_device(numpy.zeros(1))
    except RuntimeError:
        if device == "cuda":
            raise
        return "cpu"
    current_stage()
    return "cuda"


def device_stage_of(device: str) -> str:
    """Return the stage of the path on a GPU, which decides the bits; "" on a CPU."""
    if device == "cpu":
        return ""
    return "plain" if is_plain() else current_name()


def tasks_digest(source: TaskSource, *, seed: int) -> str:
    """Return a SHA-256 over a few tasks of every split, hexadecimal.

    The digest of the data says what the tasks are drawn from; this one says that they
    are drawn alike: with the same splits, the same scaling, the same random numbers.

    Raises:
        ValueError: If an input is NaN or infinite.
    """
    sha = hashlib.sha256()
    for split in ("train", "val", "test"):
        tasks = source.sample(split, seed=seed, step=0, num_tasks=4)
        tasks.check_finite()
        for f in fields(tasks):
            sha.update(numpy.ascontiguousarray(getattr(tasks, f.name)).data)
    return sha.hexdigest()
