"""docs/conformance-format.md says what is in the files, no more and no less."""

import json
import re
from fnmatch import fnmatch
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.testing import assert_allclose

from imaml_ref import layers
from imaml_ref.conformance import LEVELS, export_inputs, load_suite
from imaml_ref.conformance.answers import SCHEMA as ANSWERS
from imaml_ref.conformance.certify import MARGIN, ROUNDOFF, STATED, has_zero
from imaml_ref.conformance.json_report import as_json
from imaml_ref.conformance.plain import AXES
from imaml_ref.conformance.suite import INPUTS, SUITE, write_suite
from tests.helpers.conformance_reports import CASES as REPORTED
from tests.helpers.conformance_reports import mistaken

LAYERS = {
    name
    for name in set(layers.__all__) - {"Layer"}
    if isinstance(kind := getattr(layers, name), type)
    and issubclass(kind, layers.Layer)
}
PAGE = (Path(__file__).parents[2] / "docs" / "conformance-format.md").read_text("utf-8")
CASES = load_suite()
PLACES = dict.fromkeys(
    ("CASE", "TENSOR", "LEVEL", "ANSWER", "GROUP", "CONVENTION"), "*"
)
KINDS = {"text": str, "integer": np.integer, "number": float, "truth value": np.bool_}


def table(head):
    """Return the rows of the table whose first line begins with some cells."""
    _, _, rest = PAGE.partition(f"| {head}")
    lines = rest.splitlines()[2:]
    end = next(i for i, line in enumerate(lines) if not line.startswith("|"))
    cells = [line.strip("|").split(" | ") for line in lines[:end]]
    return [[cell.strip(" `|") for cell in row] for row in cells]


DATASETS, ATTRIBUTES = table("dataset"), table("attribute of")
TYPES, QUESTIONS = table("type | fields"), table("level | given")


@pytest.fixture(name="files", scope="module")
def write_files(tmp_path_factory):
    """The suite and the file of inputs, open."""
    folder = tmp_path_factory.mktemp("files")
    write_suite(folder / "suite.h5", CASES.values())
    export_inputs(folder / "inputs.h5", CASES.values())
    with h5py.File(folder / "suite.h5") as suite, h5py.File(folder / "inputs.h5") as i:
        yield {"suite": suite, "inputs": i}


def everything(file):
    """Yield the path and the object of everything in a file, root included."""
    found = [("/", file)]
    file.visititems(lambda name, item: found.append((name, item)))
    return found


def row_of(path):
    """Return the row of the datasets' table for a path."""
    for row in DATASETS:
        pattern = "/".join(PLACES.get(part, part) for part in row[0].split("/"))
        if fnmatch(path, pattern) and path.count("/") == row[0].count("/"):
            return row
    return pytest.fail(f"{path} is not on the page")


def sizes(case, group=None):
    """Return the extents that the letters of the page stand for, in a group if any."""
    if not case.network:
        return {"n": len(case.b)}
    sets = case.sets[group] if case.sets and group is not None else case.inputs
    x, q = (
        sets.get(f"{n}_x", np.empty((case.num_tasks, 0, 0)))
        for n in ("support", "query")
    )
    image = dict(zip("HWC", x.shape[2:], strict=False)) if x.ndim == 5 else {}
    found = {"T": x.shape[0], "N": x.shape[1], "M": q.shape[1], "P": len(case.theta)}
    return found | image | {"D_in": x.shape[2], "D": case.net.num_outputs}


def shapes(text, letters):
    """Return the shapes that a cell such as "(T, N) or (T, N, D)" allows."""
    found = []
    for inside in re.findall(r"\(([^)]*)\)", text):
        names = [name.strip() for name in inside.split(",") if name.strip()]
        found.append(tuple(letters.get(name) for name in names))
    return found


def test_every_dataset_is_on_the_page_with_its_dtype_and_shape(files):
    seen = set()
    for kind, file in files.items():
        for path, item in everything(file):
            if not isinstance(item, h5py.Dataset):
                continue
            name, dtype, shape, _, where = row_of(path)
            _, case, part, *where_ = path.split("/")
            group = int(where_[0]) if part == "groups" else None
            letters = sizes(CASES[case], group)
            if part == "conventions":
                assert (
                    item.shape == CASES[case].answers[where_[0]][where_[1]].want.shape
                )
            elif part != "parameters":
                assert item.shape in shapes(shape, letters), path
            assert str(item.dtype) in dtype.split(" or "), path
            assert kind == "suite" or where == "both", path
            seen.add((kind, name))
    promised = {("suite", row[0]) for row in DATASETS}
    promised |= {("inputs", row[0]) for row in DATASETS if row[4] == "both"}
    assert seen == promised


def test_every_attribute_is_on_the_page_with_its_type(files):
    seen = set()
    for kind, file in files.items():
        for path, item in everything(file):
            for name, value in item.attrs.items():
                place, _, type_, _, where = attribute_row(path, name)
                if type_ == "array of texts":
                    assert all(isinstance(text, str) for text in value), path
                else:
                    assert isinstance(value, KINDS[type_]), (path, name, type(value))
                assert kind == "suite" or where == "both", (path, name)
                seen.add((kind, place, name))
    promised = {("suite", *row[:2]) for row in ATTRIBUTES}
    promised |= {("inputs", *row[:2]) for row in ATTRIBUTES if row[4] == "both"}
    assert seen == promised


