"""Readings along an axis → pictures of growth, each curve with its name at its end."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from loadtests.bench import bulk, growth, measurement
from loadtests.bench.readings import Readings
from loadtests.bench.results.plots import FAINT, INK, OTHERS, OURS, STYLE, save
from loadtests.bench.results.results_table import number

COLOURS = {"multipart": OURS, "binary": "#b4552d", "json": "#6b5b95", bulk.WORK_ALONE: INK}
SIZE = (7.2, 3.9)
POINTS = "offset points"


def images(readings: Readings, title: str, path: Path) -> None:
    """Draw images a second over images a request, in each form of body and without a server."""
    with mpl.rc_context(STYLE):
        figure, axes = _canvas(title, "images a request", "images a second")
        for subject in readings.subjects:
            dashed = subject == bulk.WORK_ALONE
            _curve(axes, readings, subject, bulk.IMAGES_PER_S, COLOURS[subject], dashed=dashed)
        _names_at_ends(axes, readings, bulk.IMAGES_PER_S)
        _doublings(axes, readings.xs(bulk.WORK_ALONE))
        save(figure, path)


def connections(readings: Readings, title: str, path: Path) -> None:
    """Draw requests a second over connections, and the line that throughput is to keep above."""
    rows = growth.kept(readings)
    with mpl.rc_context(STYLE):
        figure, axes = _canvas(title, "connections", "requests a second")
        places, wanted = [row[0] for row in rows], [row[2] for row in rows]
        axes.plot(places, wanted, color=OTHERS, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            f"{growth.KEPT_SHARE:.0%} of the peak so far", (places[0], wanted[0]), (6, -14), textcoords=POINTS
        )
        _curve(axes, readings, growth.CONNECTIONS, measurement.REQUESTS_PER_S, OURS)
        _values(axes, readings, growth.CONNECTIONS, measurement.REQUESTS_PER_S)
        _doublings(axes, places)
        save(figure, path)


def trees(readings: Readings, title: str, path: Path) -> None:
    """Draw CPU a request over trees, and the straight line through it."""
    places = readings.xs(growth.TREES)
    costs = _medians(readings, growth.TREES, measurement.CPU_US, places)
    with mpl.rc_context(STYLE):
        figure, axes = _canvas(title, "trees of the head", "server CPU a request, µs")
        if len(places) > 1:
            slope, base = np.polyfit(places, costs, 1)
            line = [base + slope * place for place in (0, places[-1])]
            axes.plot([0, places[-1]], line, color=OTHERS, linewidth=1, linestyle=(0, (4, 3)))
            words = f"{number(base)} µs, and {number(slope * 100)} µs for every 100 trees"
            axes.annotate(words, (places[-1], line[-1]), (-14, -34), textcoords=POINTS, ha="right")
        _curve(axes, readings, growth.TREES, measurement.CPU_US, OURS, joined=False)
        _values(axes, readings, growth.TREES, measurement.CPU_US)
        axes.set_xticks(places, [f"{place:,.0f}" for place in places])
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


def _curve(
    axes: Axes,
    readings: Readings,
    subject: str,
    quantity: str,
    colour: str,
    *,
    dashed: bool = False,
    joined: bool = True,
) -> None:
    """Draw the medians, and the range of the rounds behind them."""
    places = readings.xs(subject)
    spreads = [spread for place in places if (spread := readings.spread(subject, quantity, place))]
    lows, highs = [each.low for each in spreads], [each.high for each in spreads]
    axes.vlines(places, lows, highs, color=colour, linewidth=4, alpha=0.25)
    style = ("--" if dashed else "-") if joined else ""
    axes.plot(places, [each.median for each in spreads], color=colour, linestyle=style, marker="o", markersize=4.5)


def _values(axes: Axes, readings: Readings, subject: str, quantity: str) -> None:
    """Write each median above the range of its rounds."""
    for place in readings.xs(subject):
        if spread := readings.spread(subject, quantity, place):
            axes.annotate(number(spread.median), (place, spread.high), (0, 6), textcoords=POINTS, ha="center")


def _names_at_ends(axes: Axes, readings: Readings, quantity: str) -> None:
    """Name each curve to the right of its last point, the names far enough apart to be read."""
    ends = {subject: _medians(readings, subject, quantity, readings.xs(subject))[-1] for subject in readings.subjects}
    axes.set_ylim(0, 1.12 * axes.get_ylim()[1])
    apart, lowest = 0.06 * axes.get_ylim()[1], 0.0
    for subject, height in sorted(ends.items(), key=lambda end: end[1]):
        lowest = max(height, lowest + apart)
        words = f"{subject} {number(height)}"
        axes.annotate(words, (readings.xs(subject)[-1], lowest), (9, -3), textcoords=POINTS, color=COLOURS[subject])
    axes.margins(x=0.05)


def _doublings(axes: Axes, places: Sequence[float]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(places, [f"{place:.0f}" for place in places])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(bottom=0)


def _medians(readings: Readings, subject: str, quantity: str, places: Sequence[float]) -> list[float]:
    return [spread.median for place in places if (spread := readings.spread(subject, quantity, place))]
