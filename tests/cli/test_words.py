"""What the program says in words: units, which θ, which defaults, what was measured."""

import json
import re
from pathlib import Path

import pytest

from imaml_ref.cli import main
from imaml_ref.cli.options import defaults_of
from imaml_ref.cli.train import which_theta
from imaml_ref.config import FIELDS, make_config
from imaml_ref.runs import protocol
from imaml_ref.runs.recorder import in_words
from tests.helpers.tiny_runs import train

ROOT = Path(__file__).parents[2]
NAN = float("nan")


def test_progress_has_one_unit_for_accuracies():
    row = {"query_loss": 0.51, "query_accuracy": 0.837, "validation_score": 0.624}
    said = in_words(row)
    expected = "query loss 0.510, accuracy 83.7 %, validation accuracy 62.4 %"
    assert said == expected
    assert in_words(row | {"validation_score": 0.0}).endswith("accuracy 0.0 %")


def test_progress_of_a_regression_has_losses():
    row = {"query_loss": 0.51, "query_accuracy": NAN, "validation_score": -1.25}
    assert in_words(row) == "query loss 0.510, validation loss 1.250"
    del row["validation_score"]
    assert in_words(row) == "query loss 0.510"


@pytest.mark.usefixtures("without_figures")
def test_a_run_says_which_theta_was_tested(data, tmp_path, capsys):
    out = tmp_path / "run"
    flags = ["--meta-steps", "2", "--validation-interval", "1"]
    assert train(data, out, *flags) == 0
    summary = json.loads((out / "summary.json").read_text())
    step, said = summary["theta_step"], capsys.readouterr().out
    assert f"tested: θ after {step} of 2 meta-steps ({summary['theta_reason']})" in said
    assert f"5 test tasks, {summary['protocol']}" in said
    assert main(["evaluate", str(out), "--tasks", "3"]) == 0
    assert f"θ after {step} meta-steps" in capsys.readouterr().out


def test_a_theta_that_is_not_the_last_is_named():
    summary = {
        "theta_step": 400,
        "meta_steps": 900,
        "theta_reason": "best on validation, beyond the interval of the last",
        "estimator": "iMAML",
    }
    expected = "θ after 400 of 900 meta-steps (best on validation, beyond the interval"
    assert expected in which_theta(summary)


@pytest.mark.parametrize("name", [n for n in FIELDS if n not in ("data", "preset")])
def test_help_names_every_default_that_a_run_may_take(name):
    """The witness: the configurations that come of each preset and kind of data."""
    said = defaults_of(name)
    places = {
        "glyphs": make_config({"data": "glyphs"}),
        "a data file": make_config({"data": "mine.h5"}),
        "sinusoid": make_config({"data": "sinusoid"}),
        "paper": make_config(preset="paper"),
        "released": make_config(preset="released"),
    }
    parts = said.strip(" ()").split("; ")
    for label, config in places.items():
        value = getattr(config, name)
        shown = {True: "yes", False: "no"}.get(value) if value in (0, 1) else None
        if not isinstance(value, bool):
            shown = f"{value:g}" if isinstance(value, float) else str(value)
        (part,) = [p for p in parts if label in p.rpartition(" ")[0]] or parts[:1]
        assert part.split(" ")[-1] == shown, (label, said)


def test_help_says_what_a_data_file_takes():
    assert defaults_of("meta_steps").startswith(" (glyphs 500; a data file 1200;")
    assert defaults_of("lam") == " (0.2; paper, released 2)"
    assert defaults_of("ways") == " (5)"


def test_the_protocol_names_what_the_tasks_hold():
    config = make_config({"ways": 7, "shots": 2, "queries": 15})
    said = protocol(config, "classification")
    assert said.startswith("7-way 2-shot, 15 queries a class; transductive: ")
    assert protocol(config, "regression") == "2 shots and 15 queries a task"


def test_accuracies_on_the_first_page_say_what_they_are():
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"[^.\n]*meta-steps reach.*?\)\)", page)
    results = (ROOT / "benchmarks/results/README.md").read_text(encoding="utf-8")
    for together, alone in (
        ("93.2 ± 0.3 %", "58.5 ± 0.6 %"),
        ("97.1 ± 0.2 %", "64.6 ± 0.7 %"),
    ):
        assert f"{together} transductive" in sentence
        assert f"{alone} per example" in sentence
        assert f"{together}**" in results or f"{together} |" in results
        assert alone in results
    assert "97.1 ± 0.2 %" not in page.replace(sentence, "")
