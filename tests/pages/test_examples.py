"""The examples run as scripts, and what they print shows what they promise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
NUMBER = re.compile(r"\d[\d.]*(?:e[-+]\d+)?|–")


def run(name, *arguments):
    """Return what a script prints.

    Raises:
        AssertionError: If it fails, with what it said.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / name, *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | ONE_THREAD | {"PYTHONIOENCODING": "utf-8"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_verify_your_own_tells_right_from_wrong():
    out = run("verify_your_own.py")
    assert "my_right_one      right: 1" in out  # ten digits or more
    assert re.search(r"my_lost_factor    WRONG: .* × 0\.5000, cosine 1\.000000", out)
    assert re.search(r"my_stale_hessian  WRONG: .* cosine 0\.99", out)
    assert re.search(r"my_first_order    WRONG: .* cosine 0\.9", out)
    right, _, wrong = out.partition("forgotten:")
    assert right.count("  ok   ") == 9
    assert "FAIL" not in right
    assert wrong.count("FAIL") == 1
    assert "FAIL vjp_dot is the derivative of vjp" in wrong


@pytest.fixture(name="theory", scope="module")
def run_theory(tmp_path_factory):
    figure = tmp_path_factory.mktemp("theory") / "theory.png"
    out = run("study_the_theory.py", "--figure", figure)
    assert figure.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    return out


def table(out, title):
    """Return the rows of numbers below a title; a dash is NaN."""
    _, *lines = out[out.index(title) :].splitlines()
    rows = []
    for line in lines[1:]:
        if not line.strip() or not line.startswith("  "):
            break
        cells = NUMBER.findall(line)
        rows.append([float("nan" if cell == "–" else cell) for cell in cells])
    return np.array(rows)


def test_both_gradients_converge_by_the_contraction_and_below_the_bound(theory):
    rho = float(re.search(r"ρ = (0\.\d+)", theory)[1])
    rows = table(theory, "1. K inner steps")
    assert rows.shape == (5, 6)
    _, unrolled, unrolled_rate, implicit, implicit_rate, bound = rows.T
    rates = np.log([unrolled_rate[-1], implicit_rate[-1]])
    np.testing.assert_allclose(rates, np.log(rho), rtol=0.1)
    assert unrolled[-1] < 1e-9
    assert (implicit < bound).all()


def test_cg_converges_and_the_asymmetric_form_does_not(theory):
    rows = table(theory, "2. CG steps")
    assert rows.shape == (7, 5)
    steps, cos, scalar, each, asymmetric = rows.T
    assert cos[0] == 1.0
    assert cos[-1] < 0.9
    assert scalar[steps == 7] < 1e-11
    assert each[steps == 14] < 1e-10
    # docs/mathematics.md, section 6, says this and the line before.
    assert asymmetric[steps == 14] > 0.01


def test_first_order_is_right_for_large_lam_only(theory):
    rows = table(theory, "3. λ")
    assert rows.shape == (7, 4)
    _, cos, first, few = rows.T
    assert (np.diff(cos) > 0).all()
    assert (np.diff(first) < 0).all()
    assert first[0] > 1 > 0.1 > first[-1]
    assert (few < first / 5).all()


def test_few_shot_learns_to_learn():
    out = run("few_shot.py", "--meta-steps", 10)
    before, after = (float(p) for p in re.findall(r"meta-training: (\d+\.\d)%", out))
    assert 20 <= before < 40
    assert after > before + 10
    assert "Gauss-Newton" in out
    assert len(re.findall(r"^  step +\d+: query loss", out, re.M)) == 5


def test_a_network_from_pytorch_and_back_predicts_the_same():
    pytest.importorskip("torch")
    sizes = "--steps", 60, "--meta-steps", 1, "--tasks", 6
    out = run("from_pytorch_and_back.py", *sizes)
    pairs = re.findall(r"(\d+) of (\d+) predictions differ", out)
    assert [int(total) for _, total in pairs] == [390 * 5, 6 * 25, 6 * 25]
    # A tie of two logits may be broken by rounding; a wrong layout changes most.
    assert all(int(count) <= 0.02 * int(total) for count, total in pairs)
    assert "θ comes back to the bit" in out
