"""Bring a PyTorch network here, meta-train it, and take it back.

    pip install torch
    python examples/from_pytorch_and_back.py                  some minutes on one core

A conv4 learns in PyTorch to tell the characters of the training alphabets apart.  Here
it classifies the same held-out drawings; then its head is exchanged for one of five
ways, iMAML trains it for a few meta-steps, and the result goes back into a Module,
which adapts to the same tasks of unseen alphabets by autograd.
"""

import argparse
import copy
import time
from collections import OrderedDict

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import imaml_ref as ir

FILTERS, WAYS, HELD_OUT = 16, 5, 5  # the last are drawings of each character
BATCH = 65  # images that are normalised together, in training and in the test


def main() -> None:
    """Train there, compare here, meta-train here, compare there."""
    options = parse()
    images = ir.data.glyph_alphabets(seed=0)
    seen = images.images[images.classes(images.default_scheme, "train")]
    x = 1 - seen.astype(np.float32) / 255  # ink 1, as the episodes have it
    y = np.repeat(np.arange(len(x)), x.shape[1]).reshape(x.shape[:2])
    learn = x[:, HELD_OUT:].reshape(-1, 28, 28, 1), y[:, HELD_OUT:].ravel()
    order = np.random.default_rng(0).permutation(len(x) * HELD_OUT)
    test = (
        x[:, :HELD_OUT].reshape(-1, 28, 28, 1)[order],
        y[:, :HELD_OUT].ravel()[order],
    )

    torch.manual_seed(0)
    module, start = conv4(len(x)), time.perf_counter()
    train_there(module, *learn, options.steps)
    seconds = time.perf_counter() - start
    there = logits_there(module, test[0])
    print(f"PyTorch, {options.steps} steps, {seconds:.0f} s, {len(x)} characters:")
    print(f"  {accuracy(there, test[1]):.2%} of {len(test[1])} held-out drawings")

    net = ir.architectures.conv4(len(x), num_filters=FILTERS)
    theta, _ = ir.weights.from_torch_state_dict(net, module.state_dict())
    here = np.concatenate([net.logits(theta, b[None])[0] for b in batches(test[0])])
    print(f"  {accuracy(here, test[1]):.2%} here; {differing(here, there)}")

    net5 = ir.architectures.conv4(WAYS, num_filters=FILTERS)
    fresh = net5.unpack(net5.init(np.random.default_rng(0), dtype=np.float32))
    theta = net5.pack(net.unpack(theta) | {"head": fresh["head"]})
    loss = ir.TaskLoss(net5, ir.SoftmaxCrossEntropy())
    algorithm = ir.IMAML(loss, lam=0.5, curvature="gauss-newton")
    source = ir.data.Episodes(images, WAYS, 1, 5, invert=True)
    chosen = {"seed": 1, "step": 0, "num_tasks": options.tasks}
    tasks = ir.data.draw(source, "test", **chosen, dtype=np.float32)
    print(f"here, {options.tasks} tasks of unseen alphabets, 5-way 1-shot:")
    print(f"  {shown(adapted_here(algorithm, theta, tasks), tasks)} by the body of it")
    theta = ir.meta_train(
        algorithm,
        theta,
        source,
        optimizer=ir.Adam(2e-3),
        meta_steps=options.meta_steps,
        meta_batch=16,
    ).theta
    here = adapted_here(algorithm, theta, tasks)
    print(f"  {shown(here, tasks)} after {options.meta_steps} meta-steps of iMAML")

    module = conv4(WAYS)
    arrays = ir.weights.to_torch_state_dict(net5, theta, like=module.state_dict())
    module.load_state_dict({n: torch.as_tensor(a) for n, a in arrays.items()})
    back, _ = ir.weights.from_torch_state_dict(net5, module.state_dict())
    print("PyTorch again, the same tasks, adapted to by autograd:")
    there = adapted_there(module, tasks, algorithm)
    print(f"  {shown(there, tasks)} in float32; {differing(here, there)}")
    # Rounding grows through the steps of descent; here there is less of it.
    tasks = ir.data.draw(source, "test", **chosen, dtype=np.float64)
    here = adapted_here(algorithm, theta.astype(np.float64), tasks)
    there = adapted_there(module.double(), tasks, algorithm)
    print(f"  {shown(there, tasks)} in float64; {differing(here, there)}")
    print(f"  θ comes back {'to the bit' if (back == theta).all() else 'CHANGED'}")


