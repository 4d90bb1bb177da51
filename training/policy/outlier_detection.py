"""embeddings of training ──▶ a graph that says how far another embedding lies from them: is an image unfamiliar?

The distance is Mahalanobis' to the nearest group, all groups having one covariance (Lee et al. 2018,
https://arxiv.org/abs/1807.03888), which is shrunk so that a few images are enough. Groups are the classes, or clusters
where there are no classes or too many. Of embeddings wider than 128 numbers only the directions in which groups vary
most are kept apart, and the rest counts as one. Embeddings that wide come from a network fitted on other images, and
are compared by their `roots`. The limit comes from the distances of images that were not fitted on.

Share of ordinary images, digits and noise beyond a limit for 2 % of ordinary ones. EfficientNet-Lite0: Fashion-MNIST,
50 images a class, 5 folds, mean of 5 seeds; 3,000 unseen images, 500 digits, 500 of noise. Default: the default
bundle's network, 54,000 images that it was fitted on, 6,000 judged; 10,000 test images, 1,797 digits, 1,000 of
noise.

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

_DIRECTIONS = 128  # and the most numbers of an embedding that is compared as it is
_GROUPS = 64
_CLUSTERS = 10
_LEAST_CLUSTER = 20  # rows for each; smaller ones differ from fold to fold
_LEAST_SHRINKAGE = 0.01  # towards equal variances, so that directions without any do not count for all
_LEAST_WITHIN = 0.01  # of all variance, that groups are taken to have at least, be they of two images alike
_TINY = 1e-12  # of all variance: less is rounding; and no sum of an embedding that is divided by is less
_TOLERANCE = 1e-3  # of the largest distance; float32 against float64
_CONFIDENCE = 0.95
_FEW_BEYOND = 5  # distances; with fewer, where the next one lies is known better from all of them than from the largest


@dataclass(frozen=True)
class Familiar:
    """What training embeddings look like.

    Attributes:
        mean: float64 `[D]`.
        basis: float64 `[D, R]`: orthonormal directions, in which groups vary most.
        scales: float64 `[R]`: 1 / deviation of groups along them.
        centres: float64 `[G, R]`, the groups' along them, in deviations.
        rest: 1 / variance of what lies in no direction; 0 where they are all.
        rooted: distances are of `roots` of the embeddings.
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
    """Embeddings `[N, D]` as shares of their sums, and of these the square roots, with their signs; of length 1."""
    values = embedding.astype(np.float64)
    sums = np.maximum(np.abs(values).sum(1, keepdims=True), _TINY)
    return np.asarray(np.sign(values) * np.sqrt(np.abs(values) / sums))


def fit_familiar(embedding: Embedding, groups: NDArray[np.int64] | None, *, seed: int) -> Familiar:
    """Learns what is familiar.

    Args:
        embedding: float32 `[N, D]`, of training images, at least one.
        groups: the class positions of them, `[N]`; None where there are no classes.
        seed: of the clusters.
    """
    return _fit(embedding, *_grouping(groups, len(embedding)), seed)


