"""What a meta-step on the fused path costs, counted: no clock, so nothing flakes.

Sweeps, products, calls, passes over the images, and bytes.  A bound is the number as it
is now; whoever makes something cheaper lowers it, and whoever makes it dearer sees it.
"""

from collections import Counter

import numpy as np
import pytest

import imaml_ref as ir
from benchmarks.memory.run import peak_bytes
from imaml_ref.fused import FusedExamples, input_block, is_plain
from imaml_ref.fused.program import Program
from imaml_ref.fused.sweeps import Sweeps
from imaml_ref.layers import Conv2d, Linear
from imaml_ref.meta_gradients import task_mean

TASKS, CHUNK, EXAMPLES = 4, 2, 5
CHUNKS = TASKS // CHUNK
pytestmark = pytest.mark.skipif(is_plain(), reason="the plain path was asked for")
SWEEPS = ("forward", "last_vjp", "vjp", "jvp", "vjp_dot")


@pytest.fixture(autouse=True)
def _one_thread_and_chunks_of_two(monkeypatch):
    monkeypatch.setattr(task_mean, "chunk_size", lambda *_: CHUNK)
    ir.set_num_threads(1)
    yield
    ir.set_num_threads(None)


@pytest.fixture(scope="module")
def net():
    return ir.architectures.omniglot_cnn(EXAMPLES)


@pytest.fixture
def problem(net):
    """Return the loss, θ and tasks: 5-way 1-shot, uniform random images."""
    rng = np.random.default_rng(0)
    shape = (2, TASKS, EXAMPLES, 28, 28, 1)
    support_x, query_x = rng.uniform(size=shape).astype(np.float32)
    y = np.tile(np.arange(EXAMPLES), (TASKS, 1))
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    tasks = ir.TaskBatch(support_x, y, query_x, y)
    return loss, net.init(rng, dtype=np.float32), tasks


def meta_step(problem, inner_steps, cg_steps=5):
    loss, theta, tasks = problem
    inner, solver = ir.GradientDescent(0.1, inner_steps), ir.CG(maxiter=cg_steps)
    return ir.implicit_gradient(loss, theta, tasks, inner=inner, solver=solver)


def counting(monkeypatch, owner, name):
    """Count calls of a function from now on; return the list of first arguments."""
    calls, function = [], getattr(owner, name)

    def counted(first, *args, **options):
        calls.append(first)
        return function(first, *args, **options)

    monkeypatch.setattr(owner, name, counted)
    return calls


@pytest.mark.parametrize(("inner_steps", "cg_steps"), [(0, 1), (1, 2), (5, 4)])
def test_a_meta_step_makes_no_sweep_that_it_does_not_need(
    problem, monkeypatch, inner_steps, cg_steps
):
    loaded = counting(monkeypatch, Sweeps, "load")
    run = counting(monkeypatch, Program, "run")
    meta_step(problem, inner_steps, cg_steps)
    names = {id(getattr(s, name)): name for s in loaded for name in SWEEPS}
    made = Counter(names[id(program)] for program in run if id(program) in names)
    # Of a chunk: the inner steps, ∇Q at φ, and the linearisation at φ, which gives ‖∇G‖
    # as well and which all products with H share.
    expected = {
        "forward": inner_steps + 2,
        "last_vjp": inner_steps,
        "vjp": 2,
        "jvp": cg_steps,
        "vjp_dot": cg_steps,
    }
    assert made == Counter({name: CHUNKS * n for name, n in expected.items()})


def test_patches_of_images_are_made_once_for_each_set_of_a_chunk(problem, monkeypatch):
    made = counting(monkeypatch, input_block, "patches")
    for inner_steps, cg_steps in ((2, 1), (5, 3)):
        made.clear()
        meta_step(problem, inner_steps, cg_steps)
        assert len(made) == 2 * CHUNKS
        assert sum(map(len, made)) == 2 * TASKS


def test_one_set_of_arrays_is_made_and_used_again(problem, monkeypatch):
    made = counting(monkeypatch, Sweeps, "__init__")
    arrays = counting(monkeypatch, Program, "array")
    meta_step(problem, inner_steps=2)
    assert len(made) == 1  # for support and query sets of all chunks
    arrays.clear()
    meta_step(problem, inner_steps=9)
    assert len(made) == 1
    assert arrays == []


@pytest.fixture(scope="module")
def sweeps(net):
    made = Sweeps(net, (TASKS, EXAMPLES, 28, 28, 1), np.dtype(np.float32))
    for name in SWEEPS:  # each of which is written after those before it
        getattr(made, name)
    return made


