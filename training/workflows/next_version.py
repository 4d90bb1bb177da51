"""bundle and `Results` ──▶ its next version in a store: with another head, with other precisions, or with kept rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle.golden import verify
from models.bundle.head_spec import HeadSpec
from models.bundle.loading import GOLDEN, GOLDEN_COLUMNS, REPORT, Bundle, golden_embedding
from models.bundle.manifest import EMBEDDER_FILES, Manifest
from models.bundle.store import Store
from models.columns import ColumnValue
from models.imaging.decode import decode
from models.pooling import pool_alone
from training.data.dataset import Dataset
from training.export.bundle_files import golden_columns, golden_decisions, golden_embeddings, golden_spec
from training.export.exported_head import ExportedHead
from training.network.embedding_cache import keys_of
from training.quantization.precision_trial import OTHERS, Variants
from training.reports.report_pages import report_page
from training.stages.results import VALIDATION_ENTRIES, Results
from training.stages.training_notes import manifest_entry

_HEAD_ENTRIES = (
    *("head", "head fitted on", "target precision", "confidence", "max missed", "costs", "false alarms", "dropped"),
    *("balance", "target transform", "extrapolate", "network and head of", "notes", *VALIDATION_ENTRIES),
)
"""Entries of a manifest's `training` that are about its default head."""


def write_with_head(bundle: Bundle, results: Results, root: Path) -> Path:
    """Writes the next version with the head of `results`, added or in the place of the one of its name.

    Raises:
        OSError: the store at `root` cannot be written to.
    """
    spec, before = _with_precisions(results), bundle.manifest
    heads = _heads(before, spec)
    kept = {name: data for name, data in bundle.files.items() if not _is_of_head(spec.name, name)}
    files = {**kept, **results.head.files}
    rows = _golden_rows(bundle, results)
    if rows:
        files[GOLDEN_COLUMNS] = golden_columns(rows)
    golden = pool_alone(bundle.golden_array("embedding"), before.pooling)
    for other in heads:
        head = results.head if other.name == spec.name else ExportedHead.from_bundle(bundle, other)
        files |= golden_decisions(head, golden, _columns_of(other, rows))
    is_default = heads[0].name == spec.name
    if not is_default:  # the table of precisions is the default head's
        results = replace(results, variants=Variants((), {}))
    manifest = _next(before, root, **_head_update(before, heads, results))
    measured = {name: data for name, data in files.items() if not name.endswith(".html")}
    files[REPORT if is_default else f"report-{spec.name}.html"] = report_page(results, manifest, measured)
    return Store(root).add(manifest, files, check=verify)


def write_with_precisions(bundle: Bundle, results: Results, root: Path) -> Path:
    """Writes the next version with the embedder in the precisions of `results`.

    Raises:
        OSError: the store at `root` cannot be written to.
    """
    before, variants = bundle.manifest, results.variants
    manifest = _next(
        before,
        root,
        precisions=variants.precisions,
        variants=variants.specs,
        golden=golden_spec(before.golden.count, variants.precisions),
        training={**before.training, "network and head of": before.model},
    )
    images = np.stack([decode(data, before.input.of_inputs) for data in bundle.golden_images()])
    others = {precision: variants.graphs[precision] for precision in OTHERS if precision in variants.graphs}
    replaced = {name for other in OTHERS for name in (EMBEDDER_FILES[other], f"{GOLDEN}/{golden_embedding(other)}.npy")}
    files = {
        **{name: data for name, data in bundle.files.items() if name not in replaced | {REPORT}},
        **{EMBEDDER_FILES[precision]: graph for precision, graph in others.items()},
        **golden_embeddings(images, others),
    }
    return Store(root).add(manifest, {**files, REPORT: report_page(results, manifest, files)}, check=verify)


