"""The command line: ``imaml-ref``.

Knows words: options in, lines and exit statuses out.  Must not compute anything itself.
"""

from .app import main

__all__ = [
    "main",
]
