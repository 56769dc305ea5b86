"""What users type exists, and importing it is cheap."""

import inspect
import os
import resource
import subprocess
import sys

import pytest

import imaml_ref as ir

NAMES = [
    "architectures.omniglot_cnn",
    "architectures.conv4",
    "architectures.mlp",
    "architectures.linear",
    "TaskLoss",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "cg",
    "cg_batched",
    "TaskBatch",
    "implicit_gradient",
    "implicit_gradient_at",
    "unrolled_gradient",
    "GradientDescent",
    "Momentum",
    "InnerAdam",
    "LBFGS",
    "NewtonCG",
    "CG",
    "CertifiedCG",
    "MINRES",
    "Dense",
    "IMAML",
    "MAML",
    "FirstOrderMAML",
    "Reptile",
    "ReleasedIMAML",
    "MetaGradient",
    "SGD",
    "Adam",
    "meta_train",
    "evaluate",
    "load_run",
    "adapt",
    "set_num_threads",
    "InnerDivergence",
    "NotPositiveDefinite",
    "checks.check_layer",
    "checks.check_network",
    "data.open_dataset",
    "data.Episodes",
]


def find(name):
    found = ir
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_exists_and_says_what_it_is(name):
    assert inspect.getdoc(find(name))


def test_all_is_what_there_is():
    assert sorted(set(ir.__all__)) == sorted(ir.__all__)
    for name in ir.__all__:
        assert hasattr(ir, name), name
    tops = {name.partition(".")[0] for name in NAMES}
    assert tops <= set(ir.__all__)


@pytest.mark.parametrize(
    ("function", "arrays"),
    [
        (ir.implicit_gradient, ["loss", "theta", "tasks"]),
        (ir.implicit_gradient_at, ["loss", "theta", "phi", "tasks"]),
        (ir.unrolled_gradient, ["loss", "theta", "tasks"]),
        (ir.adapt, ["loss", "theta", "x", "y"]),
        (ir.cg, ["A", "b", "x0"]),
        (ir.cg_batched, ["matvec", "b", "x0"]),
    ],
)
def test_arguments_after_the_arrays_are_keyword_only(function, arrays):
    parameters = inspect.signature(function).parameters.values()
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == arrays
    assert all(p.kind is p.KEYWORD_ONLY for p in list(parameters)[len(arrays) :])


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (ir.implicit_gradient, "lam inner solver curvature damping keep"),
        (ir.implicit_gradient_at, "lam solver curvature damping keep"),
        (ir.unrolled_gradient, "lam inner keep"),
        (ir.adapt, "lam inner"),
        (ir.cg, "rtol atol maxiter M callback"),
    ],
)
def test_keywords_have_the_names_that_other_programs_use(function, names):
    parameters = inspect.signature(function).parameters.values()
    got = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    assert got == names.split()


LATER = {
    "typer",
    "rich",
    "matplotlib",
    "PIL",
    "pooch",
    "requests",
    "portalocker",
    "threadpoolctl",
    "cupy",
}


def test_importing_needs_three_packages_and_little_time():
    code = (
        "import sys, imaml_ref, imaml_ref.data;"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    loaded = set(done.stdout.split())
    assert {"numpy", "scipy", "h5py", "imaml_ref"} <= loaded
    assert not loaded & LATER
    assert "torch" not in loaded
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    assert seconds < 1.5  # of this process alone: a busy machine does not count
