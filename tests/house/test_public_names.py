"""What users type exists, and importing it is cheap."""

import importlib
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
    "Neumann",
    "Nystrom",
    "Woodbury",
    "Jacobi",
    "PreconditionedCG",
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
    "weights.from_torch_state_dict",
    "weights.to_torch_state_dict",
    "weights.save_weights",
    "weights.load_weights",
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


# What 0.1.0 offered, in the package and in parts of it: more may come, nothing may go.
OFFERED = {
    "": """
        Adam CG CertifiedCG Dense FirstOrderMAML GradientDescent IMAML InnerAdam
        InnerDivergence LBFGS MAML MINRES MetaGradient Momentum Network NewtonCG
        NotPositiveDefinite ProximalObjective PullBackDescent ReleasedIMAML Reptile
        SGD SoftmaxCrossEntropy SquaredError TaskBatch TaskLoss __version__ adapt
        architectures cg cg_batched checks data device_stage evaluate
        implicit_gradient implicit_gradient_at inner layers load_run meta_train
        plain_path set_num_processes set_num_threads unrolled_gradient
    """,
    "architectures": """
        NORMS conv4 linear mlp omniglot_cnn
    """,
    "checks": """
        Check Report Worst adjoint_gap central_difference check_layer check_loss
        check_network complex_step digits layer_report linearity_gap loss_report
        network_report symmetry_gap taylor_slopes
    """,
    "conformance": """
        Answer Attempt BadAnswer Case Computation Engine LEVELS Refused Report Verdict
        as_html as_json as_text ask check check_file diagnose export_inputs judge
        load_suite read_answers write_answers
    """,
    "data": """
        Episodes ImageSet Sinusoids TaskBatch TaskSource describe glyph_alphabets
        nearest_neighbour nearest_neighbour_accuracy open_dataset write_dataset
    """,
    "inner": """
        Adam GradientDescent InnerDivergence LBFGS Momentum NewtonCG check_inner solve
    """,
    "layers": """
        AveragePool2d BatchNorm2d Conv2d ELU Flatten GELU GELUTanh GlobalAveragePool2d
        GroupNorm InstanceNorm2d Layer LayerNorm LeakyReLU Linear MaxPool2d ReLU
        Residual SiLU Softplus Tanh ZeroPad2d
    """,
    "solvers": """
        CG CertifiedCG Dense MINRES SolverInfo Status cg cg_batched dense_matrix
        smallest_eigenvalue
    """,
}


@pytest.mark.parametrize("part", OFFERED)
def test_no_public_name_has_gone(part):
    places = {"": ir, "architectures": ir.architectures}
    place = places.get(part) or importlib.import_module(f"imaml_ref.{part}")
    names = OFFERED[part].split()
    assert [name for name in names if not hasattr(place, name)] == []
    assert set(names) <= set(getattr(place, "__all__", names))


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
        (ir.implicit_gradient, "lam inner solver curvature damping adapted keep"),
        (ir.implicit_gradient_at, "lam solver curvature damping adapted keep"),
        (ir.unrolled_gradient, "lam inner adapted last weights keep"),
        (ir.adapt, "lam inner adapted"),
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
    "safetensors",
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
