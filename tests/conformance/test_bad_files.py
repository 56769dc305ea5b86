"""Bad files and bad answers, through the command: one clear line each."""

import os

import h5py
import numpy as np
import pytest

from imaml_ref.cli import main
from imaml_ref.conformance import load_suite
from imaml_ref.conformance.answers import SCHEMA
from imaml_ref.conformance.suite import INPUTS

CASE, NORM = (load_suite()[name] for name in ("mlp-tanh", "conv-norm-tanh"))


@pytest.fixture(name="check")
def make_check(tmp_path, capsys, monkeypatch):
    """Judge the file bad.h5; return status, output and errors."""
    monkeypatch.chdir(tmp_path)

    def check(command="check"):
        capsys.readouterr()
        status = main(["conformance", command, "bad.h5"])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, out, err

    return check


# Bad files: no judgement, status 2


def answers(path, place="answers/mlp-tanh/L4/meta_grad", data=None, **attributes):
    """Write a file of answers with something at a place."""
    about = {"schema": SCHEMA, "schema_version": 1, "suite_version": "2.0"}
    about |= attributes
    with h5py.File(path, "w") as file:
        file.attrs.update(about)
        if place:
            file[place] = CASE.theta if data is None else data


def torn(path):
    answers(path)
    os.truncate(path, 1500)


def dangling(path):
    answers(path)
    with h5py.File(path, "a") as file:
        file["answers/mlp-tanh/L1"] = h5py.SoftLink("/nowhere")


