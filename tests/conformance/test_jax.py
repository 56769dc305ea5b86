"""JAX agrees with the certified answers, and its adapter tells right from wrong."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imaml_ref import conformance

jax = pytest.importorskip("jax")

from jax import numpy as jnp  # noqa: E402

from imaml_ref.conformance.from_jax import (  # noqa: E402
    flax_names,
    from_jax,
    optimizer_step,
)
from tests.helpers.witness_jax import (  # noqa: E402
    derivatives,
    implicit,
    ravel_pytree,
    slope,
)

EXAMPLE = Path(__file__).parents[2] / "examples" / "conformance_jax.py"
SUITE = conformance.load_suite()
BY_ADAPTER = "answered by the adapter"
STATED = 10
ZEROS = {"conv-norm-bias"}  # a tensor is zero but for rounding: half the digits
SHARED = {"max-pool-ties"}  # max of JAX splits the slope among what ties
SMALL = ["logistic"]
SOLVED = ["mlp-tanh", "conv-norm-tanh", "unequal-tasks"]
BELOW = ("L1", "L2", "L4")  # φ is given
# By default a few: JAX compiles every network, and every loss of it.
FEW = ["ridge", "unequal-ridge", "not-stationary", "saddle"]
THOROUGH = pytest.mark.thorough


def outcomes(report, *levels):
    """Return the set of outcomes at some levels."""
    return {v.outcome for v in report.verdicts if v.level in levels}


def of_meta_grad(report, *levels):
    """Return the set of outcomes of the meta-gradient and its steps at some levels."""
    found = [v for v in report.verdicts if v.answer in ("meta_grad", "theta")]
    return {v.outcome for v in found if v.level in levels}


@pytest.fixture(
    name="report",
    scope="module",
    params=[FEW, pytest.param([*SUITE], marks=THOROUGH)],
    ids=["few", "all"],
)
def ask_the_witness(request):
    """Return the report, but for the levels that solve for φ."""
    mine = from_jax(meta_grad=implicit)
    return conformance.check(mine, cases=request.param, levels=BELOW)


def test_the_witness_passes_every_case(report):
    shared = [v for v in report.verdicts if v.outcome == "another convention"]
    assert {v.case for v in shared} == SHARED & {v.case for v in report.verdicts}
    assert {v.message for v in shared} <= {"ties of max-pooling shared evenly"}
    assert outcomes(report, "L1", "L2") - {"another convention"} == {BY_ADAPTER}
    assert of_meta_grad(report, "L4") == {"pass", "warned"}
    without = {v.answer for v in report.verdicts if v.outcome == "not attempted"}
    assert without == {"lam_grad"}


@pytest.mark.parametrize(
    "cases",
    [["ridge"], pytest.param(SOLVED, marks=THOROUGH)],
    ids=["ridge", "networks"],
)
def test_the_witness_passes_where_it_solves_for_phi(cases):
    mine = from_jax(meta_grad=implicit)
    report = conformance.check(mine, cases=cases, levels=("L5", "L6"))
    assert of_meta_grad(report, "L5") == of_meta_grad(report, "L6") == {"pass"}


def test_the_witness_agrees_with_the_certified_answers_to_ten_digits(report):
    compared = [v for v in report.verdicts if v.outcome in ("pass", BY_ADAPTER)]
    assert len(compared) > 5
    for v in compared:
        least = v.required if v.case in ZEROS else STATED
        assert v.digits >= least, f"{v.case} {v.level} {v.answer}: {v.digits}"
    fewest = min(v.digits for v in compared if v.case not in ZEROS)
    print(f"JAX: {len(compared)} answers, at least {fewest:.1f} digits")


def test_the_witness_warns_where_there_is_no_answer(report):
    said = {v.case: v.message for v in report.verdicts if v.outcome == "warned"}
    assert said.keys() == {"not-stationary", "saddle"}
    assert "not stationary" in said["not-stationary"]
    assert "not positive definite" in said["saddle"]


def first_order(task):
    """Return ∇Q: no solve."""
    phi, unravel = ravel_pytree(task.phi)
    return unravel(slope(task.model, task.loss, unravel, phi, *task.query))


def halved(task):
    """Return (5) with λ/2 for λ in the system."""
    phi, unravel = ravel_pytree(task.phi)
    _, _, H = derivatives(task.model, task.loss, unravel, phi, *task.support)
    v, _ = ravel_pytree(first_order(task))
    A = H + task.lam / 2 * jnp.eye(len(v))
    return unravel(task.lam * jnp.linalg.solve(A, v))


@pytest.mark.parametrize("wrong", [pytest.param(halved, marks=THOROUGH), first_order])
def test_a_wrong_meta_gradient_fails_and_what_is_right_passes(wrong):
    mine = from_jax(meta_grad=wrong)
    report = conformance.check(mine, cases=["mlp-tanh"], levels=BELOW)
    assert outcomes(report, "L1", "L2") == {BY_ADAPTER}
    assert of_meta_grad(report, "L4") == {"fail"}


def gradient_descent(theta, grad, state, outer):
    """Take a step; count them."""
    step = outer["step_size"]
    return jax.tree.map(lambda a, g: a - step * g, theta, grad), (state or 0) + 1


def test_outer_steps_of_ones_own_are_taken():
    mine = from_jax(meta_grad=implicit, outer_step=gradient_descent)
    report = conformance.check(mine, cases=SMALL)
    assert of_meta_grad(report, "L4", "L6", "L7") == {"pass"}


def test_the_optimiser_is_that_of_optax():
    pytest.importorskip("optax")
    mine = from_jax(meta_grad=implicit)
    report = conformance.check(mine, cases=["ridge-adam"], levels=("L6", "L7"))
    assert outcomes(report, "L6", "L7") == {"pass"}


def test_without_an_optimiser_no_outer_step_is_attempted(monkeypatch):
    mine = from_jax(meta_grad=first_order, outer_step=False)
    report = conformance.check(mine, cases=SMALL)
    assert outcomes(report, "L6", "L7") == {"not attempted"}
    monkeypatch.setitem(sys.modules, "optax", None)
    with pytest.raises(NotImplementedError, match="no outer_step, and no Optax"):
        optimizer_step({}, {}, None, {"optimizer": "sgd", "step_size": 1.0})


def with_the_default_dtype(A, b):
    """Return x with A x = b, in the precision in which JAX makes a new array."""
    return jnp.linalg.solve(A, b) * jnp.ones(len(b))


def test_precision_is_what_was_asked_and_the_users_setting_comes_back():
    before, mine = jax.config.jax_enable_x64, from_jax(solve=with_the_default_dtype)
    for dtype in ("float32", "float64"):
        report = conformance.check(mine, cases=[*SMALL, "spd-10"], dtype=dtype)
        assert outcomes(report, "L1", "L2") == {BY_ADAPTER}
        assert outcomes(report, "L3") == {"pass"}
        found = {str(v.got.dtype) for v in report.verdicts if v.got is not None}
        assert found == {dtype}
        assert jax.config.jax_enable_x64 == before


def test_a_solver_of_ones_own_is_asked():
    solve = jnp.linalg.solve
    report = conformance.check(from_jax(solve=solve), cases=["spd-1e6", "indefinite"])
    assert [v.outcome for v in report.verdicts] == ["pass", "did not warn"]


@pytest.mark.parametrize("name", ["ridge", "strided-relu", "conv-global"])
def test_parameters_come_back_as_they_went(name):
    case, adapter = SUITE[name], from_jax()
    with jax.enable_x64(True):
        there = adapter.params(case, case.phi[0])
        np.testing.assert_array_equal(adapter.flat(case, there), case.phi[0])


def test_a_network_that_there_is_not_is_not_attempted():
    report = conformance.check(from_jax(lambda case: None), cases=SMALL)
    assert {v.outcome for v in report.verdicts} == {"not attempted"}


def test_flax_modules_pass_under_the_names_that_flax_gives():
    nn = pytest.importorskip("flax.linen")

    class OwnNet(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.Conv(2, (3, 3), padding=1, use_bias=False, param_dtype=x.dtype)(x)
            norm = nn.BatchNorm(use_running_average=False, param_dtype=x.dtype)
            x = nn.avg_pool(jnp.tanh(norm(x)), (2, 2), (2, 2))
            return nn.Dense(5, param_dtype=x.dtype)(x.reshape(len(x), -1))

    def apply(params, x):
        return OwnNet().apply({"params": params}, x, mutable=["batch_stats"])[0]

    mine = from_jax(lambda case: apply, names=flax_names, meta_grad=implicit)
    report = conformance.check(mine, cases=["more-queries"], levels=BELOW)
    assert report.of("more-queries", "L1")[0].outcome == "pass"
    assert outcomes(report, "L2") == {BY_ADAPTER}
    assert of_meta_grad(report, "L4") == {"pass"}


@THOROUGH
def test_a_function_that_flattens_channels_first_is_recognised():
    def build(case):
        def apply(params, x):
            conv, norm = params["conv1"]["kernel"], params["norm1"]
            x = jax.lax.conv_general_dilated(
                x, conv, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            x = (x - x.mean((0, 1, 2))) / jnp.sqrt(x.var((0, 1, 2)) + 1e-5)
            x = jnp.tanh(norm["scale"] * x + norm["bias"])
            n, h, w, c = x.shape
            x = x[:, : h // 2 * 2, : w // 2 * 2]
            x = x.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))
            x = x.transpose(0, 3, 1, 2).reshape(n, -1)
            return x @ params["head"]["kernel"] + params["head"]["bias"]

        return apply

    report = conformance.check(from_jax(build), cases=["more-queries"], levels="L1")
    loss, grad = report.verdicts
    assert (loss.outcome, grad.outcome) == ("pass", BY_ADAPTER)
    assert report.notes == (
        "the function flattens C, H, W, and got its kernels in that order: "
        "more-queries",
    )


def test_a_layer_without_a_name_is_told():
    mine = from_jax(names=lambda case: {"linear1": "Dense_0"})
    (found, _) = conformance.check(mine, cases=["mlp-tanh"], levels="L1").verdicts
    assert found.message.startswith("ValueError: names(mlp-tanh) has no name for head")


def test_what_else_is_asked_is_handed_over_in_float64():
    case = replace(SUITE["mlp-lam-vector"])
    object.__setattr__(case, "unrolled", {"steps": 2, "step_size": 0.5})
    mine = from_jax(
        inner=lambda task: jax.tree.map(lambda a: a + 1 / 3, task.theta),
        lam_grad=lambda task: jax.tree.map(jnp.negative, task.lam),
        unrolled_grad=lambda task, steps, step_size: jax.tree.map(
            lambda a: a * steps * step_size, task.theta
        ),
    )
    want = np.broadcast_to(case.theta + 1 / 3, case.phi.shape)
    np.testing.assert_allclose(mine.inner(case), want, rtol=1e-15)
    np.testing.assert_array_equal(mine.lam_grad(case, case.solution), -case.lam)
    np.testing.assert_array_equal(mine.unrolled_grad(case), case.theta)


def run_the_example(*arguments):
    """Return what the example prints.

    Raises:
        AssertionError: If it fails, with what it said.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE, *arguments],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@THOROUGH
def test_the_example_passes_and_warns():
    out = run_the_example()
    assert " 0 failed" in out
    assert "2 warned, 0 did not" in out
    assert "Diagnosis" not in out


@THOROUGH
def test_the_mistake_in_the_example_fails_and_is_named():
    out = run_the_example("--mistake")
    outer = importlib.util.find_spec("optax") is not None  # then L6 and L7 as well
    assert ("7 failed, 7 not" if outer else "4 failed, 10 not") in out
    assert "this is what you get with curvature-at-theta" in " ".join(out.split())


def test_nothing_of_ours_imports_jax_unasked():
    code = "import imaml_ref.conformance, sys; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
