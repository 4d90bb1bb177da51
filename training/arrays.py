"""Names for the array types that most of the training code passes around."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float32]
"""What an estimator sees, float32 `[N, F]`; also scores and weights of the same precision."""
Floats = NDArray[np.float64]
