"""Whether two runs are the same: the bits of their checkpoints, and their logs."""

import csv

import h5py
from numpy.testing import assert_array_equal


def state_of(out):
    """Every number of a checkpoint, the seconds aside."""
    found = {}
    with h5py.File(out / "checkpoint.h5") as file:
        file.visititems(
            lambda name, item: found.__setitem__(name, item[()])
            if isinstance(item, h5py.Dataset)
            else None
        )
        found |= {n: v for n, v in file.attrs.items() if n not in ("seconds", "config")}
    return found


def rows_of(out):
    """Return what was logged of each meta-step, the seconds aside."""
    rows = csv.DictReader((out / "metrics.csv").read_text().splitlines())
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def assert_same_run(out, undisturbed):
    """Compare checkpoint and log of two runs, bit by bit."""
    got, expected = state_of(out), state_of(undisturbed)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert_array_equal(got[name], value, err_msg=name)
    assert rows_of(out) == rows_of(undisturbed)
