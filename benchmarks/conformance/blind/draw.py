"""Draw mutations of the PyTorch program that give other answers.

    python benchmarks/run.py conformance.blind.draw [--count N]

writes mutations.json, or goes on with it where it is unfinished.  A mutation is
dropped where the source no longer compiles or imports, where every answer of a few
cases stays the same to 12 digits, where all that changes is that it raises (or an error
of Python's comes first, which nobody would have left), and where it does not end in
time.
"""

import argparse
import json
import multiprocessing
import random
import signal
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import cache

import numpy

from imaml_ref import conformance

from .plant import HERE, PROGRAMS, planted, source
from .syntax_tree import changes

SEED, LIMIT, WORKERS = 7919, 90, 3
SLIPS = ("NameError", "UnboundLocalError", "TypeError", "AttributeError")
CASES = (
    ("ridge-lam-vector", "L1 L2 L4 U"),
    ("mlp-elu", "L1 L2"),
    ("strided-softplus", "L1 L2"),
    ("ties", "L1"),
    ("conv-global", "L1 L2"),
    ("spd-1e6", "L3"),
    ("indefinite", "L3"),
    ("ridge", "L5 L7"),
    ("logistic", "L4 L5"),
    ("kappa-1e6", "L4"),
    ("not-stationary", "L4"),
    ("saddle", "L4"),
    ("mlp-tanh", "U"),
    ("adam", "L7"),
)


def main(arguments=None):
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=80)
    count = parser.parse_args(arguments).count
    pool = candidates()
    kept, dropped, drawn = so_far(len(pool))
    rest = pool[drawn:] if len(kept) < count else []
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, mp_context=spawn) as workers:
        for mistake, why in zip(rest, workers.map(verdict, rest), strict=True):
            take(kept, dropped, mistake, why)
            drawn = len(kept) + sum(dropped.values())
            print(drawn, len(kept), dropped, flush=True)
            write(kept, dropped, drawn, len(pool))
            if len(kept) >= count:
                workers.shutdown(wait=False, cancel_futures=True)
                break


def so_far(candidates):
    """Return what was kept, dropped and drawn; a draw goes on where it was left."""
    path = HERE / "mutations.json"
    about = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if (about.get("seed"), about.get("candidates")) != (SEED, candidates):
        return [], {}, 0
    return about["mutations"], about["dropped"], about["drawn"]


def take(kept, dropped, mistake, why):
    """Keep a mutation, or count why not."""
    if why:
        dropped[why] = dropped.get(why, 0) + 1
    else:
        kept.append(mistake | {"id": f"A{len(kept) + 1:02d}"})


def write(kept, dropped, drawn, candidates):
    """Write what was drawn."""
    about = {"seed": SEED, "candidates": candidates, "drawn": drawn, "dropped": dropped}
    text = json.dumps(about | {"mutations": kept}, ensure_ascii=False, indent=1)
    (HERE / "mutations.json").write_text(text + "\n", "utf-8")


def candidates():
    """Return every mutation as a mistake, in an order drawn with the seed."""
    out = []
    for name in PROGRAMS["torch"]:
        text = source(name)
        raw = text.encode()
        for start, end, after, what in changes(text):
            line = raw[:start].count(b"\n") + 1
            before = raw[start:end].decode()
            out.append(
                {
                    "id": f"{name}:{start}:{what}",
                    "program": "torch",
                    "file": f"{name}.py",
                    "line": line,
                    "kind": what,
                    "span": [start, end],
                    "before": before,
                    "after": after,
                    "description": f"{name}.py line {line}, {what}",
                }
            )
    random.Random(SEED).shuffle(out)
    return out


def verdict(mistake):
    """Return why to drop a mutation, or nothing; a hang is interrupted."""
    warnings.simplefilter("ignore")
    base = of_the_program()
    signal.signal(signal.SIGALRM, hang)
    signal.alarm(LIMIT)
    try:
        return reason(base, planted(mistake)())
    except TooLong:
        return "does not end in time"
    except Exception:
        return "does not import"
    finally:
        signal.alarm(0)


class TooLong(BaseException):
    """A mutation does not end; no Exception, for those are answers."""


def hang(*_):
    """Interrupt a mutation."""
    raise TooLong


@cache
def of_the_program():
    """Return the answers of the program without mistakes."""
    return answers(planted({"id": "none", "program": "torch"})())


def reason(base, subject):
    """Return why to drop a mutation; nothing at the first answer that changes."""
    why = "answers are the same"
    for key, ask in asked():
        got, want = answer(ask, subject), base[key]
        if same(want, got):
            continue
        if not isinstance(got, str):
            return ""
        why = "only raises"
        if got in SLIPS:
            return why
    return why


def answers(subject):
    """Return an array, or the name of an error, for each question."""
    return {key: answer(ask, subject) for key, ask in asked()}


def answer(ask, subject):
    """Return an array, or the name of an error."""
    try:
        return numpy.asarray(ask(subject))
    except Exception as error:
        return type(error).__name__


@cache
def asked():
    """Return the questions, by name."""
    suite, found = conformance.load_suite(), []
    for name, levels in CASES:
        case = suite[name]
        object.__setattr__(case, "unrolled", {"steps": 3, "step_size": 0.25})
        for level in levels.split():
            for what, ask in questions(case, level).items():
                found.append((f"{name} {level} {what}", ask))
    return found


def questions(case, level):
    """Return what to call at a level, by answer."""
    return {
        "L1": {"loss": lambda s: s.loss(case), "grad": lambda s: s.grad(case)},
        "L2": {"hvp": lambda s: s.hvp(case), "gnvp": lambda s: s.gnvp(case)},
        "L3": {"x": lambda s: s.solve(case.A, case.b)},
        "L4": {
            "meta_grad": lambda s: s.meta_grad(case, case.solution),
            "lam_grad": lambda s: s.lam_grad(case, case.solution),
        },
        "L5": {"inner": lambda s: s.inner(case)},
        "L7": {"theta": lambda s: steps(s, case, 2)},
        "U": {"unrolled_grad": lambda s: s.unrolled_grad(case)},
    }[level]


def steps(subject, case, count):
    """Return θ after some outer steps."""
    theta, state = case.theta, None
    for _ in range(count):
        theta, state = subject.outer_step(case, theta, state)
    return theta


def same(want, got):
    """Return whether two answers agree to 12 digits."""
    if isinstance(want, str) or isinstance(got, str):
        return isinstance(want, str) and isinstance(got, str) and want == got
    if want.shape != got.shape:
        return False
    off = numpy.linalg.norm(numpy.asarray(got - want, dtype=float))
    return bool(off <= 1e-12 * numpy.linalg.norm(want))
