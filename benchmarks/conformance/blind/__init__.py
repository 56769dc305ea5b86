"""A blind test of the judge: three programs, and mistakes that nobody told it about."""


def main():
    """Run the mistakes: benchmarks/run.py conformance.blind."""
    from .run import main as run

    run()
