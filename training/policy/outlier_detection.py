"""embeddings of training ──▶ a graph that gives the distance of another embedding from them; far ones are outliers.

The distance is the Mahalanobis distance to the nearest group, with one covariance for all groups (Lee et al. 2018,
https://arxiv.org/abs/1807.03888), which is shrunk so that a few images are enough. Groups are the classes, or clusters
if there are no classes or too many. Of embeddings wider than 128 numbers only the directions in which groups vary most
are kept apart, and the rest has one variance. Such wide embeddings come from a network fitted on other images, and are
compared by their `roots`. The limit comes from the distances of images that the model was not fitted on.

Measured: share of ordinary images, digits and noise beyond a limit for 2 % of ordinary ones. EfficientNet-Lite0:
Fashion-MNIST, 50 images a class, 5 folds, mean of 5 seeds; 3,000 unseen images, 500 digits, 500 of noise. Default: the
default bundle's network, 54,000 images that it was fitted on, 6,000 held out; 10,000 test images, 1,797 digits, 1,000
of noise.

| distance | Lite0 | digits | noise | default | digits | noise |
|---|---|---|---|---|---|---|
| Mahalanobis, 1 % shrinkage | 0.005 | 0.006 | 1.000 | 0.018 | 0.907 | 0.916 |
| Mahalanobis, Ledoit-Wolf | 0.016 | 0.037 | 1.000 | 0.018 | 0.904 | 0.920 |
| Mahalanobis, OAS (for narrow embeddings, at least 1 %) | 0.015 | 0.037 | 1.000 | 0.018 | 0.907 | 0.916 |
| the same at unit length | 0.015 | 0.349 | 1.000 | 0.020 | 0.950 | 0.846 |
| the same of `roots` (for wide embeddings) | 0.013 | 0.965 | 1.000 | 0.022 | 0.792 | 0.713 |
| cosine to the nearest class centre | 0.020 | 0.259 | 1.000 | 0.019 | 0.626 | 0.235 |
| cosine to the nearest example (default: of 10,000) | 0.015 | 0.667 | 1.000 | 0.016 | 0.915 | 0.676 |
| relative Mahalanobis, https://arxiv.org/abs/2106.09022 | 0.013 | 0.000 | 0.000 | 0.023 | 0.973 | 0.742 |
| off the 128 principal directions, https://arxiv.org/abs/2203.10807 | 0.015 | 0.052 | 1.000 | | | |

On Lite0 with 5, 10, 20, 50 and 120 images a class 0.019, 0.027, 0.017, 0.013 and 0.015 of the ordinary images are
beyond the limit (at most 0.054 with one seed), of the digits 0.645, 0.789, 0.923, 0.965 and 0.991, of noise all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from scipy.linalg import eigh
from scipy.stats import beta, t
from sklearn.cluster import MiniBatchKMeans

from models.runtime.head_sessions import OutlierDetector
from models.runtime.sessions import Distances, Embedding, cpu_session
from training.exceptions import ExportError
from training.export.graph_builder import GraphBuilder

_DIRECTIONS = 128  # kept apart; wider embeddings are compared by their roots
_GROUPS = 64  # classes; with more, clusters take their place
_CLUSTERS = 10
_LEAST_CLUSTER = 20  # rows per cluster; smaller clusters differ from fold to fold
_LEAST_SHRINKAGE = 0.01  # towards equal variances; without it, directions without variance would decide alone
_LEAST_WITHIN = 0.01  # share of all variance that groups have at least, even if each is of two equal images
_TINY = 1e-12  # share of all variance below which it is rounding; smallest divisor of an embedding
_TOLERANCE = 1e-3  # of the largest distance: float32 against float64
_CONFIDENCE = 0.95
_FEW_BEYOND = 5  # with fewer distances beyond the limit, all distances predict the next one better than the largest


@dataclass(frozen=True)
class OutlierModel:
    """Groups of training embeddings and their covariance.

    Attributes:
        mean: float64 `[D]`.
        basis: float64 `[D, R]`: orthonormal directions in which groups vary most.
        scales: float64 `[R]`: 1 / standard deviation within groups along the directions.
        centres: float64 `[G, R]`: centres of the groups along the directions, in standard deviations.
        rest: 1 / variance outside the directions; 0 if there is nothing outside.
        rooted: whether distances are of the `roots` of embeddings.
    """

    mean: NDArray[np.float64]
    basis: NDArray[np.float64]
    scales: NDArray[np.float64]
    centres: NDArray[np.float64]
    rest: float
    rooted: bool

    def __call__(self, embedding: Embedding) -> Distances:
        """Distances `[N]` of embeddings `[N, D]`."""
        off = (roots(embedding) if self.rooted else embedding.astype(np.float64)) - self.mean
        along = off @ self.basis
        squares = np.min([np.square(along * self.scales - centre).sum(1) for centre in self.centres], axis=0)
        beside = np.square(off).sum(1) - np.square(along).sum(1)
        return np.asarray(np.sqrt(np.maximum(squares + self.rest * beside, 0)), np.float32)


def roots(embedding: Embedding) -> NDArray[np.float64]:
    """Signed square roots of embeddings `[N, D]` that are divided by their absolute sums; float64, of length 1."""
    values = embedding.astype(np.float64)
    sums = np.maximum(np.abs(values).sum(1, keepdims=True), _TINY)
    return np.asarray(np.sign(values) * np.sqrt(np.abs(values) / sums))


def fit_outlier_model(embedding: Embedding, groups: NDArray[np.int64] | None, *, seed: int) -> OutlierModel:
    """Fits the model to training embeddings.

    Args:
        embedding: float32 `[N, D]`, N at least 1.
        groups: class positions, int64 `[N]`; None if there are no classes.
        seed: of the clusters.
    """
    return _fit(embedding, *_grouping(groups, len(embedding)), seed)


def _grouping(groups: NDArray[np.int64] | None, rows: int) -> tuple[NDArray[np.int64] | None, int]:
    """The groups, or None if clusters take their place; and the number of clusters."""
    clusters = max(1, min(_CLUSTERS, rows // _LEAST_CLUSTER))
    return (None if groups is None or groups.max(initial=0) >= _GROUPS else groups), clusters


def _fit(embedding: Embedding, groups: NDArray[np.int64] | None, clusters: int, seed: int) -> OutlierModel:
    rooted = embedding.shape[1] > _DIRECTIONS
    values = roots(embedding) if rooted else embedding.astype(np.float64)
    if groups is None:
        groups = MiniBatchKMeans(min(clusters, len(values)), random_state=seed, n_init=3).fit(values).labels_
    mean = values.mean(0)
    found, groups = np.unique(groups, return_inverse=True)
    centres = np.stack([values[groups == group].mean(0) for group in range(len(found))]) - mean
    freedom = max(len(values) - len(found), 1)
    within = (values - mean - centres[groups]) / np.sqrt(freedom)
    least = _LEAST_WITHIN * np.square(values - mean).sum(1).mean()
    basis, variances, rest = _directions(within, freedom, least)
    scales = 1 / np.sqrt(variances)
    return OutlierModel(mean, basis, scales, centres @ basis * scales, rest, rooted)


def _directions(
    within: NDArray[np.float64], freedom: int, least: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Directions `[D, R]` in which rows `[N, D]` vary most, variances along them, and 1 / variance of the rest."""
    width = within.shape[1]
    is_short = len(within) < width and width > _DIRECTIONS  # then products of rows are fewer than of columns
    products = within @ within.T if is_short else within.T @ within  # with the same eigenvalues, but for zeros
    largest = (max(0, len(products) - _DIRECTIONS), len(products) - 1)
    variances, basis = eigh(products, subset_by_index=largest)
    total = float(np.trace(products))
    if is_short:
        kept = variances > _TINY * (total or 1.0)
        variances = variances[kept]
        basis = within.T @ basis[:, kept] / np.sqrt(variances)
    average = max(total, least) / width or 1.0
    shrinkage = _shrinkage(products, width, freedom)
    rest = (1 - shrinkage) * (total - variances.sum()) / max(width - len(variances), 1) + shrinkage * average
    variances = (1 - shrinkage) * variances + shrinkage * average
    return basis, variances, float(1 / rest) if len(variances) < width else 0.0


