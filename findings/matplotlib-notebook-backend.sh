#!/bin/sh
# A program started with ! from a notebook, in an environment of its own, fails at "import matplotlib", before it can choose a backend.
#
# Guess: an unknown MPLBACKEND matters to pyplot alone, where matplotlib.use("agg") overrides it; what cannot be had is an ImportError.
# Seen, Matplotlib 3.11.2, where matplotlib_inline is not installed: a ValueError, and nothing of matplotlib can be imported, not even
# what draws without a backend. Of the names beginning with module:// it is the one that notebooks set that is looked at then.
#
#     agg                                         import: ok           use("agg"): ok
#     module://no_such_module                     import: ok           use("agg"): ok
#     module://matplotlib_inline.backend_inline   import: ValueError   use("agg"): ValueError
#
# A curve that is optional then ends a run of hours. Instead: os.environ["MPLBACKEND"] = "agg" before the import; results before pictures.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check matplotlib==3.11.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import os
import subprocess
import sys

STEPS = {
    "import": "import matplotlib",
    'use("agg")': "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot",
}


def outcome(step, backend):
    code = f"try:\n    {step}\nexcept Exception as error:\n    print(type(error).__name__)\nelse:\n    print('ok')"
    environment = os.environ | {"MPLBACKEND": backend}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return run.stdout.strip()


def look(backend):
    found = {name: outcome(step, backend) for name, step in STEPS.items()}
    print(f"{backend:44}" + "   ".join(f"{name}: {what:10}" for name, what in found.items()).rstrip())
    return set(found.values())


assert look("agg") == {"ok"}
assert look("module://no_such_module") == {"ok"}
assert look("module://matplotlib_inline.backend_inline") == {"ValueError"}
EOF
