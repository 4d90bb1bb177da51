"""images ──▶ what classical models look at: raw pixels, or histograms of oriented gradients made by hand.

Dalal and Triggs 2005, doi:10.1109/CVPR.2005.177.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.feature import hog

from training.images import Images, Indices
from training.progress import progress

Features = NDArray[np.float32]
Extract = Callable[[NDArray[np.uint8]], Features]

LARGEST_SIDE = 32
"""Raw pixels of larger images are averaged down to this: trees on 12,288 columns take hours."""
_HOG_SIDE = 64  # of larger images, the same: a cell is an average anyway
_CELLS = 7  # about so many each way: of 4 pixels in an image of 28
_ORIENTATIONS = 9
_BLOCK = 2  # cells each way; with 1, an SVM on all columns is 2 points worse on 10,000 images of Fashion-MNIST
_BATCH = 500


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
    """One column that tells nothing, `[N, 1]`: for models that look at the columns alone."""
    return np.zeros((len(images), 1), np.float32)


class Store:
    """Features of a data set's images, each made once, when it is first asked for.

    Attributes:
        extract: makes them.
        seconds: that it took, for each image on average; 0 before the first.
    """

    def __init__(self, images: Images, extract: Extract) -> None:
        self.extract = extract
        self.seconds = 0.0
        self._images = images
        self._spent = 0.0
        self._made = np.zeros(len(images), np.bool_)
        self._features: Features | None = None

    def __call__(self, positions: Indices) -> Features:
        """Float32 `[N, F]` of the images at some positions."""
        missing = positions[~self._made[positions]]
        started = time.perf_counter()
        for start in progress(range(0, len(missing), _BATCH), "making features", "batch", part=True):
            self._add(missing[start : start + _BATCH])
        self._spent += time.perf_counter() - started
        self.seconds = self._spent / max(1, int(self._made.sum()))
        assert self._features is not None, "positions are never empty"
        return self._features[positions]

    def _add(self, positions: Indices) -> None:
        made = self.extract(self._images[positions])
        if self._features is None:
            self._features = np.empty((len(self._images), made.shape[1]), np.float32)
        self._features[positions] = made
        self._made[positions] = True


def _shrunk(images: NDArray[np.uint8], side: int) -> Features:
    """Float32 `[N, H, W, C]` in [0, 1], areas averaged where the image is larger than `side`."""
    scaled: Features = images.astype(np.float32) / np.float32(255)
    height, width = images.shape[1:3]
    if max(height, width) <= side:
        return scaled
    channels_first = torch.from_numpy(scaled).permute(0, 3, 1, 2)
    small = torch.nn.functional.adaptive_avg_pool2d(channels_first, (min(height, side), min(width, side)))
    return np.ascontiguousarray(small.permute(0, 2, 3, 1).numpy(), np.float32)
