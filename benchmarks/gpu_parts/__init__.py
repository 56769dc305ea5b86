"""Parts of ``gpu.py``: contenders on a card, what is measured of them, the results.

A contender is a module with a function ``build(problem, device, **options)`` that
returns a ``peers.problem.Contender`` whose ``step`` comes back when the device is done;
``registry`` lists them.  Each is run by ``worker`` in a process of its own.
"""
