"""a bundle, or an .npz file ──▶ labelled embeddings that a simulation may use."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bundle.loading import Bundle
from models.bundle.store import resolve
from models.errors import DataError


@dataclass(frozen=True)
class LabelledRows:
    """Embeddings with their labels.

    Attributes:
        embedding: float32 `[N, D]`.
        labels: class positions, int64 `[N]`.
        unit: rows of one unit are copies, or of one group, int64 `[N]`.
    """

    embedding: NDArray[np.float32]
    labels: NDArray[np.int64]
    unit: NDArray[np.int64]


def of_bundle(path: Path, head: str | None) -> LabelledRows:
    """The rows that a bundle keeps of a head, those that its network was fitted on left out.

    Args:
        path: a version's directory, or a store entry.
        head: its name; None for the default one.

    Raises:
        DataError: the bundle keeps no rows of the head, has no such head, or the head names numbers.
        BundleError, StoreError: the bundle is damaged or missing.
    """
    bundle = Bundle.open(resolve(path))
    specs = {spec.name: spec for spec in bundle.manifest.heads}
    spec = bundle.manifest.default_head if head is None else specs.get(head)
    if spec is None:
        raise DataError(f"the bundle has no head {head!r}; it has {', '.join(specs)}")
    kept = bundle.kept_rows(spec)
    if kept is None or spec.task != "classification":
        raise DataError(f"the bundle keeps no rows of classes for head {spec.name!r}; name a file with --rows")
    own = kept.at(np.flatnonzero(~kept.seen))
    return LabelledRows(own.embedding.astype(np.float32), own.labels.astype(np.int64), own.unit.astype(np.int64))


def of_file(path: Path) -> LabelledRows:
    """The arrays `embedding`, float `[N, D]`, and `label`, `[N]` of any type, of an .npz file.

    Raises:
        DataError: it cannot be read, or the arrays are missing or do not fit.
    """
    embedding, label = _arrays(path)
    if embedding.ndim != 2 or embedding.dtype.kind != "f" or label.shape != embedding.shape[:1]:
        raise DataError(
            f"{path}: `embedding` is {embedding.dtype} {embedding.shape} and `label` {label.shape}, "
            "not float (N, D) and (N,)"
        )
    if not np.isfinite(embedding).all():
        raise DataError(f"{path}: `embedding` has NaN or infinity in it; leave those rows out")
    _, labels = np.unique(label, return_inverse=True)
    _, unit = np.unique(embedding, axis=0, return_inverse=True)
    return LabelledRows(embedding.astype(np.float32), labels.astype(np.int64), unit.reshape(-1).astype(np.int64))


def _arrays(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["embedding"], arrays["label"]
    except (AttributeError, EOFError, KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no .npz file with the arrays `embedding` and `label` ({error})") from error
