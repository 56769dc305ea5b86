"""The drivers of benchmarks/conformance: their runner, and each where it can run."""

import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest

from benchmarks.conformance import run as runner
from benchmarks.conformance import subjects
from imaml_ref import conformance

FOLDER = Path(__file__).parents[2] / "benchmarks" / "conformance"
DRIVERS = sorted(path.stem for path in FOLDER.glob("with_*.py"))
# What each driver needs; checkouts are found only if they are on the path.
NEEDED = {
    "with_betty": "betty.hypergradient.sama",
    "with_congrad": "congrad.torch",
    "with_curvlinops": "curvlinops",
    "with_dezero": "dezero",
    "with_gbml": "gbml.imaml",
    "with_gradhpo": "gradhpo",
    "with_hessian_eigenthings": "hessian_eigenthings.operators",
    "with_higher": "higher",
    "with_hypergrad": "hypergrad.approx_hypergrad",
    "with_hypertorch": "hypergrad.hypergradients",
    "with_imaml_dev": "implicit_maml",
    "with_iteryne": "iteryne.maml",
    "with_jax_meta": "jax_meta.metalearners.imaml",
    "with_jaxopt": "jaxopt",
    "with_kfac_jax": "kfac_jax",
    "with_laplax": "laplax.curv.ggn",
    "with_learn2learn": "learn2learn",
    "with_linear_operator": "linear_operator",
    "with_matfree": "matfree.lstsq",
    "with_metallic": "metallic.metalearners.maml",
    "with_neuralbo": "src.solver.utils",
    "with_optimistix": "optimistix",
    "with_posteriors": "posteriors",
    "with_pyhessian": "pyhessian",
    "with_pytorch": "torch",
    "with_pytorch_maml": "maml.metalearners.maml",
    "with_scipy": "scipy.sparse.linalg",
    "with_torchopt": "torchopt",
    "with_torchsolve": "torchsolve",
    "with_xitorch": "xitorch.linalg",
}


class Dense:
    """A solver that is right, or off by a factor."""

    name = "Dense"

    def __init__(self, factor=1.0):
        self.factor = factor

    def solve(self, A, b):
        return self.factor * numpy.linalg.solve(A, b)


def stand_in(**factors):
    """Return what a driver module looks like, with a solver for each variant."""
    variants = {
        name: SimpleNamespace(settings=f"times {f}", make=lambda f=f: Dense(f))
        for name, f in factors.items()
    }
    return SimpleNamespace(PACKAGES=("numpy", "no-such-package"), VARIANTS=variants)


def test_every_driver_is_known_by_name():
    assert sorted(NEEDED) == DRIVERS
    assert [f"with_{name}" for name in runner.NAMES] == DRIVERS


def test_a_run_writes_what_it_found(monkeypatch, tmp_path, capsys):
    driver = stand_in(right=1.0, double=2.0)
    monkeypatch.setattr(runner, "load", lambda name, path: driver)
    runner.main(["scipy", "--out", str(tmp_path), "--cases", "spd-10", "indefinite"])
    record = json.loads((tmp_path / "scipy.json").read_text())
    assert record["versions"]["numpy"] == numpy.__version__
    assert record["versions"]["no-such-package"] == "not installed"
    assert record["suite"] == conformance.suite.SUITE_VERSION
    assert record["commit"] == ""
    assert record["variants"]["right"]["levels"]["L3"]["pass"] == 1
    assert record["variants"]["right"]["levels"]["L3"]["did not warn"] == 1
    (failed,) = [
        v for v in record["variants"]["double"]["verdicts"] if v["outcome"] == "fail"
    ]
    assert failed["case"] == "spd-10"
    assert failed["ratio"] == pytest.approx(2.0)
    assert "×2" in capsys.readouterr().out


def test_one_variant_can_be_chosen(monkeypatch, tmp_path):
    driver = stand_in(right=1.0, double=2.0)
    monkeypatch.setattr(runner, "load", lambda name, path: driver)
    chosen = ["--variant", "right", "--cases", "spd-10", "--out", str(tmp_path)]
    runner.main(["scipy", *chosen])
    record = json.loads((tmp_path / "scipy.json").read_text())
    assert list(record["variants"]) == ["right"]


def test_the_command_that_is_recorded_repeats_the_run(monkeypatch, tmp_path):
    monkeypatch.setattr(runner, "load", lambda name, path: stand_in(right=1.0))
    asked = ["scipy", "--dtype", "float32", "--cases", "spd-10", "one-unknown"]
    runner.main([*asked, "--path", str(tmp_path), "--out", str(tmp_path)])
    record = json.loads((tmp_path / "scipy-float32.json").read_text())
    expected = (
        "python benchmarks/run.py conformance scipy --path CHECKOUT --dtype float32 "
        "--cases spd-10 one-unknown"
    )
    assert record["command"] == expected
    assert record["commit"] == "unknown"


def test_only_what_an_implementation_computes_is_asked():
    asked = subjects.Only(conformance.Engine(), ("solve",), "solver")
    report = conformance.check(asked, cases=["ridge", "spd-10"])
    attempted = {v.level for v in report.verdicts if v.outcome != "not attempted"}
    assert attempted == {"L3"}
    assert report.passed


@pytest.mark.parametrize("name", DRIVERS)
@pytest.mark.filterwarnings("ignore")
def test_a_driver_answers_a_small_case(name):
    pytest.importorskip(NEEDED[name], exc_type=ImportError)
    driver = importlib.import_module(f"benchmarks.conformance.{name}")
    (first, *_) = driver.VARIANTS.values()
    report = runner.examined(first.make(), cases=["mlp-tanh", "spd-10"])
    assert report.passed, runner.summary(report, first.settings)
