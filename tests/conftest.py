"""Marks tests: those that compare numbers, and those that only CI has the time for.

``numbers`` are the tests of all files but the ones named here; ``processors.py``
runs them on every kernel that a processor has.  A new file is among them until it is
named here: forgetting costs time, not tests.  ``thorough`` is what takes long and of
which the default run has less, as said beside it.
"""

import gc
import os
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from imaml_ref.compute import parallel

HERE = Path(__file__).parent

# Texts, files, counts, and programs around the numbers, whose own tests are elsewhere.
OTHERS = (
    "benchmarks/*",
    "cli/*",
    "compute/test_parallel",
    "compute/test_processes",
    "config/*",
    "conformance/test_bad_files",
    "conformance/test_cpp",
    "conformance/test_format",
    "conformance/test_html",
    "conformance/test_jax",
    "conformance/test_pytest",
    "conformance/test_text",
    "conformance/test_torch",
    "conformance/test_torch_witness",
    "data/test_hdf5",
    "data/test_tasks",
    "data_tools/test_download",
    "data_tools/test_images",
    "data_tools/test_omniglot",
    "data_tools/test_plain_pickle",
    "data_tools/test_published*",
    "devices/test_double_data",
    "devices/test_double_errors",
    "devices/test_gpu_*",
    "files/*",
    "fused/test_counts",
    "house/*",
    "kernels/test_counts",
    "kernels/test_compile",
    "kernels/test_savings",
    "kernels/test_table",
    "meta_gradients/test_memory",
    "pages/test_examples",
    "runs/test_kill_and_resume",
    "runs/test_runs",
    "weights/test_files",
    "weights/test_state_dicts",
)


# What only CI runs, file by file, and what the default run has in its place.
THOROUGH = {
    "benchmarks/test_gpu": {"test_a_rehearsal_of*": "its parts, and that it refuses"},
    "benchmarks/test_normalisations": {
        "test_a_training_that_was_ended*": "the same of test_learned_steps",
        "test_seeds_differ": "every cell is the mean of its seeds",
    },
    "benchmarks/test_meta_step": {
        "test_contenders_that*": "rows made by hand",
        "test_other_libraries*[[]jax-*": "the same of torch",
    },
    "cli/test_commands": {"test_the_module_is_the_program": "test_streams starts it"},
    "cli/test_conformance": {"test_it_judges_itself[[]float32]": "the same in float64"},
    "cli/test_endings": {
        "test_a_damaged_summary*[[]3]": "other damage",
        "test_a_signal_ends*[[]15-143]": "SIGINT; test_kill_and_resume",
    },
    "cli/test_streams": {
        "test_a_disk_that_fills_up*": "a file that cannot be written",
        "test_a_training_needs_no_console[[]full]": "one that is closed",
        "test_a_training_needs_no_console[[]no output]": "no streams",
        "test_what_cannot_be_printed*[[]data info]": "evaluate, list",
        "test_what_cannot_be_printed*[[]--version]": "evaluate, list",
    },
    "conformance/test_cpp": {"test_a_factor_that_is_forgotten*": "the right program"},
    "conformance/test_families_network": {
        "test_numbers_are_found*[[]grad]": "the same of the loss",
        "test_they_are_named_blind[[]more*": "few",
        "test_they_are_named_blind[[]few-float32*": "few-float64",
        "test_what_is_right_or_noise*[[]n*-conv-*": "the same of mlp-tanh",
    },
    "conformance/test_diagnosis": {
        "test_what_is_nearly_right*[[]1e-08]": "1e-06",
        "test_what_is_nearly_right*[[]0.*": "1e-06",
    },
    "conformance/test_diagnose_at": {
        "test_a_planted*[[]conv-curvature]": "conv-damping; tanh-curvature",
    },
    "conformance/test_mutants": {"*": "the mistakes that test_mistakes plants"},
    "data_tools/test_omniglot": {"test_archives_are_found*[[]unpacked]": "one_of_each"},
    "devices/test_double_training": {
        "*numpy[[]images-1-7]": "images-3-4; curves",
        "*numpy[[]images-100-2]": "images-3-4; curves",
        "test_a_resumed*[[]images-3]": "images-4; curves-3",
        "test_divergence*[[]images-1]": "images-4; curves-1",
        "test_divergence*[[]images-50]": "images-4; curves-50",
    },
    "fused/test_descent": {
        "*[[]none-wide-blocks-*": "number-wide-blocks",
        "*[[]per parameter-wide-*": "number-wide-blocks",
    },
    "fused/test_sweeps": {"test_gradient_and*[[]wide-blocks]": "the plain path"},
    "house/test_mutation": {
        "test_planted*batch_norm.py]": "mistakes in convolution.py"
    },
    "kernels/test_compile": {
        "test_kernels_compile*": "the same sources by g++, fibers"
    },
    "kernels/test_counts": {"test_memory_does_not_grow*": "the same in test_memory"},
    "kernels/test_fibers": {
        "*-float64]": "the same templates in float32",
        "*tf32*": "other products; formulas in test_sweeps",
        "test_a_missing_barrier*tensor*": "barriers of other files",
    },
    "kernels/test_meta_step": {
        "test_float32*[[]conv4]": "another net; float64",
        "test_fused_blocks*[[]conv4-[!p]*": "conv4-paper",
        "test_fused_blocks*[[]3-way-[!g]*": "3-way-gauss-newton",
    },
    "kernels/test_together": {
        "test_products_on_tensor_cores*": "the meta-steps there",
        "test_they*-float64]": "the same in float32",
    },
    "layers/test_against_jax": {
        "*_norm-*]": "layer_norm; all in test_against_torch",
        "*[[]instance_norm]": "group_norm; all in test_against_torch",
        "*[[]leaky_relu]": "test_against_torch",
        "*[[]silu]": "residual-skip; test_against_torch",
        "*[[]gelu_tanh]": "gelu; test_against_torch",
        "*[[]residual]": "residual-skip; test_against_torch",
    },
    "meta_gradients/test_context": {
        "test_gauss_newton_first*[[]support]": "the same of task",
        "test_autograd*[[]support]": "the same of task",
    },
    "meta_gradients/test_partial": {
        "test_it_is_the_derivative*[[]per *": "one number; it is 16 in dense algebra",
    },
    "meta_gradients/test_objective": {
        "*squared_error-conv4*": "cross-entropy there; smaller networks",
        "test_float32*[[]conv4-soft*": "the same with kinks",
    },
    "pages/test_examples": {"test_a_network_from_pytorch*": "weights/test_torch"},
    "runs/test_figures": {
        "test_a_run_is_whole*[[]a name that nobody*": "a notebook's name",
        "test_a_run_is_whole*[[]one that needs a screen]": "a notebook's",
        "test_a_run_is_whole*[[]none]": "every other run",
        "test_a_backend*[[]module:*": "a run with a notebook's",
        "test_a_backend*[[]None-*": "every other run",
        "test_titles_lie_within_the_figure[[][35]]": "2 and 20 ways",
    },
    "runs/test_kill_and_resume": {"test_killed_at_any_moment*": "early kills; signals"},
}


