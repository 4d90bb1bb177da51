"""Readings of a comparison ──▶ a plot of throughput, cost and latency."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from loadtests.bench import benchmark, measurement
from loadtests.bench.readings import Readings, Spread
from loadtests.bench.results.results_table import number
from loadtests.bench.systems import TANDEM
from loadtests.load.closed_loop import CPU_US, REQUESTS_PER_S

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
    "svg.hashsalt": "tandem",  # the same plot is the same file
}


def comparison(readings: Readings, title: str, path: Path) -> None:
    """Plot throughput, cost and latency of each system, the fastest on top; ``path`` ends in .svg or .png."""
    servers = [subject for subject in readings.subjects if readings.spread(subject, measurement.IDLE_MS)]
    servers.sort(key=lambda subject: readings.median(subject, REQUESTS_PER_S))
    alone = [subject for subject in readings.subjects if subject not in servers]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 1.3 + 0.42 * len(servers)), layout="constrained")
        throughput, cost, latency = figure.subplots(1, 3, sharey=True, width_ratios=[1, 0.9, 1.2])
        _plot_throughput(throughput, readings, servers)
        _mark_bound(throughput, [readings.median(each, REQUESTS_PER_S) for each in alone], max)
        _plot_cost(cost, readings, servers)
        _mark_bound(cost, [readings.median(each, CPU_US) for each in alone], min)
        _plot_latency(latency, readings, servers)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure on white, without the date."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    figure.savefig(path, facecolor="white", dpi=150, metadata=metadata)


def _plot_throughput(axes: Axes, readings: Readings, servers: Sequence[str]) -> None:
    spreads = [_spread(readings, server, REQUESTS_PER_S) for server in servers]
    axes.barh(servers, [each.median for each in spreads], color=[_colour(server) for server in servers], height=0.62)
    for place, each in enumerate(spreads):
        axes.plot([each.low, each.high], [place, place], color=INK, linewidth=1)
        _label(axes, each.high, place, number(each.median))
    axes.set_title("requests a second")
    axes.set_xlim(0, 1.25 * max(each.high for each in spreads))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    _hide_left_edge(axes)


def _plot_cost(axes: Axes, readings: Readings, servers: Sequence[str]) -> None:
    for place, server in enumerate(servers):
        each = _spread(readings, server, CPU_US)
        axes.plot([each.low, each.high], [place, place], color=_colour(server), linewidth=2.2)
        axes.plot(each.median, place, "o", color=_colour(server), markersize=7)
        _label(axes, each.high, place, number(each.median))
    axes.set_title("server CPU a request, µs")
    _use_log_scale(axes)


def _plot_latency(axes: Axes, readings: Readings, servers: Sequence[str]) -> None:
    for place, server in enumerate(servers):
        for name, offset, marker in zip(benchmark.OPEN_LOOP, (0.17, -0.17), ("o", "s"), strict=True):
            p50, p99 = (readings.spread(server, f"{quantity} at {name}") for quantity in ("p50 ms", "p99 ms"))
            if p50 is None or p99 is None:  # above the system's own peak
                continue
            height = place + offset
            axes.plot(
                [p50.median, p99.median], [height, height],
                color=_colour(server), linewidth=2.2, marker=marker, markersize=4.5,
            )  # fmt: skip
            _label(axes, p99.median, height, f"{number(p50.median)} .. {number(p99.median)}", fontsize=7.5)
    first, second = benchmark.OPEN_LOOP
    axes.set_title(f"latency, median .. p99, ms\n● at {first}, ■ at {second} of {benchmark.reference(readings)}'s peak")
    _use_log_scale(axes)


def _mark_bound(axes: Axes, values: Sequence[float], best: Callable[[Sequence[float]], float]) -> None:
    """Draw the best figure of the work alone as a line, which no server can cross."""
    if values:
        value = best(values)
        axes.axvline(value, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, 0.7 * value), max(high, 1.25 * value))
        text = axes.annotate(f"work alone {number(value)}", (value, -0.45), (-2, 0), textcoords="offset points")
        text.set(ha="right", va="bottom", rotation=90, fontsize=7.5)


def _label(axes: Axes, x: float, y: float, text: str, fontsize: float = 9.5) -> None:
    axes.annotate(text, (x, y), (7, 0), textcoords="offset points", va="center", fontsize=fontsize)


def _use_log_scale(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * (high / low) ** 0.25)  # room for the labels
    _hide_left_edge(axes)


def _hide_left_edge(axes: Axes) -> None:
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)


def _colour(server: str) -> str:
    return OURS if server == TANDEM else OTHERS


def _spread(readings: Readings, subject: str, quantity: str) -> Spread:
    spread = readings.spread(subject, quantity)
    assert spread is not None, f"no {quantity} of {subject}"
    return spread
