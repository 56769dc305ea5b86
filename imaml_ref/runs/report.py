"""The figures of a run."""

import numpy

from .drawing import BLUE, GREEN, ORANGE, RED, Figure, panels

Metrics = dict[str, numpy.ndarray]


def learning_curves(metrics: Metrics, title: str) -> Figure:
    """Draw losses and accuracies over the meta-steps.

    Args:
        metrics: What ``metrics.read_metrics`` returns.
        title: Names the estimator.
    """
    classifies = bool(numpy.isfinite(metrics["query_accuracy"]).any())
    figure, (axes,) = panels(1, 1 + classifies, title, (4.5 * (1 + classifies), 3.2))
    step = metrics["step"]
    trend(axes[0], step, metrics["support_loss"], ORANGE, "support, L(φ)")
    trend(axes[0], step, metrics["query_loss"], BLUE, "query, Q(φ)")
    scores = metrics["validation_score"]
    if classifies:
        trend(axes[1], step, 100 * metrics["query_accuracy"], BLUE, "query, training")
        dots(axes[1], step, 100 * scores, "validation")
        finish(axes[1], "accuracy / %")
    else:
        dots(axes[0], step, -scores, "validation")
    finish(axes[0], "loss")
    if positive(metrics["query_loss"]) and positive(metrics["support_loss"]):
        axes[0].set_yscale("log")
    return figure


def diagnostics(metrics: Metrics, title: str) -> Figure:
    """Draw what was measured with every meta-gradient, over the meta-steps.

    Args:
        metrics: What ``metrics.read_metrics`` returns.
        title: Names the estimator.
    """
    figure, axes = panels(2, 2, title, (9, 5.6))
    step, ritz = metrics["step"], metrics["smallest_ritz"]
    residuals, cosine, definite, share = axes.ravel()
    trend(residuals, step, metrics["r1"], BLUE, "r₁ = ‖∇G(φ)‖")
    trend(residuals, step, metrics["r2"], ORANGE, "r₂ = ‖v − A x‖")
    finish(residuals, "mean residual, loss/parameter")
    if positive(metrics["r1"]) and positive(metrics["r2"]):
        residuals.set_yscale("log")
    trend(cosine, step, metrics["cos_gv"], GREEN, "cos(g, v); 1 is first order")
    finish(cosine, "mean cosine")
    trend(definite, step, ritz, BLUE, "bounds λ_min(A) from above, A as titled")
    definite.axhline(0, color=RED, linewidth=0.8)
    finish(definite, "smallest Ritz value, loss/parameter²")
    trend(share, step, 100 * metrics["negative_curvature"], RED, "pᵀAp ≤ 0")
    show_zero(share)
    finish(share, "share of the products / %")
    return figure


def show_zero(axes) -> None:
    """Have an axis of shares begin below zero: a line at zero is seen, not hidden."""
    top = max(1.0, axes.get_ylim()[1])
    axes.set_ylim(-top / 20, top)


