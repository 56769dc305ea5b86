"""The training of one arm, a slice of the processor's time at a time."""

import time

import numpy as np

import imaml_ref as ir
from imaml_ref.training.loop import first_state, meta_step


class Run:
    """The training of one arm, a slice at a time."""

    def __init__(self, arm, source, lam, meta_lr, seed=0):
        self.arm, self.source, self.lam, self.meta_lr = arm, source, lam, meta_lr
        self.algorithm, self.seed = arm.algorithm(lam), seed
        self.optimizer = ir.Adam(step_size=meta_lr, eps=1e-8)
        theta = self.algorithm.loss.net.init(
            np.random.default_rng(seed), dtype=np.float32
        )
        self.state = first_state(self.algorithm, theta, self.optimizer, None)
        self.seconds, self.curve, self.recent, self.ended = 0.0, [], [], ""

    def advance(self, seconds):
        stop = self.seconds + seconds
        while self.seconds < stop and not self.ended:
            start = time.process_time()
            try:
                tasks = self.source.sample(
                    "train", seed=self.seed, step=self.state.step, num_tasks=32
                )
                self.state, row = meta_step(
                    self.algorithm, self.state, tasks, optimizer=self.optimizer
                )
            except ArithmeticError as error:
                self.ended = str(error)
                break
            self.seconds += time.process_time() - start
            self.recent.append(row)

    def validate(self, num_tasks):
        try:
            found = ir.evaluate(
                self.algorithm,
                self.state.theta,
                self.source,
                split="val",
                num_tasks=num_tasks,
                per_example=False,
            ).accuracy
        except ArithmeticError:
            found = 0.2
        recent, self.recent = self.recent, []
        means = {
            k: float(np.nanmean([r[k] for r in recent]))
            if recent and not np.isnan([r[k] for r in recent]).all()
            else None
            for k in ("r1", "r2", "cos_gv", "smallest_ritz", "negative_curvature")
        }
        point = {"step": self.state.step, "seconds": self.seconds, "val": found}
        self.curve.append(point | means)
        return found

    def probe(self, num_tasks=64):
        """Look at θ with the exact operator: 5 CG steps as in training, then 20."""
        tasks = self.source.sample("val", seed=1, step=0, num_tasks=num_tasks)
        theta = self.state.theta
        phi = self.algorithm.adapt(theta, tasks.support_x, tasks.support_y)
        found = {}
        for steps in (5, 20):
            d = ir.implicit_gradient_at(
                self.algorithm.loss,
                theta,
                phi,
                tasks,
                lam=self.lam,
                solver=ir.CG(maxiter=steps),
            ).diagnostics
            found[f"cg{steps}"] = {
                "negative_share": float(
                    d.negative_curvature.sum() / d.num_products.sum()
                ),
                "tasks_with_negative": float((d.negative_curvature > 0).mean()),
                "smallest_ritz_min": float(d.smallest_ritz.min()),
                "smallest_ritz_median": float(np.median(d.smallest_ritz)),
                "r1_median": float(np.median(d.inner_residual)),
                "r2_median": float(np.median(d.solver_residual)),
                "cos_median": float(np.median(d.cosine)),
            }
        return found

    def result(self, test_tasks):
        found = ir.evaluate(
            self.algorithm, self.state.theta, self.source, num_tasks=test_tasks
        )
        return {
            "name": self.arm.name,
            "estimator": self.algorithm.name,
            "lam": self.lam,
            "meta_lr": self.meta_lr,
            "meta_steps": self.state.step,
            "seconds": round(self.seconds, 1),
            "ended": self.ended,
            **found.as_dict("test"),
            "probe": self.probe(),
            "curve": self.curve,
        }
