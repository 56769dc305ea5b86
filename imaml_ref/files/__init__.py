"""Files that are whole or absent, and that say what they are.

Knows HDF5, names and renames.  Must not know what the arrays in a file mean.
"""