UNREADABLE = {
    "missing": (lambda path: None, "no such file"),
    "a folder": (lambda path: path.mkdir(), "is a folder, expected an HDF5 file"),
    "empty": (lambda path: path.write_bytes(b""), "not a readable HDF5 file"),
    "truncated": (torn, "not a readable HDF5 file: truncated"),
    "foreign": (lambda path: path.write_text("loss, 1"), "not a readable HDF5 file"),
    "no schema": (lambda path: h5py.File(path, "w").close(), "has schema 'none'"),
    "inputs": (lambda path: answers(path, schema=INPUTS), f"schema '{INPUTS}'"),
    "newer": (
        lambda path: answers(path, schema_version=2),
        "version 2, this program reads 1 to 1; install a newer imaml_ref",
    ),
    "unknown case": (
        lambda path: answers(path, "answers/transformer/L1/grad"),
        "answers a case 'transformer' that this suite does not have",
    ),
    "unknown level": (
        lambda path: answers(path, "answers/mlp-tanh/L8/theta"),
        "mlp-tanh asks for L1, L2, L4, L5, L6, L7, U, not for 'L8'",
    ),
    "level not asked": (
        lambda path: answers(path, "answers/ridge/L3/x"),
        "ridge asks for L1, L2, L4, L5, L6, L7, U, not for 'L3'",
    ),
    "unknown name": (
        lambda path: answers(path, "answers/mlp-tanh/L4/metagrad"),
        "mlp-tanh L4 asks for meta_grad, lam_grad, not for 'metagrad'",
    ),
    "array for level": (
        lambda path: answers(path, "answers/mlp-tanh/L4"),
        "/answers/mlp-tanh/L4 is an array; answers are /answers/CASE/LEVEL/NAME",
    ),
    "array for case": (
        lambda path: answers(path, "answers/mlp-tanh"),
        "/answers/mlp-tanh is an array",
    ),
    "array for all": (lambda path: answers(path, "answers"), "/answers is an array"),
    "dangling": (dangling, "/answers/mlp-tanh/L1 points nowhere"),
    "nothing": (lambda path: answers(path, ""), "answers nothing that is asked"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_file_that_cannot_be_judged(check, tmp_path, kind):
    write, expected = UNREADABLE[kind]
    write(tmp_path / "bad.h5")
    for command in ("check", "diagnose"):
        status, _, said = check(command)
        assert status == 2
        assert said.startswith("imaml-ref: ")
        assert len(said.splitlines()) == 1
        assert expected in said
        assert "bad.h5" in said


# Bad answers in a file that can be judged: status 1, one line each

WANT = CASE.answers["L4"]["meta_grad"].want
HVP = CASE.answers["L2"]["hvp"].want
TENSORS = CASE.unpack(WANT)
KERNELS = NORM.unpack(NORM.answers["L2"]["hvp"].want)
L4, L2 = "answers/mlp-tanh/L4/meta_grad", "answers/mlp-tanh/L2/hvp"
L2_NORM = "answers/conv-norm-tanh/L2/hvp"


def swapped_flat(kernels):
    """Return a flat answer with the kernel of the head transposed inside."""
    flat = NORM.answers["L2"]["hvp"].want.copy()
    part = NORM.unpack(flat)["head.kernel"]
    part[:] = kernels["head.kernel"].swapaxes(1, 2).reshape(part.shape)
    return flat


def tensors(parts, **changes):
    """Return tensors by name with some changed; None leaves one out."""
    changes = {name.replace("_", "."): a for name, a in changes.items()}
    return {name: a for name, a in (parts | changes).items() if a is not None}


BAD = {
    "nan": (L4, WANT * np.nan, "is nan at (0,)"),
    "infinite": (L4, WANT + np.inf, "is inf at (0,)"),
    "float16": (L4, WANT.astype("float16"), "is float16; answer in float64 or float32"),
    "integers": (L4, WANT.astype(int), "is int64; answer in float64 or float32"),
    "text": (L4, np.bytes_("done"), "is |S4; answer in float64 or float32"),
    "too long": (L4, np.append(WANT, 0), "expects shape (31,), got (32,)"),
    "a number": (L4, 1.0, "expects shape (31,), got ()"),
    "columns": (
        L2,
        HVP.T,
        "expects shape (5, 31) = (tasks, parameters), got (31, 5); "
        "its axes are in another order",
    ),
    "missing tensor": (
        L4,
        tensors(TENSORS, head_bias=None),
        "tensor head.bias is missing",
    ),
    "unknown tensor": (
        L4,
        tensors(TENSORS, head_weight=WANT),
        "tensor head.weight is unknown",
    ),
    "tensor of wrong shape": (
        L4,
        tensors(TENSORS, head_bias=np.ones(4)),
        "tensor head.bias expects shape (3,), axes out, got (4,)",
    ),
    "tensor in float16": (
        L4,
        tensors(TENSORS, head_bias=TENSORS["head.bias"].astype("float16")),
        "tensor head.bias is float16; answer in float64 or float32",
    ),
    "tensor without tasks": (
        L2,
        TENSORS,
        "tensor linear1.kernel expects shape (5, 3, 4), axes task, in, out, got (3, 4)",
    ),
    "layout by shape": (
        L4,
        tensors(TENSORS, head_kernel=TENSORS["head.kernel"].T),
        "axes in, out, got (3, 4); its axes are in another order",
    ),
    "layout of PyTorch by shape": (
        L2_NORM,
        tensors(KERNELS, conv1_kernel=KERNELS["conv1.kernel"].transpose(0, 4, 3, 1, 2)),
        "kh, kw, in, out, got (3, 2, 1, 3, 3); its axes are in another order",
    ),
    "layout by numbers": (
        L2_NORM,
        swapped_flat(KERNELS),
        "head.kernel is in the order (out, in), not (in, out)",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_an_answer_that_is_not_fit_fails_with_one_line(check, tmp_path, kind):
    place, data, expected = BAD[kind]
    if isinstance(data, dict):
        answers(tmp_path / "bad.h5", "")
        with h5py.File(tmp_path / "bad.h5", "a") as file:
            for name, a in data.items():
                file[f"{place}/{name}"] = a
    else:
        answers(tmp_path / "bad.h5", place, data)
    status, out, err = check()
    assert status == 1
    assert err == "imaml-ref: 1 of 1 answers failed\n"
    _, case, level, name = place.split("/")
    (block,) = [b for b in out.split("\n\n") if b.startswith("✗")]
    assert block.startswith(f"✗ {case} {level} {name}: ")
    assert expected in block
    assert len(block.splitlines()) == (1 if "digits" not in block else 3)


def test_answers_as_other_languages_write_them_are_taken(check, tmp_path):
    """Texts of fixed length or in arrays, versions as floats, the other byte order."""
    answers(
        tmp_path / "bad.h5",
        data=WANT.astype(">f8"),
        schema=np.bytes_(SCHEMA),
        schema_version=np.float64(1),
    )
    with h5py.File(tmp_path / "bad.h5", "a") as file:
        x = file.create_dataset("answers/indefinite/L3/x", data=np.ones(6))
        x.parent.attrs["warned"] = np.bytes_("indefinite")
    status, out, _ = check()
    assert status == 0
    assert "1 passed, 0 failed" in out
    assert "1 warned, 0 did not" in out
    answers(tmp_path / "bad.h5", data=WANT, schema=[SCHEMA], schema_version=[1])
    assert check()[0] == 0
