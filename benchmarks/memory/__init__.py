"""Whether the memory of a meta-gradient grows with the number of inner steps."""