def _shrinkage(products: NDArray[np.float64], width: int, freedom: int) -> float:
    """Shrinkage towards equal variances: OAS, https://arxiv.org/abs/0907.4698, as in scikit-learn."""
    square, level = float(np.square(products).sum()) / width**2, (float(np.trace(products)) / width) ** 2
    unequal = (freedom + 1) * (square - level / width)
    return float(np.clip((square + level) / unequal, _LEAST_SHRINKAGE, 1)) if unequal > 0 else 1.0


def cross_distances(
    held_out: Embedding,
    groups: NDArray[np.int64] | None,
    folds: NDArray[np.int64],
    fitted: NDArray[np.bool_],
    *,
    base: Embedding,
    base_groups: NDArray[np.int64] | None,
    seed: int,
) -> Distances:
    """Distances of held-out rows from the rows outside their folds, float32 `[J]`.

    Args:
        held_out: embeddings `[J, D]`.
        groups: their class positions, int64 `[J]`; None if there are no classes.
        folds: the fold of each, int64 `[J]`.
        fitted: which held-out rows models are fitted to, bool `[J]`.
        base: embeddings `[B, D]` of images that the network has seen: fitted to in all folds; B may be 0.
        base_groups: their class positions, int64 `[B]`; None if there are no classes or no base.
        seed: of the clusters.
    """
    embedding = np.concatenate([base, held_out])
    every = None if groups is None else np.concatenate([groups[:0] if base_groups is None else base_groups, groups])
    every, clusters = _grouping(every, len(embedding))  # the same for all folds
    fold = np.concatenate([np.full(len(base), -1), folds])
    is_fitted = np.concatenate([np.ones(len(base), bool), fitted])
    distances = np.zeros(len(embedding), np.float32)
    for number in np.unique(folds):
        rest, inside = (fold != number) & is_fitted, fold == number
        model = _fit(embedding[rest], None if every is None else every[rest], clusters, seed)
        distances[inside] = model(embedding[inside])
    return distances[len(base) :]


