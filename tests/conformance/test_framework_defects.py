"""A framework's defect is told where it fits what fails, and nowhere else."""

from dataclasses import replace

import pytest

from imaml_ref.conformance import FAIL, PASS, Report, Verdict, load_suite
from imaml_ref.conformance.framework_defects import defects

CASES = load_suite()
NORMED, PLAIN = "conv-norm-tanh", "mlp-tanh"


def report(*found, framework="PyTorch"):
    verdicts = tuple(
        Verdict(case, level, name, out) for case, level, name, out in found
    )
    return Report("somebody", verdicts, framework=framework)


FITS = ((NORMED, "L2", "hvp", FAIL), (PLAIN, "L2", "hvp", PASS))


def test_a_product_that_fails_with_batch_normalisation_alone():
    (said,) = defects(report(*FITS), CASES)
    assert "BatchNorm" in said
    assert "func.hessian" in said
    assert "Instead" in said


@pytest.mark.parametrize(
    "found",
    [
        FITS[:1],  # nothing without such a layer to compare with
        FITS[1:],  # nothing fails
        ((NORMED, "L2", "hvp", FAIL), (PLAIN, "L2", "hvp", FAIL)),
        (*FITS, (NORMED, "L1", "grad", FAIL)),  # the gradient is wrong already
    ],
)
def test_not_where_something_else_is_wrong(found):
    assert not [*defects(report(*found), CASES)]


def test_not_of_another_framework():
    assert not [*defects(report(*FITS, framework="JAX"), CASES)]
    assert not [*defects(replace(report(*FITS), framework=""), CASES)]
