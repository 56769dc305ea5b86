"""Training: θ ← optimiser(θ, meta-gradient), again and again, and how good θ is.

Knows algorithms, sources of tasks and states to go on from.  Must not know folders,
configurations and consoles.
"""
