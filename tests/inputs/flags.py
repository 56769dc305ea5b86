"""Flags of the command line as texts: taken, or refused in one line."""

import contextlib
import io

import numpy as np

from imaml_ref.cli import main
from imaml_ref.data import write_dataset
from tests.helpers.tiny_runs import TINY, as_flags, make_images, snapshot

from . import Drawn, pick

WHOLE = {
    "ways": (2, 5),
    "shots": (1, 8),
    "queries": (1, 8),
    "num-filters": (1, 99),
    "inner-steps": (1, 99),
    "cg-steps": (1, 99),
    "meta-batch": (1, 99),
    "meta-steps": (0, 10**6),
    "seed": (0, 2**63),
    "threads": (0, 64),
    "validation-tasks": (2, 99),
    "test-tasks": (2, 99),
}
REAL = {"lam": 0.0, "inner-lr": 0.0, "meta-lr": 0.0, "adam-eps": 0.0}
CHOICE = {
    "net": ("linear", "mlp"),
    "inner": ("gd", "momentum", "adam", "lbfgs", "newton-cg"),
    "curvature": ("hessian", "gauss-newton"),
    "dtype": ("float32", "float64"),
    "device": ("cpu", "auto"),
    "rotate": ("train", "all", "none"),
}
TEXTS = ("", "x", "two", "1,5", "1e", "--", "0x10", "½", "None", "True", "[1]")
COMMANDS = {
    "trian": "trian",
    "evaluate": "RUN",
    "evaluate nowhere": "no run in",
    "predict nowhere a b": "no run in",
    "data info nowhere.h5": "no such file",
    "data pack-images nowhere o.h5": "no such folder",
    "data pack-published cub nowhere o.h5": "no copy of cub",
    "data": None,
    "conformance check nowhere.h5": "no such file",
    "train --resume": "--resume needs --out",
    "train --config nowhere.toml": "no such configuration file",
    "train --lam": "--lam",
    "verify --dtype float16": "dtype",
}


class Taken(Exception):
    """A run was about to begin: its flags are good."""


def draw(rng: np.random.Generator) -> Drawn:
    """Draw a flag of ``train`` with a text, or a whole command."""
    kind = rng.random()
    if kind < 0.15:
        command = pick(rng, [c for c in COMMANDS if COMMANDS[c]])
        return Drawn(command, commanding(command.split()), (COMMANDS[command],))
    name, text, value = flag(rng, kind)
    label = f"--{name} {text!r}"
    if value is None:
        return Drawn(label, training(name, text), (name,))

    def same(config):
        assert getattr(config, name.replace("-", "_")) == value

    return Drawn(label, training(name, text), same)


def flag(rng: np.random.Generator, kind: float):
    """Draw the name of a flag, a text, and the value that it means, or None."""
    if kind < 0.3:
        name = pick(rng, [*WHOLE, *REAL, *CHOICE])
        return name, pick(rng, TEXTS), None
    if kind < 0.65:
        name = pick(rng, WHOLE)
        low, high = WHOLE[name]
        value = int(rng.integers(low - 3, low + 8))
        good = low <= value <= high
        return name, str(value), value if good else None
    if kind < 0.85:
        name, value = pick(rng, REAL), float(f"{rng.normal():.2g}")
        value = pick(rng, [value, abs(value), float("nan"), float("inf"), 0.0])
        good = np.isfinite(value) and value > REAL[name]
        return name, repr(value), value if good else None
    name = pick(rng, CHOICE)
    text = pick(rng, [*CHOICE[name], CHOICE[name][0].upper(), CHOICE[name][0][:-1]])
    if name == "device" and text == "auto":
        text = "cpu"
    return name, text, text if text in CHOICE[name] else None


def training(name: str, text: str):
    """Return what asks for a training with one flag, and stops where it would begin."""

    def ask(folder):
        write_dataset(folder / "patches.h5", make_images(drawings=9))
        keys = TINY | {"data": folder / "patches.h5", "queries": 1, "device": "cpu"}
        keys["net"] = "mlp" if name == "num-filters" else "linear"
        keys.pop(name, None)
        given = as_flags(keys | {"out": folder / "run"})
        return commanding(["train", *given, f"--{name}", text])(folder)

    return ask


def commanding(arguments: list[str]):
    """Return what runs a command; a status other than 0 is raised with its line."""

    def ask(folder):
        before, out, err = snapshot(folder), io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(arguments)
        assert status == 2, (status, out.getvalue())
        assert snapshot(folder) == before
        assert "Traceback" not in out.getvalue() + err.getvalue()
        raise ValueError(err.getvalue().removesuffix("\n"))

    return ask