def conv4(ways: int) -> nn.Module:
    """Return blocks of convolution, normalisation, ReLU and pooling, and a head."""
    blocks = [
        nn.Sequential(
            nn.Conv2d(channels, FILTERS, 3, padding=1),
            nn.BatchNorm2d(FILTERS),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        for channels in (1, FILTERS, FILTERS, FILTERS)
    ]
    body = nn.Sequential(*blocks, nn.Flatten())
    return nn.Sequential(OrderedDict(body=body, classifier=nn.Linear(FILTERS, ways)))


def train_there(module: nn.Module, x: np.ndarray, y: np.ndarray, steps: int) -> None:
    """Minimise the cross-entropy of random batches with Adam."""
    optimizer = torch.optim.Adam(module.parameters(), 3e-3)
    rng = np.random.default_rng(0)
    for _ in range(steps):
        chosen = rng.integers(len(x), size=BATCH)
        optimizer.zero_grad()
        value = cross_entropy(
            module(channels_first(x[chosen])), torch.tensor(y[chosen])
        )
        value.backward()
        optimizer.step()


def batches(x: np.ndarray) -> list[np.ndarray]:
    """Return images in batches of the size of those in training."""
    return np.split(x, range(BATCH, len(x), BATCH))


def logits_there(module: nn.Module, x: np.ndarray) -> np.ndarray:
    """Return the outputs of a Module in training mode: batches are normalised."""
    with torch.no_grad():
        return np.concatenate([module(channels_first(b)).numpy() for b in batches(x)])


def channels_first(x: np.ndarray) -> torch.Tensor:
    """Return images (N, H, W, C) as PyTorch takes them, (N, C, H, W)."""
    return torch.from_numpy(x.transpose(0, 3, 1, 2).copy())


def adapted_here(algorithm, theta, tasks) -> np.ndarray:
    """Return the outputs for the query sets, (T, N, ways), adapted by the package."""
    found = []
    for t in range(len(tasks.support_x)):  # one by one: it takes less memory
        one = slice(t, t + 1)
        phi = algorithm.adapt(theta, tasks.support_x[one], tasks.support_y[one])
        found.append(algorithm.loss.net.logits(phi, tasks.query_x[one]))
    return np.concatenate(found)


def adapted_there(module: nn.Module, tasks, algorithm) -> np.ndarray:
    """Return the same by autograd: steps of −α (∇L + λ (φ − θ)) from θ."""
    found, inner = [], algorithm.inner
    theta = [a.detach().clone() for a in module.parameters()]
    for x, y, query in zip(
        tasks.support_x, tasks.support_y, tasks.query_x, strict=True
    ):
        own = copy.deepcopy(module)
        phi = list(own.parameters())
        for _ in range(inner.num_steps):
            value = cross_entropy(own(channels_first(x)), torch.from_numpy(y))
            slopes = torch.autograd.grad(value, phi)
            with torch.no_grad():
                for a, slope, start in zip(phi, slopes, theta, strict=True):
                    a -= inner.step_size * (slope + algorithm.lam * (a - start))
        with torch.no_grad():
            found.append(own(channels_first(query)).numpy())
    return np.stack(found)


def accuracy(logits: np.ndarray, y: np.ndarray) -> float:
    """Return the share of right answers."""
    return float((logits.argmax(-1) == y).mean())


def shown(logits: np.ndarray, tasks) -> str:
    """Return the accuracy on query sets, with the standard error over tasks."""
    right = (logits.argmax(-1) == tasks.query_y).mean(1)
    return f"{right.mean():.2%} ± {right.std(ddof=1) / len(right) ** 0.5:.2%}"


def differing(one: np.ndarray, other: np.ndarray) -> str:
    """Say how far outputs, and what they predict, are from the same."""
    count = int((one.argmax(-1) != other.argmax(-1)).sum())
    away = float(np.linalg.norm(one - other) / np.linalg.norm(one))
    total = one[..., 0].size
    return f"{count} of {total} predictions differ, logits by {away:.1e} of their norm"


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="from PyTorch and back")
    parser.add_argument("--steps", type=int, default=2000, help="in PyTorch")
    parser.add_argument("--meta-steps", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=200)
    return parser.parse_args()


if __name__ == "__main__":
    main()