def place_of(path: Path) -> str:
    """Return where a file lies among the tests, as the tables have it."""
    return path.relative_to(HERE).with_suffix("").as_posix()


def is_thorough(path: Path, name: str) -> bool:
    """Whether a test of a file is left to CI."""
    patterns = THOROUGH.get(place_of(path), ())
    return any(fnmatchcase(name, pattern) for pattern in patterns)


@cache
def compares_numbers(path: Path) -> bool:
    """Whether the tests of a file are to hold on every kernel."""
    return not any(fnmatchcase(place_of(path), pattern) for pattern in OTHERS)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A data file of small images, which nobody changes."""
    from imaml_ref.data import write_dataset
    from tests.helpers.tiny_runs import make_images

    path = tmp_path_factory.mktemp("data") / "patches.h5"
    write_dataset(path, make_images())
    return path


@pytest.fixture(scope="module")
def without_figures():
    """Leave figures out, also of the runs that a module makes once."""
    from tests.helpers.tiny_runs import no_figures

    with pytest.MonkeyPatch.context() as monkeypatch:
        no_figures(monkeypatch)
        yield


def pytest_collection_finish():
    """Leave what is there until the end out of all that collect garbage."""
    gc.collect()
    gc.freeze()


def pytest_configure(config):
    """Share the cores between the workers of pytest-xdist.

    The arrays of tests are small: threads beyond the cores wait for the interpreter,
    and for one another.  Tests of threads ask for as many as they need.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    share = max(1, parallel.cores_at_hand() // workers)
    parallel.cores_at_hand = lambda: share


def pytest_collection_modifyitems(items):
    for item in items:
        if compares_numbers(item.path):
            item.add_marker(pytest.mark.numbers)
        if is_thorough(item.path, item.nodeid.partition("::")[2]):
            item.add_marker(pytest.mark.thorough)
