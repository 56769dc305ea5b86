"""Problems on the double of a device."""

from imaml_ref.backend import to_device
from imaml_ref.evaluation import beside
from imaml_ref.readings import settle, waiting


def on_device(problem):
    """Return θ and the tasks of a problem on the device."""
    theta = to_device(problem.theta)
    return theta, beside(theta, problem.tasks)


def looked_at_late(algorithm, theta, tasks):
    """Call an algorithm while readings wait, and settle them."""
    with waiting() as readings:
        algorithm(theta, tasks)
    settle(readings)
