"""What frameworks are known to compute wrongly, where an answer fails for that reason.

``frameworks.toml`` is what ``benchmarks/frameworks`` measured; docs/frameworks.md has
the numbers.  Defects of second derivatives alone are told: the gradient passes there.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .case import Case
from .judge import FAIL, PASS, Report
from .recipes import table

TABLES = {"PyTorch": "torch", "JAX": "jax"}  # what the adapters say
SECOND = {("L2", "hvp"), ("L2", "gnvp"), ("L4", "meta_grad"), ("U", "unrolled_grad")}


def defects(report: Report, cases: Mapping[str, Case]) -> Iterator[str]:
    """Yield a sentence for each defect that fits what fails.

    It fits where every case that fails in second derivatives alone has such a layer,
    and one without it passes.

    Args:
        report: Of a subject that says its framework.
        cases: The cases, by name.
    """
    second = [v for v in report.verdicts if (v.level, v.answer) in SECOND]
    failing = {v.case for v in second if v.outcome == FAIL}
    right = {v.case for v in second if v.outcome == PASS} - failing
    first = {v.case for v in report.verdicts if v.level == "L1" and v.outcome == FAIL}
    if not failing or failing & first:
        return
    known: dict[str, Any] = table("frameworks")
    name = TABLES.get(report.framework, "")
    for entry in known.get(name, ()):
        has = {name for name in failing | right if uses(cases[name], entry["layers"])}
        if failing <= has and right - has:
            version = known["versions"][name]
            yield (
                f"{report.framework} {version} is known to be wrong here: "
                f"{', '.join(entry['layers'][:3])} by {', '.join(entry['routes'])}: "
                f"{entry['comes']} Instead: {entry['instead']} See docs/frameworks.md."
            )


def uses(case: Case, layers: Iterable[str]) -> bool:
    """Whether a network has a layer of one of some names."""
    kinds = {
        e["type"].removesuffix("2d") for e in (case.network or {}).get("layers", ())
    }
    return bool(kinds.intersection(layers))
