"""Learn to learn: meta-train a network on drawn alphabets, then test it on new ones.

    python examples/few_shot.py                       seconds, a small network
    python examples/few_shot.py --meta-steps 300 --filters 64        minutes, and better

A task is five characters that the network has never seen, one drawing of each to learn
from and five of each to be tested on.  The estimator is that of `imaml-ref train`:
iMAML with the Gauss-Newton operator in place of the Hessian, at λ = 0.5.
"""

import argparse

import numpy as np

import imaml_ref as ir

REPORTS = 5  # lines printed during training
TEST_TASKS = 100


def main() -> None:
    """Draw the alphabets, train, and print the accuracy before and after."""
    options = parse()
    images = ir.data.glyph_alphabets(seed=0, num_alphabets=20)
    tasks = ir.data.Episodes(
        images, num_ways=5, num_shots=1, num_queries=5, invert=True
    )
    net = ir.architectures.omniglot_cnn(5, num_filters=options.filters)
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    algorithm = ir.IMAML(loss, lam=0.5, curvature="gauss-newton")
    theta = net.init(np.random.default_rng(0), dtype=np.float32)
    print(f"{algorithm.name}; {net.layout.size} parameters")

    report_accuracy("before", algorithm, theta, tasks)
    state = ir.meta_train(
        algorithm,
        theta,
        tasks,
        optimizer=ir.Adam(step_size=options.meta_lr),
        meta_steps=options.meta_steps,
        meta_batch=16,
        observe=Progress(options.meta_steps),
    )
    report_accuracy("after", algorithm, state.theta, tasks)


class Progress:
    """Print what a step measured, now and then."""

    def __init__(self, meta_steps: int):
        self.every = max(1, meta_steps // REPORTS)

    def __call__(self, state, metrics) -> None:
        """Print the metrics of a step whose turn it is."""
        if state.step % self.every == 0:
            print(
                f"  step {state.step:4d}: query loss {metrics['query_loss']:.3f}, "
                f"cos(g, v) {metrics['cos_gv']:.3f}, ‖∇G‖ {metrics['r1']:.3f}, "
                f"smallest Ritz value {metrics['smallest_ritz']:.3f}"
            )


def report_accuracy(when: str, algorithm, theta, tasks) -> None:
    """Print the accuracy on characters of the test alphabets, with its interval."""
    found = ir.evaluate(
        algorithm, theta, tasks, split="test", num_tasks=TEST_TASKS, per_example=False
    )
    print(
        f"{when} meta-training: {found.accuracy:.1%} ± {found.accuracy_ci95:.1%} "
        f"on {found.num_tasks} tasks of unseen alphabets (chance: 20 %)"
    )


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="few-shot learning in Python")
    parser.add_argument("--meta-steps", type=int, default=30)
    parser.add_argument("--meta-lr", type=float, default=8e-3)
    parser.add_argument("--filters", type=int, default=16)
    return parser.parse_args()


if __name__ == "__main__":
    main()
