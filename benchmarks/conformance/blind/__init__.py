"""A blind test of the judge: three programs, and mistakes that nobody told it about."""
