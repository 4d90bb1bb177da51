"""`Simulation` ──▶ a table for the console, JSON, and a plot as PNG or SVG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from feedback.simulation.active_learning import Simulation

_STYLES = {
    "random": ("#777777", "s"),
    "uncertainty": ("#b35900", "^"),
    "diversity": ("#5b8c00", "v"),
    "ours": ("#1559b3", "o"),
}
"""Colour and mark of each strategy."""


def table(simulation: Simulation) -> str:
    """Mean accuracy in percent by strategy and number of answers, and what the strategies gain over random choice."""
    rows = [f"{'answers':<24}" + "".join(f"{count:>14,}" for count in simulation.answers)]
    for name, accuracy in simulation.accuracy.items():
        rows.append(f"{name:<24}" + "".join(f"{100 * mean:>14.2f}" for mean in accuracy.mean(axis=0)))
    for name in simulation.accuracy:
        if name != "random":
            pairs = zip(*simulation.gain(name), strict=True)
            rows.append(f"{name + ' - random':<24}" + "".join(f"{_difference(*pair):>14}" for pair in pairs))
    return "\n".join(rows)


def as_json(simulation: Simulation) -> dict[str, Any]:
    """All numbers; accuracies are by seed, in [0, 1]."""
    return {
        "strategy": simulation.strategy,
        "sentence": simulation.sentence,
        "answers": list(simulation.answers),
        "evaluated": simulation.evaluated,
        "pool": simulation.pool,
        "accuracy": {name: found.tolist() for name, found in simulation.accuracy.items()},
    }


def write_plot(simulation: Simulation, file: Path) -> None:
    """Draws mean accuracy against answers; the name's ending is the format.

    The bars are the noise of the difference from random choice, which is smaller than that of the accuracy: all
    strategies have the same rows.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (takes a second, and is needed here alone)

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, found in simulation.accuracy.items():
        colour, mark = _STYLES[name]
        _, noise = simulation.gain(name)
        axes.errorbar(
            simulation.answers, 100 * found.mean(axis=0), 100 * noise, label=name, color=colour, marker=mark, capsize=2
        )
    axes.set_xscale("log")
    axes.set_xticks(simulation.answers, [f"{count:,}" for count in simulation.answers])
    axes.minorticks_off()
    axes.set_xlabel("answers")
    axes.set_ylabel("accuracy on rows never asked, %")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(file, dpi=120, metadata={"Software": None} if file.suffix == ".png" else {"Date": None})


def _difference(gain: float, noise: float) -> str:
    return f"{100 * gain:+.2f} ± {100 * noise:.2f}"
