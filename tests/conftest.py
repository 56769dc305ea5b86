"""Marks tests: those that compare numbers, and those that only CI has the time for.

``numbers`` are the tests of all files but the ones named here; ``tests/processors.py``
runs them on every kernel that a processor has.  A new file is among them until it is
named here: forgetting costs time, not tests.  ``thorough`` is what takes long and of
which the default run has less, as said beside it.
"""

import os
import re
from fnmatch import fnmatch, translate
from functools import cache
from pathlib import Path

import pytest

from imaml_ref import parallel

# Texts, files, counts, and programs around the numbers, whose own tests are elsewhere.
OTHERS = (
    "test_*_benchmark",
    "test_cli*",
    "test_config",
    "test_conformance_bad_files",
    "test_conformance_cpp",
    "test_conformance_drivers",
    "test_conformance_format",
    "test_conformance_html",
    "test_conformance_jax",
    "test_conformance_pytest",
    "test_conformance_text",
    "test_conformance_torch",
    "test_console",
    "test_data*",
    "test_double_data",
    "test_double_errors",
    "test_download",
    "test_examples",
    "test_files",
    "test_floors",
    "test_fused_counts",
    "test_gpu_*",
    "test_kernels_compile",
    "test_kernels_counts",
    "test_kernels_savings",
    "test_kernels_table",
    "test_kill_and_resume",
    "test_memory",
    "test_mutation",
    "test_parallel",
    "test_processes",
    "test_processors",
    "test_public_names",
    "test_runs",
)


# What only CI runs, and what the default run has in its place.
THOROUGH = {
    "test_conformance_mutants.py::*": "mistakes planted by test_conformance_mistakes",
    "test_conformance_naming.py::test_mistakes_are_named_blind*": "the same, named",
    "test_conformance_cpp.py::test_a_factor_that_is_forgotten*": "the right program",
    "test_cli_conformance.py::test_it_judges_itself[[]float32]": "the same in float64",
    "test_kernels_compile.py::test_kernels_compile*": "the same sources by g++, fibers",
    "test_kernels_fibers.py::*-float64]": "the same templates in float32",
    "test_kernels_fibers.py::*tf32*": "other products; formulas in kernels_sweeps",
    "test_kernels_fibers.py::test_a_missing_barrier*tensor*": "barriers of other files",
    "test_kernels_together.py::test_products_on_tensor_cores*": "the meta-steps there",
    "test_kernels_counts.py::test_memory_does_not_grow*": "the same in test_memory",
    "test_gpu_benchmark.py::test_a_rehearsal_of*": "its parts, and that it refuses",
    "test_meta_step_benchmark.py::test_contenders_that*": "rows made by hand",
    "test_streams.py::test_a_disk_that_fills_up*": "a file that cannot be written",
    "test_streams.py::test_a_training_needs_no_console[[]full]": "one that is closed",
    "test_figures.py::test_a_run_is_whole*[[]a name that nobody*": "a notebook's name",
    "test_kill_and_resume.py::test_killed_at_any_moment*": "early kills; signals",
    "test_cli_endings.py::test_a_damaged_summary*[[]3]": "other damage",
    "test_objective.py::*squared_error-conv4*": "cross-entropy there; smaller networks",
    "test_objective.py::test_float32*[[]conv4-soft*": "the same with kinks",
}


IS_THOROUGH = re.compile("|".join(map(translate, THOROUGH)))


def is_thorough(nodeid: str) -> bool:
    """Whether a test is left to CI."""
    return IS_THOROUGH.match(nodeid.rpartition("tests/")[2]) is not None


@cache
def compares_numbers(path: Path) -> bool:
    """Whether the tests of a file are to hold on every kernel."""
    return not any(fnmatch(path.stem, pattern) for pattern in OTHERS)


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
        if is_thorough(item.nodeid):
            item.add_marker(pytest.mark.thorough)
