"""Conjugate gradients by kernels: x, status and all that a SolverInfo says."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import digits
from imaml_ref.compute.backend import to_device
from imaml_ref.compute.readings import settle, value_of, waiting
from imaml_ref.fused import plain_path
from imaml_ref.solvers import Status
from tests.helpers.fused_points import loss_of, named, needs_fused, point
from tests.machines.kernel_machine import FORMULAS, by_kernels, capturing_double
from tests.machines.kernel_points import NETS

pytestmark = needs_fused


def solved(at, solver, b, shift, curvature="hvp"):
    """Return x and the info of a system at the point of some examples."""
    examples = at.loss.on(at.phi[0], at.x, at.y)
    return examples.solve(examples.linearize(at.phi), solver, curvature, b, shift)


def assert_same_solution(at, solver, b, shift, least=10, **options):
    x, info = by_kernels(lambda: solved(at, solver, b, shift, **options))
    with plain_path(), np.errstate(all="ignore"):
        want, want_info = solved(at, solver, b, shift, **options)
    for t in range(len(b)):
        assert np.isnan(want[t]).any() or digits(x[t], want[t]) >= least
    for name, theirs in vars(want_info).items():
        ours = getattr(info, name)
        assert ours.dtype == theirs.dtype, name
        # A residual is a difference of vectors as long as b.
        atol = np.abs(np.nan_to_num(b)).sum() if name == "residual" else 0
        assert_allclose(ours, theirs, rtol=10.0**-least, atol=10.0**-least * atol)
    return want_info


def system(scale=1.0, **sizes):
    at = point(loss_of(NETS["3-way"]), num_tasks=4, num_examples=3, seed=2, **sizes)
    return at, scale * at.v


@pytest.mark.parametrize("conduct", ["continue", "truncate", "refuse"])
@pytest.mark.parametrize("curvature", ["hvp", "gnvp"])
def test_negative_curvature_ends_a_task_in_the_same_way(conduct, curvature):
    at, b = system()
    solver = ir.CG(maxiter=5, on_negative_curvature=conduct)
    info = assert_same_solution(at, solver, b, 1e-3, 7, curvature=curvature)
    assert (info.negative_curvature > 0).any() == (curvature == "hvp")


@pytest.mark.parametrize("maxiter", [1, 2, 7])
def test_any_number_of_steps_is_made(maxiter):
    at, b = system()
    info = assert_same_solution(at, ir.CG(maxiter=maxiter), b, 50.0)
    assert (info.iterations == maxiter).all()


@pytest.mark.parametrize("options", [{"rtol": 1e-3}, {"atol": 0.5}], ids=str)
def test_a_task_that_meets_its_tolerance_stays_where_it_is(options):
    at, b = system()
    b[1] *= 1e-3
    b[3] = 0
    info = assert_same_solution(at, ir.CG(maxiter=40, **options), b, 50.0, 9)
    assert (info.status == Status.CONVERGED).all()
    assert len(set(info.iterations)) > 1


def test_without_a_number_of_steps_it_ends_by_tolerance():
    at, b = system()
    assert_same_solution(at, ir.CG(maxiter=None, rtol=1e-3), b, 50.0, 9)


def test_zero_and_not_a_number_are_seen_in_their_own_task():
    at, b = system()
    b[0], b[2, 5] = 0, np.nan
    info = assert_same_solution(at, ir.CG(maxiter=3), b, 50.0)
    assert info.status[0] == Status.CONVERGED
    assert info.status[2] == Status.NOT_FINITE
    assert (info.status[[1, 3]] == Status.MAXITER).all()


@pytest.mark.parametrize("scale", [1e-300, 1e-161, 1e200])
def test_a_vector_too_short_or_too_long_to_square_is_solved(scale):
    at, b = system(scale)
    info = assert_same_solution(at, ir.CG(maxiter=3, atol=1e-3 * scale), b, 50.0)
    assert (info.iterations > 0).all()
    want, _ = solved(system()[0], ir.CG(maxiter=3, atol=1e-3), b / scale, 50.0)
    x, _ = by_kernels(lambda: solved(at, ir.CG(maxiter=3, atol=1e-3 * scale), b, 50.0))
    assert digits(x / scale, want) > 9


def test_a_system_that_is_solved_says_so_however_long_it_goes_on():
    at, b = system()
    x, info = by_kernels(lambda: solved(at, ir.CG(maxiter=200), b, 1e6))
    assert (info.status == Status.CONVERGED).all()
    want, _ = solved(at, ir.CertifiedCG(rtol=1e-14), b, 1e6)
    assert digits(x, want) > 12


LAMS = [
    *((np.float32, lam) for lam in (1e-37, 1e-25, 1e-19, 1e16, 1e19, 1e25, 1e37)),
    *((np.float64, lam) for lam in (1e-307, 1e-170, 1e170, 1e307)),
]


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize(("dtype", "lam"), LAMS)
def test_a_shift_of_any_size_is_that_of_the_plain_path(dtype, lam, each):
    at = system()[0].astype(dtype)
    shift = np.full(at.v.shape[1], dtype(lam)) if each else dtype(lam)

    def answer():
        return solved(at, ir.CG(maxiter=4), at.v, shift, "gnvp")

    (x, info), size = by_kernels(answer), dtype(max(lam, 1))
    with plain_path():
        want, want_info = answer()
    assert (info.status == want_info.status).all()
    # In units in which a norm has squares; four steps of CG lose few digits.
    least = -np.log10(np.finfo(dtype).eps) - 4
    assert min(map(digits, x * size, want * size)) > least
    assert np.isfinite(info.smallest_ritz).all()
    assert_allclose(info.smallest_ritz / size, want_info.smallest_ritz / size, 1e-2)


def test_a_shift_for_each_parameter():
    at, b = system()
    shift = np.random.default_rng(0).uniform(40, 60, b.shape[1])
    assert_same_solution(at, ir.CG(maxiter=4), b, shift)


def test_one_solution_after_another_begins_afresh():
    at, b = system()

    def both():
        with np.errstate(all="ignore"):
            solved(at, ir.CG(maxiter=3), b * np.nan, 50.0)
        return solved(at, ir.CG(maxiter=3), b, 50.0)

    x, info = by_kernels(both)
    want, want_info = by_kernels(lambda: solved(at, ir.CG(maxiter=3), b, 50.0))
    assert_array_equal(x, want)
    assert_array_equal(info.status, want_info.status)
    assert FORMULAS.recorded > 0


# One solution after another.


def test_a_right_hand_side_may_have_any_memory_layout():
    at, solver = named(), ir.CG(maxiter=3)
    wide = np.repeat(at.v, 2, axis=1)[:, ::2]

    def asked():
        lin = at.linearize()
        return [
            lin.examples.solve(lin, solver, "hvp", b, 50.0)[0]
            for b in (at.v, wide, np.asfortranarray(at.v))
        ]

    want, *others = by_kernels(asked)
    for got in others:
        assert_array_equal(got, want)


def test_whatever_a_solution_leaves_the_next_one_does_not_see():
    at, solver = named(), ir.CG(maxiter=3)

    def asked():
        lin = at.linearize()
        want = lin.examples.solve(lin, solver, "hvp", at.v, 50.0)[0]
        krylov = lin.examples._sweeps.krylov
        for a in krylov.arrays.values():
            a[...] = np.nan if a.dtype.kind == "f" else 77
        assert_array_equal(lin.examples.solve(lin, solver, "hvp", at.v, 50.0)[0], want)

    by_kernels(asked)


def test_solutions_that_are_looked_at_late_say_each_its_own():
    at = named()
    solvers = [ir.CG(maxiter=2), ir.CG(maxiter=9, rtol=1e-3), ir.CG(maxiter=4)]

    def infos(put):
        lin = at.loss.linearize(*map(put, (at.phi, at.x, at.y)))
        return [
            lin.examples.solve(lin, solver, "hvp", put(k * at.v), 50.0)[1]
            for k, solver in enumerate(solvers)
        ]

    want = by_kernels(lambda: infos(lambda a: a))
    with capturing_double():
        with waiting() as readings:
            found = infos(to_device)
        settle(readings)
        found = [value_of(info) for info in found]
    for got, info in zip(found, want, strict=True):
        for name, array in vars(info).items():
            assert_array_equal(getattr(got, name), array, err_msg=name)


def test_a_right_hand_side_of_another_dtype_is_refused_as_on_the_plain_path():
    at, solver = named(), ir.CG(maxiter=3)

    def asked():
        return solved(at, solver, at.v.astype(np.float32), 50.0)

    with plain_path(), pytest.raises(TypeError, match="one dtype") as want:
        asked()
    with pytest.raises(TypeError, match="one dtype") as got:
        by_kernels(asked)
    assert str(got.value) == str(want.value)
