"""From θ and tasks to the meta-gradient: the equations (1) to (9) and (15).

One file each for the objective (1), the mean (2), the implicit gradient (3) to (7), its
bound (8), the unrolled one (9), and what is measured with them.  Knows one θ at a time.
Must not know of a training around it: no optimiser of θ, no file, no configuration.
"""
