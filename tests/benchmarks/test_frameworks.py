"""benchmarks/frameworks: planted errors are told apart, and the page is the files."""

import json
import os
import signal
import tomllib

import numpy as np
import pytest

from benchmarks.frameworks import run, table
from benchmarks.frameworks.cases import SEEDS, SIZES, Case, Framework
from benchmarks.frameworks.witness import Witness, derivative, jacobian, judged
from benchmarks.frameworks.worker import Asked, answer, in_a_process

TINY = 1e-30
PROPER = ("right", "wrong", "zero", "NaN", "None", "raises", "died", "no witness")
RESULTS = sorted(run.RESULTS.glob("*.json"))


def slope(f, p):
    """Return ∇f by the complex step, exact."""
    return np.array([f(p + 1j * TINY * e).imag / TINY for e in np.eye(len(p))])


def product(f, p, v):
    return (slope(f, p + 1e-5 * v) - slope(f, p - 1e-5 * v)) / 2e-5


def gauss_newton(z, p, v):
    z_dot = z(p + 1j * TINY * v).imag / TINY
    return 2 / len(z_dot) * slope(lambda q: z(q) @ z_dot, p)


def fails(f, p, v):
    raise ValueError("no such product\nand a trace")


class Planted(Framework):
    """A framework in NumPy, with mistakes planted in its routes."""

    routes = {  # noqa: RUF012
        "right": product,
        "a thousandth off": lambda f, p, v: 1.001 * product(f, p, v),
        "one entry off": lambda f, p, v: product(f, p, v) + 1e-2 * np.eye(len(p))[0],
        "zero": lambda f, p, v: 0 * v,
        "NaN": lambda f, p, v: product(f, p, v) * np.where(v == v[0], np.nan, 1),
        "None": lambda f, p, v: None,
        "raises": fails,
        "kills": lambda f, p, v: os.kill(os.getpid(), signal.SIGKILL),
    }
    gn_routes = {  # noqa: RUF012
        "G": gauss_newton,
        "H for G": lambda z, p, v: product(lambda q: (z(q) ** 2).mean(), p, v),
    }

    def __init__(self, gradient=slope):
        self.gradient = gradient

    def array(self, values):
        return np.array(values)


def layer(x, w):
    return np.tanh(x @ w)


def by_hand(x, w):
    return np.sinh(x @ w) / np.cosh(x @ w)


LAYER = Case("layer", lambda n: ((2, n), (n, 2)), layer, by_hand)
LOSS = Case("loss", lambda n: ((n,),), lambda p: (p**4).sum() + p.prod(), is_loss=True)


@pytest.mark.parametrize("case", [LAYER, LOSS], ids=lambda case: case.name)
@pytest.mark.parametrize(
    ("route", "verdict"),
    [
        ("gradient", "right"),
        ("right", "right"),
        ("a thousandth off", "wrong"),
        ("one entry off", "wrong"),
        ("zero", "zero"),
        ("NaN", "NaN"),
        ("None", "None"),
        ("raises", "raises"),
    ],
)
def test_a_planted_product_is_told(case, route, verdict):
    found = answer(Asked(Planted(), case), "case", route)
    assert found["verdict"] == verdict
    if verdict == "raises":
        assert found["message"] == "ValueError: no such product"
    else:
        assert found["digits"] > 8
        assert len(found["errors"]) == len(SIZES) * len(SEEDS)


def test_a_product_with_h_is_none_with_g():
    asked = Asked(Planted(), LAYER)
    assert answer(asked, "case", "G")["verdict"] == "right"
    assert answer(asked, "case", "H for G")["verdict"] == "wrong"


def test_a_wrong_gradient_is_told_and_the_control_says_what_is_right():
    wrong = Planted(lambda f, p: 2 * slope(f, p))
    assert answer(Asked(wrong, LAYER), "case", "gradient")["verdict"] == "wrong"
    # A gradient that is wrong in the layer alone: the control has the right one.
    asked = Asked(Planted(), LAYER)
    for point in asked.points("case"):
        point.gradient = lambda p, f=point.f: 2 * slope(f, p)
    assert answer(asked, "case", "gradient")["verdict"] == "wrong"
    assert answer(asked, "case", "right")["verdict"] == "right"
    assert answer(asked, "case", "a thousandth off")["verdict"] == "wrong"


def test_a_control_that_is_another_function_is_told():
    other = Case("other", LAYER.shapes, layer, lambda x, w: 2 * layer(x, w))
    assert not answer(Asked(Planted(), other), "control", "right")["same_values"]
    assert answer(Asked(Planted(), LAYER), "control", "right")["same_values"]


