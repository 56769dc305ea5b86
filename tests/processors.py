"""The tests on every kernel, with fewer SIMD, other threads, versions and orders.

    python -m tests.processors                          every row, hours
    python -m tests.processors --rows nehalem,order-1   some of them
    python -m tests.processors --rows python --python /usr/bin/python3.14

from the root of a checkout.  Each row runs in a process of its own and goes into the
record, from which the page is written anew; a row that is run again replaces what it
found before.  OpenBLAS ignores a kernel that the processor or the library lacks,
without a word: what threadpoolctl reports decides what a row is, and a row that was run
under another name is left out.

Rows of other versions install them in a temporary environment, with the network.
Random orders need pytest-randomly, which no other test does.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "benchmarks" / "results" / "processors.md"
COMMAND = "python -m tests.processors"
BELOW = "## What was tried and what was not"
WHOLE, NUMBERS = "whole", "numbers"
KERNELS = ("Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX", "Cooperlake")
NO_WITNESS = ("nvidia-cuda-nvrtc", "ruff", "mypy")  # of the extra `test`, not needed

# Run in the environment of a row: what it really is.
PROBE = """
import json, platform, sys
import h5py, matplotlib, numpy, PIL, scipy.linalg, threadpoolctl
from numpy._core import _multiarray_umath as umath
found = {}
for pool in threadpoolctl.threadpool_info():
    owner = "numpy" if "numpy.libs" in pool["filepath"] else "scipy"
    found[owner] = [pool.get("architecture", pool["internal_api"]), pool["num_threads"]]
print(json.dumps({
    "blas": found,
    "simd": [n for n in umath.__cpu_dispatch__ if umath.__cpu_features__[n]],
    "versions": {
        "Python": platform.python_version(),
        **{m.__name__: m.__version__ for m in (numpy, scipy, h5py, matplotlib, PIL)},
    },
    "machine": f"{platform.system()} {platform.machine()}",
}))
"""


@dataclass(frozen=True)
class Row:
    """What is run, and in which surroundings.

    Args:
        name: As in ``--rows``.
        scope: The whole suite, or the tests that compare numbers.
        settings: Environment variables.
        versions: "" for those that are here, or "lowest" or "newest".
        seed: Of a random order; None is the order of the files.
    """

    name: str
    scope: str = NUMBERS
    settings: dict = field(default_factory=dict)
    versions: str = ""
    seed: int | None = None


def rows() -> list[Row]:
    """Return all rows; the first is what the others are compared with."""
    one = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    two = {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    weakest = {**one, "OPENBLAS_CORETYPE": "Prescott"}
    return [
        Row("own", WHOLE, one),
        Row("prescott", WHOLE, weakest),
        *(Row(k.lower(), NUMBERS, {**one, "OPENBLAS_CORETYPE": k}) for k in KERNELS),
        Row("no-simd", NUMBERS, {**one, "NPY_DISABLE_CPU_FEATURES": "all"}),
        Row(
            "no-simd-prescott", NUMBERS, {**weakest, "NPY_DISABLE_CPU_FEATURES": "all"}
        ),
        Row("threads-1", NUMBERS, one),
        Row("threads-2", NUMBERS, two),
        Row("threads-2-prescott", NUMBERS, {**weakest, **two}),
        Row("lowest", NUMBERS, one, versions="lowest"),
        Row("newest", NUMBERS, one, versions="newest"),
        *(Row(f"order-{seed}", WHOLE, one, seed=seed) for seed in (1, 2, 3)),
        Row("python", NUMBERS, one, versions="newest"),
    ]


def requirements(versions: str) -> list[str]:
    """Return what pip is to install: the bounds of pyproject.toml, or the bounds hit.

    Args:
        versions: "lowest" or "newest".
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    wanted = [w for w in wanted if not w.startswith(NO_WITNESS)]
    if versions == "lowest":
        wanted = [w.replace(">=", "==") for w in wanted]
    return [*wanted, "setuptools"]


def environment(versions: str, python: str, folder: Path) -> str:
    """Return the interpreter of an environment with some versions."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    made = str(folder / "bin" / "python")
    pip = [made, "-m", "pip", "install", "--quiet", "--upgrade"]
    subprocess.run([*pip, *requirements(versions)], check=True)
    return made


def surroundings(row: Row, python: str) -> dict[str, str]:
    """Return the environment variables of a row, "all" SIMD spelt out."""
    found = {**os.environ, "PYTHONPATH": str(ROOT), **row.settings}
    if found.pop("NPY_DISABLE_CPU_FEATURES", "") == "all":
        found["NPY_DISABLE_CPU_FEATURES"] = " ".join(probe(python, found)["simd"])
    return found


def probe(python: str, settings: dict[str, str]) -> dict:
    """Return kernels, threads, SIMD and versions of an interpreter, as it sees them."""
    command = [python, "-c", PROBE]
    done = subprocess.run(command, env=settings, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{python} lacks what the tests need: {done.stderr[-300:]}")
    return json.loads(done.stdout)


def tested(row: Row, python: str, settings: dict[str, str], workers: int) -> dict:
    """Run the tests of a row; return counts, failures by name and seconds."""
    command = [python, "-m", "pytest", "-q", "-n", str(workers), "--dist", "worksteal"]
    in_order = row.seed is None
    command += ["-p", "no:randomly"] if in_order else [f"--randomly-seed={row.seed}"]
    if row.scope == NUMBERS:
        command += ["-m", f"{NUMBERS} and not thorough"]
    if (
        row.versions == "lowest"
    ):  # of whose own dependencies newer ones deprecate things
        command += ["-W", "ignore::DeprecationWarning"]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        done = subprocess.run(
            [*command, f"--junitxml={report}"], env=settings, cwd=ROOT, check=False
        )
        if not report.exists():
            raise SystemExit(f"row {row.name}: pytest ended with {done.returncode}")
        found = read_report(report)
    return {**found, "seconds": round(time.perf_counter() - start)}


def read_report(path: Path) -> dict:
    """Return what a report in JUnit's format says."""
    passed, skipped, failed = 0, 0, []
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        kinds = {part.tag for part in case}
        if kinds & {"failure", "error"}:
            file = case.get("classname", "").removeprefix("tests.")
            failed.append(f"{file}::{case.get('name')}")
        elif "skipped" in kinds:
            skipped += 1
        else:
            passed += 1
    return {"passed": passed, "skipped": skipped, "failed": sorted(set(failed))}


