"""figures of `tools.proof` ──▶ `docs/proof.md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, t

PAGE = Path("docs") / "proof.md"
TARGET = 0.95
MOST_ROWS = 12_000
"""Images that a support vector machine is fitted to, at most: its time grows with their square."""
_LEVEL = 0.05
_AS_IT_IS, _TANDEM = "Tandem, `--tune off`", "Tandem"
_TITLES = {
    "solar": "2,624 photographs of solar cells, defect or not (`elpv-dataset`, CC BY-NC-SA 4.0)",
    "textile": "2,000 photographs of textile: no defect, a local or a global one (`conformal-clip-data`, MIT)",
    "digits": "1,797 handwritten digits (scikit-learn; UCI, CC BY 4.0)",
    "fashion-mnist": "70,000 pictures of clothes, 28x28 (Fashion-MNIST, MIT), with the published test images",
}
_INTRODUCTION = f"""# Proof on public images

Each data set is split in several ways. The ways to a decision answer the same test images, which chose nothing. The
target is that {100 * TARGET:g} % of what is accepted is right.

- **Tandem**: `python -m training pretrained` with its defaults, answered by the engine that serves its bundle, in the
  precision that it takes. **`--tune off`** leaves the network as it is; otherwise the network is tuned to the images,
  and serves if it is shown to be better.
- **network alone**: the tuned EfficientNet-Lite0 with its own softmax. It accepts what is above the lowest confidence
  at which the target was reached on images that it had not seen.
- **scikit-learn alone**: histograms of oriented gradients, 200 principal components, a support vector machine whose
  penalty three folds chose, and the same kind of threshold, on {MOST_ROWS:,} images at most.
- **default bundle**: what `make serve` serves, with a network of its own for 28x28 pixels. Its target is 99 %.

An accuracy has its 95 % interval over the splits (Student's t), or of a single split its exact one; the share right
among accepted has its exact 95 % interval over all of them together. The columns beside an image go to Tandem alone, as
the others have no place for them. A decision's microseconds are from pixels in memory, one image at a time on one
thread. AutoGluon's multimodal predictor and TabPFN are left out: their weights come from hubs that the machine of these
figures does not reach.
"""


@dataclass(frozen=True)
class Figures:
    """One way on one split.

    Attributes:
        hits: whether each test image is answered rightly, bool `[T]`.
        accepted: whether its answer is accepted, bool `[T]`.
        unfamiliar: share of the test images called unfamiliar; None if the way does not tell.
        seconds: of the training.
        decision_us: microseconds from pixels to a decision, one image at a time on one thread.
        note: what the training said of tuning.
    """

    hits: NDArray[np.bool_]
    accepted: NDArray[np.bool_]
    unfamiliar: float | None
    seconds: float
    decision_us: float
    note: str = ""


def page(found: Mapping[str, Mapping[str, Sequence[Figures]]], left_out: Sequence[str], command: str) -> str:
    """The page of all figures by data set and way."""
    lines = [_INTRODUCTION]
    for name, ways in found.items():
        first = next(iter(ways.values()))
        lines += [
            f"## {_TITLES[name]}",
            "",
            f"Splits: {len(first)}, test images of each: {len(first[0].hits):,}.",
            "",
            "| way | accuracy | accepted | right among accepted | called unfamiliar | training, s | decision, µs |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *(line(way, rows) for way, rows in ways.items()),
            "",
            *(tuning(ways[_AS_IT_IS], ways[_TANDEM]) if _TANDEM in ways else []),
            "",
        ]
    lines += [f"Left out: {reason}." for reason in left_out] + [""] * bool(left_out)
    return "\n".join([*lines, f"    {command}", ""])


def line(way: str, rows: Sequence[Figures]) -> str:
    """A row of the table."""
    accuracy = accuracy_of([row.hits for row in rows])
    accepted = float(np.mean([row.accepted.mean() for row in rows]))
    right = sum(int(row.hits[row.accepted].sum()) for row in rows)
    count = sum(int(row.accepted.sum()) for row in rows)
    found = binomtest(right, count).proportion_ci(0.95, "exact") if count else None
    kept = f"{right / count:.3f} ({found.low:.3f} to {found.high:.3f})" if found else "-"
    alarms = [row.unfamiliar for row in rows if row.unfamiliar is not None]
    return (
        f"| {way} | {accuracy} | {accepted:.3f} | {kept} | {f'{np.mean(alarms):.3f}' if alarms else '-'} | "
        f"{np.mean([row.seconds for row in rows]):,.0f} | {np.mean([row.decision_us for row in rows]):,.0f} |"
    )


def accuracy_of(hits: Sequence[NDArray[np.bool_]]) -> str:
    """Mean accuracy of the splits with its 95 % interval: by Student's t over them, or exact of a single one."""
    values, count = [float(each.mean()) for each in hits], len(hits)
    if count == 1:
        found = binomtest(int(hits[0].sum()), len(hits[0])).proportion_ci(0.95, "exact")
        return f"{values[0]:.3f} ({found.low:.3f} to {found.high:.3f})"
    half = float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) / count**0.5)
    return f"{np.mean(values):.3f} ± {half:.3f}"


def tuning(frozen: Sequence[Figures], served: Sequence[Figures]) -> list[str]:
    """What tuning gained on each split, and whether what is served is worse by an exact one-sided McNemar test."""
    gains = [100 * float(other.hits.mean() - one.hits.mean()) for one, other in zip(frozen, served, strict=True)]
    worse = sum(_is_worse(one.hits, other.hits) for one, other in zip(frozen, served, strict=True))
    return [
        f"Beside `--tune off`, split by split: {', '.join(f'{gain:+.1f}' for gain in gains)} points; worse in "
        f"{worse} of {len(gains)} by an exact McNemar test at {100 * _LEVEL:g} %. What the trainings said:",
        "",
        *(f"- {row.note}" for row in served),
    ]


def _is_worse(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> bool:
    lost, won = int((before & ~after).sum()), int((after & ~before).sum())
    return lost + won > 0 and bool(binomtest(lost, lost + won, alternative="greater").pvalue < _LEVEL)
