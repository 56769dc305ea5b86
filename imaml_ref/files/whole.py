"""Files that are whole or absent, and that say what they are.

A file is written under a hidden temporary name in its own folder, flushed to the disk
and renamed; rename is atomic (POSIX), so a reader, or a process killed at any moment,
sees the old file or the new one and nothing between.  Every HDF5 file of the project
carries two attributes, ``schema`` and ``schema_version``, which opening asserts.
"""

import errno
import numbers
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import numpy

from .leftovers import temporary_name, writing

CONTENDED = (errno.EAGAIN, errno.EACCES)


class BadFile(ValueError):
    """A file exists, but is not what it is taken for."""


def check_writable(path: str | os.PathLike) -> None:
    """Check that a file can be written, as far as that is known beforehand.

    Raises:
        FileNotFoundError: If its folder does not exist.
        IsADirectoryError: If it is a folder.
        FileExistsError: If it is a device, a pipe or the like.
        PermissionError: If nothing may be written into its folder.
    """
    path = Path(path)
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(
            f"cannot write {path}: the folder {path.parent} does not exist; create it"
        )
    if path.is_dir():
        raise IsADirectoryError(
            f"cannot write {path}: it is a folder; name a file, such as {path / 'FILE'}"
        )
    if path.exists() and not path.is_file():
        raise FileExistsError(
            f"cannot write {path}: it is a device or a pipe, and would be replaced; "
            "name a file"
        )
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(
            f"cannot write {path}: you may not write into {path.parent}"
        )


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path; what is there at the end becomes ``path``.

    The temporary path has the suffix of ``path``.  After an exception it is removed,
    and ``path`` stays as it was.  A killed process leaves its temporary file behind;
    the next write of the same path removes it, if nothing else is being written there.
    A link stays a link: what it leads to is written.

    Raises:
        FileNotFoundError: If the folder does not exist.
        IsADirectoryError: If there is a folder of that name.
        FileExistsError: If there is a device or the like.
        PermissionError: If nothing may be written into the folder.
    """
    path = Path(path)
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    check_writable(path)
    temporary = path.with_name(temporary_name(path))
    with writing(path):
        try:
            with naming(path):
                yield temporary
                sync(temporary)
                os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    with suppress(OSError):  # not every system lets a folder be synchronised
        sync(path.parent)


@contextmanager
def naming(path: str | os.PathLike) -> Iterator[None]:
    """A context of writing a file, whose name errors of the system then carry.

    Where a disk is full, the system says so of a number, not of a name.

    Raises:
        OSError: As it came, with a name.
    """
    try:
        yield
    except OSError as error:
        if error.errno and error.filename is None:
            error.filename = os.fspath(path)
        raise


@contextmanager
def atomic_h5(
    path: str | os.PathLike, *, schema: str, version: int
) -> Iterator[h5py.File]:
    """Yield an HDF5 file open for writing; at the end it becomes ``path``, whole.

    Args:
        path: Where the file will be.
        schema: What it is, such as ``"imaml_ref/dataset"``.
        version: Version of the schema, counted from 1.
    """
    with atomic_path(path) as temporary, h5py.File(temporary, "x") as file:
        file.attrs["schema"] = schema
        file.attrs["schema_version"] = version
        yield file


@contextmanager
def open_h5(
    path: str | os.PathLike, *, schema: str, version: int
) -> Iterator[h5py.File]:
    """Yield an HDF5 file open for reading, known to be of a schema and readable.

    Args:
        path: The file.
        schema: What it must be.
        version: The newest version of the schema that the caller understands.

    Raises:
        FileNotFoundError: If there is no such file.
        IsADirectoryError: If it is a folder.
        OSError: If the system does not let it be read, as a locked file.
        BadFile: If it is truncated, not HDF5, of another schema, or of a newer version.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no such file: {path}; check the path")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder, expected an HDF5 file")
    if not path.is_file():
        raise BadFile(f"{path} is not a file, expected an HDF5 file")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        refuse_system_error(path, error)
        raise BadFile(
            f"{path} is not a readable HDF5 file: truncated, or of another format; "
            "write it again"
        ) from error
    with file:
        with whole(path, otherwise="is no whole HDF5 file", advice="write it again"):
            check_schema(file, path, schema, version)
        yield file


@contextmanager
def whole(path: str | os.PathLike, *, otherwise: str, advice: str) -> Iterator[None]:
    """Take what HDF5 cannot find or decode in a file for damage, and say so.

    Args:
        path: The file, opened by open_h5.
        otherwise: What it is if something is absent, such as ``"is a damaged suite"``.
        advice: What to do then.

    Raises:
        BadFile: If a part is absent, unreadable, or not of its kind.
        OSError: If the system does not let it be read.
    """
    try:
        yield
    except BadFile:
        raise
    except (LookupError, OSError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, OSError):
            refuse_system_error(path, error)
        why = " ".join(str(error).strip("'\"").split())
        raise BadFile(f"{path} {otherwise}: {why}; {advice}") from error


def refuse_system_error(path: str | os.PathLike, error: OSError) -> None:
    """Raise what the system said; of what HDF5 says itself, h5py gives no errno.

    Raises:
        OSError: If the system refused: the file may be whole.
    """
    if not error.errno:
        return
    said = f"cannot read {path}: {os.strerror(error.errno)}"
    if "lock file" in str(error):
        said = f"cannot lock {path} for reading: {os.strerror(error.errno)}; "
        said += (
            "another program is writing it: wait until it is done"
            if error.errno in CONTENDED
            else "where files cannot be locked, set HDF5_USE_FILE_LOCKING=FALSE"
        )
    raise type(error)(said) from error


def check_schema(file: h5py.File, path, schema: str, version: int) -> None:
    """Check the two attributes that say what a file is.

    Raises:
        BadFile: If they are absent or foreign, or the version is newer than ours.
    """
    found = text_of(file.attrs.get("schema", "none"))
    if found != schema:
        raise BadFile(f"{path} has schema {found!r}, expected {schema!r}: foreign file")
    number = file.attrs.get("schema_version", "none")
    if number not in range(1, version + 1):
        raise BadFile(
            f"{path} has {schema} version {number}, this program reads 1 to {version}; "
            "install a newer imaml_ref"
        )


def text_of(attribute) -> str:
    """Return a text attribute, however another program wrote it.

    C and MATLAB write bytes of a fixed length, R an array of one text.
    """
    entries = numpy.ravel(attribute)
    text = entries[0] if entries.size == 1 else attribute
    if isinstance(text, bool | numpy.bool_ | numbers.Integral):
        return str(text) if text else ""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def sync(path: Path) -> None:
    """Have the system write a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