@dataclass(frozen=True)
class OutlierLimit:
    """A distance beyond which an image is an outlier.

    Attributes:
        value: at least 0, finite.
        false_alarms: target share of ordinary images beyond it.
        low: lower end of a 95 % interval of that share.
        high: upper end of the interval.
        held_out: number of held-out images that the limit was chosen by.
    """

    value: float
    false_alarms: float
    low: float
    high: float
    held_out: int

    @property
    def sentence(self) -> str:
        """A sentence for the console and the report."""
        return (
            f"{100 * self.false_alarms:.3g} % of ordinary images are to be called unfamiliar: of "
            f"{self.held_out:,} held-out ones it is {100 * self.low:.1f} to {100 * self.high:.1f} %, at 95 % confidence"
        )


def outlier_limit(distances: Distances, false_alarms: float) -> OutlierLimit:
    """Chooses the limit: the conformal quantile of out-of-fold distances.

    The share of images beyond the r-th smallest of n distances has the distribution Beta(n + 1 - r, r) (Vovk 2012,
    arXiv:1209.2673). If fewer than 5 distances are to be beyond, the limit rises to the expected next distance, with
    distances to the power of 2/3 taken as normal (Wilson and Hilferty 1931); the interval then begins at 0.

    Args:
        distances: out of fold, float32 `[J]`, J at least 1.
        false_alarms: target share of ordinary images beyond the limit, in (0, 1].
    """
    count = len(distances)
    rank = int(np.clip(math.ceil((count + 1) * (1 - false_alarms)), 1, count))
    value = float(np.sort(distances)[rank - 1])
    beyond = beta(count + 1 - rank, rank)
    low, high = (float(beyond.ppf(tail)) for tail in ((1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2))
    if count * false_alarms < _FEW_BEYOND and rank > 1:
        low, value = 0.0, max(value, _next(distances, 1 - false_alarms))
    return OutlierLimit(math.ceil(value * 1e4) / 1e4, false_alarms, low, high, count)


def _next(distances: Distances, share: float) -> float:
    """The quantile `share` of the next distance, if distances to the power of 2/3 are normal."""
    values = np.power(distances.astype(np.float64), 2 / 3)
    margin = values.std(ddof=1) * math.sqrt(1 + 1 / len(values)) * t.ppf(share, len(values) - 1)
    return float(max(values.mean() + margin, 0.0) ** 1.5)


def export_outlier_model(model: OutlierModel, sample: Embedding, file: str) -> bytes:
    """Exports the model as a graph from `embedding` float32 `[N, D]` to `distance` float32 `[N]`.

    Args:
        model: the fitted one.
        sample: embeddings `[S, D]` on which graph and model are compared.
        file: the graph's name in the error.

    Raises:
        ExportError: the graph computes something else than the model.
    """
    graph: bytes = _graph(model).SerializeToString()
    expected, found = model(sample), OutlierDetector(cpu_session(graph))(sample)
    difference = float(np.abs(found - expected).max()) / (float(expected.max()) or 1.0)
    if not difference <= _TOLERANCE:
        raise ExportError(
            f"{file} does not compute what the fitted model computes: "
            f"largest difference {difference:.2g} (limit {_TOLERANCE})"
        )
    return graph


def _graph(model: OutlierModel) -> onnx.ModelProto:
    build = GraphBuilder("novelty/")
    axis = build.constant([1], np.int64)
    values = _rooted(build, axis) if model.rooted else "embedding"
    off = build.node("Sub", values, build.constant(model.mean))
    along = build.node("MatMul", off, build.constant(model.basis))
    scaled = build.node("Unsqueeze", build.node("Mul", along, build.constant(model.scales)), axis)
    apart = build.node("Sub", scaled, build.constant(model.centres[None]))
    squares = build.node("ReduceSum", build.node("Mul", apart, apart), build.constant([2], np.int64), keepdims=0)
    nearest = build.node("ReduceMin", squares, axis, keepdims=1)
    if model.rest:
        whole, inside = (build.node("ReduceSumSquare", part, axis, keepdims=1) for part in (off, along))
        beside = build.node("Sub", whole, inside)
        nearest = build.node("Add", nearest, build.node("Mul", beside, build.constant(model.rest)))
    distance = build.node("Sqrt", build.node("Max", nearest, build.constant(0.0)))
    build.node("Squeeze", distance, axis, output="distance")
    inputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [None, len(model.mean)])]
    graph = build.model(inputs, [helper.make_tensor_value_info("distance", TensorProto.FLOAT, [None])])
    onnx.checker.check_model(graph, full_check=True)
    return graph


def _rooted(build: GraphBuilder, axis: str) -> str:
    size = build.node("Abs", "embedding")
    total = build.node("Max", build.node("ReduceSum", size, axis, keepdims=1), build.constant(_TINY))
    return build.node("Mul", build.node("Sign", "embedding"), build.node("Sqrt", build.node("Div", size, total)))
