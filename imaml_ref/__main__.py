"""``python -m imaml_ref`` is ``imaml-ref``."""

import sys

from .cli import main

sys.exit(main())
