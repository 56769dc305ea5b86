"""Configuration files: a key, a value of some TOML type; or a file that is no TOML."""

from datetime import date

import numpy as np

from imaml_ref.config import make_config, read_config

from . import Drawn, pick

# What each key takes, written by hand: a type and the values that bound it.
KEYS = {
    "ways": (int, 2),
    "shots": (int, 1),
    "queries": (int, 1),
    "num-filters": (int, 1),
    "inner-steps": (int, 1),
    "cg-steps": (int, 1),
    "meta-batch": (int, 1),
    "meta-steps": (int, 0),
    "seed": (int, 0),
    "threads": (int, 0),
    "processes": (int, 1),
    "test-tasks": (int, 2),
    "lam": (float, 1e-300),
    "inner-lr": (float, 1e-300),
    "meta-lr": (float, 1e-300),
    "adam-eps": (float, 1e-300),
    "checkpoint-seconds": (float, 0),
    "invert": (bool, None),
    "data": (str, None),
    "split-scheme": (str, None),
    "net": (str, ("auto", "omniglot-cnn", "conv4", "mlp", "linear")),
    "norm": (
        str,
        ("batch", "layer", "group", "instance", "none", "support", "task"),
    ),
    "curvature": (str, ("hessian", "gauss-newton")),
    "negative-curvature": (str, ("continue", "truncate", "refuse")),
    "dtype": (str, ("float32", "float64")),
    "preset": (str, ("paper", "released", "reliable")),
}
BROKEN = {
    "lam = ": "not valid TOML",
    "lam 2": "not valid TOML",
    "[lam": "not valid TOML",
    "lam = 2\nlam = 3": "not valid TOML",
    "lam = 02": "not valid TOML",
    "meta-lr = 0.1\nmeta_lr = 0.2": "meta-lr",
    "inner-lr = 0.1\ninner_lr = 0.1": "inner-lr",
    "mata-lr = 0.1": "meta-lr",
    "shot = 1": "shots",
    "quries = 1": "queries",
    "[train]\nlam = 2": "train",
}


def draw(rng: np.random.Generator) -> Drawn:
    """Draw a file with one key, or one that is broken."""
    if rng.random() < 0.15:
        text = pick(rng, BROKEN)
        return Drawn(repr(text), asking(text), (BROKEN[text], "mine.toml"))
    key, text, value = pick(rng, KEYS), *valued(rng)
    kind, limit = KEYS[key]
    if kind is str and isinstance(limit, tuple) and rng.random() < 0.4:
        value = pick(rng, limit)
        text = f'"{value}"'
    line = f"{key} = {text}"
    if fits(value, kind, limit):
        wanted = float(value) if kind is float else value

        def same(found, key=key, wanted=wanted):
            assert getattr(found, key.replace("-", "_")) == wanted
            assert type(getattr(found, key.replace("-", "_"))) is type(wanted)

        return Drawn(line, asking(line), same)
    return Drawn(line, asking(line), (key,))


def valued(rng: np.random.Generator):
    """Draw a value: how TOML writes it, and what it is."""
    whole, real = int(rng.integers(-3, 40)), float(f"{rng.normal(scale=3):.3g}")
    return pick(
        rng,
        [
            (str(whole), whole),
            (hex(abs(whole)), abs(whole)),
            (repr(real), real),
            (f"{abs(real):.3e}", float(f"{abs(real):.3e}")),
            ("true", True),
            ("false", False),
            ('"x"', "x"),
            ('""', ""),
            (f'["{whole}"]', [str(whole)]),
            (f"[{whole}, 2]", [whole, 2]),
            ("{a = 1}", {"a": 1}),
            ("2026-11-30", date(2026, 11, 30)),
            ("nan", float("nan")),
            ("-inf", float("-inf")),
            ("1e400", float("inf")),
        ],
    )


def fits(value, kind, limit) -> bool:
    """Return whether a key of a kind takes a value."""
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (kind is float and not np.isfinite(value)):
        return False
    if kind is str:
        return value != "" and (limit is None or value in limit)
    return kind is bool or value >= limit


def asking(text: str):
    """Return what writes a file and reads it as a run would."""

    def ask(folder):
        path = folder / "mine.toml"
        path.write_text(text)
        return make_config(read_config(path))

    return ask
