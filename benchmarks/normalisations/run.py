"""Accuracy by normalisation, with one query of each class, with five, and each alone.

    python benchmarks/run.py normalisations omniglot.h5
    python benchmarks/run.py normalisations.table

Omniglot, 5-way 1-shot, scheme random-1200, inverted, the net of the released code with
16 filters: every normalisation of ``architectures.NORMS`` is trained from three seeds,
which draw θ and the tasks, by the same meta-steps on the same tasks: iMAML with the
Gauss-Newton operator, λ = 0.2, 16 inner steps of 0.1, 5 CG steps, 5 queries of a class,
and Adam, whose step halves every quarter of the meta-steps.  Nothing is tuned to a
normalisation.  All compute with the plain layers, as with IMAML_REF_PLAIN=1, and with
one thread; the seconds are those of the processor.

A training is a folder in ``--work``, with a checkpoint every half minute.  The same
command goes on where it was, and makes what is missing, one seed of all before the
next; what is finished stays.  Every θ is tested on the same test tasks.  ``.table``
makes the table and the figure of what is finished.
"""

import argparse
from pathlib import Path

import imaml_ref as ir

from ..shared.record import tell
from .training import Settings, known_norms, ready, tested, trained


def main(given=None) -> None:
    """Train and test what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    add_work(parser)
    norms = known_norms()
    parser.add_argument("--only", nargs="+", choices=norms, default=list(norms))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    for name, default in Settings().numbers().items():
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=type(default), default=default)
    args = parser.parse_args(given)
    settings = Settings(**{name: getattr(args, name) for name in Settings().numbers()})
    ir.set_num_threads(1)
    data = ir.data.open_dataset(args.data)
    with ir.plain_path():
        for seed in args.seeds:
            for norm in args.only:
                training = ready(args.work, norm, seed, settings, data)
                found = training.finished or tested(training, trained(training, tell))
                tell(f"{training.folder.name}: {in_words(found)}")


def add_work(parser: argparse.ArgumentParser) -> None:
    """Give a command line its ``--work``."""
    default = Path(".scratch/normalisations")
    parser.add_argument(
        "--work", type=Path, default=default, help="folder of trainings"
    )


def in_words(found: dict) -> str:
    """Return the accuracies of a training, or why there are none."""
    said = [
        f"{100 * r['accuracy']:.1f} % {r['protocol']}, {r['queries']} a class"
        for r in found["protocols"]
    ]
    return "; ".join(said) or found["ended"]
