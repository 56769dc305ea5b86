"""What batched CG accepts, what it refuses, and what it leaves as it was."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.solvers import CG, cg_batched
from tests.helpers import systems


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_is_kept(dtype):
    A, b = (a.astype(dtype) for a in systems.positive_definite())
    x, info = cg_batched(systems.product_of(A), b, M=np.full(systems.P, 0.5, dtype))
    assert x.dtype == dtype
    assert info.residual.dtype == dtype
    expected = systems.solution(A, b)
    assert_allclose(x, expected, rtol=1e-3, atol=1e-4)


def test_arguments_are_not_written_to():
    A, b = systems.positive_definite()
    x0 = np.ones_like(b)
    kept, iterates = b.copy(), []
    cg_batched(systems.product_of(A), b, x0, maxiter=3, callback=iterates.append)
    assert_array_equal(b, kept)
    assert_array_equal(x0, 1)
    assert np.abs(iterates[0] - iterates[2]).max() > 0.01


BAD = {
    "dtype": (TypeError, {"matvec": lambda v: v.astype("f")}, "float32"),
    "shape": (ValueError, {"matvec": lambda v: v[:, :1]}, r"shape \(2, 3\)"),
    "integer": (TypeError, {"b": np.ones((2, 3), int)}, "floating"),
    "one axis": (ValueError, {"b": np.ones(3)}, r"\(T, P\)"),
    "no array": (TypeError, {"b": 2.0}, "b must be a NumPy or CuPy array"),
    "nothing": (ValueError, {"b": np.ones((2, 0))}, r"\(T, P\)"),
    "a matrix": (TypeError, {"matvec": np.eye(3)}, "matvec must be a function"),
    "no product": (
        TypeError,
        {"matvec": lambda v: None},
        "what matvec returns must be a NumPy or CuPy array",
    ),
    "complex": (TypeError, {"b": 1j * np.ones((2, 3))}, "b must be real"),
    "half complex": (TypeError, {"b": np.full((2, 3), 1 + 1e-7j)}, "b must be real"),
    "x0 list": (TypeError, {"x0": [[1.0]]}, "x0 must be a NumPy or CuPy array"),
    "M word": (TypeError, {"M": "x"}, "M must be a number"),
    "M complex": (TypeError, {"M": 1j}, "M must be real"),
    "x0 shape": (ValueError, {"x0": np.ones((2, 4))}, "x0"),
    "x0 dtype": (TypeError, {"x0": np.ones((2, 3), "f")}, "x0"),
    "M shape": (ValueError, {"M": np.ones((4, 2, 3))}, "M of shape"),
    "M dtype": (TypeError, {"M": np.ones(3, "f")}, "M must be"),
    "rtol": (ValueError, {"rtol": -1.0}, "rtol"),
    "atol": (ValueError, {"atol": np.nan}, "atol"),
    "maxiter": (ValueError, {"maxiter": 0}, "maxiter"),
    "conduct": (ValueError, {"on_negative_curvature": "stop"}, "'truncate'"),
}


@pytest.mark.parametrize(("error", "changes", "text"), BAD.values(), ids=BAD.keys())
def test_bad_arguments_are_named(error, changes, text):
    arguments = {"matvec": lambda v: v, "b": np.ones((2, 3)), **changes}
    with pytest.raises(error, match=text):
        cg_batched(**arguments)


@pytest.mark.parametrize(
    "options",
    [
        {"maxiter": 0},
        {"maxiter": 2.5},
        {"rtol": -1e-9},
        {"atol": float("inf")},
        {"on_negative_curvature": "ignore"},
    ],
)
def test_a_bag_of_bad_options_is_refused_when_made(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        CG(**options)
