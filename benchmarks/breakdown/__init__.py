"""Parts of ``step_profile.py``: clocks, what they are put around, and the floor."""
