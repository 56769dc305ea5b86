"""Benchmarks: a folder for each question, ``shared`` for what they have in common."""