def covers(one: dict, other: dict) -> bool:
    """Whether a row that was run makes another needless: the same surroundings."""
    alike = all(one[key] == other[key] for key in ("seen", "seed"))
    return alike and one["scope"] in {WHOLE, other["scope"]}


def run(row: Row, record: dict, python: str, workers: int) -> dict:
    """Run a row, unless another was the same; return the record with it."""
    with tempfile.TemporaryDirectory() as folder:
        if row.versions:
            python = environment(row.versions, python, Path(folder) / "environment")
        settings = surroundings(row, python)
        seen = probe(python, settings)
        name = row.name
        if name == "python":
            name = f"python-{seen['versions']['Python']}"
        print(f"{name}: {json.dumps(seen)}", flush=True)
        this = {"scope": row.scope, "seed": row.seed, "seen": seen}
        rest = {n: found for n, found in record.items() if n != name}
        twins = [n for n, found in rest.items() if covers(found, this)]
        if twins:
            print(f"{name}: the same as {twins[0]}, not run again", flush=True)
            return rest
        this |= tested(row, python, settings, workers)
    return {n: found for n, found in rest.items() if not covers(this, found)} | {
        name: this
    }


def page(record: dict, before: str) -> str:
    """Return the page: a line for each row, failures by name, and what stands below.

    Args:
        record: What was found, by row.
        before: The page as it was; what it says from ``BELOW`` on is written by hand.
    """
    lines = [
        "# Processors, versions and orders",
        "",
        f"Written by `{COMMAND}`; the numbers are in `{PAGE.stem}.json`. Kernels are "
        "those that threadpoolctl reports, NumPy's and SciPy's OpenBLAS; a row that is "
        "the same as another under a second name is not run.",
        "",
        "| row | tests | NumPy's kernel | SciPy's | threads | wide SIMD | versions "
        "| seed | passed | skipped | failed | s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
        *(line(name, found) for name, found in record.items()),
        "",
    ]
    broken = {name: found["failed"] for name, found in record.items()}
    lines += [f"- {n}: `{test}`" for n, tests in broken.items() for test in tests]
    return "\n".join([*lines, "", "".join(before.partition(BELOW)[1:])])


def line(name: str, found: dict) -> str:
    """Return the line of a row."""
    seen, versions = found["seen"], found["seen"]["versions"]
    kernels = {k: v[0] for k, v in seen["blas"].items()}
    threads = {v[1] for v in seen["blas"].values()}
    cells = [
        name,
        found["scope"],
        kernels.get("numpy", "none"),
        kernels.get("scipy", "none"),
        "/".join(map(str, sorted(threads))),
        " ".join(seen["simd"]) or "none",
        ", ".join(f"{k} {v}" for k, v in versions.items()),
        "" if found["seed"] is None else str(found["seed"]),
        *(str(found[k]) for k in ("passed", "skipped")),
        str(len(found["failed"])),
        str(found["seconds"]),
    ]
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str]) -> int:
    """Run rows, write record and page; the exit status is 1 if a test failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", default="", help="names, with commas; default: all")
    parser.add_argument("--python", default=sys.executable, help="the interpreter")
    parser.add_argument("--scope", choices=(WHOLE, NUMBERS), help="in place of a row's")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--page", type=Path, default=PAGE)
    asked = parser.parse_args(arguments)
    known = {row.name: row for row in rows()}
    wanted = re.findall(r"[^,\s]+", asked.rows) or list(known)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        parser.error(f"--rows {unknown[0]!r} is none of {', '.join(known)}")
    results = asked.page.with_suffix(".json")
    for name in wanted:
        record = json.loads(results.read_text("utf-8")) if results.exists() else {}
        row = replace(known[name], scope=asked.scope or known[name].scope)
        record = run(row, record, asked.python, asked.workers)
        results.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        before = asked.page.read_text("utf-8") if asked.page.exists() else ""
        asked.page.write_text(page(record, before), encoding="utf-8")
    return int(any(found["failed"] for found in record.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
