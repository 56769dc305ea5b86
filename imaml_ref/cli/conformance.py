"""``imaml-ref conformance``: judge meta-gradients, whatever computed them.

The suite is imported when a command needs it: the others need not wait for it.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from .._version import __version__
from .conformance_program import ended
from .conformance_report import (
    choose,
    conclude,
    demand_writable,
    diagnosed,
    judged,
    say,
    split,
)
from .errors import refusing

app = typer.Typer(
    help="Tell whether a meta-gradient is right, and if not, which mistake it is.",
    epilog="Example: imaml-ref conformance run -- python mine.py",
)
Answers = Annotated[
    Path,
    typer.Argument(help="Answers that your program wrote.", metavar="ANSWERS.h5"),
]
Cases = Annotated[
    str | None,
    typer.Option("--cases", help="Names of cases, with commas.", show_default="all"),
]
Levels = Annotated[
    str | None,
    typer.Option("--levels", help="Levels, such as L1,L4.", show_default="all"),
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Write every verdict to a file too.", metavar="F"),
]
HtmlFile = Annotated[
    Path | None,
    typer.Option("--html", help="Write the report as a page too.", metavar="F"),
]
Failures = Annotated[
    int, typer.Option("--failures", help="Failures to describe, at most.", min=0)
]
DESCRIBED = 20


@app.command("list", epilog="Example: imaml-ref conformance list")
def list_cases():
    """Print the levels, and every case with what it is there for."""
    from ..conformance import LEVELS, SUITE_VERSION, load_suite

    say(f"suite {SUITE_VERSION}\n")
    for level in LEVELS.values():
        say(f"{level.name:22}{level.title}: {', '.join(level.answers)}")
    say("")
    for case in load_suite().values():
        say(f"{case.name:22}{' '.join(case.levels):19}{case.title}")


@app.command(epilog="Example: imaml-ref conformance export inputs.h5")
def export(
    file: Annotated[
        Path, typer.Argument(help="The HDF5 file to write.", metavar="INPUTS.h5")
    ],
    cases: Cases = None,
):
    """Write what a program needs in order to answer; see docs/conformance-format.md."""
    with refusing():
        number = export_inputs(file, cases)
    say(f"{file}: {number} cases")


def export_inputs(file: Path, names: str | None) -> int:
    """Write the inputs of the cases that a flag names; return how many there are."""
    from .. import conformance

    chosen = choose(names)
    conformance.export_inputs(file, chosen)
    return len(chosen)


@app.command(
    epilog="Example: imaml-ref conformance check answers.h5 --html report.html"
)
def check(
    file: Answers,
    cases: Cases = None,
    levels: Levels = None,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
    failures: Failures = DESCRIBED,
):
    """Judge a file of answers.

    Exit status 0 if what was attempted passed (a warning that is missing does not
    count), 1 if something failed, 2 if the file cannot be judged.
    """
    demand_writable(json_file, html_file)
    report = judged(file, cases, levels)
    conclude(report, json_file, html_file, failures)


@app.command(epilog="Example: imaml-ref conformance diagnose answers.h5")
def diagnose(
    file: Answers,
    cases: Cases = None,
    levels: Levels = None,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
    failures: Failures = DESCRIBED,
):
    """Judge a file of answers, and name the mistakes that give what fails."""
    demand_writable(json_file, html_file)
    report = diagnosed(judged(file, cases, levels))
    conclude(report, json_file, html_file, failures)


@app.command(
    epilog="Examples: imaml-ref conformance run -- python mine.py {inputs} {answers} · "
    "imaml-ref conformance run --html report.html -- julia mine.jl",
    context_settings={"allow_interspersed_args": False},
)
def run(
    command: Annotated[
        list[str],
        typer.Argument(
            help="Your program and its arguments. {inputs} and {answers} stand for the "
            "two files, as do the variables IMAML_REF_INPUTS and IMAML_REF_ANSWERS.",
            metavar="CMD...",
        ),
    ],
    cases: Cases = None,
    levels: Levels = None,
    diagnosis: Annotated[
        bool | None,
        typer.Option(
            "--diagnose/--no-diagnose",
            help="Name the mistakes that give what fails.",
            show_default="if something fails",
        ),
    ] = None,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
    failures: Failures = DESCRIBED,
):
    """Write the inputs, run a program, and judge the answers that it wrote."""
    demand_writable(json_file, html_file)
    with TemporaryDirectory(prefix="imaml-ref-") as folder:
        inputs, answers = Path(folder, "inputs.h5"), Path(folder, "answers.h5")
        with refusing():
            export_inputs(inputs, cases)
        stopped = ended(command, inputs, answers)
        report = judged(answers, cases, levels)
    report = replace(report, subject=" ".join(command), interrupted=stopped)
    if not stopped and (report.count("fail") if diagnosis is None else diagnosis):
        report = diagnosed(report)
    conclude(report, json_file, html_file, failures)


@app.command(
    "self", epilog="Example: imaml-ref conformance self --dtype float32 --html us.html"
)
def judge_self(
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "cpu",
    cases: Cases = None,
    levels: Levels = None,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
    failures: Failures = DESCRIBED,
):
    """Judge imaml_ref itself."""
    from ..conformance import Engine
    from ..conformance import check as check_object
    from ..runs import resolved_device

    demand_writable(json_file, html_file)
    with refusing():
        demand_dtype(dtype)
        device = resolved_device(device)
        report = check_object(
            Engine(device), cases=split(cases), levels=split(levels), dtype=dtype
        )
    subject = f"imaml_ref {__version__}, {dtype}, {device}"
    conclude(replace(report, subject=subject), json_file, html_file, failures)


def demand_dtype(dtype: str) -> None:
    """Stop at a precision that is not there.

    Raises:
        ValueError: If there is no such precision.
    """
    if dtype not in ("float64", "float32"):
        raise ValueError(f"--dtype must be float64 or float32, got {dtype!r}")
