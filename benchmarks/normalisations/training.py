"""One training: a normalisation and a seed, in a folder that it goes on from."""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

import imaml_ref as ir
from imaml_ref.training import (
    Checkpoint,
    Diverged,
    evaluate,
    meta_train,
    protocols,
    read_checkpoint,
    write_checkpoint,
)

from ..shared.record import write

WAYS, SHOTS, TRAINED, ASKED = 5, 1, 5, (1, 5)  # queries of each class
SECONDS = 30.0  # between two checkpoints


@dataclass(frozen=True)
class Settings:
    """What is the same for every training."""

    filters: int = 16
    meta_steps: int = 2000
    meta_batch: int = 8
    meta_lr: float = 8e-3
    test_tasks: int = 2000

    def numbers(self) -> dict:
        """Return them by name."""
        return asdict(self)


@dataclass(frozen=True)
class Training:
    """A folder, what is trained in it, and on what."""

    folder: Path
    about: dict
    settings: Settings
    algorithm: object
    source: object

    @property
    def checkpoint(self) -> Path:
        """Where it stands."""
        return self.folder / "checkpoint.h5"

    @property
    def result(self) -> Path:
        """What came of it."""
        return self.folder / "result.json"

    @property
    def finished(self) -> dict | None:
        """What came of it, if it is finished.

        Raises:
            ValueError: If it was made with other settings.
        """
        if not self.result.exists():
            return None
        found = json.loads(self.result.read_text(encoding="utf-8"))
        self.check(found["about"])
        return found

    def check(self, theirs) -> None:
        """Refuse to go on with a training of other settings."""
        other = {k: theirs.get(k) for k, v in self.about.items() if theirs.get(k) != v}
        if other:
            wanted = {k: self.about[k] for k in other}
            raise ValueError(
                f"{self.folder} was made with {other}, not with {wanted}; name another "
                "--work, or remove it"
            )


def known_norms() -> dict:
    """Return what makes the normalisation of a block, by name; None leaves it out."""
    return dict(ir.architectures.NORMS)


def ready(work: Path, norm: str, seed: int, settings: Settings, data) -> Training:
    """Return a training, whose folder is there."""
    shape = data.input_shape
    scheme = "random-1200" if "random-1200" in data.splits else None
    source = ir.data.Episodes(
        data, WAYS, SHOTS, TRAINED, split_scheme=scheme, invert=True
    )
    net = ir.architectures.omniglot_cnn(
        WAYS,
        input_shape=shape,
        num_filters=settings.filters,
        norm=known_norms()[norm],
    )
    loss = ir.TaskLoss(net, ir.SoftmaxCrossEntropy())
    algorithm = ir.IMAML(
        loss,
        lam=0.2,
        inner=ir.GradientDescent(0.1, 16),
        solver=ir.CG(maxiter=5),
        curvature="gauss-newton",
    )
    folder = work / f"{norm}-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    about = {"norm": norm, "seed": seed, "data": source.digest, **settings.numbers()}
    return Training(folder, about, settings, algorithm, source)


def trained(training: Training, tell=lambda line: None, seconds=SECONDS) -> dict:
    """Train to the end, from where the checkpoint is; return θ and what it took.

    Args:
        training: What to train.
        tell: Told where it stands, now and then.
        seconds: Between two checkpoints.
    """
    settings, state, spent, ended = training.settings, None, 0.0, ""
    if training.checkpoint.exists():
        kept = read_checkpoint(training.checkpoint)
        training.check(kept.about)
        state, spent = kept.state, kept.about["processor_seconds"]
    start, last = time.process_time() - spent, time.monotonic()

    def keep(state) -> None:
        about = {"processor_seconds": time.process_time() - start, **training.about}
        write_checkpoint(training.checkpoint, Checkpoint(state, about))

    def observe(state, row) -> None:
        nonlocal last
        if time.monotonic() - last < seconds and state.step < settings.meta_steps:
            return
        keep(state)
        last, score = time.monotonic(), row["query_accuracy"]
        tell(f"{training.folder.name}: {state.step} meta-steps, {100 * score:.1f} %")

    seed = training.about["seed"]
    rng = np.random.default_rng(seed)
    theta = training.algorithm.loss.net.init(rng, dtype=np.float32)
    half_life = max(1, settings.meta_steps // 4)
    optimizer = ir.Adam(settings.meta_lr, eps=1e-8, half_life=half_life)
    try:
        state = meta_train(
            training.algorithm,
            theta,
            training.source,
            optimizer=optimizer,
            meta_steps=settings.meta_steps,
            meta_batch=settings.meta_batch,
            seed=seed,
            observe=observe,
            resume=state,
        )
    except Diverged as error:
        state, ended = None, f"{error}"
    spent = time.process_time() - start
    return {"state": state, "ended": ended, "processor_seconds": spent}


def tested(training: Training, end: dict) -> dict:
    """Test θ by the protocols, keep what was found in the folder, and return it."""
    found = {"about": training.about, "ended": end["ended"], "protocols": []}
    found["processor_seconds"] = round(end["processor_seconds"], 2)
    if end["state"] is not None:
        tests = {
            n: evaluate(
                training.algorithm,
                end["state"].theta,
                replace(training.source, num_queries=n),
                num_tasks=training.settings.test_tasks,
            )
            for n in ASKED
        }
        found["protocols"] = protocols(tests, training.source)
        found["meta_steps"] = end["state"].step
    write(training.result, found)
    return found
