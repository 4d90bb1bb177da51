"""a head's entry in a manifest ──▶ lines for the console: figures, classes one a line, and what is promised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from models.bundle.head_spec import HeadSpec
from models.bundle.manifest import Manifest
from training.reports.html_page import figures

_MOST_CLASSES = 30  # more are in the report alone


def summary(manifest: Manifest, head: HeadSpec) -> Iterator[str]:
    """Lines that a training prints about its head."""
    plain = {name: value for name, value in head.metrics.items() if isinstance(value, float)}
    write = "{:.4f}".format if head.classes else figures
    yield f"{manifest.model}, head {head.name}: {', '.join(f'{name} {write(value)}' for name, value in plain.items())}"
    entry = manifest.training_of(head.name)
    if entry.keys() >= {"head", "chosen by"}:
        yield f"chosen by {entry['chosen by']}: {entry['head']}"
    yield from _classes(head)
    yield from entry.get("notes", ())


def _classes(head: HeadSpec) -> Iterator[str]:
    """Precision, recall and support of each class on the test images."""
    precision, recall, support = (_table(head, name) for name in ("precision", "recall", "support"))
    if not support or len(support) > _MOST_CLASSES:
        return
    width = max(len(name) for name in ("class", *head.classes))
    yield f"{'class':{width}}  precision  recall  test images"
    for name in head.classes:
        shares = f"{_share(precision, name):>9}  {_share(recall, name):>6}"
        yield f"{name:{width}}  {shares}  {support.get(name, 0):>11,}"


def _table(head: HeadSpec, name: str) -> Mapping[str, Any]:
    found = head.metrics.get(name)
    return found if isinstance(found, dict) else {}


def _share(table: Mapping[str, Any], name: str) -> str:
    return f"{table[name]:.3f}" if name in table else "-"
