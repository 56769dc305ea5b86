"""Answers as they come: from an object, or from a file.

An answer file has schema ``imaml_ref/conformance-answers``, version 1, the attribute
``suite_version`` (absent: 1.1), and holds

    /answers/CASE/LEVEL/NAME    float64 or float32: one array, flat where it is in our
                                files; or a group with one dataset per tensor
    /answers/CASE/LEVEL         attribute ``warned`` (optional): a text, if the program
                                says that there is no trustworthy answer; attribute
                                ``failed`` (optional): why it has none

What is absent counts as not attempted.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy

from ..files import BadFile, atomic_h5, open_h5, text_of, whole
from .case import Array, Case
from .levels import LEVELS
from .suite import SHIPPED, SUITE_VERSION

SCHEMA, VERSION = "imaml_ref/conformance-answers", 1


class BadAnswer(ValueError):
    """An answer that cannot be compared: of another shape or dtype, NaN, incomplete."""


@dataclass(frozen=True)
class Attempt:
    """What was answered to one level of a case.

    Args:
        values: Answers by name, as they came.
        warned: What was said against them; empty if nothing.
        failed: Why there is no answer though one was tried; empty if there is one.
        absent: Answers that were not tried, each with the reason, if one was given.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    warned: str = ""
    failed: str = ""
    absent: Mapping[str, str] = field(default_factory=dict)


Attempts = dict[tuple[str, str], Attempt]


def read_answers(path: str | Path, cases: Mapping[str, Case]) -> Attempts:
    """Read a file of answers.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the system does not let it be read.
        BadFile: If it is truncated, foreign or of a newer version, or answers a case,
            level or name that the suite does not have.
    """
    found = {}
    with (
        open_h5(path, schema=SCHEMA, version=VERSION) as file,
        whole(path, otherwise="is a damaged file of answers", advice="write it again"),
    ):
        for name, levels in members(path, file.get("answers")):
            if name not in cases:
                raise BadFile(
                    f"{path} answers a case {name!r} that this suite does not have; it "
                    "may belong to a newer suite: update imaml_ref, or export again"
                )
            for level, place in members(path, levels):
                refuse_unknown(f"{path}: {name}", level, cases[name].levels)
                for answer, _ in members(path, place):
                    at = f"{path}: {name} {level}"
                    refuse_unknown(at, answer, cases[name].asks(level))
                found[name, level] = read_attempt(path, place)
    return found


