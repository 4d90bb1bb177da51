"""fitted network and head ──▶ the files of a bundle, golden results included."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.bundle import GOLDEN
from models.manifest import GoldenSpec
from models.sessions import Embedder, Embedding, Head, Probabilities
from training.dataset import Dataset, Indices

GOLDEN_COUNT = 16
EMBEDDING_TOLERANCE = 1e-3  # of the largest element: other processors add float32 in another order
PROBABILITY_TOLERANCE = 1e-4

_LIBRARIES = ("torch", "scikit-learn", "skl2onnx", "onnx", "onnxruntime", "numpy", "pillow")


def golden_spec(count: int) -> GoldenSpec:
    """What the manifest says of the golden results."""
    return GoldenSpec(
        count=count,
        embedding_tolerance={"fp32": EMBEDDING_TOLERANCE},
        probability_tolerance=PROBABILITY_TOLERANCE,
    )


def choose_golden(dataset: Dataset, candidates: Indices) -> Indices:
    """Positions of about 16 images, as many of each class as will go."""
    labels = dataset.labels[candidates]
    by_class = [candidates[labels == label] for label in range(len(dataset.classes))]
    rounds = [members[turn] for turn in range(GOLDEN_COUNT) for members in by_class if turn < len(members)]
    return np.array(rounds[:GOLDEN_COUNT])


def golden_files(images: NDArray[np.uint8], embedder: Embedder, heads: Sequence[Head]) -> dict[str, bytes]:
    """Golden images `[G, H, W, C]` as PNG, with the embeddings and probabilities that the graphs give for them."""
    files = {f"{GOLDEN}/{index:02d}.png": encode_png(image) for index, image in enumerate(images)}
    embedding = embedder(images)
    files[f"{GOLDEN}/embedding.npy"] = _npy(embedding)
    for head in heads:
        files[f"{GOLDEN}/probabilities-{head.spec.name}.npy"] = _npy(head(embedding))
    return files


def library_versions() -> dict[str, str]:
    """Versions of the libraries that made the bundle."""
    return {name: version(name) for name in _LIBRARIES}


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """uint8 `[H, W, C]` as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _npy(array: Embedding | Probabilities) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
