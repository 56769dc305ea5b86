"""On a card: the plain path through CuPy computes what NumPy computes on the host."""

import gc
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import imaml_ref as ir
from imaml_ref.checks import digits
from imaml_ref.compute.readings import settle, value_of, waiting
from imaml_ref.verify.everything import PARTS
from imaml_ref.verify.rows import make_setting
from tests.helpers.algorithms import NETS, QUIET, WAITING
from tests.helpers.problems import curved, make_problem
from tests.machines.gpu_card import fetched, needing_card, put

NEED = {np.float32: 4.0, np.float64: 11.0}
OMNIGLOT = ir.architectures.omniglot_cnn(5)


@pytest.fixture(autouse=True)
def _plainly():
    with ir.plain_path():
        yield


def cupy():
    return sys.modules["cupy"]


def assert_near(got, want, dtype, least=None):
    """Compare meta-gradients and what was measured with them, in so many digits."""
    need = least or NEED[dtype]
    assert digits(fetched(got.grad), want.grad) >= need
    if want.lam_grad is not None:
        pair = (np.atleast_1d(fetched(m.lam_grad)) for m in (got, want))
        assert digits(*pair) >= need
    for name in ("query_loss", "support_loss", "inner_residual"):
        pair = (getattr(m.diagnostics, name) for m in (got, want))
        assert digits(*pair) >= need - 1, name
    assert_array_equal(got.diagnostics.status, want.diagnostics.status)


@needing_card
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_what_verify_claims_holds_on_the_card(part, dtype):
    setting = make_setting(quick=True, device="cuda", dtype=dtype)
    assert [row for row in part(setting) if not row.passed] == []


@needing_card
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NETS)
def test_every_network_and_loss_has_the_digits_of_the_host(name, dtype):
    problem = NETS[name].astype(dtype)
    algorithm, here = QUIET["imaml"](problem), put(problem)
    want = algorithm(problem.theta, problem.tasks)
    # Beside a kink float32 itself has fewer: a digit less than the host, at worst.
    exact = QUIET["imaml"](NETS[name])(NETS[name].theta, NETS[name].tasks)
    least = min(NEED[dtype], digits(want.grad, exact.grad) - 1)
    assert_near(algorithm(here.theta, here.tasks), want, dtype, least)


@needing_card
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", QUIET | WAITING)
def test_every_algorithm_inner_loop_and_solver_has_them(name, dtype):
    problem = curved().astype(dtype)
    algorithm, here = (QUIET | WAITING)[name](problem), put(problem)
    want = algorithm(problem.theta, problem.tasks)
    assert_near(algorithm(here.theta, here.tasks), want, dtype)


@needing_card
@pytest.mark.parametrize("name", QUIET)
def test_the_same_bits_come_twice(name):
    problem = put(NETS["pooled"].astype(np.float32))
    algorithm = QUIET[name](problem)
    one, two = (algorithm(problem.theta, problem.tasks) for _ in range(2))
    assert_array_equal(fetched(one.grad), fetched(two.grad))
    for what, value in vars(one.diagnostics).items():
        assert_array_equal(getattr(two.diagnostics, what), value, err_msg=what)


@needing_card
def test_what_is_looked_at_late_is_what_is_looked_at_at_once():
    problem = put(NETS["pooled"].astype(np.float32))
    algorithm = QUIET["imaml"](problem)
    with waiting() as readings:
        late = [algorithm(problem.theta, problem.tasks[:n]) for n in (1, 3, 2)]
    settle(readings)
    for n, out in zip((1, 3, 2), late, strict=True):
        want = algorithm(problem.theta, problem.tasks[:n])
        for what, value in vars(want.diagnostics).items():
            assert_array_equal(getattr(value_of(out.diagnostics), what), value)


def pool_peak(run):
    """Return the most bytes that CuPy's pools hand out at a time."""
    live, seen = {}, [0]

    class Hook(cupy().cuda.MemoryHook):
        name = "pool_peak"

        def malloc_postprocess(self, *, mem_size, pmem_id, **_):
            live[pmem_id] = mem_size
            seen.append(max(seen[-1], sum(live.values())))

        def free_postprocess(self, *, pmem_id, **_):
            live.pop(pmem_id, None)

    gc.collect()
    with Hook():
        run()
        gc.collect()
    return seen[-1]


@needing_card
def test_memory_does_not_grow_with_the_inner_steps():
    sizes = {"num_tasks": 8, "support": 5, "query": 5}
    loss = ir.SoftmaxCrossEntropy()
    problem = make_problem(OMNIGLOT, loss, lam=2.0, **sizes).astype(np.float32)
    problem = put(problem)

    def peak(num_steps):
        inner = ir.GradientDescent(1e-3, num_steps)
        algorithm = ir.IMAML(problem.loss, 2.0, inner)
        return pool_peak(lambda: algorithm(problem.theta, problem.tasks))

    peak(2)  # what a first time leaves in caches
    few, many = peak(4), peak(64)
    assert few > 2**20
    assert many - few <= (64 - 4) * 512  # of the norms (T,) of ∇G, one array a step