def write_with_rows(bundle: Bundle, head: HeadSpec, rows: bytes, root: Path) -> Path:
    """Writes the next version with the rows of a head; network, heads, figures and reports stay as they are.

    Raises:
        OSError: the store at `root` cannot be written to.
    """
    before = bundle.manifest
    manifest = _next(before, root, training={**before.training, "network and head of": before.model})
    return Store(root).add(manifest, {**bundle.files, head.rows_file: rows}, check=verify)


def _next(before: Manifest, root: Path, **update: Any) -> Manifest:
    """The manifest of the next version, with some fields replaced."""
    version = max(Store(root).next_version(before.name), before.version + 1)
    created = datetime.now(UTC).replace(microsecond=0)
    return before.model_copy(update={"version": version, "created": created, **update})


def _with_precisions(results: Results) -> HeadSpec:
    """The head's entry in the manifest, with its main figure in every other precision."""
    spec = results.spec
    figure = "test_accuracy" if spec.classes else "test_r2"
    others = {
        f"{figure}_{variant.precision}": variant.metrics[figure]
        for variant in results.variants.specs
        if variant.precision != "fp32" and figure in variant.metrics
    }
    return spec.model_copy(update={"metrics": {**spec.metrics, **others}})


def _heads(manifest: Manifest, spec: HeadSpec) -> tuple[HeadSpec, ...]:
    """The bundle's heads, with the new one in the place of the one of its name, or last."""
    if spec.name in {head.name for head in manifest.heads}:
        return tuple(spec if head.name == spec.name else head for head in manifest.heads)
    return (*manifest.heads, spec)


def _is_of_head(head: str, file: str) -> bool:
    own = {f"head-{head}.onnx", f"novelty-{head}.onnx", f"report-{head}.html", f"rows-{head}.npz"}
    golden = {f"{GOLDEN}/{what}-{head}.npy" for what in ("probabilities", "value", "interval", "distance")}
    return file in own | golden or file.startswith(f"examples-{head}/")


def _golden_rows(bundle: Bundle, results: Results) -> list[dict[str, ColumnValue]]:
    """Columns beside the golden images: those of the other heads, and rows of the new head's data."""
    count, dataset = bundle.manifest.golden.count, results.dataset
    before: list[dict[str, ColumnValue]] = [{} for _ in range(count)]
    for head in (head for head in bundle.manifest.heads if head.name != results.head.spec.name):
        for index, columns in enumerate(bundle.golden_columns(head)):
            before[index] |= columns
    if not dataset.columns:
        return before if any(before) else []
    new = [dict(dataset.rows[index % len(dataset.rows)]) for index in range(count)]
    return [{**columns, **row} for row, columns in zip(before, new, strict=True)]  # other heads may require theirs


def _columns_of(head: HeadSpec, rows: Sequence[Mapping[str, ColumnValue]]) -> list[dict[str, ColumnValue]]:
    return [{column.name: row.get(column.name) for column in head.columns} for row in rows] if head.columns else []


def _head_update(before: Manifest, heads: tuple[HeadSpec, ...], results: Results) -> dict[str, Any]:
    """The manifest's fields that a new or replaced head changes."""
    entry = {**manifest_entry(results), "data_fingerprint": _fingerprint(results.dataset)}
    training = {**before.training, "heads": {**before.training.get("heads", {}), results.head.spec.name: entry}}
    is_default = heads[0].name == results.head.spec.name
    if is_default:
        training = {name: value for name, value in training.items() if name not in _HEAD_ENTRIES}
    variants = results.variants.specs if is_default and before.variants else before.variants
    return {"task": heads[0].task, "heads": heads, "training": training, "variants": variants}


def _fingerprint(dataset: Dataset) -> str:
    """SHA-256 of image keys, labels and columns; decodes no image."""
    digest = hashlib.sha256(b"".join(keys_of(dataset.of_photos())))
    if dataset.photos is not None:
        digest.update(np.ascontiguousarray(dataset.photos.counts).data)
    digest.update(np.ascontiguousarray(dataset.labels).data)
    digest.update(json.dumps([dataset.classes, [dict(row) for row in dataset.rows]], sort_keys=True).encode())
    return digest.hexdigest()
