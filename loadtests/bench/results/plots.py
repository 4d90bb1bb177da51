"""Readings → pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from loadtests.bench import measurement
from loadtests.bench.readings import Readings, Spread
from loadtests.bench.results.results_table import number
from loadtests.bench.systems import TANDEM

INK, OURS, OTHERS, FAINT = "#22272e", "#1f6f8b", "#9aa5b1", "#d8dee4"
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "svg.hashsalt": "tandem",  # the same picture is the same file
}


def comparison(readings: Readings, title: str, path: Path) -> None:
    """Draw throughput, cost and latency of each server, the fastest on top; ``path`` ends in .svg or .png."""
    servers = [subject for subject in readings.subjects if readings.spread(subject, measurement.IDLE_MS)]
    servers.sort(key=lambda subject: _spread(readings, subject, measurement.REQUESTS_PER_S).median)
    alone = [subject for subject in readings.subjects if subject not in servers]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 1.3 + 0.42 * len(servers)), layout="constrained")
        throughput, cost, latency = figure.subplots(1, 3, sharey=True, width_ratios=[1, 0.9, 1.2])
        _bars(throughput, readings, servers)
        _mark(throughput, [_spread(readings, each, measurement.REQUESTS_PER_S).median for each in alone], max)
        _dots(cost, readings, servers)
        _mark(cost, [_spread(readings, each, measurement.CPU_US).median for each in alone], min)
        _dumbbells(latency, readings, servers)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure, on white, without the date."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    figure.savefig(path, facecolor="white", dpi=150, metadata=metadata)


def _bars(axes: Axes, readings: Readings, servers: Sequence[str]) -> None:
    spreads = [_spread(readings, server, measurement.REQUESTS_PER_S) for server in servers]
    axes.barh(servers, [each.median for each in spreads], color=[_colour(server) for server in servers], height=0.62)
    for place, each in enumerate(spreads):
        axes.plot([each.low, each.high], [place, place], color=INK, linewidth=1)
        _label(axes, each.high, place, number(each.median))
    axes.set_title("requests a second")
    axes.set_xlim(0, 1.25 * max(each.high for each in spreads))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    _without_left(axes)


def _dots(axes: Axes, readings: Readings, servers: Sequence[str]) -> None:
    for place, server in enumerate(servers):
        each = _spread(readings, server, measurement.CPU_US)
        axes.plot([each.low, each.high], [place, place], color=_colour(server), linewidth=2.2)
        axes.plot(each.median, place, "o", color=_colour(server), markersize=7)
        _label(axes, each.high, place, number(each.median))
    axes.set_title("server CPU a request, µs")
    _logarithmic(axes)


def _dumbbells(axes: Axes, readings: Readings, servers: Sequence[str]) -> None:
    for place, server in enumerate(servers):
        for share, offset, marker in zip(measurement.SHARES, (0.17, -0.17), ("o", "s"), strict=True):
            median = _spread(readings, server, measurement.open_p50(share)).median
            tail = _spread(readings, server, measurement.open_p99(share)).median
            ends, height = [median, tail], [place + offset] * 2
            axes.plot(ends, height, color=_colour(server), linewidth=2.2, marker=marker, markersize=4.5)
            _label(axes, tail, place + offset, f"{number(median)} .. {number(tail)}", fontsize=7.5)
    first, second = (f"{share:.0%}" for share in measurement.SHARES)
    axes.set_title(f"latency, median .. p99, ms\n● at {first}, ■ at {second} of own peak")
    _logarithmic(axes)


def _mark(axes: Axes, values: Sequence[float], best: Callable[[Sequence[float]], float]) -> None:
    """Draw the line that no server can cross."""
    if values:
        value = best(values)
        axes.axvline(value, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, 0.7 * value), max(high, 1.25 * value))
        text = axes.annotate(f"work alone {number(value)}", (value, -0.45), (-2, 0), textcoords="offset points")
        text.set(ha="right", va="bottom", rotation=90, fontsize=7.5)


def _label(axes: Axes, x: float, y: float, words: str, fontsize: float = 9.5) -> None:
    axes.annotate(words, (x, y), (7, 0), textcoords="offset points", va="center", fontsize=fontsize)


def _logarithmic(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * (high / low) ** 0.25)  # room for the labels
    _without_left(axes)


def _without_left(axes: Axes) -> None:
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)


def _colour(server: str) -> str:
    return OURS if server == TANDEM else OTHERS


def _spread(readings: Readings, subject: str, quantity: str) -> Spread:
    spread = readings.spread(subject, quantity)
    assert spread is not None, f"no {quantity} of {subject}"
    return spread
