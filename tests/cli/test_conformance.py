"""imaml-ref conformance: list, export, check, diagnose and self."""

import json
import os

import h5py
import numpy as np
import pytest

from imaml_ref.cli import main
from imaml_ref.conformance import Attempt, Computation, load_suite, write_answers
from imaml_ref.conformance.suite import INPUTS
from tests.helpers.conformance_reports import CASES

ONLY = ["--cases", "mlp-tanh"]


def test_list_shows_levels_cases_and_titles(call):
    status, out, _ = call("list")
    assert status == 0
    lines = out.splitlines()
    for case in load_suite().values():
        assert any(
            t.startswith(f"{case.name} ")
            and t.endswith(case.title)
            and " ".join(case.levels) in t
            for t in lines
        )
    assert "L2                    Hv and Gauss-Newton v at φ: hvp, gnvp" in lines


@pytest.mark.parametrize(
    "command", ["", "list", "export", "check", "diagnose", "run", "self"]
)
def test_every_command_helps_with_an_example(call, command):
    status, out, _ = call(*command.split(), "--help")
    assert status == 0
    assert "Example" in out
    assert f"imaml-ref conformance {command or 'run'}" in " ".join(out.split())


def test_without_a_command_it_explains_itself(call):
    status, out, _ = call()
    assert status == 0
    assert "diagnose" in out


def test_export_writes_the_inputs_and_no_answers(call, tmp_path):
    status, out, _ = call("export", "in.h5", "--cases", "ridge,saddle")
    assert (status, out) == (0, "in.h5: 2 cases\n")
    with h5py.File(tmp_path / "in.h5") as file:
        assert file.attrs["schema"] == INPUTS
        assert list(file["cases"]) == ["ridge", "saddle"]
        assert len(file["cases/ridge/levels/L4"]) == 0
        assert "refuse" not in file["cases/saddle/levels/L4"].attrs
        want = load_suite()["ridge"].theta
        np.testing.assert_array_equal(file["cases/ridge/inputs/theta"][()], want)


def test_right_answers_end_with_zero(call, right):
    status, out, err = call("check", right)
    assert (status, err) == (0, "")
    assert "right.h5, suite 2.0: " in out
    assert ", 0 failed, " in out


def test_a_refusal_by_an_error_survives_the_file(call, right):
    """The dense computation raises where there is no answer: a warning, in a file."""
    _, out, _ = call("check", right)
    assert "of what must be refused, 2 warned, 0 did not" in out


def test_wrong_answers_end_with_one_and_our_lines(call, wrong):
    status, out, err = call("check", wrong)
    assert status == 1
    assert "✗ ridge L2 hvp: 0.30 digits, 10.00 required" in out
    assert "ratio 0.5\n" in out
    assert 'mlp-tanh L2 hvp: ValueError: x < y & "z"' in out
    assert len(err.splitlines()) == 1
    assert err.endswith(" answers failed\n")


def test_did_not_warn_is_graded_apart(call, tmp_path):
    case = load_suite()["indefinite"]
    answer = {"x": np.linalg.solve(case.A, case.b)}
    write_answers(tmp_path / "a.h5", {("indefinite", "L3"): Attempt(answer)})
    status, out, _ = call("check", "a.h5")
    assert status == 0
    assert "0 failed" in out
    assert "of what must be refused, 0 warned, 1 did not" in out
    assert "! indefinite L3 x: did not warn: A is not positive definite" in out


def test_only_the_cases_that_are_named_are_judged(call, wrong):
    status, out, _ = call("check", wrong, "--cases", "spd-10, ridge", "--failures", 1)
    assert status == 1
    assert "mlp-tanh" not in out
    assert out.count("\n\n✗ ") == 1
    assert call("check", wrong, "--cases", "spd-10")[0] == 0


