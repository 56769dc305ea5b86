"""How long one meta-step takes, in several libraries.

A contender is a module with a function ``build(problem, **options)`` that returns a
``shared.problem.Contender``; ``registry.PEERS`` lists them.  Each is run by
``shared.worker`` in a process of its own, which ``shared.child`` starts and asks.
"""
