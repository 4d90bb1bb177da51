"""trials of backbones ──▶ the lines that `python -m training backbones` prints."""

from __future__ import annotations

from collections.abc import Sequence

from training.workflows.backbone_comparison import CONFIDENCE, Trial, best_trial


def backbone_table(trials: Sequence[Trial]) -> str:
    """A table of the trials, the licences, and which backbone to take."""
    widest = max(len(trial.backbone.name) for trial in trials)
    lines = [f"{'backbone':{widest}}  accuracy  {CONFIDENCE:.0%} interval      us an image   parameters    fp32 MB"]
    lines += [_line(trial, widest) for trial in trials]
    lines += [trial.backbone.license_note for trial in trials]
    best = best_trial(trials)
    lines.append(
        f"take {best.backbone.name}"
        + (": none is clearly better, and it is the quickest of those as good" if len(trials) > 1 else "")
    )
    return "\n".join(lines)


def _line(trial: Trial, widest: int) -> str:
    low, high = trial.interval
    return (
        f"{trial.backbone.name:{widest}}  {trial.accuracy:8.4f}  {low:.4f} to {high:.4f}  "
        f"{1000 * trial.ms_per_image:11,.0f}  {trial.backbone.parameters:11,}  {trial.size_bytes / 1e6:9.1f}"
    )
