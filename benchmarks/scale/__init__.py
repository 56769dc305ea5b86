"""Points of ``scaling.py``: one meta-step, timed in a process of its own."""
