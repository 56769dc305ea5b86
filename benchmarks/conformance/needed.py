"""Which family of mistakes fails which case, and which cases are needed for it.

    python benchmarks/run.py conformance.needed [--out DIR] [NAME ...]

Every family is planted with drawn numbers in every case that it has a meaning for, and
every mistake of the catalogue is made.  DIR receives needed.json and needed.md: what
fails nowhere, and for each case how many mistakes fail it, and which fail it alone.
"""

import argparse
from multiprocessing import get_context

import numpy as np

from imaml_ref.compute import one_blas_thread
from imaml_ref.conformance.families import FAMILIES
from imaml_ref.conformance.judge import FAIL
from imaml_ref.conformance.matrix import first_failure
from imaml_ref.conformance.mutants import CATALOGUE

from ..shared import record as records
from .planted import drawn, planted
from .recovered import laboratory

FEW = 3  # mistakes that are listed by name
DRAWS = 5  # of numbers, until something fails


def main(arguments=None):
    """Plant and judge."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--at-once", type=int, default=2, help="processes")
    records.add_out(parser)
    args = parser.parse_args(arguments)
    rows = {}
    with get_context("spawn").Pool(args.at_once) as pool:
        todo = args.names or [*FAMILIES, *CATALOGUE]
        for name, cases in zip(todo, pool.imap(failing, todo), strict=True):
            rows[name] = cases
            records.tell(f"{name}: {len(cases)}")
    told = records.circumstances("conformance.needed", arguments)
    records.write(args.out / "needed.json", told | {"fails": rows})
    (args.out / "needed.md").write_text(page(rows, told), "utf-8")


def failing(name):
    """Return the cases that a mistake fails."""
    lab = laboratory()
    with one_blas_thread(), np.errstate(all="ignore"):
        if name in CATALOGUE:
            return [c.name for c in lab.cases.values() if first_failure(lab, name, c)]
        for seed in range(DRAWS):
            report = planted(lab, name, *drawn(name, seed), cases=[*lab.cases])
            found = {v.case for v in report.verdicts if v.outcome == FAIL}
            if found:
                break  # what is clipped at more than there is fails nowhere
    return [case for case in lab.cases if case in found]


def page(rows, told):
    """Return the results as Markdown."""
    nowhere = [name for name, cases in rows.items() if not cases]
    alone = {case: [] for case in laboratory().cases}
    count = dict.fromkeys(alone, 0)
    for name, cases in rows.items():
        for case in cases:
            count[case] += 1
        if len(cases) == 1:
            alone[cases[0]].append(name)
    lines = [
        "# Mistakes and the cases that they need",
        "",
        f"    {told['command']}",
        "",
        f"{told['date']}. {len(rows)} mistakes; without a case that they fail: "
        f"{', '.join(f'`{n}`' for n in nowhere) or 'none'}.",
        "",
        "| case | fail it | fail it alone |",
        "|---|---|---|",
    ]
    for case, names in alone.items():
        shown = ", ".join(f"`{n}`" for n in names[:FEW])
        more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
        lines.append(f"| {case} | {count[case]} | {shown}{more} |")
    return "\n".join(lines) + "\n"
