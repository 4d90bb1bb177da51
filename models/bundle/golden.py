"""golden images ──▶ the recorded results on this machine too, or the bundle is refused.

Embedder and heads are checked separately. The embedder gets the encoded images, and its result is compared with what
the same precision gave, with a tolerance, because other processors add in another order. Each head gets the *recorded*
float32 embedding: a tree splits on exact thresholds, so a difference of 1e-7 in an embedding may move a probability by
far more, although the machine computes correctly. Where the bundle pools, each golden image is an instance of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.bundle.head_spec import INTERVAL
from models.bundle.loading import GOLDEN, WEIGHT, Bundle, golden_embedding
from models.bundle.manifest import EMBEDDER_FILES, SEQUENCE, Precision
from models.errors import BundleError, ClientError
from models.imaging.decode import decode
from models.imaging.types import Pixels
from models.pooling import pool_alone
from models.runtime.head_sessions import Head
from models.runtime.head_set import HeadSet
from models.runtime.sessions import (
    LOAD_ERRORS,
    Embedder,
    Embedding,
    cpu_session,
    largest_difference,
    relative_difference,
)

DISTANCE_TOLERANCE = 1e-3
"""Largest difference of a distance, relative to the largest recorded: float32 sums in another order."""


def check_golden(bundle: Bundle, embedder: Embedder, head_set: HeadSet, precision: Precision = "fp32") -> None:
    """Runs the golden images through decoder, embedder, heads and outlier detectors.

    Raises:
        BundleError: a result differs from the recorded one by more than the manifest's tolerance.
    """
    pixels = _golden_pixels(bundle)
    with _errors_named():
        _check_embedder(bundle, embedder, pixels, precision)
    check_heads(bundle, head_set)


def check_heads(bundle: Bundle, head_set: HeadSet) -> None:
    """Runs the recorded embeddings of the golden images through heads and outlier detectors.

    Raises:
        BundleError: a result differs from the recorded one by more than the manifest's tolerance.
    """
    with _errors_named():
        manifest = bundle.manifest
        recorded: Embedding = _recorded(bundle, golden_embedding("fp32"), manifest.embedding_width)
        embedding = pool_alone(recorded, manifest.pooling)
        if head_set.pooling.weigher is not None:
            difference = relative_difference(head_set.pooling.weigher(recorded), _recorded(bundle, WEIGHT))
            _compare(SEQUENCE, difference, manifest.golden.probability_tolerance)
        for head in head_set.heads.values():
            _check_head(bundle, head, embedding)
        for name, detector in head_set.outlier_detectors.items():
            difference = relative_difference(detector(embedding), _recorded(bundle, f"distance-{name}"))
            _compare(f"novelty-{name}.onnx", difference, DISTANCE_TOLERANCE)


def verify(bundle: Bundle) -> None:
    """Opens every graph on the CPU and runs the golden check on each precision.

    Raises:
        BundleError: a graph cannot be loaded, or computes something else than was recorded.
    """
    manifest, head_set = bundle.manifest, HeadSet.open(bundle)
    for spec in manifest.heads:
        bundle.examples(spec)
    for precision in manifest.precisions:
        session = cpu_session(bundle.embedder(precision), file=EMBEDDER_FILES[precision])
        check_golden(bundle, Embedder.checked(session, manifest), head_set, precision)


@contextlib.contextmanager
def _errors_named() -> Iterator[None]:
    try:
        yield
    except LOAD_ERRORS as error:
        raise BundleError(
            f"{GOLDEN}/: a graph cannot be run on the golden images ({error}); export it again"
        ) from error


def _golden_pixels(bundle: Bundle) -> Pixels:
    """The golden images, uint8 `[G, H, W, C]`."""
    images = bundle.golden_images()
    if len(images) != bundle.manifest.golden.count:
        raise BundleError(f"{GOLDEN}/: {len(images)} images, not {bundle.manifest.golden.count}; restore them")
    try:
        return np.stack([decode(data, bundle.manifest.input.of_inputs) for data in images])
    except ClientError as error:
        raise BundleError(f"{GOLDEN}/: an image cannot be decoded ({error}); write the bundle again") from error


def _check_embedder(bundle: Bundle, embedder: Embedder, pixels: Pixels, precision: Precision) -> None:
    manifest = bundle.manifest
    recorded = _recorded(bundle, golden_embedding(precision), manifest.embedding_width)
    difference = relative_difference(embedder(pixels), recorded)
    _compare(EMBEDDER_FILES[precision], difference, manifest.golden.embedding_tolerance[precision])


def _check_head(bundle: Bundle, head: Head, embedding: Embedding) -> None:
    spec, tolerance = head.spec, bundle.manifest.golden.probability_tolerance
    recorded = _recorded(bundle, f"{spec.output}-{spec.name}", spec.width)
    output, interval = head.answer(embedding, bundle.golden_columns(spec))
    difference = largest_difference if spec.task == "classification" else relative_difference
    _compare(spec.file, difference(output, recorded), tolerance)
    if interval is not None:
        recorded = _recorded(bundle, f"{INTERVAL}-{spec.name}", 2)
        _compare(spec.file, relative_difference(interval, recorded), tolerance)


def _recorded(bundle: Bundle, name: str, *width: int) -> NDArray[np.float32]:
    array = bundle.golden_array(name)
    wanted = (bundle.manifest.golden.count, *width)
    if array.shape != wanted:
        raise BundleError(f"{GOLDEN}/{name}.npy: shape {array.shape}, not {wanted}; write the bundle again")
    return array


def _compare(file: str, difference: float, tolerance: float) -> None:
    if not difference <= tolerance:  # `not`, so that NaN is refused too
        raise BundleError(
            f"{file}: golden results differ by {difference:.2g}, the tolerance is {tolerance:.2g}; "
            "this machine or runtime computes something else than the one that wrote the bundle"
        )
