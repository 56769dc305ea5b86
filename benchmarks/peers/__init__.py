"""Contenders for ``meta_step.py``: one meta-step of iMAML, in several libraries.

A contender is a module with a function ``build(problem, **options)`` that returns a
``problem.Contender``; ``registry.PEERS`` lists them.  Each is run by ``worker`` in a
process of its own, which ``child`` starts and asks.
"""
