"""images that a network was trained on ──▶ a file of the bundle; and which images of other data are among them.

A head that is fitted later must not be evaluated with images that the network was trained on. 8 bytes of a digest of
the pixels identify each image.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from models.bundle.loading import Bundle
from training.clean.copies.perceptual_hash import PerceptualHashes
from training.data.images import Indices
from training.exceptions import DataError

SEEN = "seen.npy"
WHY_FEWER = "the network was fitted on the others and knows them too well for validation"
"""Why some images outside the test set are not held out."""


def seen_file(hashes: PerceptualHashes, train: Indices) -> bytes:
    """The file of a network that was fitted on the images at the positions `train`: uint64 `[S]`, ascending."""
    buffer = io.BytesIO()
    np.save(buffer, np.unique(hashes.digests[train, 0]))
    return buffer.getvalue()


def find_seen(bundle: Bundle, hashes: PerceptualHashes) -> NDArray[np.bool_]:
    """Which of N images the bundle's network was trained on, `[N]`; none if it was trained elsewhere.

    Raises:
        DataError: it was trained here, and the bundle does not say on which images.
    """
    manifest = bundle.manifest
    if SEEN not in bundle.files and "epochs" in manifest.training:
        raise DataError(f"{manifest.model} does not say which images its network was fitted on; train it anew")
    if SEEN not in bundle.files:
        return np.zeros(len(hashes.digests), bool)
    digests = bundle.array(SEEN)
    if digests.dtype != np.uint64:
        raise DataError(f"{SEEN} of {manifest.model} holds {digests.dtype}, not uint64; train it anew")
    found: NDArray[np.bool_] = np.isin(hashes.digests[:, 0], digests)
    return found
