"""Run a benchmark: each folder asks one question.

    python benchmarks/run.py QUESTION ...     its options: QUESTION --help

meta_step       how long a meta-step takes, beside other libraries
step_profile    where its time goes, by block and kind of work
scaling         how its time and memory grow with each size
memory          whether memory grows with the inner steps
omniglot        how far five estimators train in the same time; omniglot.table
normalisations  accuracy by normalisation, one query of each class, five, or each alone
                in its batch; normalisations.table
conformance     what published implementations answer to the conformance suite;
                conformance.table, conformance.control_lam_vector,
                conformance.blind (mistakes that the judge was not told about),
                conformance.blind.draw, conformance.blind.lists,
                conformance.blind.at (what diagnose_at says of them),
                conformance.own_problem (at the size of Omniglot),
                conformance.recovered (every family of mistakes, planted),
                conformance.needed (which cases it fails)
gpu             a meta-step and a training on a card
nystrom         products that a preconditioner saves in (5), the sketch's counted
methods         ANIL, Meta-SGD and others trained beside MAML and iMAML
frameworks      which layers and losses have wrong second derivatives, in which
                framework, by which route; frameworks.table

It runs from any folder, on the imaml_ref that lies beside it, installed or not.
"""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
QUESTIONS = (
    "meta_step",
    "step_profile",
    "scaling",
    "memory",
    "omniglot",
    "omniglot.table",
    "normalisations",
    "normalisations.table",
    "conformance",
    "conformance.table",
    "conformance.control_lam_vector",
    "conformance.blind",
    "conformance.blind.draw",
    "conformance.blind.lists",
    "conformance.blind.at",
    "conformance.own_problem",
    "conformance.recovered",
    "conformance.needed",
    "gpu",
    "nystrom",
    "methods",
    "frameworks",
    "frameworks.table",
)


def main() -> None:
    """Hand the rest of the command line to the module that the first word names."""
    _, *words = sys.argv
    if not words or words[0] not in QUESTIONS:
        print(__doc__.strip())
        sys.exit(0 if words in (["--help"], ["-h"]) else 2)
    name = words[0]
    sys.argv = [f"benchmarks/run.py {name}", *words[1:]]
    sys.path[0] = str(ROOT)  # in place of this folder
    module = name if "." in name else f"{name}.run"
    importlib.import_module(f"benchmarks.{module}").main()


if __name__ == "__main__":
    main()
