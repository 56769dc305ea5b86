"""What the questions share: the problem, processes that solve it, verdicts, records."""
