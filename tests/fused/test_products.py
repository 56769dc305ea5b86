"""Products in pieces are the products."""

from math import inf

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from imaml_ref.checks import digits
from imaml_ref.fused import products
from imaml_ref.fused.program import Program
from imaml_ref.networks.parameters import ParameterLayout
from tests.helpers.fused_nets import COVERED
from tests.helpers.fused_points import named, needs_fused, values

F8 = np.dtype(np.float64)
# (R, K, C) of Aᵀ B or A B, and how many multiply-adds count as few.
SIZES = [(12, 5, 3), (24, 8, 2), (7, 8, 3), (1, 1, 1), (24, 1, 4), (6, 24, 2)]
FEW = [30, 60, 90, 10**6]


@pytest.fixture(params=FEW)
def few(request, monkeypatch):
    """Cut sooner, so that small products are cut."""
    monkeypatch.setattr(products, "SMALL", request.param)
    monkeypatch.setattr(products, "STRIPE", 4)
    return request.param


@pytest.fixture(params=SIZES, ids=str)
def size(request):
    return request.param


def draw(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=(3, *shape)) for shape in shapes]


def view_of_parameters(rows, channels):
    """Return an array whose tasks do not lie side by side, as a kernel's W̄ does."""
    layout = ParameterLayout(("bias", "kernel"), ((5,), (rows, channels)))
    return layout.unpack(np.full((3, layout.size), np.nan))["kernel"]


def test_the_product_with_rows_is_the_product(size, few):
    rows, length, channels = size
    A, B = draw((rows, length), (length, channels))
    program, out = Program(F8), np.full((3, rows, channels), np.nan)
    assert products.rows_product(program, A, B, out) is out
    program.run()
    assert_allclose(out, A @ B, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["gram_product", "stripes_product"])
def test_the_product_with_columns_is_the_product(name, size, few):
    rows, length, channels = size
    A, B = draw((rows, length), (rows, channels))
    program, out = Program(F8), view_of_parameters(length, channels)
    getattr(products, name)(program, A, B, out)
    for _ in range(2):
        program.run()
        assert_allclose(out, A.swapaxes(1, 2) @ B, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("count", [1, 7, 12, 60, 980])
@pytest.mark.parametrize("each", [1, 10, 100, 10**7])
@pytest.mark.parametrize("least", [1, 5])
def test_pieces_are_few_and_equal_and_small(count, each, least, few):
    pieces = products.pieces_of(count, each, least)

    def is_cut(n):
        fits = count % n == 0 and count // n >= least and count // n * each <= few
        return fits and n <= products.MOST

    possible = [n for n in range(1, count + 1) if is_cut(n)]
    assert pieces == min(possible, default=1)


@pytest.mark.parametrize("name", ["rows_product", "gram_product", "stripes_product"])
def test_small_is_the_number_of_multiply_adds(name, monkeypatch):
    asked = []

    def noted(count, each, *least):
        asked.append((count, each))
        return 1

    monkeypatch.setattr(products, "pieces_of", noted)
    inner, rows = (7, 10) if name == "rows_product" else (10, 7)
    A, B = draw((10, 7), (inner, 3))
    getattr(products, name)(Program(F8), A, B, np.zeros((3, rows, 3)))
    ((count, each),) = asked
    assert count * each == 10 * 7 * 3


@pytest.mark.parametrize("name", COVERED)
@needs_fused
def test_nets_whose_products_are_cut_say_the_same(name, monkeypatch):
    at = named(name, num_tasks=3, num_examples=4)
    with monkeypatch.context() as patched:
        patched.setattr(products, "SMALL", inf)
        want = values(at.linearize(), at.v)
    monkeypatch.setattr(products, "SMALL", 200)
    monkeypatch.setattr(products, "STRIPE", 2)
    # A network of its own: the arrays of the other are cut in another way.
    other = named(name, num_tasks=3, num_examples=4)
    got = values(other.linearize(), other.v)
    for what, array in want.items():
        assert digits(got[what], array) > 11, what
    for t in range(3):
        one = other.task(t)
        for what, array in values(one.linearize(), one.v).items():
            assert_array_equal(array, got[what][t : t + 1], err_msg=what)