def attribute_row(path, name):
    """Return the row of the attributes' table for an attribute of a place."""
    for row in ATTRIBUTES:
        pattern = "/".join(PLACES.get(part, part) for part in row[0].split("/"))
        same = path.count("/") == row[0].count("/") and fnmatch(path, pattern)
        if row[1] == name and same:
            return row
    return pytest.fail(f"attribute {name} of {path} is not on the page")


def test_the_check_of_the_tables_sees_what_is_missing():
    with pytest.raises(pytest.fail.Exception, match="is not on the page"):
        row_of("cases/ridge/inputs/weights")
    with pytest.raises(pytest.fail.Exception, match="is not on the page"):
        attribute_row("cases/ridge", "author")


def test_every_layer_of_the_suite_is_on_the_page_with_its_fields_and_parameters():
    by_type = {row[0]: re.findall(r"`(\w+)`", f"`{row[1]}`") for row in TYPES}
    used = {
        e["type"]: e
        for c in CASES.values()
        for e in (c.network or {"layers": []})["layers"]
    }
    assert set(by_type) == set(used) <= LAYERS
    for kind, entry in used.items():
        assert by_type[kind] == [key for key in entry if key not in {"name", "type"}]
    for (kind, parameter), axes in AXES.items():
        (row,) = [row for row in TYPES if row[0] == kind]
        assert f"{parameter}` ({', '.join(axes)})" in row[2]


def test_every_level_is_on_the_page_with_what_it_gives_and_asks():
    assert [row[0] for row in QUESTIONS] == list(LEVELS)
    for name, given, asked, _ in QUESTIONS:
        assert re.findall(r"\w+", asked) == list(LEVELS[name].answers)
        assert set(re.findall(r"\w+", given)) <= {
            "phi", "v", "A", "b", "theta", "lam", "solution", "outer", "unrolled",
        }  # fmt: skip


def test_the_schemas_are_those_of_the_page():
    for schema in (SUITE, INPUTS, ANSWERS):
        assert f"| `{schema}` | 1 |" in PAGE


def test_the_report_in_json_has_the_fields_of_the_page():
    found = json.loads(as_json(mistaken(), REPORTED))
    for name, fields in table("list | an entry has"):
        assert set(re.findall(r"\w+", fields)) == set(found.pop(name)[0])
    for name in found:
        assert f"`{name}`" in PAGE
    for outcome in found["summary"]:
        assert f'"{outcome}"' in PAGE


def test_inputs_are_exact_in_float32_but_for_the_solution():
    for case in CASES.values():
        for name, a in case.inputs.items():
            if name != "solution" and a.dtype.kind == "f":
                assert (a.astype(np.float32) == a).all(), (case.name, name)


def test_flat_vectors_hold_tensors_as_the_page_says(files):
    group = files["inputs"]["cases/conv-norm-tanh"]
    theta, case = group["inputs/theta"][()], CASES["conv-norm-tanh"]
    end = 0
    for item in sorted(group["parameters"].values(), key=lambda p: p.attrs["start"]):
        start, shape = item.attrs["start"], item[()]
        assert start == end
        end = start + shape.prod()
        name = item.name.rpartition("/")[2]
        expected = case.unpack(theta)[name]
        assert_allclose(theta[start:end].reshape(shape), expected, rtol=0, atol=0)
        reversed_ = np.reshape(theta[start:end], shape[::-1], order="F")
        assert_allclose(reversed_.T, expected, rtol=0, atol=0)
        assert len(item.attrs["axes"].split(",")) == len(shape)
    assert end == len(theta)


def test_the_required_digits_are_those_of_the_formula():
    """min(10, −log₁₀(κu) − 2), κ at least 1/√u beside a zero: section 8."""
    assert (STATED, MARGIN) == (10, 2)
    for case in CASES.values():
        for level, answers in case.answers.items():
            for answer in answers.values():
                step = level in {"L6", "L7"}
                zero = has_zero(case, answer.want - case.theta if step else answer.want)
                for dtype, u in ROUNDOFF.items():
                    kappa = max(answer.kappa, u**-0.5) if zero else answer.kappa
                    expected = max(0, min(10, -np.log10(kappa * u) - 2))
                    assert answer.required[dtype] == pytest.approx(expected)
                assert answer.certified >= answer.required["float64"] + 0.5
                assert len(answer.routes) == 2


def test_the_optimisers_are_those_of_the_page():
    for case in CASES.values():
        keys = json.dumps(list(case.outer)).strip("[]").replace('"', "")
        spelled = {
            "optimizer, step_size": '{"optimizer": "sgd", "step_size": α}',
            "optimizer, step_size, beta1, beta2, eps": '"beta2": β₂, "eps": ε}',
            "": "`{}` for a linear system",
        }[keys]
        assert spelled in PAGE
