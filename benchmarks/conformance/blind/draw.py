"""Draw mutations of the PyTorch program that give other answers.

    python benchmarks/run.py conformance.blind.draw [--count N]

writes mutations.json.  A mutation is dropped where the source no longer compiles or
imports, where every answer of a few cases stays the same to 12 digits, where all that
changes is that it raises, and where it does not end in time.
"""

import argparse
import importlib
import json
import multiprocessing
import random
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy
import torch

from imaml_ref import conformance

from .plant import HERE, PROGRAMS, planted, source
from .syntax_tree import changes

SEED, LIMIT = 7919, 90
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
    kept, dropped, pool = [], {}, candidates()
    warm()
    base = in_process(answers, {"id": "none", "program": "torch"})
    with ThreadPoolExecutor(2) as workers:
        for start in range(0, len(pool), 2):
            pair = pool[start : start + 2]
            for mistake, why in zip(
                pair, workers.map(partial(verdict, base), pair), strict=True
            ):
                take(kept, dropped, mistake, why)
            drawn = len(kept) + sum(dropped.values())
            print(drawn, len(kept), dropped, flush=True)
            write(kept, dropped, drawn, len(pool))
            if len(kept) >= count:
                break


def warm():
    """Load before the forks what each would load; a backward pass must not run here."""
    conformance.load_suite()
    planted({"id": "none", "program": "torch"})
    importlib.import_module("torch.fx.experimental.symbolic_shapes")
    torch.func.jvp(torch.sin, (torch.ones(2),), (torch.ones(2),))


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


def verdict(base, mistake):
    """Return why to drop a mutation, from a process of its own."""
    return in_process(partial(reason, base), mistake)


def in_process(f, mistake):
    """Return f(program with a mistake) from a fork: autograd must not run before it."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=send, args=(f, mistake, there))
    process.start()
    there.close()
    try:
        found = here.recv() if here.poll(LIMIT) else "does not end in time"
    except EOFError:
        found = "does not import"
    process.kill()
    process.join()
    return found


def send(f, mistake, pipe):
    """Send f of a program with a mistake."""
    warnings.simplefilter("ignore")
    try:
        subject = planted(mistake)()
    except Exception:
        pipe.send("does not import")
    else:
        pipe.send(f(subject))


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


def asked():
    """Yield the questions, the cheap ones first."""
    suite = conformance.load_suite()
    for name, levels in CASES:
        case = suite[name]
        object.__setattr__(case, "unrolled", {"steps": 3, "step_size": 0.25})
        for level in levels.split():
            for what, ask in questions(case, level).items():
                yield f"{name} {level} {what}", ask


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