def products(program):
    """Return the (a, b, out) of its matrix products, one for each task.

    A factor of two axes is a constant that sums rows or spreads means.
    """
    found = [args for function, args in program._calls if function is np.matmul]
    return [args for args in found if args[0].ndim > 2]


def operations(*programs):
    """Return the floating-point operations of products, two for a multiply-add."""
    found = [args for program in programs for args in products(program)]
    return sum(2 * out.size * a.shape[-1] for a, _, out in found)


@pytest.mark.parametrize(
    ("name", "most"),
    # forward: one for each of five layers, and two small ones for the first ρ; vjp: two
    # for each but the first, which has one; jvp: two for each but the first, and one
    # for ρ̇; vjp_dot: three for each of three convolutions, four for the linear layer,
    # one for the first.
    [("forward", 7), ("last_vjp", 9), ("vjp", 9), ("jvp", 10), ("vjp_dot", 14)],
)
def test_a_sweep_makes_no_product_too_many(sweeps, name, most):
    assert len(products(getattr(sweeps, name))) <= most


def useful_operations(net):
    """Return the fewest operations of a forward sweep: first layer, and the others."""
    phi, x = np.ones((1, net.layout.size)), np.ones((1, 2, *net.input_shape))
    found = []
    for name, layer in net.layers.items():
        kernel = net.unpack(phi)[name].get("kernel")
        x, _ = layer.forward(net.unpack(phi)[name], x)
        if isinstance(layer, Conv2d | Linear):
            places = np.prod(x.shape[2:-1], dtype=int)
            found.append(TASKS * EXAMPLES * 2 * int(places) * kernel.size)
    return found[0], sum(found[1:])


def test_products_execute_hardly_more_than_is_useful(net, sweeps):
    first, others = useful_operations(net)
    gradient = operations(sweeps.forward, sweeps.last_vjp) / (2 * first + 3 * others)
    product = operations(sweeps.jvp, sweeps.vjp_dot) / (2 * first + 6 * others)
    assert 1 <= gradient < 1.05
    assert 1 <= product < 1.03


@pytest.mark.parametrize(
    ("name", "most"),
    [("forward", 46), ("last_vjp", 64), ("vjp", 70), ("jvp", 52), ("vjp_dot", 101)],
)
def test_a_sweep_makes_no_more_calls_than_it_did(sweeps, name, most):
    assert len(getattr(sweeps, name)) <= most


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("forward", 50e3),
        ("last_vjp", 120e3),
        ("vjp", 120e3),
        ("jvp", 80e3),
        ("vjp_dot", 650e3),  # what small arrays the rows of means and factors take
    ],
)
def test_a_running_sweep_allocates_next_to_nothing(sweeps, name, most):
    program = getattr(sweeps, name)
    program.run()
    assert peak_bytes(program.run) < most


def test_memory_does_not_grow_with_the_inner_steps(problem):
    meta_step(problem, inner_steps=1)
    few, many = (peak_bytes(lambda k=k: meta_step(problem, k, 2)) for k in (4, 64))
    assert many - few < 0.001 * problem[1].nbytes * 60


@pytest.fixture
def warm(problem):
    """Return examples whose sweeps have been written, and φ for all of them."""
    loss, theta, tasks = problem
    examples = loss.on(theta, tasks.support_x, tasks.support_y)
    assert isinstance(examples, FusedExamples)
    phi = np.tile(theta, (TASKS, 1))
    examples.gradient(phi)
    examples.linearize(phi).hvp(phi)
    return examples, phi


def test_inner_steps_allocate_their_result_and_one_vector(warm, problem):
    (examples, phi), theta = warm, problem[1]

    def descend(num_steps):
        return peak_bytes(lambda: examples.descend(phi, theta, 2.0, 0.1, num_steps))

    few, many = descend(4), descend(32)
    assert few < 1.02 * (phi.nbytes + theta.nbytes)
    assert many - few < 0.001 * theta.nbytes * 28


def test_a_gradient_allocates_little_but_itself(warm):
    examples, phi = warm
    assert peak_bytes(lambda: examples.gradient(phi)) < 1.01 * phi.nbytes


def test_a_product_with_the_hessian_allocates_little_but_itself(warm):
    examples, phi = warm
    product = examples.linearize(phi).hvp
    assert peak_bytes(lambda: product(phi)) < 1.01 * phi.nbytes
