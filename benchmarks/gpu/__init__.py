"""A meta-step and a training on a card: contenders, what is measured, the results.

A contender is a module with a function ``build(problem, device, **options)`` that
returns a ``shared.problem.Contender`` whose ``step`` comes back when the device is
done; ``registry`` lists them.  Each is run by ``worker`` in a process of its own.
"""
