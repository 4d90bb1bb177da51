"""Readings → pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests import match
from loadtests.lineup import TANDEM
from loadtests.readings import Readings, Spread
from loadtests.standings import number

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
    servers = [subject for subject in readings.subjects if readings.spread(subject, match.IDLE_MS)]
    servers.sort(key=lambda subject: _spread(readings, subject, match.REQUESTS_PER_S).median)
    alone = [subject for subject in readings.subjects if subject not in servers]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.5, 0.9 + 0.42 * len(servers)), layout="constrained")
        throughput, cost, latency = figure.subplots(1, 3, sharey=True, width_ratios=[1, 1, 1.15])
        _bars(throughput, readings, servers, match.REQUESTS_PER_S)
        throughput.set_title("requests a second")
        _mark(throughput, max((_spread(readings, each, match.REQUESTS_PER_S).median for each in alone), default=0))
        _bars(cost, readings, servers, match.CPU_US)
        cost.set_title("server CPU a request, µs")
        _mark(cost, min((_spread(readings, each, match.CPU_US).median for each in alone), default=0))
        _dumbbells(latency, readings, servers)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure, on white, without the date."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"Date": None} if path.suffix == ".svg" else None
    figure.savefig(path, facecolor="white", dpi=150, metadata=metadata)


def _bars(axes: Axes, readings: Readings, servers: Sequence[str], quantity: str) -> None:
    spreads = [_spread(readings, server, quantity) for server in servers]
    colours = [OURS if server == TANDEM else OTHERS for server in servers]
    axes.barh(servers, [each.median for each in spreads], color=colours, height=0.62)
    for place, each in enumerate(spreads):
        axes.plot([each.low, each.high], [place, place], color=INK, linewidth=1)
        axes.annotate(number(each.median), (each.high, place), (5, 0), textcoords="offset points", va="center")
    axes.set_xlim(0, 1.22 * max(each.high for each in spreads))
    axes.set_xticks([])
    axes.spines[["bottom", "left"]].set_visible(False)
    axes.tick_params(left=False)


def _mark(axes: Axes, value: float) -> None:
    """Draw the line that no server can cross."""
    if value:
        axes.axvline(value, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xlim(0, max(axes.get_xlim()[1], 1.22 * value))
        axes.annotate(
            f"work alone {number(value)}", (value, 0), (3, -18), ("data", "axes fraction"), "offset points", ha="center"
        )


def _dumbbells(axes: Axes, readings: Readings, servers: Sequence[str]) -> None:
    for place, server in enumerate(servers):
        colour = OURS if server == TANDEM else OTHERS
        for share, offset, marker in zip(match.SHARES, (0.16, -0.16), ("o", "s"), strict=True):
            median = _spread(readings, server, match.open_p50(share)).median
            tail = _spread(readings, server, match.open_p99(share)).median
            axes.plot([median, tail], [place + offset] * 2, color=colour, linewidth=2.2, solid_capstyle="round")
            axes.plot([median, tail], [place + offset] * 2, marker, color=colour, markersize=4.5)
            words = f"{number(median)} .. {number(tail)}"
            axes.annotate(words, (tail, place + offset), (6, 0), textcoords="offset points", va="center", fontsize=7.5)
    axes.set_xscale("log")
    axes.set_title("latency p50 .. p99, ms; ● at 50 %, ■ at 80 % of own peak")
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)
    axes.margins(x=0.3)


def _spread(readings: Readings, subject: str, quantity: str) -> Spread:
    spread = readings.spread(subject, quantity)
    assert spread is not None, f"no {quantity} of {subject}"
    return spread
