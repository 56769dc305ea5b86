"""Networks: layers in a chain over one flat vector φ, losses, and their linearisation.

Knows one level: x and φ in, a loss and its derivatives out.  Must not know of a second
one: no θ beside φ, no λ, no inner or outer loop.
"""