def _grouping(groups: NDArray[np.int64] | None, rows: int) -> tuple[NDArray[np.int64] | None, int]:
    """The groups, None where clusters are to stand for them, and how many clusters."""
    clusters = max(1, min(_CLUSTERS, rows // _LEAST_CLUSTER))
    return (None if groups is None or groups.max(initial=0) >= _GROUPS else groups), clusters


def _fit(embedding: Embedding, groups: NDArray[np.int64] | None, clusters: int, seed: int) -> Familiar:
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
    return Familiar(mean, basis, scales, centres @ basis * scales, rest, rooted)


def _directions(
    within: NDArray[np.float64], freedom: int, least: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """The directions `[D, R]` in which rows `[N, D]` are largest, the variances along them, 1 / that of the rest."""
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
    """How far a covariance goes towards equal variances: OAS, https://arxiv.org/abs/0907.4698, as in scikit-learn."""
    square, level = float(np.square(products).sum()) / width**2, (float(np.trace(products)) / width) ** 2
    unequal = (freedom + 1) * (square - level / width)
    return float(np.clip((square + level) / unequal, _LEAST_SHRINKAGE, 1)) if unequal > 0 else 1.0


def cross_distances(
    judged: Embedding,
    groups: NDArray[np.int64] | None,
    folds: NDArray[np.int64],
    fitted: NDArray[np.bool_],
    *,
    base: Embedding,
    base_groups: NDArray[np.int64] | None,
    seed: int,
) -> Distances:
    """How far each judged row is from what is familiar of all rows outside its fold, float32 `[J]`.

    Args:
        judged: embeddings `[J, D]`.
        groups: their class positions, `[J]`; None where there are no classes.
        folds: the fold of each, `[J]`.
        fitted: which of them are fitted on, `[J]`; the others are measured alone.
        base: embeddings `[B, D]` that are fitted on and never judged, as the network has seen the images; B may be 0.
        base_groups: their class positions, `[B]`; None where there are no classes or no base.
        seed: of the clusters.
    """
    embedding = np.concatenate([base, judged])
    every = None if groups is None else np.concatenate([groups[:0] if base_groups is None else base_groups, groups])
    every, clusters = _grouping(every, len(embedding))  # one for all folds, and the same as without folds
    fold = np.concatenate([np.full(len(base), -1), folds])
    is_fitted = np.concatenate([np.ones(len(base), bool), fitted])
    distances = np.zeros(len(embedding), np.float32)
    for number in np.unique(folds):
        rest, inside = (fold != number) & is_fitted, fold == number
        familiar = _fit(embedding[rest], None if every is None else every[rest], clusters, seed)
        distances[inside] = familiar(embedding[inside])
    return distances[len(base) :]


@dataclass(frozen=True)
class Limit:
    """A distance beyond which an image is unfamiliar.

    Attributes:
        value: at least 0, finite.
        false_alarms: share of ordinary images that was aimed at.
        low: of a 95 % interval of the share that are beyond it, over the choice of images it was judged on.
        high: of the same.
        judged_on: how many images those were.
    """

    value: float
    false_alarms: float
    low: float
    high: float
    judged_on: int

    @property
    def sentence(self) -> str:
        """For the console and the report."""
        return (
            f"{100 * self.false_alarms:.3g} % of ordinary images are to be called unfamiliar: judged on "
            f"{self.judged_on:,} it is {100 * self.low:.1f} to {100 * self.high:.1f} %, at 95 % confidence"
        )


def familiar_limit(distances: Distances, false_alarms: float) -> Limit:
    """Chooses the limit: the conformal quantile of distances of images that their `Familiar` had not seen.

    The share beyond the r-th smallest of n is Beta(n + 1 - r, r) distributed (Vovk 2012, arXiv:1209.2673).
    Where fewer than 5 of them are to be beyond, the limit is raised to where the next distance is expected if they
    are normal to the power of 2/3 (Wilson and Hilferty 1931, of chi-squared squares); then the interval begins at 0.

    Args:
        distances: `[J]`, at least one.
        false_alarms: share of ordinary images beyond the limit, aimed at; above 0, at most 1.
    """
    count = len(distances)
    rank = int(np.clip(math.ceil((count + 1) * (1 - false_alarms)), 1, count))
    value = float(np.sort(distances)[rank - 1])
    beyond = beta(count + 1 - rank, rank)
    low, high = (float(beyond.ppf(tail)) for tail in ((1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2))
    if count * false_alarms < _FEW_BEYOND and rank > 1:
        low, value = 0.0, max(value, _next(distances, 1 - false_alarms))
    return Limit(math.ceil(value * 1e4) / 1e4, false_alarms, low, high, count)


def _next(distances: Distances, share: float) -> float:
    """Below what the next distance is with that probability, if they are normal to the power of 2/3."""
    values = np.power(distances.astype(np.float64), 2 / 3)
    margin = values.std(ddof=1) * math.sqrt(1 + 1 / len(values)) * t.ppf(share, len(values) - 1)
    return float(max(values.mean() + margin, 0.0) ** 1.5)


def export_familiar(familiar: Familiar, sample: Embedding, file: str) -> bytes:
    """Exports it as `embedding` float32 `[N, D]` to `distance` float32 `[N]`.

    Args:
        familiar: what was learnt.
        sample: embeddings `[S, D]` on which graph and model are compared.
        file: names it in the error.

    Raises:
        ExportError: the graph computes something else.
    """
    graph: bytes = _graph(familiar).SerializeToString()
    expected, found = familiar(sample), OutlierDetector(cpu_session(graph))(sample)
    difference = float(np.abs(found - expected).max()) / (float(expected.max()) or 1.0)
    if not difference <= _TOLERANCE:
        raise ExportError(
            f"{file} does not compute what was learnt: largest difference {difference:.2g} (limit {_TOLERANCE})"
        )
    return graph


def _graph(familiar: Familiar) -> onnx.ModelProto:
    build = GraphBuilder("novelty/")
    axis = build.constant([1], np.int64)
    values = _rooted(build, axis) if familiar.rooted else "embedding"
    off = build.node("Sub", values, build.constant(familiar.mean))
    along = build.node("MatMul", off, build.constant(familiar.basis))
    scaled = build.node("Unsqueeze", build.node("Mul", along, build.constant(familiar.scales)), axis)
    apart = build.node("Sub", scaled, build.constant(familiar.centres[None]))
    squares = build.node("ReduceSum", build.node("Mul", apart, apart), build.constant([2], np.int64), keepdims=0)
    nearest = build.node("ReduceMin", squares, axis, keepdims=1)
    if familiar.rest:
        whole, inside = (build.node("ReduceSumSquare", part, axis, keepdims=1) for part in (off, along))
        beside = build.node("Sub", whole, inside)
        nearest = build.node("Add", nearest, build.node("Mul", beside, build.constant(familiar.rest)))
    distance = build.node("Sqrt", build.node("Max", nearest, build.constant(0.0)))
    build.node("Squeeze", distance, axis, output="distance")
    inputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [None, len(familiar.mean)])]
    model = build.model(inputs, [helper.make_tensor_value_info("distance", TensorProto.FLOAT, [None])])
    onnx.checker.check_model(model, full_check=True)
    return model


def _rooted(build: GraphBuilder, axis: str) -> str:
    size = build.node("Abs", "embedding")
    total = build.node("Max", build.node("ReduceSum", size, axis, keepdims=1), build.constant(_TINY))
    return build.node("Mul", build.node("Sign", "embedding"), build.node("Sqrt", build.node("Div", size, total)))
