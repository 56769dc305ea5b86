"""Plant every family of mistakes with drawn numbers, and see whether it is recovered.

    python benchmarks/run.py conformance.recovered [--draws N] [--out DIR] [NAME ...]

For each family, N draws in double precision, perturbed by 1e-12, and one rounded to
single precision.  And what is right, noise, and what is right but for a relative noise
of 1e-6: no name may come of these.  DIR receives recovered.json and recovered.md.
"""

import argparse
import json
import time
from collections import Counter
from functools import cache
from multiprocessing import get_context

import numpy as np

from imaml_ref.compute import one_blas_thread
from imaml_ref.conformance import diagnose, load_suite
from imaml_ref.conformance.families import FAMILIES
from imaml_ref.conformance.families.members import is_one
from imaml_ref.conformance.judge import FAIL
from imaml_ref.conformance.laboratory import Laboratory

from ..shared import record as records
from .planted import changed, drawn, is_of_layers, planted, report_of

RIGHT, TIED, OTHER, NONE, UNSEEN = "named", "tied", "another", "not named", "passes"
TO = 1e-3  # relative, of a number that is told
# What the first step shows of two things at once.
PARTS = {f"outer-{n}-with-l2": ("outer-l2",) for n in ("momentum", "nesterov")}
CONTROLS = ("right", "noise", "nearly right")


def main(arguments=None):
    """Plant and diagnose."""
    args = parsed(arguments)
    names = args.names or [*FAMILIES]
    if unknown := set(names) - set(FAMILIES):
        raise SystemExit(f"no family is called {', '.join(sorted(unknown))}")
    todo = [(n, s, "float64") for n in names for s in range(args.draws)]
    todo += [(n, args.draws, "float32") for n in names]
    todo += [(control, 0, d) for control in CONTROLS for d in ("float64", "float32")]
    rows, told = [], records.circumstances("conformance.recovered", arguments)
    with get_context("spawn").Pool(args.at_once) as pool:
        for row in pool.imap(one, todo):
            rows.append(row)
            records.tell(f"{row['name']} {row['dtype']}: {row['outcome']}")
            records.write(args.out / "recovered.json", told | {"rows": rows})
    (args.out / "recovered.md").write_text(page(rows, told), "utf-8")


def parsed(arguments):
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--draws", type=int, default=1, help="in double precision")
    parser.add_argument("--at-once", type=int, default=2, help="processes")
    records.add_out(parser)
    return parser.parse_args(arguments)


@cache
def laboratory():
    """Return that of this process."""
    return Laboratory(load_suite())


def one(task):
    """Return what is said of a family, or of a control."""
    name, seed, dtype = task
    lab, start = laboratory(), time.process_time()
    with one_blas_thread(), np.errstate(all="ignore"):
        if name in CONTROLS:
            values, steps = (), 0
            report = control(name, lab, dtype)
        else:
            values, steps = drawn(name, seed)
            report = planted(lab, name, values, steps, dtype)
        found = diagnose(report, lab.cases, lab).diagnoses
    failing = [v for v in report.verdicts if v.outcome == FAIL]
    return {
        "name": name,
        "dtype": dtype,
        "values": values,
        "steps": steps if name in FAMILIES and FAMILIES[name].steps else None,
        "outcome": outcome(name, found, values, steps, failing),
        "fails": sorted({v.case for v in failing}),
        "said": [d.text for d in found],
        "names": [d.names for d in found],
        "seconds": round(time.process_time() - start, 1),
    }


def control(name, lab, dtype):
    """Return the report of answers that no mistake gives."""
    rng = np.random.default_rng(7)

    def answer(case, level, which, right):
        if name == "noise":
            noise = rng.standard_normal(np.shape(right))
            return np.asarray(noise * np.sqrt(np.mean(right**2)), dtype)
        size = 1e-6 if name == "nearly right" else 1e-12
        return changed(case, level, right, rng, dtype, size)

    return report_of([*lab.cases.values()], answer)


def outcome(name, found, values, steps, failing):
    """Return what became of a planted family."""
    if not failing:
        return UNSEEN
    told = [d for d in found if d.names]
    if not told:
        return NONE
    if name in CONTROLS:
        return OTHER
    good = [is_right(name, d, values, steps) for d in told]
    if not all(good):
        return OTHER
    return TIED if any(len(d.names) > 1 for d in told) else RIGHT


def is_right(name, found, values, steps):
    """Whether a diagnosis says a family, or a member of it, with its numbers."""
    if not any(n == name or is_one(n, name) for n in found.names):
        return any(n in PARTS.get(name, ()) for n in found.names)
    if found.names[0] != name:
        return True
    family = FAMILIES[name]
    said = [number(found.numbers[n]) for n in family.numbers]
    right = np.allclose(said, values, rtol=TO, atol=0)
    return right and (not family.steps or found.numbers["steps"] == str(steps))


def number(text):
    """Return a number as it is told; NaN if it is a rule such as 1/T."""
    try:
        return float(text.replace("−", "-"))
    except ValueError:
        return np.nan


def page(rows, told):
    """Return the results as Markdown."""
    planted_rows = [r for r in rows if r["name"] in FAMILIES]
    controls = [r for r in rows if r["name"] in CONTROLS]
    lines = [
        "# Families of mistakes, planted and recovered",
        "",
        f"    {told['command']}",
        "",
        f"{told['date']}, {json.dumps(told['machine'], ensure_ascii=False)}.",
        "",
        "| | named | tied | another name | not named | passes | recovered |",
        "|---|---|---|---|---|---|---|",
    ]
    for dtype in ("float64", "float32"):
        for kind in ("of the network and the loss", "all others"):
            layers = kind != "all others"
            some = [
                r["outcome"]
                for r in planted_rows
                if r["dtype"] == dtype and is_of_layers(r["name"]) == layers
            ]
            if some:
                lines.append(f"| {dtype}, {kind} | {shares(some)} |")
    lines += ["", "What was said where nothing, or not this, was planted:", ""]
    lines += [f"- {r['name']}, {r['dtype']}: {r['outcome']}" for r in controls]
    lines += [
        "",
        "| family | precision | numbers | | what was said |",
        "|---|---|---|---|---|",
    ]
    for r in planted_rows:
        if r["outcome"] != RIGHT:
            numbers = ", ".join(f"{v:.4g}" for v in r["values"])
            said = "; ".join(r["said"]).replace("|", "\\|").replace("\n", " ")
            cells = f"`{r['name']}`", r["dtype"], numbers, r["outcome"], said
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def shares(outcomes):
    """Return the cells of a row: counts, and the share that is recovered."""
    count = Counter(outcomes)
    seen = len(outcomes) - count[UNSEEN]
    share = (count[RIGHT] + count[TIED]) / seen if seen else 0.0
    cells = [str(count[k]) for k in (RIGHT, TIED, OTHER, NONE, UNSEEN)]
    return " | ".join([*cells, f"{share:.1%}"])
