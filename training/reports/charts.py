"""numbers of a training ──▶ inline SVG, drawn in the colours of the page that it lies in.

Matplotlib draws with placeholder colours; they are then replaced by the page's CSS variables, so that one drawing
is legible in light and in dark mode. Text stays text, in the page's own font. The same numbers give the same bytes.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator, PercentFormatter
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

INK, MUTED, LINE, ACCENT, SOFT = "#010203", "#010204", "#010205", "#010206", "#010207"
"""Placeholders, used nowhere else, for the page's variables of the same names."""

_VARIABLES = {INK: "--ink", MUTED: "--muted", LINE: "--line", ACCENT: "--accent", SOFT: "--soft"}
_WIDTH_INCHES = 5.6
_POINTS = 400
"""A curve keeps at most about this many epochs: more than there are pixels to tell them apart."""
_DOTS = 1000
_ERROR_TICKS = (*(digit * 10.0**power for power in range(-6, 0) for digit in (1, 2, 3, 5, 7)), 1.0)
_NORMAL_95 = 1.959964
_STYLES: tuple[dict[str, Any], ...] = (
    {"color": ACCENT, "linestyle": "-", "marker": "o", "linewidth": 2.6},
    {"color": ACCENT, "linestyle": (0, (5, 2)), "marker": "D"},
    {"color": INK, "linestyle": "-", "marker": "s"},
    {"color": MUTED, "linestyle": "-", "marker": "^"},
    {"color": INK, "linestyle": (0, (1, 1.5)), "marker": "v"},
    {"color": MUTED, "linestyle": (0, (1, 1.5)), "marker": "P"},
)
"""Of curves in one drawing: told apart by line and mark, in few colours."""
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "font.size": 12,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.8,
}


def wilson_interval(share: Floats, count: Counts) -> tuple[Floats, Floats]:
    """The 95 % confidence interval of an observed share, after Wilson 1927, doi:10.1080/01621459.1927.10502953.

    Args:
        share: float64, any shape, in [0, 1].
        count: int64, same shape: how many the share was observed on; 0 gives NaN.

    Returns:
        Lower and upper bound, of the same shape, in [0, 1].
    """
    z = _NORMAL_95
    n = np.where(count > 0, count, np.nan)
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return np.clip(center - half, 0, 1), np.clip(center + half, 0, 1)


def loss_curve(loss: Sequence[float]) -> str:
    """Mean training loss by epoch, one value an epoch, as an `<svg>` element."""
    with _style("loss"):
        figure, axes = _axes(height_inches=2.9)
        _curve(axes, np.asarray(loss, np.float64))
        _epoch_axis(axes, len(loss))
        axes.margins(y=0.12)
        label = f"Training loss goes from {loss[0]:.3f} to {loss[-1]:.3f} in {len(loss)} epochs"
        return _svg(figure, "loss", label)


def accuracy_curve(accuracy: Sequence[float], validation_images: int) -> str:
    """Validation accuracy by epoch, as an `<svg>` element.

    The axis is logarithmic in the error: halving it is the same step everywhere, so that the last epochs can be
    told apart although the first ones are far below.

    Args:
        accuracy: one value an epoch, in [0, 1].
        validation_images: how many it was measured on; no error is drawn as half of one.
    """
    with _style("accuracy"):
        figure, axes = _axes(height_inches=2.9)
        error = np.maximum(1 - np.asarray(accuracy, np.float64), 0.5 / max(1, validation_images))
        _curve(axes, error)
        _epoch_axis(axes, len(accuracy))
        _error_axis(axes, error)
        label = f"Validation accuracy goes from {accuracy[0]:.2%} to {accuracy[-1]:.2%} in {len(accuracy)} epochs"
        return _svg(figure, "accuracy", label)


