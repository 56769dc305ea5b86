"""Files that are whole or absent, and that say what they are.

A file is written under a hidden temporary name in its own folder, flushed to the disk
and renamed; rename is atomic (POSIX), so a reader, or a process killed at any moment,
sees the old file or the new one and nothing between.  Every HDF5 file of the project
carries two attributes, ``schema`` and ``schema_version``, which opening asserts.
"""

import glob
import numbers
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import h5py
import numpy


class BadFile(ValueError):
    """A file exists, but is not what it is taken for."""


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path; what is there at the end becomes ``path``.

    The temporary path has the suffix of ``path``.  After an exception it is removed,
    and ``path`` stays as it was.  A killed process leaves its temporary file behind;
    the next write of the same path removes it.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"cannot write {path}: the folder {path.parent} does not exist; create it"
        )
    for leftover in path.parent.glob(f".{glob.escape(path.stem)}.*.part{path.suffix}"):
        leftover.unlink(missing_ok=True)
    name = f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}"
    temporary = path.with_name(name)
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
        BadFile: If it is truncated, not HDF5, of another schema, or of a newer version.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no such file: {path}; check the path")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise BadFile(
            f"{path} is not a readable HDF5 file: truncated, or of another format; "
            "write it again"
        ) from error
    with file:
        check_schema(file, path, schema, version)
        yield file


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
