"""Readings along an axis ──▶ plots of growth; each curve has its name at its end."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from loadtests.bench import bulk, growth
from loadtests.bench.readings import Readings
from loadtests.bench.results.plots import FAINT, INK, OTHERS, OURS, STYLE, save
from loadtests.bench.results.results_table import number
from loadtests.bench.work_alone import IMAGES_PER_S
from loadtests.load.closed_loop import CPU_US, REQUESTS_PER_S

COLOURS = {"multipart": OURS, "binary": "#b4552d", "json": "#6b5b95", bulk.WORK_ALONE: INK}
SIZE = (7.2, 3.9)  # inches
POINTS = "offset points"


def images(readings: Readings, title: str, path: Path) -> None:
    """Plot images/s over images a request, in each form of body and for the work alone."""
    with mpl.rc_context(STYLE):
        figure, axes = _canvas(title, "images a request", "images a second")
        for subject in readings.subjects:
            style = "--" if subject == bulk.WORK_ALONE else "-"
            _plot_curve(axes, readings, subject, IMAGES_PER_S, colour=COLOURS[subject], linestyle=style)
        _name_curves(axes, readings, IMAGES_PER_S)
        _mark_doublings(axes, readings.xs(bulk.WORK_ALONE))
        save(figure, path)


def connections(readings: Readings, title: str, path: Path) -> None:
    """Plot requests/s over connections, and the least that throughput should keep."""
    rows = growth.kept(readings)
    counts, limits = [row[0] for row in rows], [row[2] for row in rows]
    with mpl.rc_context(STYLE):
        figure, axes = _canvas(title, "connections", "requests a second")
        axes.plot(counts, limits, color=OTHERS, linewidth=1, linestyle=(0, (4, 3)))
        text = f"{growth.KEPT_SHARE:.0%} of the peak so far"
        axes.annotate(text, (counts[0], limits[0]), (6, -14), textcoords=POINTS)
        _plot_curve(axes, readings, growth.CONNECTIONS, REQUESTS_PER_S)
        _label_medians(axes, readings, growth.CONNECTIONS, REQUESTS_PER_S)
        _mark_doublings(axes, counts)
        save(figure, path)


def trees(readings: Readings, title: str, path: Path) -> None:
    """Plot CPU a request over trees, and the straight line through it."""
    counts = readings.xs(growth.TREES)
    costs = [readings.median(growth.TREES, CPU_US, count) for count in counts]
    with mpl.rc_context(STYLE):
        figure, axes = _canvas(title, "trees of the head", "server CPU a request, µs")
        if len(counts) > 1:
            slope, base = np.polyfit(counts, costs, 1)
            line = [base, base + slope * counts[-1]]
            axes.plot([0, counts[-1]], line, color=OTHERS, linewidth=1, linestyle=(0, (4, 3)))
            text = f"{number(base)} µs, and {number(slope * 100)} µs for every 100 trees"
            axes.annotate(text, (counts[-1], line[-1]), (-14, -34), textcoords=POINTS, ha="right")
        _plot_curve(axes, readings, growth.TREES, CPU_US, linestyle="")
        _label_medians(axes, readings, growth.TREES, CPU_US)
        axes.set_xticks(counts, [f"{count:,.0f}" for count in counts])
        axes.set_ylim(bottom=0)
        save(figure, path)


def _canvas(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.subplots()
    axes.set_title(f"{title}\n", fontweight="bold", fontsize=11)
    axes.set_xlabel(x)
    axes.annotate(y, (0, 1), (0, 6), "axes fraction", textcoords=POINTS)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _plot_curve(
    axes: Axes, readings: Readings, subject: str, quantity: str, *, colour: str = OURS, linestyle: str = "-"
) -> None:
    """Plot the medians, and the range of the rounds behind them."""
    xs = readings.xs(subject)
    spreads = [spread for x in xs if (spread := readings.spread(subject, quantity, x))]
    axes.vlines(
        xs, [each.low for each in spreads], [each.high for each in spreads], color=colour, linewidth=4, alpha=0.25
    )
    axes.plot(xs, [each.median for each in spreads], color=colour, linestyle=linestyle, marker="o", markersize=4.5)


def _label_medians(axes: Axes, readings: Readings, subject: str, quantity: str) -> None:
    for x in readings.xs(subject):
        if spread := readings.spread(subject, quantity, x):
            axes.annotate(number(spread.median), (x, spread.high), (0, 6), textcoords=POINTS, ha="center")


def _name_curves(axes: Axes, readings: Readings, quantity: str) -> None:
    """Name each curve to the right of its last point; the names are kept far enough apart to be read."""
    lasts = {subject: readings.xs(subject)[-1] for subject in readings.subjects}
    ends = {subject: readings.median(subject, quantity, x) for subject, x in lasts.items()}
    axes.set_ylim(0, 1.12 * axes.get_ylim()[1])
    apart, lowest = 0.06 * axes.get_ylim()[1], 0.0
    for subject, height in sorted(ends.items(), key=lambda end: end[1]):
        lowest = max(height, lowest + apart)
        text = f"{subject} {number(height)}"
        axes.annotate(text, (lasts[subject], lowest), (9, -3), textcoords=POINTS, color=COLOURS[subject])
    axes.margins(x=0.05)


def _mark_doublings(axes: Axes, counts: Sequence[float]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [f"{count:.0f}" for count in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)
