"""Marks the tests that compare numbers: those of all files but the ones named here.

``tests/processors.py`` runs them on every kernel that a processor has.  A new file is
among them until it is named here: forgetting costs time, not tests.
"""

from fnmatch import fnmatch
from pathlib import Path

import pytest

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


def compares_numbers(path: Path) -> bool:
    """Whether the tests of a file are to hold on every kernel."""
    return not any(fnmatch(path.stem, pattern) for pattern in OTHERS)


def pytest_collection_modifyitems(items):
    for item in items:
        if compares_numbers(item.path):
            item.add_marker(pytest.mark.numbers)
