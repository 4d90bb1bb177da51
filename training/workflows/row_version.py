"""bundle and the data of a head ──▶ its next version, which keeps the head's rows; nothing is fitted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.bundle.head_spec import HeadSpec
from models.bundle.loading import Bundle
from models.runtime.embedding_files import DEFAULT_ROOT, EmbeddingCache
from models.runtime.photo_weights import open_pooling
from models.runtime.sessions import Embedder, cpu_session
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.instances.pooled_embeddings import check_photos, embed_instances
from training.stages.prepare import Prepared, drop_faults, find_faults, prepare
from training.stages.results import image_counts
from training.stages.row_keeping import rows_file, rows_of
from training.stages.training_data import Embedded, label_embeddings
from training.workflows.next_version import write_with_rows


@dataclass(frozen=True)
class RowPlan:
    """Which rows to keep, and where to write the bundle.

    Attributes:
        head: name of the head.
        keep_rows_bytes: limit of the file.
        store: directory of the store.
        cache: directory of the embeddings that are kept.
    """

    head: str
    keep_rows_bytes: int
    store: Path
    cache: Path = DEFAULT_ROOT


def add_rows(bundle: Bundle, dataset: Dataset, plan: RowPlan) -> Path:
    """Embeds the data that a head was fitted on, and writes the next version with its rows; returns its directory.

    Args:
        bundle: what a training wrote, perhaps without rows.
        dataset: the same data that the head was fitted on.
        plan: the rest.

    Raises:
        DataError: the bundle has no such head, it was fitted on other data, or not one row fits within the limit.
        OSError: the store cannot be written to.
    """
    spec = head_named(bundle, plan.head)
    check_photos(bundle.manifest, dataset)
    entry = bundle.manifest.training_of(spec.name)
    dataset, seed = dataset.in_order_of(spec.classes), int(entry.get("seed", 0))
    prepared = prepare(dataset, seed, plan.cache, bundle)
    cache = EmbeddingCache(plan.cache, bundle.embedder("fp32"), bundle.manifest.input)
    session = cpu_session(bundle.embedder("fp32"), threads=os.cpu_count() or 1)
    embedder, pooling = Embedder.checked(session, bundle.manifest), open_pooling(bundle)
    embedding = embed_instances(cache, embedder, prepared.dataset, pooling)
    if dropped := entry.get("dropped", ()):
        prepared = drop_faults(prepared, find_faults(prepared, embedding, seed), dropped, force=True)
    _check(bundle, spec, entry, prepared)
    data = label_embeddings(prepared, Embedded(embedding, cache, pooling), seed=seed)
    file = rows_file(rows_of(data), plan.keep_rows_bytes, seed)
    if file is None:
        raise DataError(f"not one row fits into {plan.keep_rows_bytes:,} bytes; give more with --keep-rows")
    return write_with_rows(bundle, spec, file, plan.store)


def head_named(bundle: Bundle, name: str | None) -> HeadSpec:
    """A head of a bundle by its name; the default head if there is none.

    Raises:
        DataError: no head has that name.
    """
    heads = {head.name: head for head in bundle.manifest.heads}
    if name is not None and name not in heads:
        raise DataError(f"{bundle.manifest.model} has no head {name!r}; it has {', '.join(heads)}")
    return bundle.manifest.default_head if name is None else heads[name]


def _check(bundle: Bundle, spec: HeadSpec, entry: Any, prepared: Prepared) -> None:
    """Raises `DataError` unless these may be the data that the head was fitted on."""
    dataset, counts = prepared.dataset, image_counts(prepared.parts)
    if (dataset.classes, {column.name for column in dataset.columns}) != (
        spec.classes,
        {column.name for column in spec.columns},
    ):
        raise DataError(f"head {spec.name!r} has other classes or columns than these data; give those of its training")
    if counts != entry.get("images"):
        raise DataError(
            f"head {spec.name!r} of {bundle.manifest.model} was fitted on {entry.get('images')} images, not on "
            f"{counts}; give the same data"
        )
