"""What is measured comes to the host at once, or together, with the same values."""

from contextlib import contextmanager

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from imaml_ref.compute.backend import to_device
from imaml_ref.compute.readings import (
    Reading,
    is_waiting,
    read,
    settle,
    settling_in,
    value_of,
    waiting,
)
from tests.machines.double import device_double


@pytest.fixture
def device():
    with device_double() as device:
        yield device


ARRAYS = {
    "float32": np.float32([[1 / 3, -0.0], [np.nan, np.inf]]),
    "float64": np.array([1 / 3, 5e-324]),
    "bool": np.array([True, False]),
    "int64": np.array([-(2**53), 2**53 - 1]),
    "uint8": np.arange(3, dtype=np.uint8),
    "no axis": np.float32(0.1).reshape(()),
    "nothing": np.zeros((0, 2)),
    "complex128": np.array([1 / 3 - 2j]),
}


def identity(*values):
    return values


def assert_same_bits(got, want):
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    assert got.tobytes() == want.tobytes()


def test_on_the_host_a_reading_is_its_value():
    a = np.ones(3)
    with waiting() as readings:
        assert is_waiting()
        assert read(identity, a, "words") == (a, "words")
    assert not readings
    assert not is_waiting()
    with pytest.raises(ZeroDivisionError), waiting():
        read(lambda x: 1 / x, 0)


def test_a_value_nobody_waits_for_comes_at_once(device):
    a = to_device(ARRAYS["float32"])
    (got,) = read(identity, a)
    assert_same_bits(got, ARRAYS["float32"])
    assert device.waits == 1


def test_many_arrays_come_in_one_copy_with_their_bits(device):
    on_device = {name: to_device(a) for name, a in ARRAYS.items()}
    with waiting() as readings, device.no_sync():
        found = [read(identity, a, name, 7) for name, a in on_device.items()]
        again = read(identity, *on_device.values())
    settle(readings)
    assert device.waits == 1
    for reading, (name, a) in zip(found, ARRAYS.items(), strict=True):
        got, *others = value_of(reading)
        assert_same_bits(got, a)
        assert others == [name, 7]
    for got, a in zip(value_of(again), ARRAYS.values(), strict=True):
        assert_same_bits(got, a)
    assert device.waits == 1


def test_a_reading_of_readings_is_made_once_of_their_values(device):
    calls = []

    def double(x):
        calls.append(x)
        return 2 * x

    with waiting() as readings:
        one = read(double, to_device(np.arange(3)))
        both = read(lambda x, y: x + y, one, one)
        assert isinstance(both, Reading)
    settle(readings)
    assert_array_equal(value_of(both), [0, 4, 8])
    assert len(calls) == 1


def test_one_value_may_be_asked_for_early(device):
    with waiting() as readings:
        late, early = (read(identity, to_device(np.ones(2))) for _ in range(2))
        assert_array_equal(value_of(early), [[1, 1]])
    assert device.waits == 1
    settle(readings)
    assert device.waits == 2
    assert_array_equal(value_of(late), [[1, 1]])
    assert value_of("a value") == "a value"


def refuse(number):
    def make(x):
        raise ValueError(f"number {number}")

    return make


def test_the_first_error_is_the_one_that_would_have_come_at_once(device):
    a = to_device(np.ones(1))
    with waiting() as readings:
        read(identity, a)
        first, second = read(refuse(1), a), read(refuse(2), a)
    with pytest.raises(ValueError, match="number 1"):
        settle(readings)
    with pytest.raises(ValueError, match="number 2"):
        value_of(second)
    with pytest.raises(ValueError, match="number 1"):
        read(identity, first)


@contextmanager
def named(name):
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


@pytest.mark.parametrize("waits", [True, False])
def test_errors_pass_through_the_contexts_they_come_from(waits, device):
    a = to_device(np.ones(1)) if waits else np.ones(1)

    def within():
        with settling_in(lambda: named("outer")), settling_in(lambda: named("inner")):
            read(refuse(1), a)

    def run():
        with waiting() as readings:
            within()
        settle(readings)

    with pytest.raises(ValueError, match=r"^outer: inner: number 1$"):
        run()
