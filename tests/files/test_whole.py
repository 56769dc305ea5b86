"""A file is whole or absent, and says what it is."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from contextlib import ExitStack

import h5py
import numpy as np
import pytest

from imaml_ref.files import leftovers
from imaml_ref.files.whole import BadFile, atomic_h5, atomic_path, open_h5, whole

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


def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "large").mkdir()
    link = tmp_path / "a.h5"
    link.symlink_to(tmp_path / "large" / "b.h5")
    for value in (1, 2):
        write(link, value)
        assert read(tmp_path / "large" / "b.h5") == value
    assert link.is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["a.h5", "large"]
    assert os.listdir(tmp_path / "large") == ["b.h5"]


def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "a.h5")
    (tmp_path / "link").symlink_to("a.h5")
    for name in ("a.h5", "link"):
        with pytest.raises(FileExistsError, match=r"a\.h5: it is a device or a pipe"):
            write(tmp_path / name, 1)
    assert (tmp_path / "a.h5").is_fifo()


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


def test_a_file_that_is_being_written_is_left_to_its_writer(tmp_path):
    """Two writers of one path, and one of a name that begins alike."""
    place = {name: tmp_path / name for name in ("set.h5", "set.small.h5")}
    with ExitStack() as earlier:
        earlier.enter_context(atomic_path(place["set.h5"])).write_text("1")
        with (
            atomic_path(place["set.h5"]) as second,
            atomic_h5(place["set.small.h5"], **SCHEMA) as small,
        ):
            second.write_text("2")
            earlier.close()  # the third comes when the first has gone
            assert place["set.h5"].read_text() == "1"
            write(place["set.h5"], 3)
            assert read(place["set.h5"]) == 3
            small["value"] = 4
    assert read(place["set.small.h5"]) == 4
    assert place["set.h5"].read_text() == "2"  # who is last wins
    assert sorted(os.listdir(tmp_path)) == sorted(place)


OTHERS = (".set.small.0a1b2c3d.part.h5", ".set.0a1b2c3d.part.txt", ".set.part.h5")


def test_leftovers_of_other_files_stay(tmp_path):
    for name in (*OTHERS, ".set.0a1b2c3d.part.h5"):
        (tmp_path / name).write_text("half")
    write(tmp_path / "set.h5", 1)
    assert sorted(os.listdir(tmp_path)) == sorted(["set.h5", *OTHERS])


class NoLocks:
    """A file system without locks, as fcntl sees it."""

    LOCK_EX, LOCK_NB, LOCK_SH = 2, 4, 1

    def flock(self, descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


@pytest.mark.parametrize("fcntl", [None, NoLocks()])
def test_where_nothing_is_locked_nothing_is_removed(tmp_path, monkeypatch, fcntl):
    monkeypatch.setattr(leftovers, "fcntl", fcntl)
    (tmp_path / ".a.0a1b2c3d.part.h5").write_text("half")
    write(tmp_path / "a.h5", 1)
    assert read(tmp_path / "a.h5") == 1
    assert len(os.listdir(tmp_path)) == 2


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
    with pytest.raises(IsADirectoryError, match="is a folder, expected an HDF5 file"):
        read(tmp_path)
    with pytest.raises(IsADirectoryError, match="it is a folder; name a file"):
        write(tmp_path, 1)
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    with pytest.raises(BadFile, match=r"pipe is not a file"):
        read(tmp_path / "pipe")


def test_a_locked_file_is_not_called_damaged(tmp_path):
    """Who writes it again would lose good data."""
    if os.environ.get("HDF5_USE_FILE_LOCKING", "TRUE").upper() in ("FALSE", "0"):
        pytest.skip("HDF5 is told not to lock")
    path = tmp_path / "a.h5"
    write(path, 1)
    with path.open("r+b") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError, match="another program is writing") as said:
            read(path)
    assert str(path) in str(said.value)
    assert read(path) == 1


SAYS = "Unable to synchronously open file ({}, errno = {}, error message = '...')"
REFUSED = {
    errno.EACCES: ("unable to open file", "cannot read .*Permission denied"),
    errno.EMFILE: ("unable to open file", "cannot read .*Too many open files"),
    errno.EIO: ("file read failed", "cannot read .*Input/output error"),
    errno.ENOLCK: ("unable to lock file", "set HDF5_USE_FILE_LOCKING=FALSE"),
}


@pytest.mark.parametrize("number", REFUSED)
def test_what_the_system_refuses_is_not_called_damaged(tmp_path, monkeypatch, number):
    said, expected = REFUSED[number]
    write(tmp_path / "a.h5", 1)

    def refuse(*_):
        raise OSError(number, SAYS.format(said, number))

    monkeypatch.setattr(h5py, "File", refuse)
    with pytest.raises(OSError, match=expected) as caught:
        read(tmp_path / "a.h5")
    assert not isinstance(caught.value, BadFile)
    assert str(tmp_path / "a.h5") in str(caught.value)
    with (
        pytest.raises(OSError, match=expected),
        whole(tmp_path / "a.h5", otherwise="is damaged", advice="write it again"),
    ):
        refuse()
