"""Every derivative and solver, compared with a witness, on this machine.

``run`` returns a list of rows: what is claimed, what it was compared with, how many
digits agree, how many are required.  The subject runs on the chosen device in the
chosen dtype; the witness always in float64 on the host.  Must not know the console, nor
share code with what it looks at.
"""

from . import rational
from .everything import rows, run
from .rows import Row
from .table import as_json, as_table, as_text

__all__ = [
    "Row",
    "as_json",
    "as_table",
    "as_text",
    "rational",
    "rows",
    "run",
]
