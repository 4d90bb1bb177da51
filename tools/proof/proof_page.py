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
FIRST_SEED = 1000
"""Of the splits; those below it were looked at while the methods were made."""
MOST_ROWS = 12_000
"""Images that a support vector machine is fitted to, at most: its time grows with their square."""
AS_IT_IS, TANDEM, NETWORK, SCIKIT_LEARN, DEFAULT_BUNDLE = (
    "Tandem, `--tune off`",
    "Tandem",
    "network alone",
    "scikit-learn alone",
    "Tandem, default bundle",
)
"""The ways to a decision."""
_LEVEL = 0.05
_TEST_SHARE = 0.2
"""Of the images of a split are test images."""
_TITLES = {
    "solar": "2,624 photographs of solar cells, defect or not (`elpv-dataset`, CC BY-NC-SA 4.0)",
    "textile": "2,000 photographs of textile: no defect, a local or a global one (`conformal-clip-data`, MIT)",
    "digits": "1,797 handwritten digits (scikit-learn; UCI, CC BY 4.0)",
    "fashion-mnist": "70,000 pictures of clothes, 28x28 (Fashion-MNIST, MIT), with the published test images",
}
_INTRODUCTION = f"""# Proof on public images

Several ways to a decision answer the same test images, which choose nothing. They are a fifth of a data set, drawn anew
for each split; the seeds of the draws were not used while the methods were made.

- **Tandem**: `python -m training pretrained` with its defaults, answered by the engine that serves its bundle, in the
  precision that it takes. **`--tune off`** leaves the network as it is; otherwise the network is tuned to the images,
  and serves if it is shown to be better.
- **network alone**: EfficientNet-Lite0, tuned where an epoch of that was better, with its own softmax. It accepts what
  is above the lowest confidence at which the target was reached on images that it had not seen.
- **scikit-learn alone**: histograms of oriented gradients, 200 principal components, a support vector machine whose
  penalty three folds chose, and the same kind of threshold, on {MOST_ROWS:,} images at most.
- **default bundle**: what `make serve` serves, with a network of its own for 28x28 pixels. Its training is not timed
  here.

The target is that {100 * TARGET:g} % of what is accepted is right, with the default bundle 99 %. An accuracy, and the
share right among accepted, is the mean of the splits with a 95 % interval by Student's t, its variance enlarged because
splits share images (Nadeau and Bengio 2003); of a single split it has its exact interval. The columns beside an image
go to Tandem alone, as the others have no place for them. A decision's microseconds are from pixels in memory, one image
at a time on one thread. AutoGluon's multimodal predictor and TabPFN are left out: their weights come from hubs that the
machine of these figures does not reach.
"""


@dataclass(frozen=True)
class Figures:
    """One way on one split.

    Attributes:
        hits: whether each test image is answered rightly, bool `[T]`.
        accepted: whether its answer is accepted, bool `[T]`.
        unfamiliar: share of the test images called unfamiliar; None if the way does not tell.
        seconds: of the training; None if it was not timed.
        decision_us: microseconds from pixels to a decision, one image at a time on one thread.
        note: what the training said of tuning.
    """

    hits: NDArray[np.bool_]
    accepted: NDArray[np.bool_]
    unfamiliar: float | None
    seconds: float | None
    decision_us: float
    note: str = ""


def page(
    found: Mapping[str, Mapping[str, Sequence[Figures]]], left_out: Sequence[str], *, machine: str, command: str
) -> str:
    """The page of all figures by data set and way.

    Args:
        found: the figures of each split.
        left_out: data sets that were not measured, with the reason.
        machine: hardware, versions and date of the figures.
        command: that made the page.
    """
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
            *(line(way, rows, len(first)) for way, rows in ways.items()),
            "",
            *(tuning(ways[AS_IT_IS], ways[TANDEM]) if TANDEM in ways else []),
            "",
        ]
    lines += [f"Left out: {reason}." for reason in left_out] + [""] * bool(left_out)
    return "\n".join([*lines, f"{machine}:", "", f"    {command}", ""])


def line(way: str, rows: Sequence[Figures], splits: int) -> str:
    """A row of the table; it says so if it is of fewer splits than there are."""
    accuracy = interval([row.hits for row in rows])
    accepted = float(np.mean([row.accepted.mean() for row in rows]))
    kept = interval([row.hits[row.accepted] for row in rows if row.accepted.any()])
    some = f" ({len(rows)} of {splits} splits)" if len(rows) < splits else ""
    alarms, seconds = _mean([row.unfamiliar for row in rows], ".3f"), _mean([row.seconds for row in rows], ",.0f")
    return (
        f"| {way}{some} | {accuracy} | {accepted:.3f} | {kept} | {alarms} | {seconds} | "
        f"{np.mean([row.decision_us for row in rows]):,.0f} |"
    )


def _mean(values: Sequence[float | None], digits: str) -> str:
    """Of those that there are."""
    told = [value for value in values if value is not None]
    return f"{np.mean(told):{digits}}" if told else "-"


def interval(hits: Sequence[NDArray[np.bool_]]) -> str:
    """Mean share of hits over the splits with its 95 % interval; the exact one of a single split."""
    shares, count = [float(each.mean()) for each in hits], len(hits)
    if count == 0:
        return "-"
    if count == 1:
        found = binomtest(int(hits[0].sum()), len(hits[0])).proportion_ci(0.95, "exact")
        return f"{shares[0]:.3f} ({found.low:.3f} to {found.high:.3f})"
    spread = (1 / count + _TEST_SHARE / (1 - _TEST_SHARE)) ** 0.5
    half = float(t.ppf(0.975, count - 1) * np.std(shares, ddof=1) * spread)
    return f"{np.mean(shares):.3f} ± {half:.3f}"


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