def members(path, place: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is in a group, by name; nothing if there is no group.

    Raises:
        BadFile: If the place is an array, or a name in it points nowhere.
    """
    if isinstance(place, h5py.Dataset):
        raise BadFile(
            f"{path}: {place.name} is an array; answers are /answers/CASE/LEVEL/NAME"
        )
    for name in place or ():
        item = place.get(name)
        if item is None:
            raise BadFile(f"{path}: {place.name}/{name} points nowhere")
        yield name, item


def refuse_unknown(where: str, name: str, asked: Iterable[str]) -> None:
    """Stop at a level or an answer that is not asked for.

    Raises:
        BadFile: If the name is not among those asked for.
    """
    if name not in asked:
        raise BadFile(
            f"{where} asks for {', '.join(asked)}, not for {name!r}; "
            "leave out what is not asked"
        )


def read_attempt(path, place: h5py.Group) -> Attempt:
    """Read the answers to one level."""
    values = {name: read_value(path, item) for name, item in members(path, place)}
    warned, failed = (text_of(place.attrs.get(n, "")) for n in ("warned", "failed"))
    return Attempt(values, warned, failed)


def read_value(path, item: h5py.Dataset | h5py.Group) -> Any:
    """Read an array in this machine's byte order, or the tensors of a group by name."""
    if isinstance(item, h5py.Group):
        return {name: read_value(path, part) for name, part in members(path, item)}
    a = numpy.asarray(item[()])
    return a.astype(a.dtype.newbyteorder("="), copy=False)


def version_of(path: str | Path) -> str:
    """Return the version of the suite that a file answers.

    Raises:
        FileNotFoundError: If there is no such file.
        BadFile: If it is truncated, foreign, or answers a suite that is not here.
    """
    with open_h5(path, schema=SCHEMA, version=VERSION) as file:
        version = text_of(file.attrs.get("suite_version", "1.1"))
    if version not in SHIPPED:
        raise BadFile(
            f"{path} answers suite {version}, this imaml_ref knows "
            f"{' and '.join(SHIPPED)}; update imaml_ref, or export again"
        )
    return version


def write_answers(
    path: str | Path, attempts: Attempts, *, suite_version: str = SUITE_VERSION
) -> None:
    """Write answers to a suite, each with what was said against it."""
    with atomic_h5(path, schema=SCHEMA, version=VERSION) as file:
        file.attrs["suite_version"] = suite_version
        for (name, level), attempt in attempts.items():
            place = file.create_group(f"answers/{name}/{level}")
            for said in ("warned", "failed"):
                if getattr(attempt, said):
                    place.attrs[said] = getattr(attempt, said)
            for answer, value in attempt.values.items():
                write_value(place, answer, value)


def write_value(place: h5py.Group, name: str, value: Any) -> None:
    """Write an array, or tensors by name."""
    if isinstance(value, Mapping):
        group = place.create_group(name)
        for part, tensor in value.items():
            group.create_dataset(part, data=tensor)
    else:
        place.create_dataset(name, data=value)


def comparable(case: Case, level: str, name: str, value: Any) -> Array:
    """Return an answer as an array of the shape that is wanted.

    Raises:
        BadAnswer: If it cannot be compared, with what is wrong in one line.
    """
    want = case.answers[level][name].want
    where = f"{case.name} {level} {name}"
    if isinstance(value, Mapping):
        value = packed(case, where, value, want.shape[:-1])
    value = real(where, value)
    if value.shape != want.shape:
        raise BadAnswer(
            f"{where} expects shape {want.shape}"
            + (" = (tasks, parameters)" if want.ndim == 2 else "")
            + f", got {value.shape}"
            + moved(value.shape, want.shape)
        )
    if not numpy.isfinite(value).all():
        first = tuple(int(i) for i in numpy.argwhere(~numpy.isfinite(value))[0])
        raise BadAnswer(f"{where} is {value[first]} at {first}")
    return value


def packed(case: Case, where: str, tensors: Mapping[str, Any], lead: tuple) -> Array:
    """Return the tensors of a group, of shapes (*lead, ...), as one flat array.

    Raises:
        BadAnswer: If a tensor is missing or unknown, or its shape is not ours.
    """
    if not case.tensors:
        raise BadAnswer(f"{where} is a group of tensors; one array is expected")
    known = {tensor.name: tensor for tensor in case.tensors}
    odd = sorted(set(tensors) ^ set(known), key=str)
    if odd:
        kind = "unknown" if odd[0] in tensors else "missing"
        raise BadAnswer(f"{where}: tensor {odd[0]} is {kind}")
    found = {n: real(f"{where}: tensor {n}", tensors[n]) for n in known}
    for name, value in found.items():
        wanted = (*lead, *known[name].shape)
        if value.shape != wanted:
            axes = ", ".join([*("task" for _ in lead), *known[name].axes])
            raise BadAnswer(
                f"{where}: tensor {name} expects shape {wanted}, axes {axes}, "
                f"got {value.shape}{moved(value.shape, wanted)}"
            )
    return case.pack(found)


def real(where: str, value: Any) -> Array:
    """Return an answer as an array.

    Raises:
        BadAnswer: If it is none, or neither float64 nor float32.
    """
    try:
        value = numpy.asarray(value)
    except Exception as error:  # whatever a foreign array raises
        raise BadAnswer(f"{where} is no array for NumPy: {error}") from error
    if value.dtype not in (numpy.float64, numpy.float32):
        raise BadAnswer(f"{where} is {value.dtype}; answer in float64 or float32")
    return value


def moved(got: tuple[int, ...], want: tuple[int, ...]) -> str:
    """Say so if a shape has the right extents in another order."""
    return "; its axes are in another order" if sorted(got) == sorted(want) else ""


def asked(cases: Iterable[Case]) -> list[tuple[Case, str]]:
    """Return every case with every level that it asks for."""
    return [(case, level) for case in cases for level in LEVELS if level in case.levels]