def trend(axes, step, values, color: str, label: str) -> None:
    """Draw values faintly, and their running mean over a twentieth of the run."""
    known = numpy.isfinite(values)
    if not known.any():
        return
    step, values = step[known], values[known]
    width = max(1, len(values) // 20)
    axes.plot(step, values, color=color, alpha=0.25, linewidth=0.8)
    style = {"color": color, "marker": "o" if len(values) == 1 else None}
    axes.plot(step, running_mean(values, width), label=label, **style)


def running_mean(values: numpy.ndarray, width: int) -> numpy.ndarray:
    """Return the mean of the last ``width`` values at each place, (n,) -> (n,)."""
    total = numpy.cumsum(numpy.concatenate([[0.0], values]))
    stop = numpy.arange(1, len(values) + 1)
    start = numpy.maximum(0, stop - width)
    return (total[stop] - total[start]) / (stop - start)


def dots(axes, step, values, label: str) -> None:
    """Draw the values that are there as dots on a line."""
    known = numpy.isfinite(values)
    if known.any():
        style = {"color": RED, "marker": "o", "markersize": 4, "linewidth": 1}
        axes.plot(step[known], values[known], label=label, **style)


def finish(axes, label: str) -> None:
    """Label the axes; say so where there is nothing to draw."""
    axes.set_xlabel("meta-steps")
    axes.set_ylabel(label)
    # A common offset or power of ten would stand where the legend is.
    axes.ticklabel_format(axis="y", style="plain", useOffset=False)
    if axes.get_legend_handles_labels()[0]:
        legend_above(axes)
    else:
        axes.text(0.5, 0.5, "not measured", ha="center", transform=axes.transAxes)


def legend_above(axes) -> None:
    """Put the legend above the axes, where it covers nothing."""
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
    axes.legend(**place, ncols=4, frameon=False, fontsize=8, columnspacing=1.2)


def positive(values: numpy.ndarray) -> bool:
    """Whether there are values, and all of them are above zero."""
    known = values[numpy.isfinite(values)]
    return bool(known.size and (known > 0).all())


def protocols(records: list[dict], title: str) -> Figure:
    """Draw accuracies with both intervals, and those of the classes in order.

    The records are those of ``training.protocols``; the title names the estimator.

    Raises:
        ValueError: If there is none, as of a regression.
    """
    if not records:
        raise ValueError("there is no accuracy to draw; a regression has none")
    figure, ((means, classes),) = panels(1, 2, title, (10, 2 + 0.4 * len(records)))
    for place, r in enumerate(records):
        style = {"color": f"C{place}", "marker": "o", "markersize": 4, "capsize": 3}
        at, half = 100 * r["accuracy"], 100 * r["accuracy_ci95"]
        ends = [[abs(100 * end - at)] for end in r["accuracy_bootstrap95"]]
        means.errorbar(at, place - 0.1, xerr=half, **style)
        means.errorbar(at, place + 0.1, xerr=ends, mfc="w", **style)
        of_classes = [100 * a for a in r.get("accuracy_by_class", {}).values()]
        classes.plot(sorted(of_classes), color=f"C{place}")
    names = [f"{r['protocol']},\n{r['queries']} a class" for r in records]
    means.set_yticks(range(len(records)), names)
    means.set_ylim(len(records) - 0.5, -0.5)
    means.set_xlabel("accuracy / %; filled: Student's t, open: bootstrap")
    classes.set(xlabel="classes, the worst first", ylabel="accuracy / %")
    return figure


def image_episode(
    tasks, chances: numpy.ndarray, title: str, *, inverted: bool = False
) -> Figure:
    """Draw the first task of a batch: support images, and queries with predictions.

    Args:
        tasks: A TaskBatch of images; its first task is drawn.
        chances: Probabilities of the classes for each query, (N, ways).
        title: Names the estimator.
        inverted: Whether ink is 1 in the images; they are shown on white all the same.
    """
    ways, shown = chances.shape[1], 3  # queries of a class that are shown
    support = one_per_class(tasks.support_y[0], ways, 1)
    query = one_per_class(tasks.query_y[0], ways, shown)
    rows = 1 + len(query)
    figure, axes = panels(rows, ways, title, (1.35 * ways + 0.4, 1.55 * rows + 0.5))
    colours = "gray_r" if inverted else "gray"
    for way in range(ways):
        picture(axes[0, way], tasks.support_x[0, support[0][way]], colours)
        axes[0, way].set_title(f"class {way}", fontsize=8)
        for row, examples in enumerate(query, 1):
            n = examples[way]
            picture(axes[row, way], tasks.query_x[0, n], colours)
            verdict(axes[row, way], way, chances[n])
    axes[0, 0].set_ylabel("support", fontsize=9)
    axes[1, 0].set_ylabel("query", fontsize=9)
    return figure


def one_per_class(labels: numpy.ndarray, ways: int, most: int) -> list[list[int]]:
    """Return rows of example indices, one example of each class in a row."""
    by_class = [numpy.flatnonzero(labels == way) for way in range(ways)]
    rows = min(most, *(len(found) for found in by_class))
    return [[int(found[row]) for found in by_class] for row in range(rows)]


def picture(axes, image: numpy.ndarray, colours: str) -> None:
    """Show one image (H, W, C) without ticks; several channels are red, green, blue."""
    axes.grid(False)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    shown = image[..., 0] if image.shape[-1] != 3 else image
    axes.imshow(shown, cmap=colours, vmin=0, vmax=1)


def verdict(axes, label: int, chances: numpy.ndarray) -> None:
    """Say what was predicted, how surely, and whether it is right."""
    guess = int(chances.argmax())
    right = guess == label
    colour = GREEN if right else RED
    mark = "✓" if right else f"✗ is {label},"
    text = f"{mark} said {guess}: {100 * chances[guess]:.0f} %"
    axes.set_title(text, fontsize=7.5, color=colour)
    axes.spines[:].set(color=colour, linewidth=1.5)


def regression_episode(
    tasks, x: numpy.ndarray, before: numpy.ndarray, after: numpy.ndarray, title: str
) -> Figure:
    """Draw the first task of a batch of one input and one target.

    Args:
        tasks: A TaskBatch, inputs and targets (T, N, 1); its first task is drawn.
        x: Inputs at which the network is drawn, ascending, (M,).
        before: Outputs of θ at x, (M,).
        after: Outputs of φ at x, (M,).
        title: Names the estimator.
    """
    figure, axes = panels(1, 1, title, (6, 3.6))
    ax = axes[0, 0]
    ax.plot(x, before, color=ORANGE, label="before adapting, θ")
    ax.plot(x, after, color=BLUE, label="after adapting, φ")
    points = (
        (tasks.query_x, tasks.query_y, {"marker": "o", "color": "0.5"}, "query"),
        (tasks.support_x, tasks.support_y, {"marker": "^", "color": "k"}, "support"),
    )
    for inputs, targets, style, label in points:
        ax.plot(inputs[0, :, 0], targets[0, :, 0], ls="", label=label, **style)
    ax.set(xlabel="x", ylabel="y")
    legend_above(ax)
    return figure