def reliability_chart(confidence: Floats, accuracy: Floats, count: Counts) -> str:
    """Accuracy against confidence with 95 % intervals, over a histogram of the counts, as an `<svg>` element.

    Args:
        confidence: float64 `[B]`, mean top probability of each bin; ignored where the bin is empty.
        accuracy: float64 `[B]`, share of right answers in each bin; ignored where the bin is empty.
        count: int64 `[B]`, images in each bin; the bins divide [0, 1] evenly.
    """
    with _style("reliability"):
        figure = Figure(figsize=(_WIDTH_INCHES, 5.0), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _diagonal(upper, confidence, accuracy, count)
        _histogram(lower, count)
        return _svg(figure, "reliability", "Accuracy against confidence, and how many images have which confidence")


def coverage_chart(share: Floats, wrong: Floats, accepted_share: float, accepted_accuracy: float) -> str:
    """Share of wrong answers among those accepted, by the share accepted, the most confident first, as an `<svg>`.

    Args:
        share: float64 `[C]`, ascending, of all answers that could be accepted from each confidence on.
        wrong: float64 `[C]`, share of those that are wrong.
        accepted_share: of what is accepted in fact, in [0, 1].
        accepted_accuracy: of that; NaN where nothing is accepted.
    """
    with _style("coverage"):
        figure, axes = _axes(height_inches=3.4)
        kept = np.unique(np.linspace(0, max(0, len(share) - 1), _POINTS).round().astype(int))[: len(share)]
        axes.plot(share[kept], wrong[kept], color=ACCENT)
        if math.isfinite(accepted_accuracy):
            axes.plot([accepted_share], [1 - accepted_accuracy], "o", color=ACCENT, markersize=7, clip_on=False)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, None)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
        axes.set_xlabel("accepted")
        axes.set_ylabel("wrong among them")
        of_which = f", of which {accepted_accuracy:.2%} are right" if accepted_share else ""
        return _svg(figure, "coverage", f"{accepted_share:.1%} are accepted{of_which}")


def estimates_chart(truths: Floats, values: Floats) -> str:
    """Named numbers against true ones, float64 `[T]` each, as an `<svg>` element."""
    with _style("estimates"):
        figure, axes = _axes(height_inches=4.4)
        shown = np.random.default_rng(0).permutation(len(truths))[:_DOTS]
        ends = [float(min(truths.min(), values.min())), float(max(truths.max(), values.max()))]
        axes.plot(ends, ends, color=MUTED, linewidth=1, linestyle=(0, (4, 4)))
        axes.plot(truths[shown], values[shown], "o", color=ACCENT, markersize=3, alpha=0.5)
        axes.set_xlabel("true")
        axes.set_ylabel("named")
        return _svg(figure, "estimates", f"Named against true numbers of {len(shown)} test images")


def learning_curves(curves: Mapping[str, Sequence[tuple[int, float]]], test_images: int) -> str:
    """Test accuracy by the number of training images, several curves, as an `<svg>` element.

    Both axes are logarithmic, the accuracy's in the error.

    Args:
        curves: by name, images and accuracy in [0, 1] of each size, ascending; the first curve stands out.
        test_images: how many the accuracy was measured on: 95 % intervals are drawn.
    """
    with _style("learning"):
        figure, axes = _axes(height_inches=4.0)
        errors = []
        for (name, points), style in zip(curves.items(), _STYLES, strict=False):
            size, accuracy = (np.asarray(values, np.float64) for values in zip(*points, strict=True))
            error = np.maximum(1 - accuracy, 0.5 / max(1, test_images))
            low, high = wilson_interval(accuracy, np.full(len(accuracy), test_images))
            axes.vlines(size, np.maximum(1 - high, 1e-6), 1 - low, color=style["color"], linewidth=1)
            axes.plot(size, error, label=name, markersize=5, **style)
            errors.append(error)
        _images_axis(axes, sorted({size for points in curves.values() for size, _ in points}))
        _error_axis(axes, np.concatenate(errors))
        axes.set_ylabel("test accuracy")
        axes.legend(frameon=False, fontsize=10, loc="lower right")
        return _svg(figure, "learning", f"Test accuracy by training images: {', '.join(curves)}")


