"""which images a network was fitted on ──▶ a file of the bundle; and which images of other data are among them.

A head that is fitted later must not be judged by images that the network knows by heart. 4 bytes of a digest of each
image's pixels tell them: of images that were not seen, one in 80,000 is taken for one of 54,000 that were.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from training.clean.looks import Looks
from training.images import Indices

SEEN = "seen.npy"
WHY_FEWER = "the network was fitted on the others and knows them too well to judge by them"
"""Why not every image that is no test image judges."""


def seen_file(looks: Looks, train: Indices) -> bytes:
    """The file of a network that was fitted on the images at the positions `train`: uint32 `[S]`, ascending."""
    buffer = io.BytesIO()
    np.save(buffer, np.unique(_short(looks)[train]))
    return buffer.getvalue()


def find_seen(bundle: Bundle, looks: Looks) -> NDArray[np.bool_]:
    """Which of N images the bundle's network was fitted on, `[N]`; none where it was not fitted here."""
    if SEEN not in bundle.files:
        return np.zeros(len(looks.digests), bool)
    found: NDArray[np.bool_] = np.isin(_short(looks), bundle.array(SEEN))
    return found


def _short(looks: Looks) -> NDArray[np.uint32]:
    return (looks.digests[:, 0] & np.uint64(0xFFFFFFFF)).astype(np.uint32)
