"""weights and their inputs ──▶ weights in 8 bits with the smallest error of the products.

Rounding each weight to the nearest level is best for uncorrelated inputs. Inputs are correlated, so the error of a
rounded weight is compensated by the weights not yet rounded, by the inputs' covariance: GPTQ, Frantar et al. 2022,
https://arxiv.org/abs/2210.17323. For EfficientNet-Lite0 on Fashion-MNIST this turned an error of the embedding of 11 %
(of its norm, rounding to the nearest) into one of 6 %, nearly all of which is due to activations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_DAMPING = 0.03  # of the mean variance, added to each: of 0.003 to 1 the error hardly depends on it
_LEAST = 1e-12


def round_weights(weights: Floats, covariance: Floats, largest: int) -> tuple[NDArray[np.int8], Floats]:
    """Rounds the weights of a convolution.

    Args:
        weights: float64 `[G, O, K]`: of each group, output channel and input under the kernel.
        covariance: of those inputs, float64 `[G, K, K]`.
        largest: level, at most 127; the smallest is its negative.

    Returns:
        Levels, int8 `[G, O, K]`, and the scale of each output channel, float64 `[G, O, 1]`, above 0.
    """
    scale = np.maximum(np.abs(weights).max(2, keepdims=True) / largest, _LEAST)
    variances = np.diagonal(covariance, axis1=1, axis2=2)
    order = np.argsort(-variances, axis=1, kind="stable")  # largest first: most weights compensate them
    levels = _round_in_order(
        np.take_along_axis(weights, order[:, None], 2) / scale, _made_good(covariance, variances, order), largest
    )
    return np.take_along_axis(levels, np.argsort(order, axis=1)[:, None], 2).astype(np.int8), scale


def _made_good(covariance: Floats, variances: Floats, order: NDArray[np.intp]) -> Floats:
    """Changes float64 `[G, K, K]`: row k has those of the weights from k on for an error of 1 in weight k."""
    ordered = np.take_along_axis(np.take_along_axis(covariance, order[:, :, None], 1), order[:, None], 2)
    damping = _DAMPING * variances.mean(1) + _LEAST
    inverse = np.linalg.inv(ordered + damping[:, None, None] * np.eye(covariance.shape[1]))
    upper = np.linalg.cholesky(inverse, upper=True)
    return upper / np.diagonal(upper, axis1=1, axis2=2)[:, :, None]


def _round_in_order(weights: Floats, made_good: Floats, largest: int) -> Floats:
    rest = weights.copy()
    for k in range(rest.shape[2]):
        level = np.clip(np.rint(rest[:, :, k]), -largest, largest)
        error = rest[:, :, k] - level
        rest[:, :, k:] -= error[:, :, None] * made_good[:, None, k, k:]
        rest[:, :, k] = level
    return rest
