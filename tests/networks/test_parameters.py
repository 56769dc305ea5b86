"""Named views of one flat vector."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from imaml_ref.networks import architectures
from imaml_ref.networks.parameters import ParameterLayout

NAMES = ("conv.kernel", "conv.bias", "scale", "head.kernel")
SHAPES = ((2, 3, 1, 4), (4,), (), (5, 2))
LAYOUT = ParameterLayout(NAMES, SHAPES)
SIZE = 24 + 4 + 1 + 10


def test_slices_follow_one_another_in_the_order_of_the_chain():
    assert LAYOUT.size == SIZE
    assert LAYOUT.slices == (slice(0, 24), slice(24, 28), slice(28, 29), slice(29, 39))
    assert ParameterLayout((), ()).size == 0
    assert ParameterLayout((), ()).slices == ()


@pytest.mark.parametrize("lead", [(), (3,), (2, 3)])
def test_unpack_gives_views_in_row_major_order(lead):
    flat = np.arange(np.prod(lead, dtype=int) * SIZE).reshape(*lead, SIZE)
    named = LAYOUT.unpack(flat)
    assert tuple(named) == NAMES
    for name, shape, where in zip(NAMES, SHAPES, LAYOUT.slices, strict=True):
        assert named[name].shape == (*lead, *shape)
        assert_array_equal(named[name].ravel(), flat[..., where].ravel())
        assert np.shares_memory(named[name], flat)
    named["conv.bias"][...] = -1
    assert (flat[..., 24:28] == -1).all()
    assert (flat == -1).sum() == 4 * np.prod(lead, dtype=int)


@pytest.mark.parametrize("lead", [(), (3,), (2, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_pack_undoes_unpack(lead, dtype):
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(*lead, SIZE)).astype(dtype)
    packed = LAYOUT.pack(LAYOUT.unpack(flat))
    assert packed.dtype == dtype
    assert_array_equal(packed, flat)
    assert not np.shares_memory(packed, flat)


def test_pack_goes_by_name_not_by_order():
    flat = np.arange(SIZE)
    named = LAYOUT.unpack(flat)
    backwards = {name: named[name] for name in reversed(NAMES)}
    assert_array_equal(LAYOUT.pack(backwards), flat)


def test_a_flat_array_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 39\), got \(2, 38\)"):
        LAYOUT.unpack(np.zeros((2, 38)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": None}, "parameters do not fit: scale is missing$"),
        ({"head.bias": np.zeros(2)}, "parameters do not fit: head.bias is unknown$"),
        (
            {"conv.bias": np.zeros(5)},
            r"conv.bias expects .*\(4,\), got \(5,",
        ),
        (
            {"head.kernel": np.zeros((2, 5))},
            r"head.kernel expects .*2\), got \(2, 5",
        ),
        ({"head.kernel": np.zeros(2)}, r"head.kernel expects .*5, 2\), got \(2,\)"),
    ],
)
def test_what_does_not_fit_is_named(change, message):
    named = LAYOUT.unpack(np.zeros(SIZE)) | change
    named = {name: value for name, value in named.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        LAYOUT.pack(named)


def test_a_network_lists_kernel_bias_gamma_beta_in_the_order_of_its_chain():
    layout = architectures.omniglot_cnn(num_ways=5).layout
    blocks = [
        f"{layer}{i}.{name}"
        for i in (1, 2, 3, 4)
        for layer, name in (
            ("conv", "kernel"),
            ("conv", "bias"),
            ("norm", "gamma"),
            ("norm", "beta"),
        )
    ]
    assert list(layout.names) == [*blocks, "head.kernel", "head.bias"]
    assert layout.shapes[0] == (3, 3, 1, 64)
    assert layout.shapes[4] == (3, 3, 64, 64)
    assert layout.shapes[-2:] == ((256, 5), (5,))
    assert layout.size == 113_221
