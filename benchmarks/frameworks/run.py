"""Where a framework's second derivatives are wrong: each layer and loss, each route.

    python benchmarks/run.py frameworks NAME [CASE ...] [--out DIR]

NAME is that of a file ``in_NAME.py`` in this folder.  Every case runs in a process of
its own, two at a time, and in a new one after whatever raised.  NAME.json is written
to DIR, results/frameworks by default; where cases are named, their rows are renewed.
frameworks.table makes docs/frameworks.md of all such files.
"""

import argparse
import json
import platform
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from threading import Lock

from ..shared import child, record
from ..shared.machine import version_of
from .worker import framework

HERE = Path(__file__).parent
NAMES = sorted(p.stem.removeprefix("in_") for p in HERE.glob("in_*.py"))
RESULTS = record.RESULTS / "frameworks"
ENVIRONMENT = child.threads_of(1) | {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "GLOG_minloglevel": "3",
}


def main(arguments=None):
    """Ask a framework, and write what it answered."""
    args = parsed(arguments)
    at = framework(args.name)
    cases = [c for c in at.cases if not args.cases or c.name in args.cases]
    if not cases:
        raise SystemExit(f"no such case; {args.name} has: {[c.name for c in at.cases]}")
    path, new = args.out / f"{args.name}.json", about(args, at)
    rows = earlier(path, new) if args.cases else {}
    workers, writing = Queue(), Lock()
    for _ in range(args.at_once):
        workers.put(started(args))

    def ask(case):
        row = row_of(args, at, workers, case)
        with writing:  # what was measured is kept, whatever comes
            rows[case.name] = row
            known = {c.name: rows[c.name] for c in at.cases if c.name in rows}
            record.write(path, new | {"cases": known})

    with ThreadPoolExecutor(args.at_once) as pool:
        list(pool.map(ask, cases))
    while not workers.empty():
        workers.get().close()


def earlier(path, new):
    """Return the rows of a file that some rows are to be renewed in.

    Raises:
        SystemExit: If the file is of other versions.
    """
    if not path.exists():
        return {}
    old = json.loads(path.read_text("utf-8"))
    if any(old[key] != new[key] for key in ("versions", "routes", "python")):
        raise SystemExit(f"{path} is of other versions: give another --out")
    return old["cases"]


def parsed(arguments):
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("cases", nargs="*", help="some rows, in place of all")
    parser.add_argument("--out", type=Path, default=RESULTS, help="for NAME.json")
    parser.add_argument("--seconds", type=int, default=120, help="for an answer")
    parser.add_argument("--at-once", type=int, default=2, help="processes")
    return parser.parse_args(arguments)


def about(args, at):
    """Return what was run: command, date, versions, routes."""
    return {
        "framework": args.name,
        "command": f"python benchmarks/run.py frameworks {args.name}",
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "versions": {name: version_of(name) for name in at.packages},
        "routes": [*at.routes, *at.gn_routes],
    }


def row_of(args, at, workers, case):
    """Return the answers of a case and of its control, and print them in a line."""
    worker = workers.get()
    found = answered(args, worker, case.name, jobs_of(at, case))
    workers.put(worker)
    row = {"is_loss": case.is_loss, "case": {}, "control": {}}
    for job, result in found.items():
        subject, _, route = job.partition(":")
        row[subject][route] = result
    words = [f"{route} {result['verdict']}" for route, result in row["case"].items()]
    bad = {r["verdict"] for r in row["control"].values()} - {"right"}
    words += [f"CONTROL {bad}"] if bad else []
    print(f"{case.name}: {', '.join(words)}", flush=True)
    return row


def jobs_of(at, case):
    """Return what is asked of a case: gradient and routes, then its control's."""
    routes = ["gradient", *at.routes, *([] if case.is_loss else at.gn_routes)]
    subjects = ["case", *(["control"] if case.control else [])]
    return [f"{subject}:{route}" for subject in subjects for route in routes]


def answered(args, worker, name, jobs):
    """Return each job's answer, in as many processes as it takes."""
    found, left = {}, list(jobs)
    while left:
        question = {"case": name, "jobs": left, "seconds": args.seconds}
        back = worker.ask(json.dumps(question))
        found |= dict(zip(left, back["answers"], strict=False))
        if back["ending"]:
            job = left[len(back["answers"])]
            found[job] = {"verdict": "died", "message": back["ending"]}
        left = [job for job in left if job not in found]
    return found


def started(args):
    """Return the process that imports the framework and asks it."""
    module = "benchmarks.frameworks.worker"
    seconds = 100 * args.seconds  # it keeps the time of each answer itself
    return child.python(module, [args.name], ENVIRONMENT, seconds)


if __name__ == "__main__":
    main()
