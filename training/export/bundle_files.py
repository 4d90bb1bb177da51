"""fitted network and head ──▶ the files of a bundle, golden results included."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image

from models.bundle.head_spec import INTERVAL
from models.bundle.loading import GOLDEN, GOLDEN_COLUMNS, WEIGHT, golden_embedding
from models.bundle.manifest import GoldenSpec, Precision
from models.pooling import ALONE, Pooling, pool_alone
from models.runtime.sessions import Embedder, Embedding, cpu_session
from training.data.dataset import Dataset
from training.data.images import Indices
from training.export.exported_head import ExportedHead
from training.heads.features.encoding import Rows

GOLDEN_COUNT = 16
EMBEDDING_TOLERANCES: dict[Precision, float] = {"fp32": 1e-3, "fp16": 0.02, "int8": 0.05}
"""Largest difference of an element between machines, as a share of the largest element.

Measured on the default bundle's network and EfficientNet-Lite0 (ONNX Runtime 1.31): float32 moves by 2e-7 on an
emulated processor without AVX-512. fp16 differs from float32 by 0.0035, and a GPU adds it up in yet another order.
int8 is the same to the last bit with and without VNNI; roundings in another order, as without ONNX Runtime's
optimizations, move it by 0.006 and 0.017; kernels whose sums overflow move it by 0.28 and 0.43.
"""
PROBABILITY_TOLERANCE = 1e-4

_LIBRARIES = ("torch", "scikit-learn", "skl2onnx", "onnx", "numpy", "pillow")


def golden_spec(count: int, precisions: Sequence[Precision]) -> GoldenSpec:
    """The manifest's entry on golden results."""
    return GoldenSpec(
        count=count,
        embedding_tolerance={precision: EMBEDDING_TOLERANCES[precision] for precision in precisions},
        probability_tolerance=PROBABILITY_TOLERANCE,
    )


def choose_golden(dataset: Dataset, candidates: Indices) -> Indices:
    """Positions of up to 16 of the candidates; the classes take turns."""
    groups = dataset.strata[candidates]
    by_class = [candidates[groups == group] for group in range(max(1, len(dataset.classes)))]
    rounds = [members[turn] for turn in range(GOLDEN_COUNT) for members in by_class if turn < len(members)]
    return np.array(rounds[:GOLDEN_COUNT])


def golden_files(
    images: NDArray[np.uint8],
    graphs: Mapping[Precision, bytes],
    head: ExportedHead,
    rows: Rows = (),
    pooling: Pooling = ALONE,
) -> dict[str, bytes]:
    """Golden images `[G, H, W, C]` as PNG, their columns, and the results of the graphs for them; files by name.

    Where the bundle pools, each golden image is an instance of its own.
    """
    files = {f"{GOLDEN}/{index:02d}.png": encode_png(image) for index, image in enumerate(images)}
    embedding = Embedder(cpu_session(graphs["fp32"]))(images)
    files |= golden_decisions(head, pool_alone(embedding, pooling.kinds), rows)
    if pooling.weigher is not None:
        files[f"{GOLDEN}/{WEIGHT}.npy"] = _npy(pooling.weigher(embedding))
    if rows:
        files[GOLDEN_COLUMNS] = golden_columns(rows)
    return {**files, **golden_embeddings(images, graphs)}


def golden_decisions(head: ExportedHead, embedding: Embedding, rows: Rows = ()) -> dict[str, bytes]:
    """Results of a head for the golden embeddings, pooled if the bundle pools, `[G, W]`, and columns; files by name."""
    spec = head.spec
    output, bounds = head.head.answer(embedding, rows)
    files = {f"{GOLDEN}/{spec.output}-{spec.name}.npy": _npy(output)}
    if bounds is not None:
        files[f"{GOLDEN}/{INTERVAL}-{spec.name}.npy"] = _npy(bounds)
    if head.outliers is not None:
        files[f"{GOLDEN}/distance-{spec.name}.npy"] = _npy(head.outliers(embedding))
    return files


def golden_columns(rows: Rows) -> bytes:
    """The columns beside the golden images, as JSON."""
    return json.dumps([dict(row) for row in rows], indent=1).encode()


def golden_embeddings(images: NDArray[np.uint8], graphs: Mapping[Precision, bytes]) -> dict[str, bytes]:
    """Embeddings of the golden images `[G, H, W, C]` in each precision; files by name."""
    return {
        f"{GOLDEN}/{golden_embedding(precision)}.npy": _npy(Embedder(cpu_session(graph))(images))
        for precision, graph in graphs.items()
    }


def library_versions() -> dict[str, str]:
    """Versions of the libraries that make a bundle, by name."""
    runtime = {"onnxruntime": ort.__version__}  # it has two packages, of which either may be installed
    return {name: version(name) for name in _LIBRARIES} | runtime


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """uint8 `[H, W, C]` as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _npy(array: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
