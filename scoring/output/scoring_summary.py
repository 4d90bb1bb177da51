"""an output ──▶ what a person wants to know of it: labels, decisions, errors, unfamiliar images."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyarrow import parquet

from models.bundle.head_spec import HeadSpec
from models.bundle.manifest import Manifest
from scoring.output.output_folder import OutputFolder
from scoring.output.part_files import part_name, spans_in

_SHOWN = 20
_MUCH = 2.0
"""Times the rate of training, from which on a sentence says that the images are others."""
_DEVIATIONS = 3  # beyond which it is no chance


@dataclass
class HeadCounts:
    """What one head said of the images.

    Attributes:
        labels: images by label; empty for a head of numbers.
        decisions: images by decision.
        unfamiliar: images that are unlike those of training.
        total: the sum of a number head's values.
    """

    labels: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    unfamiliar: int = 0
    total: float = 0.0


@dataclass
class Summary:
    """What an output has.

    Attributes:
        rows: images.
        errors: images without a decision, by code.
        heads: counts by the names of the heads.
    """

    rows: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    heads: dict[str, HeadCounts] = field(default_factory=dict)


def summarize(folder: OutputFolder, heads: Sequence[HeadSpec]) -> Summary:
    """Counts what all parts of an output have; it reads a few columns only."""
    summary = Summary(heads={head.name: HeadCounts() for head in heads})
    names = [f"{head.name}.{name}" for head in heads for name in ("label" if head.classes else "value", "decision")]
    names += ["error", *(f"{head.name}.reasons" for head in heads)]
    for span in spans_in(folder.names()):
        with parquet.ParquetFile(folder.open(part_name(span))) as part:
            for batch in part.iter_batches(columns=names):
                summary.rows += batch.num_rows
                summary.errors.update(_counted(batch["error"]))
                for head in heads:
                    _count(batch, head, summary.heads[head.name])
    return summary


def _count(batch: Any, head: HeadSpec, counts: HeadCounts) -> None:
    counts.decisions.update(_counted(batch[f"{head.name}.decision"]))
    counts.unfamiliar += _counted(batch[f"{head.name}.reasons"].flatten())["unfamiliar"]
    if head.classes:
        counts.labels.update(_counted(batch[f"{head.name}.label"]))
    else:
        counts.total += sum(filter(None, batch[f"{head.name}.value"].to_pylist()))


def _counted(column: Any) -> Counter[str]:
    """The values that are not null; counted here, as `pyarrow.compute` takes longer to load than this."""
    return Counter(value for value in column.to_pylist() if value is not None)


def sentences(summary: Summary, manifest: Manifest) -> Iterator[str]:
    """Describes a summary, a line each."""
    failed = summary.errors.total()
    yield f"{summary.rows:,} images: {summary.rows - failed:,} decided, {failed:,} with an error"
    if failed:
        yield f"errors: {_listed(summary.errors)}"
    for head in manifest.heads:
        if counts := summary.heads.get(head.name):
            yield from _of_head(counts, head, manifest, summary.rows - failed)


def _of_head(counts: HeadCounts, head: HeadSpec, manifest: Manifest, decided: int) -> Iterator[str]:
    if not decided:
        return
    yield f"{head.name}: {_listed(counts.decisions, decided)}"
    if head.classes:
        yield f"{head.name}: {_listed(counts.labels)}"
    else:
        yield f"{head.name}: {counts.total / decided:.6g} on average"
    if head.policy.max_distance is not None:
        yield f"{head.name}: {_on_outliers(counts.unfamiliar, decided, false_alarms(manifest, head.name))}"


def false_alarms(manifest: Manifest, head: str) -> float | None:
    """The share of ordinary images that training let a head call unfamiliar; None if the bundle does not say."""
    of_head = manifest.training.get("heads", {}).get(head, manifest.training)
    share = of_head.get("false alarms")
    return float(share) if isinstance(share, int | float) else None


def _on_outliers(unfamiliar: int, decided: int, expected: float | None) -> str:
    """The share of unfamiliar images beside that of training."""
    said = f"{unfamiliar:,} unfamiliar, {100 * unfamiliar / decided:.2g} %"
    if expected is None:
        return said
    said += f"; of images like those of training it would be {100 * expected:.2g} %"
    most = _MUCH * expected * decided
    if unfamiliar > most + _DEVIATIONS * math.sqrt(most):
        said += ". These images differ from those of training: look at some before you rely on the decisions"
    return said


def _listed(counts: Counter[str], of: int = 0) -> str:
    shares = {name: f" ({100 * count / of:.1f} %)" if of else "" for name, count in counts.items()}
    shown = [f"{name} {count:,}{shares[name]}" for name, count in counts.most_common(_SHOWN)]
    return ", ".join(shown) + (f" and {len(counts) - _SHOWN} more" if len(counts) > _SHOWN else "")
