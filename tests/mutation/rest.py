"""Plant a hundred mistakes in the rest of the package; each should fail a test.

    python -m tests.mutation.rest --out DIR                    a hundred, from seed 0
    python -m tests.mutation.rest --out DIR --checkout OTHER   in another checkout
    python -m tests.mutation.rest --out DIR --like OTHER_DIR   those drawn there before

from the root of a checkout.  ``derivatives.py`` and ``fused.py`` plant all mistakes in
the derivatives; here some are drawn from everything else, and what runs is the tests
that come to the statement: first those that come to few of the statements, then the
quick ones, until one fails.  Which they are is found out once, by a run of all tests on
a copy in which the statements are marked.  A test that fails without the mistake, too,
is left out.  Drawn elsewhere before is also what has moved to another file since.

Each mistake is made in a copy of the checkout, and tests run in a process of their own,
with a limit of time.  It takes hours on one core; what is there already is not done
again.  The copy lies in DIR beside the results: mutants.json, results.jsonl, table.md.
"""

import argparse
import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import asdict
from pathlib import Path

from tests.mutation.mutants_rest import (
    Drawn,
    draw,
    still_there,
    with_marks,
    with_mistake,
)

HERE = Path(__file__).resolve().parent
COPIED = ("imaml_ref", "data_tools", "tests", "examples", "docs", "findings")
COPIED += ("benchmarks",)
PYTEST = ("-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-p", "reached")
WHOLE = 3 * 3600  # seconds for all tests with marks
FIRST = 12  # tests that are tried before the others
FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.M)


