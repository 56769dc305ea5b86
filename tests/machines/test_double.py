"""The double of a device refuses what CuPy refuses, and counts what CuPy would."""

import gc
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from imaml_ref.compute.backend import array_module, to_device, to_host
from imaml_ref.solvers.info import Status
from tests.machines.double import OutOfMemory, WaitedForDevice, device_double

HOST = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def device():
    with device_double() as device:
        yield device


@pytest.fixture
def a(device):
    return to_device(HOST)


def cupy():
    return sys.modules["cupy"]


def test_it_is_in_the_place_of_cupy_only_for_a_while():
    before = sys.modules.get("cupy")
    with device_double():
        a = to_device(HOST)
        assert array_module(a) is cupy()
        assert_array_equal(to_host(a), HOST)
    assert sys.modules.get("cupy") is before


MIXTURES = {
    "conversion": (lambda a: np.asarray(a), "Implicit conversion"),
    "a NumPy array on the right": (lambda a: a + HOST, "Unsupported type"),
    "a NumPy array on the left": (lambda a: HOST * a, "Unsupported type"),
    "one of no axes": (lambda a: a + np.array(2.0), "Unsupported type"),
    "in a function": (lambda a: cupy().maximum(a, HOST), "Unsupported type"),
    "in a list": (lambda a: cupy().concatenate([a, HOST]), "Unsupported type"),
    "as an index": (lambda a: a[np.array([0, 1])], "Unsupported type"),
    "as what is written": (lambda a: a.__setitem__(0, HOST[0]), "Unsupported type"),
    "as where to write": (lambda a: cupy().exp(a, out=HOST), "Unsupported type"),
    "a keyword that CuPy lacks": (lambda a: a.max(initial=0), "initial"),
    "another": (lambda a: np.add(a, a, where=a > 0), "where"),
    "a member of an enumeration": (lambda a: a == Status.MAXITER, "Unsupported type"),
}


@pytest.mark.parametrize(("mix", "message"), MIXTURES.values(), ids=MIXTURES.keys())
def test_it_refuses(mix, message, a):
    with pytest.raises(TypeError, match=message):
        mix(a)


@pytest.mark.parametrize("name", ["vecdot", "errstate", "matvec", "unstack"])
def test_it_lacks_what_cupy_lacks(name, device):
    assert hasattr(np, name)
    with pytest.raises(AttributeError, match=name):
        getattr(cupy(), name)


WAITING = {
    "float": lambda a: float(a[0, 0]),
    "int": lambda a: int(a[0, 0]),
    "bool": lambda a: bool((a > 0).any()),
    "if": lambda a: 1 if a[0, 0] else 0,
    "and": lambda a: (a > 0).all() and True,
    "a range": lambda a: range(a.astype(int)[0, 0]),
    "item": lambda a: a[0, 0].item(),
    "tolist": lambda a: a.tolist(),
    "get": lambda a: a.get(),
    "print": lambda a: repr(a),
    "nonzero": lambda a: cupy().nonzero(a),
    "reading by a mask": lambda a: a[a > 1],
    "writing by a mask": lambda a: a.__setitem__(a[:, 0] > 1, 0),
    "a copy from the host": lambda a: to_device(HOST),
    "an index from the host": lambda a: a[[0, 1]],
}


@pytest.mark.parametrize("ask", WAITING.values(), ids=WAITING.keys())
def test_where_the_host_must_not_wait_it_does_not(ask, a, device):
    before = device.waits + device.uploads
    ask(a)
    assert device.waits + device.uploads == before + 1
    with device.no_sync(), pytest.raises(WaitedForDevice):
        ask(a)
    ask(a)


def test_arithmetic_does_not_wait(a, device):
    with device.no_sync():
        b = np.float32(2) * a + 1 - a / 3
        b @= cupy().ones((3, 3), np.float32)
        b[:, 0] = cupy().where(b[:, 0] > 3, b[:, 0], 0)
        c = np.sqrt(b).sum(-1).mean()
    expected = (np.float32(2) * HOST + 1 - HOST / 3) @ np.ones((3, 3), np.float32)
    expected[:, 0] = np.where(expected[:, 0] > 3, expected[:, 0], 0)
    assert_array_equal(b.get(), expected)
    assert c.ndim == 0
    assert c.dtype == np.float32
    assert float(c) == np.sqrt(expected).sum(-1).mean()


def test_bytes_are_counted_until_the_last_view_is_gone(device):
    before = device.live
    a = to_device(np.zeros(1000))
    assert device.live - before == 8192  # sixteen granules of 512 bytes
    view = a.reshape(10, 100)[2:].T
    strided = cupy().lib.stride_tricks.as_strided(view, (3,), (8,))
    assert device.live - before == 8192
    del a, view
    assert device.live - before == 8192
    del strided
    gc.collect()
    assert device.live == before


def test_the_peak_is_that_of_the_watch(device):
    a = to_device(np.zeros(1024))
    with device.watch() as watch:
        b = a + 1
        b = b + 1
        del b
    assert watch.bytes == 2 * 8192
    with device.watch() as watch:
        a += 1
    assert watch.bytes == 0


def test_memory_has_an_end(device):
    a = to_device(np.zeros(1024))
    device.limit = device.live + 8192
    b = a + 1
    with pytest.raises(OutOfMemory, match="out of memory allocating 8192 bytes"):
        _ = b + 1
    del b
    _ = a + 1
