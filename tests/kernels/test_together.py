"""The kernels themselves, on fibers, make a whole meta-step."""

import numpy as np
import pytest

import imaml_ref as ir
from imaml_ref.checks import digits
from tests.helpers.fused_points import needs_fused
from tests.machines.fibers import COMPILER
from tests.machines.kernel_machine import FIBERS, by_kernels
from tests.machines.kernel_points import ON_FIBERS, assert_alike, problem, staged

pytestmark = [
    needs_fused,
    pytest.mark.skipif(COMPILER is None, reason="there is no g++"),
]
FEW = ir.CG(maxiter=2)
DIGITS = {np.float64: 11, np.float32: 3.5}


@pytest.mark.parametrize("dtype", DIGITS)
@pytest.mark.parametrize("stage", ["graphs", "fused"])
@pytest.mark.parametrize("name", ON_FIBERS)
def test_they_make_the_meta_step_of_the_plain_path(name, stage, dtype):
    at = problem(name, num_tasks=2, shots=2, queries=1).astype(dtype)
    got = by_kernels(lambda: staged(at, stage, 2, solver=FEW), FIBERS)
    assert_alike(got, at.plain(2, solver=FEW), DIGITS[dtype])


@pytest.mark.parametrize("dtype", DIGITS)
@pytest.mark.parametrize("curvature", ["hessian", "gauss-newton"])
def test_they_take_a_strength_for_each_parameter(curvature, dtype):
    at = problem("strided", num_tasks=2, shots=2, queries=1).astype(dtype)
    lam = np.random.default_rng(0).uniform(0.5, 3, at.theta.shape).astype(dtype)
    options = {"lam": lam, "curvature": curvature, "solver": FEW}
    got = by_kernels(lambda: at.gradient(1, **options), FIBERS)
    assert_alike(got, at.plain(1, **options), DIGITS[dtype])


@pytest.mark.parametrize(
    ("stage", "most", "least"),
    [
        ("graphs-3xtf32", np.inf, 5),
        ("fused-3xtf32", np.inf, 5),
        ("graphs-tf32", 4.5, 1.5),
        ("fused-tf32", 4.5, 1.5),
    ],
)
def test_products_on_tensor_cores_are_as_near_as_they_say(stage, most, least):
    at = problem("pooled", num_tasks=3, shots=2, queries=1).astype(np.float32)
    got = by_kernels(lambda: staged(at, stage, 2, solver=FEW), FIBERS)
    want = at.astype(np.float64).plain(2, solver=FEW)
    found = [digits(*ours) for ours in zip(got.phi, want.phi, strict=True)]
    assert least <= np.median(found) <= most, found
