"""Draw mutations of the PyTorch program that give other answers.

    python benchmarks/run.py conformance.blind.draw [--count N]

writes mutations.json.  A mutation is dropped where the source no longer compiles or
imports, where every answer of a few cases stays the same to 12 digits, where all that
changes is that it raises, and where it does not end in time.
"""

import argparse
import json
import multiprocessing
import random
import traceback
import warnings

import numpy

from imaml_ref import conformance

from .plant import HERE, PROGRAMS, planted, source
from .syntax_tree import changes

SEED, LIMIT = 7919, 90
CASES = (
    ("mlp-elu", "L1 L2 L4"),
    ("strided-softplus", "L1 L2 L4"),
    ("conv-norm-relu", "L1 L2"),
    ("ties", "L1 L2"),
    ("conv-global", "L1 L2"),
    ("ridge-lam-vector", "L1 L2 L4 L5 L6 U"),
    ("mlp-tanh", "L4 L5 U"),
    ("ridge", "L7"),
    ("adam", "L7"),
    ("kappa-1e6", "L4 L5"),
    ("spd-10", "L3"),
    ("spd-1e6", "L3"),
    ("indefinite", "L3"),
    ("not-stationary", "L4"),
    ("saddle", "L4"),
)


def main(arguments=None):
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=80)
    count = parser.parse_args(arguments).count
    kept, dropped, pool = [], {}, candidates()
    base = in_process({"id": "none", "program": "torch"})
    drawn = 0
    for mistake in pool:
        drawn += 1
        why = reason_to_drop(base, in_process(mistake))
        if why:
            dropped[why] = dropped.get(why, 0) + 1
        else:
            kept.append(mistake | {"id": f"A{len(kept) + 1:02d}"})
        print(drawn, len(kept), dropped, flush=True)
        if len(kept) == count:
            break
        write(kept, dropped, drawn, len(pool))


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


def in_process(mistake):
    """Return the answers of a program in a process of its own, None for a hang."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=answer, args=(mistake, there))
    process.start()
    there.close()
    try:
        found = here.recv() if here.poll(LIMIT) else None
    except EOFError:
        found = {}
    process.kill()
    process.join()
    return found


def answer(mistake, pipe):
    """Send the answers to the cases, {} where the program does not even start."""
    warnings.simplefilter("ignore")
    try:
        subject = planted(mistake)()
    except Exception:
        traceback.print_exc(limit=1)
        pipe.send({})
        return
    pipe.send(answers(subject))


def answers(subject):
    """Return an array, or the name of an error, for each question."""
    suite, found = conformance.load_suite(), {}
    for name, levels in CASES:
        case = suite[name]
        object.__setattr__(case, "unrolled", {"steps": 3, "step_size": 0.25})
        for level in levels.split():
            for what, ask in questions(subject, case, level).items():
                try:
                    found[f"{name} {level} {what}"] = numpy.asarray(ask())
                except Exception as error:
                    found[f"{name} {level} {what}"] = type(error).__name__
    return found


def questions(subject, case, level):
    """Return what to call at a level."""
    return {
        "L1": lambda: {
            "loss": lambda: subject.loss(case),
            "g": lambda: subject.grad(case),
        },
        "L2": lambda: {"h": lambda: subject.hvp(case), "G": lambda: subject.gnvp(case)},
        "L3": lambda: {"x": lambda: subject.solve(case.A, case.b)},
        "L4": lambda: {
            "g": lambda: subject.meta_grad(case, case.solution),
            "lam": lambda: subject.lam_grad(case, case.solution),
        },
        "L5": lambda: {
            "phi": lambda: subject.inner(case),
            "g": lambda: subject.meta_grad(case),
        },
        "L6": lambda: {"theta": lambda: steps(subject, case, 1)},
        "L7": lambda: {"theta": lambda: steps(subject, case, 4)},
        "U": lambda: {"g": lambda: subject.unrolled_grad(case)},
    }[level]()


def steps(subject, case, count):
    """Return θ after some outer steps."""
    theta, state = case.theta, None
    for _ in range(count):
        theta, state = subject.outer_step(case, theta, state)
    return theta


def reason_to_drop(base, found):
    """Return why a mutation is no mistake to be found, or nothing."""
    if found is None:
        return "does not end in time"
    if not found:
        return "does not import"
    if all(same(base[k], found[k]) for k in base):
        return "answers are the same"
    answered = [k for k in base if not isinstance(found[k], str)]
    raised = any(isinstance(base[k], str) and k in answered for k in base)
    changed = any(not same(base[k], found[k]) for k in answered)
    return "" if changed or raised else "only raises"


def same(want, got):
    """Return whether two answers agree to 12 digits."""
    if isinstance(want, str) or isinstance(got, str):
        return isinstance(want, str) and isinstance(got, str) and want == got
    if want.shape != got.shape:
        return False
    off = numpy.linalg.norm(numpy.asarray(got - want, dtype=float))
    return bool(off <= 1e-12 * numpy.linalg.norm(want))
