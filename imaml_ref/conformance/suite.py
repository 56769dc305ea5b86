"""The suite as an HDF5 file, readable without us: docs/conformance-format.md.

/                           schema, schema_version, suite_version
/cases/NAME                 title, network, outer, unrolled (JSON), loss, second_order
/cases/NAME/inputs/*        θ, φ, v, λ, support and query sets; or A and b
/cases/NAME/groups/I/*      support and query sets, if tasks are of unequal size
/cases/NAME/parameters/*    one dataset per tensor: its shape; start, axes
/cases/NAME/levels/L1/*     what is asked, empty datasets or answers
/cases/NAME/conventions/L1/ANSWER/*   answers by other conventions
"""

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import h5py
import numpy

from ..files import atomic_h5, open_h5, whole
from .case import Answer, Array, Case

SUITE, INPUTS = "imaml_ref/conformance-suite", "imaml_ref/conformance-inputs"
VERSION = 1
SUITE_VERSION = "2.0"
SHIPPED = {"1.1": "suite-1.1.h5", SUITE_VERSION: "suite.h5"}  # by version


def load_suite(
    path: str | Path | None = None, *, version: str = SUITE_VERSION
) -> dict[str, Case]:
    """Return the cases by name, with their answers.

    Args:
        path: A suite; by default one that comes with the package.
        version: Which of those, "2.0" or "1.1".

    Raises:
        ValueError: If no suite of that version comes with the package.
        FileNotFoundError: If there is no such file.
        OSError: If the system does not let it be read.
        BadFile: If it is truncated, foreign, of a newer version, or lacks a part.
    """
    if path is None:
        return deepcopy(shipped(version))
    with (
        open_h5(path, schema=SUITE, version=VERSION) as file,
        whole(path, otherwise="is a damaged suite", advice="write it again"),
    ):
        return {name: read_case(name, file["cases"][name]) for name in file["cases"]}


@cache
def shipped(version: str) -> dict[str, Case]:
    """Return cases of the package, kept: a file of many parts is slow to open.

    Raises:
        ValueError: If no suite of that version comes with the package.
    """
    if version not in SHIPPED:
        raise ValueError(
            f"suite {version} is unknown; this imaml_ref knows {' and '.join(SHIPPED)}"
        )
    with as_file(files(__package__) / SHIPPED[version]) as path:
        return load_suite(path)


def write_suite(path: str | Path, cases: Iterable[Case]) -> None:
    """Write cases with their answers."""
    with atomic_h5(path, schema=SUITE, version=VERSION) as file:
        write_cases(file, cases, answers=True)


def export_inputs(path: str | Path, cases: Iterable[Case]) -> None:
    """Write what a program needs in order to answer, without the answers.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    with atomic_h5(path, schema=INPUTS, version=VERSION) as file:
        write_cases(file, cases, answers=False)


def write_cases(file: h5py.File, cases: Iterable[Case], *, answers: bool) -> None:
    """Write cases into a file, with answers or without."""
    file.attrs["suite_version"] = SUITE_VERSION
    file.create_group("cases", track_order=True)
    for case in cases:
        group = file.create_group(f"cases/{case.name}")
        write_problem(group, case)
        for level in case.levels:
            place = group.create_group(f"levels/{level}")
            place.attrs["asked"] = list(case.asks(level))
            if answers:
                write_answers(place, case, level)
                write_conventions(group, case, level)


def write_problem(group: h5py.Group, case: Case) -> None:
    """Write everything of a case but its answers."""
    group.attrs["title"] = case.title
    group.attrs["network"] = json.dumps(case.network)
    group.attrs["loss"] = case.loss
    group.attrs["outer"] = json.dumps(dict(case.outer))
    group.attrs["unrolled"] = json.dumps(dict(case.unrolled))
    group.attrs["second_order"] = case.second_order
    for name, a in case.inputs.items():
        group.create_dataset(f"inputs/{name}", data=a)
    for i, sets in enumerate(case.sets):
        for name, a in sets.items():
            group.create_dataset(f"groups/{i}/{name}", data=a)
    for tensor in case.tensors:
        place = group.create_dataset(f"parameters/{tensor.name}", data=tensor.shape)
        place.attrs["start"] = tensor.start
        place.attrs["axes"] = ",".join(tensor.axes)


def write_answers(place: h5py.Group, case: Case, level: str) -> None:
    """Write the answers of a level, or why there is none."""
    if level in case.refuse:
        place.attrs["refuse"] = case.refuse[level]
    for name, answer in case.answers.get(level, {}).items():
        dataset = place.create_dataset(name, data=answer.want)
        dataset.attrs["certified_digits"] = answer.certified
        dataset.attrs["routes"] = list(answer.routes)
        dataset.attrs["kappa"] = answer.kappa
        for dtype, digits in answer.required.items():
            dataset.attrs[f"required_{dtype}"] = digits


def write_conventions(group: h5py.Group, case: Case, level: str) -> None:
    """Write the answers to a level by other conventions, where there are any."""
    for name, answer in case.answers.get(level, {}).items():
        for convention, a in answer.conventions.items():
            group.create_dataset(f"conventions/{level}/{name}/{convention}", data=a)


def read_case(name: str, group: h5py.Group) -> Case:
    """Read a case."""
    about, levels = group.attrs, group["levels"]
    sets = group.get("groups", {})
    return Case(
        name,
        about["title"],
        arrays(group["inputs"]),
        answers={
            n: {key: read_answer(a, others(group, n, key)) for key, a in place.items()}
            for n, place in levels.items()
            if len(place)
        },
        refuse={
            n: levels[n].attrs["refuse"] for n in levels if "refuse" in levels[n].attrs
        },
        network=json.loads(about["network"]),
        loss=about["loss"],
        outer=json.loads(about["outer"]),
        unrolled=json.loads(about.get("unrolled", "{}")),
        sets=tuple(arrays(sets[i]) for i in sorted(sets, key=int)),
        second_order=bool(about["second_order"]),
    )


def arrays(place: Mapping[str, h5py.Dataset]) -> dict[str, Array]:
    """Read the arrays of a group by name."""
    return {name: numpy.asarray(a[()]) for name, a in place.items()}


def others(group: h5py.Group, level: str, name: str) -> dict[str, Array]:
    """Read the answers by other conventions, by name."""
    return arrays(group.get(f"conventions/{level}/{name}", {}))


def read_answer(dataset: h5py.Dataset, conventions: Mapping[str, Array]) -> Answer:
    """Read an answer."""
    about: Mapping[str, Any] = dataset.attrs
    required = {d: float(about[f"required_{d}"]) for d in ("float64", "float32")}
    return Answer(
        dataset[()],
        float(about["certified_digits"]),
        tuple(map(str, about["routes"])),
        float(about["kappa"]),
        required,
        conventions,
    )
