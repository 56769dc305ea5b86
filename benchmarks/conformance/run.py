"""Run a published implementation through the conformance suite.

    python benchmarks/run.py conformance NAME [--path CHECKOUT] [--out DIR]

NAME is that of a driver: ``with_NAME.py`` in this folder.  ``--path`` is a checkout
that is imported in place of an installed package.  Every variant is run, or one with
``--variant``; ``--out`` receives NAME.json, with versions, command and date.
"""

import argparse
import importlib
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from imaml_ref import conformance
from imaml_ref.conformance.json_report import diagnosis
from imaml_ref.conformance.laboratory import Laboratory

from ..shared import record as records
from ..shared.machine import commit_of, version_of

HERE = Path(__file__).parent
NAMES = sorted(p.stem.removeprefix("with_") for p in HERE.glob("with_*.py"))


def main(arguments=None):
    """Run it."""
    args = parsed(arguments)
    driver = load(args.name, args.path)
    chosen = [args.variant] if args.variant else list(driver.VARIANTS)
    record = about(driver, args) | {"variants": {}}
    laboratory = Laboratory(conformance.load_suite())
    for name in chosen:
        variant = driver.VARIANTS[name]
        report = examined(variant.make(), args.dtype, args.cases)
        report = diagnosed(report, laboratory) if args.diagnose else report
        print(summary(report, variant.settings), end="\n\n", flush=True)
        record["variants"][name] = {"settings": variant.settings} | plain(report)
        write(record, args)


def write(record, args):
    """Write what was found so far, if there is a folder for it."""
    if args.out:
        suffix = "" if args.dtype == "float64" else f"-{args.dtype}"
        records.write(args.out / f"{args.label or args.name}{suffix}.json", record)


def parsed(arguments):
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--path", type=Path, help="a checkout to import from")
    parser.add_argument("--out", type=Path, help="folder for NAME.json")
    parser.add_argument("--label", help="name of the file, in place of NAME")
    parser.add_argument("--variant", help="one variant, in place of all")
    parser.add_argument("--cases", nargs="+", help="some cases, in place of all")
    parser.add_argument("--diagnose", action="store_true", help="name the mistakes")
    parser.add_argument("--dtype", default="float64", choices=("float64", "float32"))
    return parser.parse_args(arguments)


def load(name, path=None):
    """Import a driver, its implementation from a checkout if a path is given."""
    if path is not None:
        sys.path.insert(0, str(path))
    return importlib.import_module(f".with_{name}", __package__)


def about(driver, args):
    """Return what was run: versions, commit, command, date."""
    parts = [args.name, "--path CHECKOUT" if args.path else ""]
    parts += ["" if args.dtype == "float64" else f"--dtype {args.dtype}"]
    parts += ["--cases " + " ".join(args.cases) if args.cases else ""]
    parts += ["--diagnose" if args.diagnose else ""]
    command = " ".join(["python benchmarks/run.py conformance", *filter(None, parts)])
    return {
        "implementation": args.name,
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "dtype": args.dtype,
        "suite": conformance.SUITE_VERSION,
        "python": platform.python_version(),
        "versions": {name: version_of(name) for name in ("numpy", *driver.PACKAGES)},
        "commit": "" if args.path is None else commit_of(args.path),
    }


def examined(subject, dtype="float64", cases=None):
    """Return the report on an object."""
    return conformance.check(subject, dtype=dtype, cases=cases)


def diagnosed(report, laboratory):
    """Return a report with the mistakes that would give the failing answers."""
    return conformance.diagnose(report, conformance.load_suite(), laboratory)


def summary(report, settings):
    """Return a report in a few lines: a line per level, a line per failure."""
    lines = [f"{report.subject}: {settings}"]
    for level in conformance.LEVELS:
        counts, fewest = tally(report, level)
        if counts:
            told = ", ".join(f"{n} {outcome}" for outcome, n in counts.items())
            ending = "" if fewest is None else f"; at least {fewest:.1f} digits"
            lines.append(f"  {level}  {told}{ending}")
    lines += map(line, failures(report))
    return "\n".join([*lines, *(f"  = {d.text}" for d in report.diagnoses)])


def tally(report, level):
    """Return how often each outcome occurs at a level, and the fewest digits."""
    at = [v for v in report.verdicts if v.level == level]
    at = [v for v in at if v.outcome != "not attempted"]
    counts = {
        o: sum(v.outcome == o for v in at) for o in dict.fromkeys(v.outcome for v in at)
    }
    passed = [v.digits for v in at if v.outcome == "pass"]
    return counts, min(passed, default=None)


def failures(report):
    """Return the verdicts of failed answers."""
    return [v for v in report.verdicts if v.outcome == "fail"]


def line(verdict):
    """Return a failure in one line."""
    text = f"    {verdict.case} {verdict.level} {verdict.answer}: "
    if verdict.agreement is None:
        return text + verdict.message
    seen = verdict.agreement
    text += f"{seen.digits:.1f} digits of {verdict.required:.1f}, {seen.tensor or 'x'}"
    text += f"{list(seen.entry)} {seen.got:.6g} for {seen.want:.6g}, ×{seen.ratio:.4g}"
    return text + (f" ({verdict.message})" if verdict.message else "")


def plain(report):
    """Return a report as plain data."""
    levels = {level: tally(report, level) for level in conformance.LEVELS}
    return {
        "subject": report.subject,
        "levels": {
            level: dict(counts) | {"fewest_digits": rounded(fewest)}
            for level, (counts, fewest) in levels.items()
            if counts
        },
        "diagnoses": [diagnosis(d) for d in report.diagnoses],
        "verdicts": [
            plain_verdict(v) for v in report.verdicts if v.outcome != "not attempted"
        ],
    }


def plain_verdict(verdict):
    """Return a verdict as plain data."""
    found = {
        name: getattr(verdict, name) for name in ("case", "level", "answer", "outcome")
    }
    if verdict.agreement is not None:
        seen = verdict.agreement
        found |= {"digits": rounded(seen.digits), "required": rounded(verdict.required)}
        if verdict.outcome == "fail":
            found |= {"tensor": seen.tensor, "task": seen.task, "entry": seen.entry}
            found |= {"got": seen.got, "want": seen.want, "ratio": rounded(seen.ratio)}
    # One line: what follows is often a trace, with paths of whoever ran it.
    said = verdict.message.partition("\n")[0]
    return found | ({"message": said} if said else {})


def rounded(number):
    """Return a number to four digits; None for what JSON cannot hold."""
    finite = number is not None and abs(number) < float("inf")
    return float(f"{number:.4g}") if finite else None
