"""Have the judge work out mistakes that it was not told about.

Three programs, with mistakes planted in them.
"""


def main():
    """Run the mistakes: benchmarks/run.py conformance.blind."""
    from .run import main as run

    run()
