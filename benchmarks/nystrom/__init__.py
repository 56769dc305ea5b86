"""How many products preconditioners save, the sketch's own counted."""