def test_entries_that_are_held_constant_are_no_error():
    def padded(p):  # the complex step does not see the first entry
        return (np.concatenate([p[:1].real, p[1:]]) ** 3).sum()

    held = Case("held", lambda n: ((n,),), padded, is_loss=True, held=lambda n: (0, 1))
    free = Case("free", lambda n: ((n,),), padded, is_loss=True)
    assert answer(Asked(Planted(), held), "case", "gradient")["verdict"] == "right"
    assert answer(Asked(Planted(), held), "case", "right")["verdict"] == "right"
    assert answer(Asked(Planted(), free), "case", "gradient")["verdict"] == "wrong"


def test_a_function_that_is_made_is_made_anew_for_each_route():
    made = []

    def make():
        made.append(1)
        return layer

    case = Case("made", LAYER.shapes, make, make=True)
    asked = Asked(Planted(), case)
    assert answer(asked, "case", "right")["verdict"] == "right"
    before = len(made)
    assert answer(asked, "case", "zero")["verdict"] == "zero"
    assert len(made) == before + len(SIZES) * len(SEEDS)


class Here:
    """Stands for a worker: it forks from this process."""

    def __init__(self):
        self.asked = 0

    def ask(self, line):
        self.asked += 1
        question = json.loads(line)
        return in_a_process(Asked(Planted(), LAYER), **question)


@pytest.mark.filterwarnings("ignore:.*use of fork")
def test_what_raises_and_what_dies_end_their_process_and_no_answer_is_lost():
    worker = Here()
    args = run.parsed(["torch", "--seconds", "60"])
    routes = ["right", "raises", "zero", "kills", "None"]
    found = run.answered(args, worker, "layer", [f"case:{r}" for r in routes])
    verdicts = [found[f"case:{route}"]["verdict"] for route in routes]
    assert verdicts == ["right", "raises", "zero", "died", "None"]
    assert found["case:kills"]["message"] == "SIGKILL"
    assert worker.asked == 3


def test_the_witness_says_how_good_it_is():
    p, v = np.array([0.3, -0.7]), np.array([1.0, 2.0])
    smooth = derivative(lambda q: np.exp(q).sum(keepdims=True), p, v)
    assert smooth.digits > 10
    assert abs(smooth.value[0] - np.exp(p) @ v) < 1e-10
    rng = np.random.default_rng(0)
    noisy = derivative(lambda q: np.exp(q) + 1e-5 * rng.normal(size=2), p, v)
    assert noisy.digits < 6
    assert judged(np.exp(p) * v, noisy) == ("no witness", None)
    step = jacobian(lambda q: np.sign(q), np.zeros(2))
    assert judged(np.zeros(4), Witness(step.value.ravel(), step.digits))[0] != "right"


def test_there_are_results_of_five_frameworks():
    names = {path.stem for path in RESULTS}
    assert {"torch", "jax", "tensorflow"} <= names
    assert len(names) >= 5
    assert names <= set(run.NAMES)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_every_silent_error_has_a_control_that_passes_and_is_told(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    entries = table.known().get(path.stem, [])
    for name, route in table.silent(record):
        assert table.control(record["cases"][name]) in {"✓", "✓, or raises"}, name
        control = record["cases"][name]["control"][route]
        assert control["verdict"] == "right", f"{name}, {route}"
        told = [e for e in entries if name in e["rows"] and route in e["routes"]]
        assert len(told) == 1, f"{name}, {route}: {len(told)} entries"


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_what_is_told_was_seen(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    seen = set(table.silent(record))
    for entry in table.known().get(path.stem, []):
        for name in entry["rows"]:
            assert any((name, route) in seen for route in entry["routes"]), name
        for route in entry["routes"]:
            assert any((name, route) in seen for name in entry["rows"]), route


def test_the_versions_told_are_those_of_the_files():
    told = tomllib.loads(table.KNOWN.read_text(encoding="utf-8"))
    assert set(told["versions"]) == set(table.known())
    for name, version in told["versions"].items():
        record = json.loads((run.RESULTS / f"{name}.json").read_text("utf-8"))
        seen = next(iter(record["versions"].values())).partition("+")[0]
        assert version.partition(",")[0] == seen, name


def test_the_page_is_what_the_files_give():
    assert table.PAGE.read_text(encoding="utf-8") == table.page()


@pytest.mark.filterwarnings("ignore")
def test_pytorch_is_wrong_where_the_table_says_so():
    torch = pytest.importorskip("torch")
    record = json.loads((run.RESULTS / "torch.json").read_text(encoding="utf-8"))
    if (
        torch.__version__.partition("+")[0]
        != record["versions"]["torch"].partition("+")[0]
    ):
        pytest.skip("another version")
    at = run.framework("torch")
    for name in ("LayerNorm", "p.norm()**2 at p = 0", "RMSNorm"):
        (case,) = [case for case in at.cases if case.name == name]
        for route in ("grad(grad)", "func.hessian"):
            found = answer(Asked(at, case), "case", route)
            assert found["verdict"] == record["cases"][name]["case"][route]["verdict"]
