"""Have the judge work out mistakes that it was not told about.

    python benchmarks/run.py conformance.blind --out DIR [ID ...]

ID is that of a mistake in list.json, or torch, jax or numpy: a program without any.  By
default all are run, each in a process of its own, two at a time.  DIR receives ID.json,
table.md and ID.report, what was judged; an ID that has its json is not run again, and
one that has its report alone is diagnosed without being asked.
"""

import argparse
import json
import os
import pickle
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from imaml_ref import conformance
from imaml_ref.conformance.json_report import diagnosis

from ...shared import record as records
from .lists import load
from .plant import PROGRAMS, planted
from .table import written

ROOT = Path(__file__).parents[3]
MISSED = ("fail", "did not warn")


def main(arguments=None):
    """Run the mistakes that were chosen."""
    args = parsed(arguments)
    known = load() | {p: {"id": p, "program": p} for p in PROGRAMS}
    chosen = args.ids or list(load())
    if unknown := set(chosen) - set(known):
        sys.exit(f"no mistake is called {', '.join(sorted(unknown))}; see list.json")
    if args.one:
        report = args.out / f"{chosen[0]}.report"
        print(json.dumps(judged(known[chosen[0]], report, args.cases)))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    todo = [id for id in chosen if not (args.out / f"{id}.json").exists()]
    with ThreadPoolExecutor(args.at_once) as workers:
        work = partial(in_process, out=args.out, limit=args.limit, cases=args.cases)
        for id, found in zip(todo, workers.map(work, todo), strict=True):
            records.write(args.out / f"{id}.json", known[id] | found)
            print(id, found["caught"], found["levels"], found["seconds"], flush=True)
    table = written(args.out, known)
    (args.out / "table.md").write_text(table, "utf-8")


def parsed(arguments):
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ids", nargs="*", metavar="ID")
    parser.add_argument("--out", type=Path, default=Path("blind"), help="a folder")
    parser.add_argument("--cases", help="some cases, with commas, in place of all")
    parser.add_argument("--limit", type=float, default=1800, help="seconds for each")
    parser.add_argument("--at-once", type=int, default=2, help="processes")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def in_process(id, out, limit, cases=None):
    """Return what is found of one mistake; a hang or a crash ends its process alone."""
    words = [sys.executable, str(ROOT / "benchmarks/run.py"), "conformance.blind"]
    words += [id, "--one", "--out", str(out), *(["--cases", cases] if cases else [])]
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    try:
        ended = subprocess.run(
            words,
            capture_output=True,
            text=True,
            timeout=limit,
            env=os.environ | one_thread,
        )
        found = json.loads(ended.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        found = nothing(f"did not end within {limit:.0f} s")
    except (IndexError, ValueError):
        last = (ended.stderr.strip().splitlines() or [""])[-1]
        found = nothing(f"ended with {ended.returncode}: {last}")
    return found | {"seconds": round(time.perf_counter() - start, 1)}


def refusing(program):
    """Return the errors of a program's own: they say that there is no answer."""
    known = vars(sys.modules[program.__module__]).values()
    kinds = [kind for kind in known if isinstance(kind, type)]
    kinds = [kind for kind in kinds if issubclass(kind, ArithmeticError)]
    return tuple(kind for kind in kinds if kind.__module__ != "builtins")


def nothing(why):
    """Return what is found where the process did not come to its end."""
    return {"caught": None, "levels": {}, "diagnoses": [], "ended": why}


def reported(mistake, path, cases=None):
    """Return the report on a mistake, that of before if there is one."""
    if path.exists():
        return pickle.loads(path.read_bytes())
    cases = cases.split(",") if cases else None
    program = planted(mistake)
    program.refusals = refusing(program)
    report = conformance.check(program(), cases=cases)
    path.write_bytes(pickle.dumps(report))
    return report


def judged(mistake, path, cases=None):
    """Return which levels fail, and what the judge says of it."""
    start = time.perf_counter()
    report = reported(mistake, path, cases)
    checked = time.perf_counter()
    report = conformance.diagnose(report)
    missed = [v for v in report.verdicts if v.outcome in MISSED]
    return {
        "suite": conformance.SUITE_VERSION,
        "caught": bool(missed),
        "levels": dict(Counter(f"{v.level} {v.answer}" for v in missed)),
        "cases": list(dict.fromkeys(v.case for v in missed)),
        "outcomes": dict(Counter(v.outcome for v in report.verdicts)),
        "diagnoses": [diagnosis(d) for d in report.diagnoses],
        "seconds_check": round(checked - start, 1),
        "seconds_diagnose": round(time.perf_counter() - checked, 1),
    }