def _style(name: str) -> AbstractContextManager[None]:
    # The hash salt makes matplotlib's element ids the same every time, and different from chart to chart.
    return mpl.rc_context({**_SETTINGS, "svg.hashsalt": name})


def _axes(height_inches: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH_INCHES, height_inches), layout="constrained")
    axes = figure.subplots()
    axes.grid(axis="y")
    return figure, axes


def _curve(axes: Axes, values: Floats) -> None:
    epochs = np.arange(1, len(values) + 1)
    kept = np.unique(np.linspace(0, len(values) - 1, _POINTS).round().astype(int))
    axes.plot(epochs[kept], values[kept], color=ACCENT)
    axes.plot(epochs[-1:], values[-1:], "o", color=ACCENT, markersize=5)


def _epoch_axis(axes: Axes, epochs: int) -> None:
    axes.set_xlim(0.5 if epochs == 1 else 1, epochs * 1.02 + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")


def _images_axis(axes: Axes, sizes: Sequence[int]) -> None:
    axes.set_xscale("log")
    axes.set_xlim(sizes[0] / 1.3, sizes[-1] * 1.3)
    axes.xaxis.set_major_locator(FixedLocator(list(sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:,.0f}"))
    axes.set_xlabel("training images")


def _error_axis(axes: Axes, error: Floats) -> None:
    low = max((tick for tick in _ERROR_TICKS if tick < 0.97 * error.min()), default=_ERROR_TICKS[0])
    high = min((tick for tick in _ERROR_TICKS if tick > 1.03 * error.max()), default=_ERROR_TICKS[-1])
    axes.set_ylim(high, low)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in _ERROR_TICKS if low <= tick <= high]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{round(100 * (1 - tick), 4):g} %"))


def _diagonal(axes: Axes, confidence: Floats, accuracy: Floats, count: Counts) -> None:
    filled = count > 0
    x, y = confidence[filled], accuracy[filled]
    low, high = wilson_interval(y, count[filled])
    axes.grid()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 4)))
    axes.vlines(x, low, high, color=ACCENT, linewidth=1.2)
    axes.plot(x, y, "o-", color=ACCENT, markersize=5, clip_on=False)
    axes.set_xlim(_first_confidence(count), 1)
    axes.set_ylim(min(_first_confidence(count), float(low.min(initial=1.0))), 1.02)
    axes.set_ylabel("accuracy")


def _histogram(axes: Axes, count: Counts) -> None:
    edges = np.linspace(0, 1, len(count) + 1)
    axes.bar(edges[:-1], count, width=0.94 / len(count), align="edge", color=SOFT)
    axes.set_yscale("log")
    axes.set_ylim(0.5, 3 * max(1, int(count.max(initial=0))))
    top = math.ceil(math.log10(max(2, int(count.max(initial=0)))))
    axes.yaxis.set_major_locator(FixedLocator([10.0**power for power in range(0, top + 1, 2 if top > 2 else 1)]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:,.0f}"))
    axes.set_ylabel("images (log)")
    axes.set_xlabel("confidence")


def _first_confidence(count: Counts) -> float:
    """Lower edge of the first bin that holds an image: K classes leave the bins below 1 / K empty."""
    return float(np.argmax(count > 0) / len(count))


def _svg(figure: Figure, name: str, label: str) -> str:
    buffer = io.StringIO()
    figure.savefig(
        buffer,
        format="svg",
        transparent=True,
        metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
    )
    svg = buffer.getvalue()
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", svg, flags=re.DOTALL)
    view = re.search(r'viewBox="([^"]+)"', body)
    assert view is not None, "matplotlib writes a viewBox"
    body = re.sub(r".*?<svg[^>]*>", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", body)
    body = re.sub(r"font-family: [^;\"]+; ", "", body)
    body = re.sub(r"(\d\.\d\d)\d+", r"\1", body)
    body = re.sub(r"\n\s*", "\n", body)
    for placeholder, variable in _VARIABLES.items():
        body = body.replace(placeholder, f"var({variable})")
    return f'<svg class="chart {name}" viewBox="{view[1]}" role="img" aria-label="{escape(label)}">{body}'
