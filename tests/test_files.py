"""A file is whole or absent, and says what it is."""

import os
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest

from imaml_ref.files import BadFile, atomic_h5, atomic_path, open_h5

SCHEMA = {"schema": "imaml_ref/test", "version": 2}


def write(path, value):
    with atomic_h5(path, **SCHEMA) as file:
        file["value"] = value


def write_half(path):
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


def read(path):
    with open_h5(path, **SCHEMA) as file:
        return file["value"][()]


def test_a_file_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "a.h5"
    write(path, [1.5, -2.0])
    write(path, [1.5, -3.0])
    np.testing.assert_array_equal(read(path), [1.5, -3.0])
    assert os.listdir(tmp_path) == ["a.h5"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.h5"
    write(path, 1)
    with pytest.raises(TypeError):
        write(path, object())
    assert read(path) == 1
    assert os.listdir(tmp_path) == ["a.h5"]


def test_a_failed_first_write_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "a.txt")
    assert os.listdir(tmp_path) == []


KILLED = """
import os, signal, sys
from imaml_ref.files import atomic_h5
with atomic_h5(sys.argv[1], schema="imaml_ref/test", version=2) as file:
    file["value"] = 2
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_write_leaves_the_old_file_and_the_next_one_cleans_up(tmp_path):
    path = tmp_path / "a [1].h5"
    write(path, 1)
    done = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 2
    assert read(path) == 1
    write(path, 3)
    assert os.listdir(tmp_path) == [path.name]
    assert read(path) == 3


def test_the_mode_follows_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write(tmp_path / "a.h5", 1)
    finally:
        os.umask(old)
    assert (tmp_path / "a.h5").stat().st_mode & 0o777 == 0o640


def truncated(path):
    write(path, np.arange(9999))
    os.truncate(path, path.stat().st_size // 2)


def foreign(path):
    with h5py.File(path, "w") as file:
        file["value"] = 1


def other_schema(path):
    with atomic_h5(path, schema="imaml_ref/other", version=1):
        pass


def odd_schema(path):
    with h5py.File(path, "w") as file:
        file.attrs["schema"] = [1, 2]


def newer(path):
    with atomic_h5(path, schema=SCHEMA["schema"], version=3):
        pass


BAD = {
    truncated: "not a readable HDF5 file: truncated",
    lambda path: path.write_text("hello"): "not a readable HDF5 file",
    lambda path: path.write_text(""): "not a readable HDF5 file",
    foreign: "has schema 'none', expected 'imaml_ref/test'",
    other_schema: "has schema 'imaml_ref/other', expected 'imaml_ref/test'",
    odd_schema: "foreign file",
    newer: "version 3, this program reads 1 to 2; install a newer",
}


@pytest.mark.parametrize(("spoil", "expected"), BAD.items())
def test_a_bad_file_is_named_with_the_reason(tmp_path, spoil, expected):
    path = tmp_path / "bad.h5"
    spoil(path)
    with pytest.raises(BadFile, match=expected) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_or_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file: .*none\.h5"):
        read(tmp_path / "none.h5")
    with pytest.raises(FileNotFoundError, match=r"folder .*absent does not exist"):
        write(tmp_path / "absent" / "a.h5", 1)
