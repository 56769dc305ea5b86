"""Plant a mistake: an edit of a program's source, run in place of the file.

A mistake is a dict as in list.json.  ``edits`` are pairs of texts, of which the first
must occur exactly once in the files of the program; a mutation of the syntax tree has
``file``, ``span`` (bytes from, to), ``before`` and ``after`` in their place.
"""

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = {
    "torch": ("torch_network", "torch_solver", "program_torch"),
    "jax": ("jax_network", "program_jax"),
    "numpy": ("numpy_layers", "program_numpy"),
}


def planted(mistake):
    """Return the class Program of a program with a mistake.

    Raises:
        ValueError: If the text to be replaced is not there exactly once.
    """
    sources = {name: source(name) for name in PROGRAMS[mistake["program"]]}
    if "span" in mistake:
        name = mistake["file"].removesuffix(".py")
        sources[name] = mutated(sources[name], mistake)
    for old, new in mistake.get("edits", ()):
        edit(sources, mistake["id"], old, new)
    for name, text in sources.items():
        module = put(name, text)
    return module.Program


def source(name):
    """Return the source of a file of this folder."""
    return (HERE / f"{name}.py").read_text("utf-8")


def mutated(text, mistake):
    """Return a source with the bytes of a span replaced."""
    raw, (start, end) = text.encode(), mistake["span"]
    found = raw[start:end].decode()
    if found != mistake["before"]:
        raise ValueError(
            f"{mistake['id']}: bytes {start} to {end} of {mistake['file']} were "
            f"{mistake['before']!r}, are {found!r}; draw the list again"
        )
    return (raw[:start] + mistake["after"].encode() + raw[end:]).decode()


def edit(sources, id, old, new):
    """Replace a text in the one place where it is."""
    places = [name for name, text in sources.items() for _ in range(text.count(old))]
    if len(places) != 1:
        raise ValueError(
            f"{id}: {old!r} must occur once in {', '.join(sources)}, occurs "
            f"{len(places)} times; give a longer text"
        )
    sources[places[0]] = sources[places[0]].replace(old, new)


def put(name, text):
    """Run a source under the name of a file of this folder, and return the module."""
    full = f"{__package__}.{name}"
    spec = importlib.util.spec_from_loader(full, loader=None)
    module = importlib.util.module_from_spec(spec)
    module.__package__, sys.modules[full] = __package__, module
    exec(compile(text, f"{name}.py", "exec"), module.__dict__)
    return module
