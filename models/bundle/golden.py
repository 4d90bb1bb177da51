"""golden images ──▶ the recorded results, on this machine, or the bundle does not serve.

Two stations are checked apart: the embedder on the encoded images, against what its own precision gave and with a
tolerance (other processors add in another order), and each head on the *recorded* float32 embedding. A tree splits on
exact thresholds, so a difference of 1e-7 in an embedding may move a probability by far more; that is no fault of the
machine.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from models.bundle.loading import GOLDEN, Bundle, golden_embedding
from models.bundle.manifest import EMBEDDER_FILES, Precision
from models.bundle.head_spec import HeadSpec, INTERVAL
from models.errors import BundleError, ClientError
from models.imaging.decode import decode
from models.imaging.types import Pixels
from models.runtime.sessions import Embedder, Embedding, LOAD_ERRORS, cpu_session, relative_difference
from models.runtime.head_sessions import Head, OutlierDetector

DISTANCE_TOLERANCE = 1e-3
"""Largest difference of a distance, as a share of the largest recorded: sums of float32 in another order."""


def check_golden(
    bundle: Bundle,
    embedder: Embedder,
    heads: Mapping[str, Head],
    novelties: Mapping[str, OutlierDetector],
    precision: Precision = "fp32",
) -> None:
    """Runs the golden images through decoder, embedder, heads and what tells the unfamiliar, those by the heads' names.

    Raises:
        BundleError: a result is farther from the recorded one than the manifest's tolerance.
    """
    pixels = _golden_pixels(bundle)
    try:
        _check_embedder(bundle, embedder, pixels, precision)
        for head in heads.values():
            _check_head(bundle, head)
        for name, novelty in novelties.items():
            _check_novelty(bundle, name, novelty)
    except LOAD_ERRORS as error:
        raise BundleError(
            f"{GOLDEN}/: a graph cannot be run on the golden images ({error}); export it again"
        ) from error


def verify(bundle: Bundle) -> None:
    """Builds CPU sessions of every graph and runs the golden check on each precision.

    Raises:
        BundleError: a graph that cannot be loaded or computes something else than was recorded.
    """
    manifest = bundle.manifest
    heads = {spec.name: open_head(bundle, spec) for spec in manifest.heads}
    novelties = {spec.name: novelty for spec in manifest.heads if (novelty := open_novelty(bundle, spec))}
    for spec in manifest.heads:
        bundle.examples(spec)
    for precision in manifest.precisions:
        session = cpu_session(bundle.embedder(precision), file=EMBEDDER_FILES[precision])
        check_golden(bundle, Embedder.checked(session, manifest), heads, novelties, precision)


def open_head(bundle: Bundle, spec: HeadSpec) -> Head:
    """A session of one of the bundle's heads.

    Raises:
        BundleError: the graph is not what the manifest says.
    """
    return Head.checked(cpu_session(bundle.head(spec), file=spec.file), spec, bundle.manifest.embedding_width)


def open_novelty(bundle: Bundle, spec: HeadSpec) -> OutlierDetector | None:
    """A session of what tells the unfamiliar for a head; None where nobody looks.

    Raises:
        BundleError: the graph is not what it has to be.
    """
    graph, file = bundle.novelty(spec), spec.novelty_file
    if graph is None or file is None:
        return None
    return OutlierDetector.checked(cpu_session(graph, file=file), file, bundle.manifest.embedding_width)


def _golden_pixels(bundle: Bundle) -> Pixels:
    """The golden images, uint8 `[G, H, W, C]`."""
    images = bundle.golden_images()
    if len(images) != bundle.manifest.golden.count:
        raise BundleError(f"{GOLDEN}/: {len(images)} images, not {bundle.manifest.golden.count}; restore them")
    try:
        return np.stack([decode(data, bundle.manifest.input) for data in images])
    except ClientError as error:
        raise BundleError(f"{GOLDEN}/: an image cannot be decoded ({error}); write the bundle again") from error


def _check_embedder(bundle: Bundle, embedder: Embedder, pixels: Pixels, precision: Precision) -> None:
    manifest = bundle.manifest
    recorded = _recorded(bundle, golden_embedding(precision), manifest.embedding_width)
    scale = float(np.abs(recorded).max()) or 1.0
    difference = _largest_difference(embedder(pixels), recorded) / scale
    _compare(EMBEDDER_FILES[precision], difference, manifest.golden.embedding_tolerance[precision])


def _check_head(bundle: Bundle, head: Head) -> None:
    spec = head.spec
    embedding: Embedding = _recorded(bundle, golden_embedding("fp32"), bundle.manifest.embedding_width)
    expected = _recorded(bundle, f"{spec.output}-{spec.name}", spec.width)
    found, bounds = head.answer(embedding, bundle.golden_columns(spec))
    distance = _largest_difference if spec.task == "classification" else relative_difference
    tolerance = bundle.manifest.golden.probability_tolerance
    _compare(spec.file, distance(found, expected), tolerance)
    if bounds is not None:
        _compare(spec.file, relative_difference(bounds, _recorded(bundle, f"{INTERVAL}-{spec.name}", 2)), tolerance)


def _check_novelty(bundle: Bundle, name: str, novelty: OutlierDetector) -> None:
    embedding: Embedding = _recorded(bundle, golden_embedding("fp32"), bundle.manifest.embedding_width)
    expected = _recorded(bundle, f"distance-{name}")
    difference = _largest_difference(novelty(embedding), expected) / (float(expected.max()) or 1.0)
    _compare(f"novelty-{name}.onnx", difference, DISTANCE_TOLERANCE)


def _recorded(bundle: Bundle, name: str, *width: int) -> NDArray[np.float32]:
    array = bundle.golden_array(name)
    wanted = (bundle.manifest.golden.count, *width)
    if array.shape != wanted:
        raise BundleError(f"{GOLDEN}/{name}.npy: shape {array.shape}, not {wanted}; write the bundle again")
    return array


def _compare(file: str, difference: float, tolerance: float) -> None:
    if not difference <= tolerance:  # written so that NaN is refused, too
        raise BundleError(
            f"{file}: golden results differ by {difference:.2g}, the tolerance is {tolerance:.2g}; "
            "this machine or runtime computes something else than the one that wrote the bundle"
        )


def _largest_difference(found: NDArray[np.float32], recorded: NDArray[np.float32]) -> float:
    if found.shape != recorded.shape:
        return float("inf")
    return float(np.abs(found - recorded).max())
