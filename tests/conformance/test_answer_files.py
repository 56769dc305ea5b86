"""Answers in a file are judged as those of an object, and other files refused."""

import h5py
import pytest

from imaml_ref.conformance import (
    Attempt,
    Computation,
    ask,
    check_file,
    export_inputs,
    judge,
    read_answers,
    write_answers,
)
from imaml_ref.conformance.answers import SCHEMA
from imaml_ref.files.whole import BadFile, atomic_h5
from tests.helpers.conformance_reports import SUITE


def test_answers_written_to_a_file_are_judged_alike(tmp_path):
    cases = [SUITE[n] for n in ("ridge", "mlp-tanh", "indefinite", "spd-10")]
    attempts = ask(Computation(), cases)
    attempts["indefinite", "L3"] = Attempt({}, "indefinite")
    attempts["ridge", "L1"] = Attempt(
        {"grad": SUITE["ridge"].unpack(SUITE["ridge"].answers["L1"]["grad"].want)}
    )
    write_answers(tmp_path / "a.h5", attempts)
    report = check_file(tmp_path / "a.h5")
    assert report.subject == "a.h5"
    of_file = {(v.case, v.level, v.answer): v.outcome for v in report.verdicts}
    of_object = judge(cases, attempts).verdicts
    for v in of_object:
        assert of_file[v.case, v.level, v.answer] == v.outcome
    assert of_file["ridge", "L1", "grad"] == "pass"
    assert of_file["ridge", "L1", "loss"] == "not attempted"
    assert of_file["logistic", "L1", "loss"] == "not attempted"
    assert of_file["indefinite", "L3", "x"] == "warned"


def write_raw(path, place, version=1, schema=SCHEMA):
    with atomic_h5(path, schema=schema, version=version) as file:
        file[place] = SUITE["ridge"].answers["L1"]["grad"].want


def test_files_of_answers_that_are_none_are_refused(tmp_path):
    path = tmp_path / "a.h5"
    with pytest.raises(FileNotFoundError, match="no such file"):
        check_file(path)
    export_inputs(path, SUITE.values())
    with pytest.raises(BadFile, match="has schema 'imaml_ref/conformance-inputs'"):
        check_file(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(BadFile, match="truncated"):
        check_file(path)
    write_raw(path, "answers/ridge/L1/grad", version=2)
    with pytest.raises(BadFile, match="version 2, this program reads 1 to 1"):
        check_file(path)
    write_raw(path, "answers/transformer/L1/grad")
    with pytest.raises(BadFile, match="answers a case 'transformer'"):
        check_file(path)
    write_raw(path, "answers/ridge/L3/x")
    with pytest.raises(BadFile, match="ridge asks for L1, L2, L4, L5, L6, L7, not"):
        check_file(path)
    with h5py.File(path, "w") as file:
        file["answers"] = 1
    with pytest.raises(BadFile, match="has schema 'none'"):
        read_answers(path, SUITE)
