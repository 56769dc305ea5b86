"""The benchmark of scaling, at its smallest, and the arithmetic of its conclusions."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy
import pytest

from benchmarks.scaling import fits, grid, measure, point
from benchmarks.scaling import run as scaling
from benchmarks.shared import memory


def rows(who, **quantities):
    """Return rows of points with 1, 2, … inner steps, from functions of these."""
    found = []
    for k in (4, 8, 16):
        row = fits.Row(grid.Point(who, inner_steps=k))
        row.rounds = [{name: f(k) for name, f in quantities.items()}]
        found.append(row)
    return found


def test_a_small_run_writes_finite_numbers(tmp_path, monkeypatch):
    words = ["--quick", "--threads", "1", "--only", "inner", "--unrolled"]
    monkeypatch.setattr(scaling, "QUICK", replace(scaling.QUICK, inner=(1, 4)))
    scaling.main([*words, "--out", str(tmp_path)])
    assert (tmp_path / "scaling.png").stat().st_size > 10_000
    record = json.loads((tmp_path / "scaling.json").read_text())
    assert record["command"].endswith("--only inner --unrolled --out PATH")
    points = record["axes"]["inner"]["points"]
    assert [p["point"]["inner_steps"] for p in points] == [1, 4]
    for at in points:
        assert at["reason"] is None
        assert at["median_seconds"] > 0
        assert at["inner_steps_over_gradients"] is not None
        assert math.isfinite(at["inner_steps_over_gradients"])
    assert math.isfinite(record["axes"]["inner"]["exponents"]["seconds"]["all"])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells peaks")
def test_the_peak_of_a_point_is_that_of_its_meta_step(monkeypatch):
    big = 64 * 2**20
    found = point.watched(lambda: numpy.ones(big, numpy.uint8).sum())
    before = memory.resident(os.getpid())
    assert found["peak"] - before > 0.9 * big


def test_exponents_are_slopes_of_logarithms():
    axis = grid.Axis("K", "inner_steps", ())
    cubic = rows("imaml_ref", seconds=lambda k: 3.0 * k**3, peak=lambda k: 7.0)
    assert fits.exponents(axis, cubic, "seconds") == pytest.approx({"all": 3, "end": 3})
    flat = fits.exponents(axis, cubic, "peak")
    assert flat == pytest.approx({"all": 0, "end": 0}, abs=1e-12)


def test_inner_steps_are_compared_with_gradients_without_the_constant_part():
    quantities = {
        "seconds": lambda k: 5 + 1.05 * 2 * k,
        "constant": lambda k: 5.0,
        "gradient": lambda k: 2.0,
    }
    for row in rows("imaml_ref", **quantities):
        assert row.over_gradients == pytest.approx(1.05)


def test_what_is_extrapolated_lies_on_the_line_and_says_so():
    unrolled = rows("torch", seconds=lambda k: 2 + 0.5 * k, peak=lambda k: None)
    found = fits.extrapolated(unrolled, "seconds")
    assert found["value"] == pytest.approx(502)
    assert found["extrapolated"]
    assert found["from_inner_steps"] == [4, 16]
    assert fits.extrapolated(unrolled, "peak") is None


def test_a_point_that_is_likely_too_big_is_not_started(monkeypatch):
    args = scaling.arguments(["--memory", "0.5"])

    def must_not_start(point, args):
        raise AssertionError(point)

    monkeypatch.setattr(measure, "ask", must_not_start)
    small = rows("torch", peak=lambda k: 1e8 * k)[:2]
    big = fits.Row(grid.Point("torch", inner_steps=64))
    measure.add_round(big, [*small, big], args)
    assert big.reason == "would need about 6.4 GB"
    assert big.rounds == []


class Child:
    """A child that answers at once."""

    def __init__(self, *_, **__):
        pass

    def answer(self):
        return {"found": {"seconds": 1.0, "peak": 1, "error": 0.5}}

    def close(self):
        pass


def test_another_gradient_has_no_time(monkeypatch):
    monkeypatch.setattr(measure, "python", Child)
    row = fits.Row(grid.Point("torch"))
    measure.add_round(row, [row], scaling.arguments([]))
    assert row.reason == "another gradient than imaml_ref's: 5.0e-01 away"
    assert row.median("seconds") is None