def test_reports_are_written_and_replace_what_was_there(call, wrong, tmp_path):
    for name in ("r.json", "r.html"):
        (tmp_path / name).write_text("old")
    status, _, _ = call("check", wrong, "--json", "r.json", "--html", "r.html")
    assert status == 1
    found = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert found["summary"]["fail"] > 0
    assert (tmp_path / "r.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert sorted(os.listdir(tmp_path)) == ["r.html", "r.json"]


def test_diagnose_names_mistakes(call, wrong, stand_in, tmp_path):
    status, out, _ = call("diagnose", wrong, *ONLY, "--json", "r.json")
    assert status == 1
    assert out.endswith("\nDiagnosis\n  λ is halved\n")
    found = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert [d["text"] for d in found["diagnoses"]] == ["λ is halved"]
    (report,) = stand_in
    assert {v.case for v in report.verdicts} == {"mlp-tanh"}


def test_the_diagnosis_is_the_real_one(call, tmp_path):
    class Halved(Computation):
        def lam(self, case):
            return case.lam / 2

    case = load_suite()["mlp-tanh"]
    answer = {"meta_grad": Halved().meta_grad(case)}
    write_answers(tmp_path / "a.h5", {("mlp-tanh", "L5"): Attempt(answer)})
    status, out, _ = call("diagnose", "a.h5")
    assert status == 1
    assert "lam-halved" in out.partition("\n\nDiagnosis\n")[2]


def test_check_does_not_diagnose(call, wrong, stand_in):
    assert "λ is halved" not in call("check", wrong)[1]
    assert stand_in == []


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_it_judges_itself(call, dtype, tmp_path):
    flags = [
        "--cases",
        ",".join(case.name for case in CASES),
        "--dtype",
        dtype,
        "--json",
        "r.json",
    ]
    status, out, err = call("self", *flags)
    assert (status, err) == (0, "")
    assert f", {dtype}, cpu, suite 2.0: " in out
    found = json.loads((tmp_path / "r.json").read_text("utf-8"))
    best = max(v["digits"] or 0 for v in found["verdicts"] if v["level"] == "L4")
    assert (best > 10) == (dtype == "float64")


def test_a_terminal_gets_colours_and_the_same_lines(call, wrong, monkeypatch):
    _, plain, _ = call("check", wrong)
    monkeypatch.setenv("FORCE_COLOR", "1")
    status, out, _ = call("check", wrong)
    assert status == 1
    assert "\x1b[1;31m✗ 0.3\x1b[0m" in out
    assert "\x1b[" not in plain
    assert out.partition("\ndigits of")[2] == plain.partition("\ndigits of")[2]


def test_output_is_plain_ascii_where_the_stream_holds_no_more(wrong, monkeypatch):
    from imaml_ref.cli import conformance_report

    shown = []
    monkeypatch.setattr(conformance_report, "encoding", lambda: "ascii")
    monkeypatch.setattr("builtins.print", lambda text, **_: shown.append(text))
    main(["conformance", "check", str(wrong)])
    assert "x ridge L2 hvp: 0.30 digits" in shown[0]
    assert all(text.isascii() for text in shown[:1])


def test_only_the_levels_that_are_named_are_judged(call, wrong):
    status, out, _ = call("check", wrong, "--levels", "L1, L3")
    assert status == 0
    assert out.splitlines()[0].split() == ["case", "L1", "L3"]
    assert call("check", wrong, "--levels", "L2")[0] == 1
    _, _, err = call("check", wrong, "--levels", "L8")
    assert err.startswith("imaml-ref: no level 'L8'; there are L1, ")


@pytest.mark.parametrize("flag", ["--json", "--html"])
@pytest.mark.parametrize("command", ["check", "diagnose", "self", "run"])
def test_a_report_that_could_not_be_written_is_refused_first(
    refused, wrong, monkeypatch, command, flag
):
    from imaml_ref import conformance

    monkeypatch.setattr(conformance, "check", None)
    monkeypatch.setattr(conformance, "check_file", None)
    monkeypatch.setattr(conformance, "export_inputs", None)
    words = {"check": [wrong], "diagnose": [wrong], "self": [], "run": ["true"]}
    err = refused(command, flag, "nowhere/report", *words[command])
    assert "the folder nowhere does not exist" in err


def test_ctrl_c_prints_the_report_so_far_and_ends_with_130(call, monkeypatch, tmp_path):
    from imaml_ref.conformance import Engine

    def hvp(self, case):
        raise KeyboardInterrupt

    monkeypatch.setattr(Engine, "hvp", hvp)
    status, out, err = call("self", "--cases", "ridge,spd-10", "--json", "r.json")
    assert (status, err) == (130, "imaml-ref: interrupted\n")
    assert "interrupted at L2 of ridge: the report is on what was answered" in out
    assert " 2 passed, 0 failed, " in out
    found = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert found["interrupted"] == "L2 of ridge"


@pytest.mark.parametrize("whole", [True, False])
def test_ctrl_c_in_a_program_keeps_what_it_wrote(call, wrong, monkeypatch, whole):
    from imaml_ref.cli import conformance_program

    def run(words, **_):
        with open(words[1], "wb") as file:
            file.write(wrong.read_bytes()[: None if whole else 1000])
        raise KeyboardInterrupt

    monkeypatch.setattr(conformance_program.subprocess, "run", run)
    status, out, err = call("run", "--", "mine", "{answers}")
    assert (status, err) == (130, "imaml-ref: interrupted\n")
    assert ("✗ ridge L2 hvp: 0.30 digits" in out) == whole
    assert ("interrupted at mine: the report" in out) == whole
    assert "Diagnosis" not in out


def test_ctrl_c_during_the_diagnosis_keeps_the_report(call, wrong, monkeypatch):
    from imaml_ref import conformance

    def diagnose(report):
        raise KeyboardInterrupt

    monkeypatch.setattr(conformance, "diagnose", diagnose)
    status, out, _ = call("diagnose", wrong)
    assert status == 130
    assert "✗ ridge L2 hvp: 0.30 digits" in out
