"""How a user's program is run that reads one file and writes the other."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .conformance_report import judged
from .errors import CTRL_C, WRONG_INPUT, Stop


def ended(command: Sequence[str], inputs: Path, answers: Path) -> str:
    """Run a program; return what Ctrl-C interrupted, if it left answers that are whole.

    Raises:
        Stop: With exit status 130 if it left none; else as in ``call``.
    """
    try:
        call(command, inputs, answers)
    except KeyboardInterrupt:
        try:
            judged(answers, None, None)
        except Stop:
            raise Stop(CTRL_C, "interrupted") from None
        return command[0]
    return ""


def call(command: Sequence[str], inputs: Path, answers: Path) -> None:
    """Run a program that reads one file and writes the other.

    Raises:
        Stop: With exit status 2 if there is no such program, it fails, or it writes no
            answers.
    """
    files = {"inputs": str(inputs), "answers": str(answers)}
    words = [in_place(word, files) for word in command]
    known = {f"IMAML_REF_{name.upper()}": path for name, path in files.items()}
    try:
        done = subprocess.run(words, env=os.environ | known, check=False)
    except OSError as error:
        raise Stop(WRONG_INPUT, f"cannot run {words[0]}: {error.strerror}") from error
    if done.returncode:
        raise Stop(WRONG_INPUT, f"{words[0]} ended with status {done.returncode}")
    if not answers.exists():
        raise Stop(
            WRONG_INPUT,
            f"{words[0]} wrote no answers; write them to the path in IMAML_REF_ANSWERS",
        )


def in_place(word: str, files: dict[str, str]) -> str:
    """Return a word of a command with the names of files put in."""
    for name, path in files.items():
        word = word.replace(f"{{{name}}}", path)
    return word
