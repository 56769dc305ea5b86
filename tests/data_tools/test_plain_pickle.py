"""Pickles of plain data are read as Python 2 and 3, NumPy 1 and 2 wrote them.

What is refused here would do nothing if it were unpickled.
"""

import io
import pickle

import numpy as np
import pytest

from data_tools.plain_pickle import PlainUnpickler, array_of
from tests.helpers.python_2 import array_of_python_2

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
ARRAYS = {
    "bytes": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "big-endian": np.arange(6, dtype=">i4").reshape(2, 3),
    "by columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "every other": np.arange(20).reshape(4, 5)[:, ::2],
    "truths": np.array([True, False, True]),
    "texts": np.array(["a", "bcd"]),
    "byte strings": np.array([b"a", b"\xe9cd"]),
    "no axis": np.array(7),
}


def read(content):
    return PlainUnpickler(io.BytesIO(content)).load()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_is_read_to_the_bit(name, protocol):
    expected = ARRAYS[name]
    content = pickle.dumps(expected, protocol)
    for core in (b"numpy.core.", b"numpy._core."):  # NumPy 1 and 2
        other = in_core(content, core)
        assert core in other
        got = array_of(read(other))
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == expected.dtype


def in_core(content, core):
    """Return a pickle as another NumPy wrote it: only the name of a module differs."""
    for found in (b"numpy._core.", b"numpy.core."):
        for module in (b"multiarray", b"numeric"):
            old, new = found + module, core + module
            short = b"\x8c" + bytes([len(old)])  # protocol 4 writes the length before
            content = content.replace(short + old, b"\x8c" + bytes([len(new)]) + new)
            content = content.replace(b"c" + old + b"\n", b"c" + new + b"\n")
    return unframed(content)


def unframed(content):
    """Return a pickle without its frames, whose lengths may have changed."""
    frame = content.find(b"\x95", 2, 3)
    return content if frame < 0 else content[:frame] + content[frame + 9 :]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_plain_containers_are_read(protocol):
    plain = {
        "list": [1, 2.5, "é", None, True],
        b"bytes": (b"\xff\x00", bytearray(b"ab")),
        3: {"set": {1, 2}, "frozen": frozenset([3])},
        "scalars": [np.int64(-3), np.float32(0.5), np.uint8(200)],
    }
    assert read(pickle.dumps(plain, protocol)) == plain


@pytest.mark.parametrize("number", [3, 300])
def test_what_python_2_wrote_is_read(number):
    """Its byte strings have opcodes that Python 3 never writes."""
    pixels = np.random.default_rng(0).integers(0, 256, (number, 2), np.uint8)
    names = b"(lp1\nS'caf\\xe9'\np2\naS'tea'\na"  # as protocol 0 writes them
    content = (
        b"\x80\x02}(U\x0aimage_data"
        + array_of_python_2(pixels, b"u1")
        + b"U\x05names"
        + names
        + b"u."
    )
    with pytest.raises((UnicodeDecodeError, TypeError, ValueError)):
        pickle.loads(content)  # ASCII, by default
    got = read(content)
    np.testing.assert_array_equal(array_of(got["image_data"]), pixels)
    assert got["names"] == ["café", "tea"]


class Other:
    """Something of one's own."""


FOREIGN = {
    "it asks for 'builtins.print'": pickle.dumps(print, 4),
    "it asks for '__builtin__.len'": b"c__builtin__\nlen\n.",
    "it asks for 'numpy.core.multiarray.empty'": b"cnumpy.core.multiarray\nempty\n.",
    "it asks for 'numpy._core.print'": b"\x80\x04\x8c\x0bnumpy._core\x8c\x05print\x93.",
    "it asks for 'numpy.dtype.type'": b"\x80\x04\x8c\x05numpy\x8c\x0adtype.type\x93.",
    "it asks for 'collections.Counter'": b"(icollections\nCounter\n.",
    r"it asks for 'tests\..*\.Other'": pickle.dumps(Other()),
    "it asks for arrays of 'O8'": pickle.dumps(np.array([None, "x"], object)),
    "it asks for arrays of 'V5'": pickle.dumps(np.zeros(2, "u1,f4")),
    "it asks for arrays of 'M8'": pickle.dumps(np.zeros(2, "M8[s]")),
    "persistent": b"Px\n.",
    "extension": b"\x82\x01.",
}


@pytest.mark.parametrize(("expected", "content"), FOREIGN.items(), ids=FOREIGN)
def test_anything_else_is_named_and_refused(expected, content):
    with pytest.raises((pickle.UnpicklingError, ValueError), match=expected):
        read(content)


def test_a_pickle_changes_nothing_that_the_next_one_uses():
    """BUILD may set attributes of a function that the pickle was given."""
    plain = pickle.dumps(np.float32([1, 2]), 2)
    before = array_of(read(plain))
    for name in (b"_codecs\nencode", b"numpy.core.multiarray\nscalar"):
        state = b"N}U\x0c__defaults__(K\x07K\x07ts\x86"  # (None, {name: (7, 7)})
        read(b"\x80\x02c" + name + b"\n" + state + b"b.")
    np.testing.assert_array_equal(array_of(read(plain)), before)
    for name in (b"numpy\ndtype", b"numpy\nndarray", b"collections\nOrderedDict"):
        with pytest.raises((TypeError, AttributeError)):
            read(b"\x80\x02c" + name + b"\nN}U\x08__init__Ns\x86b.")
    np.testing.assert_array_equal(array_of(read(plain)), before)


@pytest.mark.parametrize("cut", [0, 1, 17, 40, 90, -2])
def test_what_is_cut_short_is_no_pickle(cut):
    content = pickle.dumps({"a": np.arange(9.0), "b": list(range(9))}, 2)
    with pytest.raises((pickle.UnpicklingError, EOFError, ValueError)):
        read(content[:cut])
