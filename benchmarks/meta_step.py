"""Time of one meta-step of iMAML, beside the rate of a large product in the same run.

    python benchmarks/meta_step.py

Workload: 5-way 1-shot with a query set of the same size, 32 tasks, 16 gradient steps, 5
CG steps, λ = 2, float32, the Omniglot net, uniform random images.  A 4096³ product and
a meta-step take turns, so that a machine that slows down slows both; medians count.

Useful operations are two for each multiply-add of convolutions and linear layers:
forward 1, gradient 3, product with H on a kept linearisation 6; the first layer needs
no gradient of its input (gradient 2, product 2).

The table is printed; ``meta_step.json`` and ``meta_step.png`` go to benchmarks/results/
(``--out``).
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

import imaml_ref as ir
from imaml_ref.files import atomic_path
from imaml_ref.layers import Conv2d, Linear
from imaml_ref.parallel import cores_at_hand
from imaml_ref.report import BLUE, ORANGE, panels, save

STEP_SIZE, LAM, ORDER = 0.1, 2.0, 4096
SGEMM_GFLOP = 2 * ORDER**3 / 1e9


def layer_operations(net) -> list[int]:
    """Return the operations of each convolution and linear layer, for one example."""
    phi = np.ones((1, net.layout.size))
    # Not a constant: batch normalisation with ε = 0 would divide by zero.
    x = np.random.default_rng(0).normal(size=(1, 2, *net.input_shape))
    parameters, found = net.unpack(phi), []
    for name, layer in net.layers.items():
        x, _ = layer.forward(parameters[name], x)
        if isinstance(layer, Conv2d | Linear):
            places = np.prod(x.shape[2:-1], dtype=int)
            found.append(2 * int(places) * parameters[name]["kernel"].size)
    return found


def gigaflop(net, args) -> float:
    """Return the useful operations of one meta-step, in 1e9."""
    first, *others = layer_operations(net)
    gradients = args.inner_steps + 2  # and the support and query set at φ
    of_first = 2 * gradients + 2 * args.cg_steps
    of_others = 3 * gradients + 6 * args.cg_steps
    examples = args.tasks * args.ways * args.shots
    return examples * (of_first * first + of_others * sum(others)) / 1e9


def meta_step(args):
    """Return a function that makes one meta-step, and the network."""
    rng = np.random.default_rng(0)
    net = ir.architectures.omniglot_cnn(args.ways)
    shape = (2, args.tasks, args.ways * args.shots, 28, 28, 1)
    support_x, query_x = rng.uniform(size=shape).astype(np.float32)
    y = np.tile(np.repeat(np.arange(args.ways), args.shots), (args.tasks, 1))
    tasks = ir.TaskBatch(support_x, y, query_x, y)
    theta = net.init(rng, dtype=np.float32)
    algorithm = ir.IMAML(
        ir.TaskLoss(net, ir.SoftmaxCrossEntropy()),
        lam=LAM,
        inner=ir.GradientDescent(STEP_SIZE, args.inner_steps),
        solver=ir.CG(maxiter=args.cg_steps),
    )
    return lambda: algorithm(theta, tasks), net


def product():
    """Return a function that makes one product of 4096³, in float32."""
    rng = np.random.default_rng(1)
    a, b = rng.uniform(size=(2, ORDER, ORDER)).astype(np.float32)
    out = np.empty_like(a)
    return lambda: np.matmul(a, b, out=out)


def seconds(call) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleaved(calls: dict, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each call, by name, taken in turns after one warm-up."""
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(seconds(call))
    return times


def summary(times: dict[str, list[float]], work: dict[str, float]) -> dict:
    """Return medians, bests and rates by name, and the share of the product's rate."""
    found = {
        name: {
            "seconds_median": float(np.median(t)),
            "seconds_best": min(t),
            "gflop": work[name],
            "gflop_per_second": work[name] / float(np.median(t)),
            "seconds": t,
        }
        for name, t in times.items()
    }
    rates = [found[name]["gflop_per_second"] for name in ("meta-step", "sgemm")]
    return found | {"share_of_sgemm_rate": rates[0] / rates[1]}


def table(found: dict) -> str:
    """Return the summary as a table."""
    lines = [f"{'':12}{'median / s':>12}{'best / s':>12}{'GFLOP':>10}{'GFLOP/s':>10}"]
    for name in ("meta-step", "sgemm"):
        row = found[name]
        lines.append(
            f"{name:12}{row['seconds_median']:12.3f}{row['seconds_best']:12.3f}"
            f"{row['gflop']:10.1f}{row['gflop_per_second']:10.1f}"
        )
    share = found["share_of_sgemm_rate"]
    return "\n".join([*lines, f"share of the sgemm rate: {share:.0%}"])


def figure(found: dict, title: str):
    """Draw seconds and rates, round by round."""
    drawn, ((left, right),) = panels(1, 2, title, (7.5, 3.6))
    for name, colour, marker in (("meta-step", BLUE, "o"), ("sgemm", ORANGE, "s")):
        row = found[name]
        t = np.array(row["seconds"])
        rounds = np.arange(1, len(t) + 1)
        label = f"{name}, median {row['seconds_median']:.2f} s"
        left.plot(rounds, t, color=colour, marker=marker, label=label)
        label = f"{name}, median {row['gflop_per_second']:.0f} GFLOP/s"
        rate = row["gflop"] / t
        right.plot(rounds, rate, color=colour, marker=marker, label=label)
    for axes, what in ((left, "seconds"), (right, "GFLOP/s")):
        axes.set_ylim(bottom=0)
        axes.set_ylabel(what)
        axes.set_xlabel("round")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return drawn


def machine(threads: int) -> dict:
    """Return what the times depend on."""
    return {
        "processor": processor(),
        "cores": cores_at_hand(),
        "threads": threads,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": sorted(
            {f"{i['internal_api']} {i['version']}" for i in threadpool_info()}
        ),
    }


def processor() -> str:
    """Return the model of the processor, where the system says it."""
    lines = Path("/proc/cpuinfo")
    for line in lines.read_text().splitlines() if lines.exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=cores_at_hand())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--ways", type=int, default=5)
    parser.add_argument("--shots", type=int, default=1)
    parser.add_argument("--tasks", type=int, default=32)
    parser.add_argument("--inner-steps", type=int, default=16)
    parser.add_argument("--cg-steps", type=int, default=5)
    results = Path(__file__).parent / "results"
    parser.add_argument("--out", type=Path, default=results, help="folder of results")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    ir.set_num_threads(args.threads)
    step, net = meta_step(args)
    work = {"meta-step": gigaflop(net, args), "sgemm": SGEMM_GFLOP}
    with threadpool_limits(args.threads, user_api="blas"):
        times = interleaved({"sgemm": product(), "meta-step": step}, args.rounds)
    found = summary(times, work)
    what = (
        f"{args.ways}-way {args.shots}-shot, {args.tasks} tasks, {args.inner_steps} "
        f"inner and {args.cg_steps} CG steps, {args.threads} threads"
    )
    print(what)
    print(table(found))
    result = {
        "command": " ".join(["python", "benchmarks/meta_step.py", *sys.argv[1:]]),
        "arguments": {n: v for n, v in vars(args).items() if n != "out"},
        "machine": machine(args.threads),
        "results": found,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    with atomic_path(args.out / "meta_step.json") as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n")
    save(figure(found, f"One meta-step: {what}"), args.out / "meta_step.png")


if __name__ == "__main__":
    main()
