"""images ──▶ what classical models see: raw pixels, histograms of oriented gradients, a frozen network's embedding.

The histograms: Dalal and Triggs 2005, doi:10.1109/CVPR.2005.177.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.feature import hog

from models.runtime.sessions import Embedder, cpu_session
from training.backbones.efficientnet_lite import input_of
from training.backbones.names import DEFAULT, load_backbone
from training.compare.time_limit import Ended
from training.data.images import Images, Indices
from training.export.network_export import export_embedder
from training.progress import progress

Features = NDArray[np.float32]
Extract = Callable[[NDArray[np.uint8]], Features]

LARGEST_SIDE = 32
"""Larger images are averaged down to this side: trees on 12,288 columns take hours."""
_HOG_SIDE = 64  # larger images are averaged down to this: a cell is an average anyway
_CELLS = 7  # about this many each way: cells of 4 pixels in an image of 28
_ORIENTATIONS = 9
_BLOCK = 2  # cells each way; with 1, an SVM on all columns is 2 points worse on 10,000 images of Fashion-MNIST
_BATCH = 500
_PROBE = 16  # images that show how long all will take


def raw_pixels(images: NDArray[np.uint8]) -> Features:
    """uint8 `[N, H, W, C]` to float32 `[N, F]` in [0, 1], at most 32 pixels a side."""
    return _shrunk(images, LARGEST_SIDE).reshape(len(images), -1)


def gradients(images: NDArray[np.uint8]) -> Features:
    """uint8 `[N, H, W, C]` to the histograms of the grey image, float32 `[N, F]` in [0, 1]."""
    grey = _shrunk(images, _HOG_SIDE).mean(3)
    cell = max(2, round(min(grey.shape[1:]) / _CELLS))
    blocks = min(_BLOCK, min(grey.shape[1:]) // cell)
    return np.stack([
        hog(each, orientations=_ORIENTATIONS, pixels_per_cell=(cell, cell), cells_per_block=(blocks, blocks))
        for each in grey
    ]).astype(np.float32)  # fmt: skip


def nothing(images: NDArray[np.uint8]) -> Features:
    """One constant column, `[N, 1]`, for models that see only the columns."""
    return np.zeros((len(images), 1), np.float32)


class Pretrained:
    """EfficientNet-Lite0's embedding of images of any size."""

    def __init__(self, graph: bytes, *, threads: int = 1) -> None:
        self._embedder = Embedder(cpu_session(graph, threads=threads))

    def __call__(self, images: NDArray[np.uint8]) -> Features:
        """uint8 `[N, H, W, C]` to float32 `[N, 1280]`."""
        step = 32  # images of 224x224 at once
        chunks = (images[start : start + step] for start in range(0, len(images), step))
        return np.concatenate([self._embedder(_for_pretrained(chunk)) for chunk in chunks])


def export_pretrained(images: NDArray[np.uint8]) -> bytes:
    """Exports the pretrained network, and compares the graph with the network on some images.

    Raises:
        DataError: it is not installed.
        ExportError: their outputs differ.
    """
    network = load_backbone(DEFAULT).network
    return export_embedder(network, network.classifier, _for_pretrained(images))


class Store:
    """Features of a data set's images; each is made once, when it is first needed.

    Attributes:
        extract: makes them.
        seconds: mean seconds for one image; 0 before the first.
    """

    def __init__(self, images: Images, extract: Extract) -> None:
        self.extract = extract
        self.seconds = 0.0
        self._images = images
        self._spent = 0.0
        self._made = np.zeros(len(images), np.bool_)
        self._features: Features | None = None

    def __call__(self, positions: Indices, limit: float = math.inf) -> Features:
        """Float32 `[N, F]` of the images at some positions.

        Raises:
            Ended: it took more than `limit` seconds; the features made until then are kept.
        """
        missing = positions[~self._made[positions]]
        started = time.perf_counter()
        for start in progress(range(0, len(missing), _BATCH), "making features", "chunk", part=True):
            if time.perf_counter() - started > limit:
                raise Ended(f"ended after {limit:.0f} s of making features, the budget was spent")
            self._add(missing[start : start + _BATCH])
        assert self._features is not None, "the first positions are never empty"
        return self._features[positions]

    def expected_seconds(self, positions: Indices) -> float:
        """Seconds to make the features of some images that are not made yet."""
        missing = positions[~self._made[positions]]
        if not self.seconds:
            self._add(missing[:_PROBE])
        return self.seconds * len(missing)

    def _add(self, positions: Indices) -> None:
        started = time.perf_counter()
        made = self.extract(self._images[positions])
        if self._features is None:
            self._features = np.empty((len(self._images), made.shape[1]), np.float32)
        self._features[positions] = made
        self._made[positions] = True
        self._spent += time.perf_counter() - started
        self.seconds = self._spent / int(self._made.sum())


def _shrunk(images: NDArray[np.uint8], side: int) -> Features:
    """Float32 `[N, H, W, C]` in [0, 1], averaged down if the image is larger than `side`."""
    scaled: Features = images.astype(np.float32) / np.float32(255)
    height, width = images.shape[1:3]
    if max(height, width) <= side:
        return scaled
    channels_first = torch.from_numpy(scaled).permute(0, 3, 1, 2)
    small = torch.nn.functional.adaptive_avg_pool2d(channels_first, (min(height, side), min(width, side)))
    return np.ascontiguousarray(small.permute(0, 2, 3, 1).numpy(), np.float32)


def _for_pretrained(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 `[N, H, W, C]` as the pretrained network takes them, `[N, 224, 224, 3]`, by linear interpolation."""
    spec = input_of(DEFAULT)
    channels_first = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(
        channels_first.float(), (spec.height, spec.width), mode="bilinear", antialias=True
    )
    pixels = resized.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    return np.ascontiguousarray(pixels.expand(-1, -1, -1, spec.channels).numpy())
