"""The command line: ``imaml-ref``."""

from .app import main

__all__ = ["main"]