class Copy:
    """A copy of a checkout, in which the modules are as ``ast`` writes them.

    Args:
        checkout: What is copied.
        out: Where the copy lies, and the map.
    """

    def __init__(self, checkout: Path, out: Path):
        self.root, self.map = out / "copy", out / "map"
        self.map.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        for name in COPIED:
            shutil.copytree(checkout / name, self.root / name)
        for path in [*checkout.glob("*.md"), *checkout.glob("*.toml")]:
            shutil.copy(path, self.root)
        shutil.copy(checkout / "CITATION.cff", self.root)
        shutil.copy(HERE / "reached.py", self.root)
        package = self.root / "imaml_ref"
        self.sources = {
            p.relative_to(package).as_posix(): p.read_text("utf-8")
            for p in package.rglob("*.py")
        }
        for file in self.sources:
            self.restore(file)

    def write(self, file: str, text: str) -> None:
        """Write a module anew, and see that nobody takes what was compiled before."""
        path = self.root / "imaml_ref" / file
        path.write_text(text, "utf-8")
        shutil.rmtree(path.parent / "__pycache__", ignore_errors=True)

    def restore(self, file: str) -> None:
        """Write a module without a mistake."""
        self.write(file, ast.unparse(ast.parse(self.sources[file])))

    def pytest(self, *arguments: str, seconds: float) -> tuple[int | None, str]:
        """Run pytest; return its status, None if it took too long, and its output."""
        environment = os.environ | {
            "PYTHONPATH": os.fspath(self.root),
            "REACHED": os.fspath(self.map),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        log = self.map.parent / "last.log"
        with (
            log.open("w") as stream,
            subprocess.Popen(
                [sys.executable, *PYTEST, *arguments],
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                status = None
            finally:  # with all that the tests started
                end_session(process.pid)
        return status, log.read_text("utf-8", "replace")


def end_session(pid: int) -> None:
    """End what is left of a session that was started here."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def reached(copy: Copy, mutants: list[Drawn]) -> None:
    """Run all tests on marked statements once; the map is then in a folder."""
    if (copy.map / "whole").exists():
        return
    for name in ("marks.tsv", "ends.tsv"):
        (copy.map / name).write_text("")
    by_file = defaultdict(dict)
    for number, mutant in enumerate(mutants):
        by_file[mutant.file][number] = mutant
    for file, numbered in by_file.items():
        copy.write(file, with_marks(copy.sources[file], numbered))
    status, _ = copy.pytest(seconds=WHOLE)
    for file in by_file:
        copy.restore(file)
    if status not in (0, 1):
        raise SystemExit(f"the tests ended with status {status}: see last.log")
    (copy.map / "whole").touch()


def ends(folder: Path) -> tuple[dict[str, float], set[str]]:
    """Return the seconds of every test, and which are of use: those that passed."""
    seconds, bad = defaultdict(float), set()
    for line in (folder / "ends.tsv").read_text("utf-8").splitlines():
        test, _, outcome, duration = line.split("\t")
        seconds[test] += float(duration)
        if outcome != "passed":
            bad.add(test)
    return seconds, set(seconds) - bad


def order(folder: Path) -> dict[int, list[tuple[str, float]]]:
    """Return, by mutant, the tests that come to it, with seconds, nearest first.

    What is reached while a test is set up may be of use to all tests of its file, and
    what is reached by an import to all there are; those come last.
    """
    seconds, good = ends(folder)
    tests, later = defaultdict(set), defaultdict(set)
    for line in (folder / "marks.tsv").read_text("utf-8").splitlines():
        number, _, said = line.partition("\t")
        test, _, phase = said.rpartition(" ")
        file = test.partition("::")[0]
        tests[int(number)] |= {test} & good
        if phase == "(setup)" or not test:
            later[int(number)] |= {t for t in good if t.startswith(file)}
    reach = Counter(test for found in tests.values() for test in found)

    def nearest_first(found):
        return sorted(found, key=lambda t: (reach[t], seconds[t], t))

    return {
        number: [
            (test, seconds[test])
            for part in (tests[number], later[number] - tests[number])
            for test in nearest_first(part)
        ]
        for number in {*tests, *later}
    }


def verdict(copy: Copy, mutant: Drawn, tests: list[tuple[str, float]], most: float):
    """Return how a mistake ends: killed and by what, survived, or not reached."""
    chosen, total = [], 0.0
    for test, seconds in tests:
        total += seconds
        if total < most or len(chosen) < FIRST:
            chosen.append((test, seconds))
    copy.write(mutant.file, with_mistake(copy.sources[mutant.file], mutant))
    try:
        for part in (chosen[:FIRST], chosen[FIRST:]):
            while part:
                status, said = copy.pytest(
                    "-x", *(t for t, _ in part), seconds=limit(part)
                )
                if status == 0:
                    break
                killer = next(iter(FAILED.findall(said)), "import")
                if status is None:
                    return {"outcome": "killed", "by": "time"}
                if is_sound(copy, mutant, killer):
                    return {"outcome": "killed", "by": killer}
                part = [(t, s) for t, s in part if t != killer]
    finally:
        copy.restore(mutant.file)
    outcome = "survived" if chosen else "not reached"
    return {"outcome": outcome, "by": "", "tests": len(chosen), "of": len(tests)}


def limit(part) -> float:
    """Return the seconds that tests may take: many times what they took."""
    return 300 + 10 * sum(seconds for _, seconds in part)


def is_sound(copy: Copy, mutant: Drawn, test: str) -> bool:
    """Whether a test passes without the mistake; then the mistake is made again."""
    if "::" not in test:
        return True
    copy.restore(mutant.file)
    status, _ = copy.pytest(test, seconds=600)
    copy.write(mutant.file, with_mistake(copy.sources[mutant.file], mutant))
    return status == 0


def table(mutants: list[Drawn], results: dict[int, dict]) -> str:
    """Return the results in Markdown."""
    outcomes = [found["outcome"] for found in results.values()]
    counts = ", ".join(f"{outcomes.count(o)} {o}" for o in sorted(set(outcomes)))
    lines = [f"{len(mutants)} mistakes: {counts}", ""]
    lines += ["| where | before | after | ended |", "|---|---|---|---|"]
    for number, mutant in enumerate(mutants):
        found = results.get(number, {"outcome": "to do", "by": ""})
        before, after = (t.replace("|", "\\|") for t in (mutant.before, mutant.after))
        lines.append(
            f"| {mutant.file}:{mutant.line} | `{before}` | `{after}` | "
            f"{found['outcome']} {found['by'].replace('|', chr(92) + '|')} |"
        )
    return "\n".join(lines) + "\n"


def listed(path: Path) -> list[Drawn]:
    """Return the mistakes that were drawn before."""
    return [Drawn(**fields) for fields in json.loads(path.read_text("utf-8"))]


def mutants_of(arguments) -> list[Drawn]:
    """Return the mistakes: drawn here before, elsewhere before, or now."""
    path, package = arguments.out / "mutants.json", arguments.checkout / "imaml_ref"
    if not path.exists():
        if arguments.like:
            found = still_there(package, listed(arguments.like / "mutants.json"))
        else:
            found = draw(package, arguments.count, arguments.seed)
        path.write_text(json.dumps([asdict(m) for m in found], indent=1), "utf-8")
    return listed(path)


def main() -> None:
    """Do what is not done yet, and write the table."""
    parser = argparse.ArgumentParser(description="plant mistakes, see tests fail")
    parser.add_argument("--out", type=Path, required=True, help="results, and the copy")
    parser.add_argument("--checkout", type=Path, default=HERE.parents[1])
    parser.add_argument("--like", type=Path, help="the --out of a run before")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=float, default=120, help="seconds of tests each")
    arguments = parser.parse_args()
    arguments.out = arguments.out.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    mutants = mutants_of(arguments)
    copy = Copy(arguments.checkout.resolve(), arguments.out)
    reached(copy, mutants)
    tests, path = order(copy.map), arguments.out / "results.jsonl"
    path.touch()
    results = {r.pop("number"): r for r in map(json.loads, path.open(encoding="utf-8"))}
    for number, mutant in enumerate(mutants):
        if number not in results:
            found = verdict(copy, mutant, tests.get(number, []), arguments.most)
            results[number] = found
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"number": number} | found) + "\n")
    text = table(mutants, results)
    (arguments.out / "table.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
