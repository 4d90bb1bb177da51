"""images with rare classes ──▶ do images that a diffusion model makes help to find them, beside plainer remedies?

Every way fits the same head on embeddings of the same network, and is measured on the same test images:

- `as they are`: nothing is done;
- `class weights`: each class has the same weight;
- `duplicated`: the images of the rare classes count as often as there are images in the other classes;
- `varied`: as many random variants of them, shifted and a little darker or brighter;
- `diffusion`: as many new images, by a model that was fitted on the training images of the rare classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t, ttest_rel

from models.imaging.decode import decode
from models.runtime.sessions import Embedder, Embedding
from training.data.dataset import Dataset
from training.data.images import Encoded, Indices
from training.data.split import Split
from training.diffusion.denoiser import SIDE
from training.diffusion.image_maker import STEPS, ImageMaker, fit_maker
from training.exceptions import DataError
from training.export.bundle_files import encode_png
from training.heads.head_fit import Fitting
from training.heads.labelled_embeddings import LabelledEmbeddings, embeddings_of
from training.heads.registry import REGISTRY
from training.heads.selection.search import fit_heads
from training.heads.sources import make_sources
from training.network.embedding_cache import embed
from training.tuning.variants_of_images import random_variants

DIFFUSION = "diffusion"
LEVEL = 0.05
_CONFIDENCE = 0.95
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Way:
    """A way on all seeds.

    Attributes:
        name: of the way.
        recall: of the rare classes, their mean, one for each seed.
        accuracy: one for each seed.
    """

    name: str
    recall: Sequence[float]
    accuracy: Sequence[float]

    def gain(self, other: Way) -> tuple[float, float]:
        """Mean gain of recall over another way, and half the width of its 95 % interval, seeds paired."""
        gains = np.subtract(self.recall, other.recall)
        spread = gains.std(ddof=1) / len(gains) ** 0.5
        return float(gains.mean()), float(t.ppf((1 + _CONFIDENCE) / 2, len(gains) - 1) * spread)

    def beats(self, other: Way) -> bool:
        """Whether its recall is higher, by a paired one-sided t-test over the seeds."""
        if not np.any(np.subtract(self.recall, other.recall)):
            return False
        return bool(ttest_rel(self.recall, other.recall, alternative="greater").pvalue < LEVEL)


@dataclass(frozen=True)
class RecallTrial:
    """What was found.

    Attributes:
        ways: in the order of the module's list.
        counts: images of each rare class that were fitted on, and of the median other class.
        maker: of the last seed.
        rare: positions of the rare classes.
    """

    ways: tuple[Way, ...]
    counts: tuple[int, int]
    maker: ImageMaker
    rare: tuple[int, ...]

    @property
    def is_won(self) -> bool:
        """Whether diffusion beats every other way."""
        *others, made = self.ways
        return all(made.beats(other) for other in others)


def try_diffusion(
    dataset: Dataset,
    embedder: Embedder,
    embedding: Embedding,
    parts: Split,
    rare: Sequence[int],
    *,
    keep: int | None,
    seeds: Sequence[int],
    steps: int = STEPS,
) -> RecallTrial:
    """Compares the ways.

    Args:
        dataset: N images of files or streams, with classes.
        embedder: of the network.
        embedding: of all images, float32 `[N, D]`.
        parts: test images, and the others.
        rare: positions of the rare classes.
        keep: training images of each rare class, so that a common class can stand for a rare one; None for all.
        seeds: at least two; of the images that are kept, of folds and of the model.
        steps: of the model's fit.

    Raises:
        DataError: images are not encoded ones; a rare class has as many images as the others.
    """
    if not isinstance(dataset.images, Encoded):
        raise DataError("a diffusion model is fitted on images of files")
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in seeds:
        known = _kept(dataset, parts.known, rare, keep, seed)
        counts, common = _counts(dataset, known, rare)
        of_rare = known[np.isin(dataset.labels[known], rare)]
        maker = _maker(dataset, of_rare, rare, steps, seed)
        missing = [(class_, common - count) for class_, count in zip(rare, counts, strict=True)]
        trial = _Trial(dataset, embedder, embedding, known, parts.test, tuple(rare), seed)
        for name, way in _ways(trial, maker, missing, of_rare).items():
            found.setdefault(name, []).append(way())
    ways = tuple(Way(name, *zip(*figures, strict=True)) for name, figures in found.items())
    return RecallTrial(ways, (max(counts), common), maker, tuple(rare))


def _counts(dataset: Dataset, known: Indices, rare: Sequence[int]) -> tuple[list[int], int]:
    """Images of each rare class, and of the median other class."""
    counts = np.bincount(dataset.labels[known], minlength=len(dataset.classes))
    common = int(np.median(np.delete(counts, list(rare))))
    if max(counts[list(rare)]) >= common:
        raise DataError(f"{dataset.classes[rare[0]]!r} is not rare: other classes have {common} images")
    return counts[list(rare)].tolist(), common


def _maker(dataset: Dataset, of_rare: Indices, rare: Sequence[int], steps: int, seed: int) -> ImageMaker:
    """A model of the rare classes, fitted to their training images."""
    if not isinstance(dataset.images, Encoded):
        raise DataError("a diffusion model is fitted on images of files")
    at = {class_: position for position, class_ in enumerate(rare)}
    labels = np.array([at[label] for label in dataset.labels[of_rare]])
    return fit_maker(small(dataset.images, of_rare), labels, len(rare), steps=steps, seed=seed)


def small(images: Encoded, positions: Indices) -> NDArray[np.uint8]:
    """Images decoded to 32 x 32, uint8 `[N, 32, 32, C]`."""
    return replace(images, spec=images.spec.model_copy(update={"height": SIDE, "width": SIDE}))[positions]


@dataclass(frozen=True)
class _Trial:
    """One seed."""

    dataset: Dataset
    embedder: Embedder
    embedding: Embedding
    known: Indices
    test: Indices
    rare: tuple[int, ...]
    seed: int

    def measured(
        self,
        more: LabelledEmbeddings | None = None,
        weights: NDArray[np.float64] | None = None,
        *,
        is_balanced: bool = False,
    ) -> tuple[float, float]:
        """Recall of the rare classes and accuracy of a head that is fitted on more rows, or on weighted ones."""
        dataset = self.dataset if weights is None else replace(self.dataset, weights=weights)
        more = embeddings_of(dataset, self.embedding, _NONE) if more is None else more
        source = make_sources(dataset, self.embedding, self.known, {"more": more}, seed=self.seed)
        fitting = Fitting(len(dataset.classes), (), self.seed, is_balanced=is_balanced)
        chosen = source["more and held-out images"]
        head = fit_heads([REGISTRY["logistic_regression"]], chosen, fitting)[0].finished(chosen)
        labels = dataset.labels[self.test]
        hits = head(self.embedding[self.test], ()).argmax(1) == labels
        recall = np.mean([hits[labels == class_].mean() for class_ in self.rare])
        return float(recall), float(hits.mean())

    def embedded(self, pixels: NDArray[np.uint8], labels: Indices) -> LabelledEmbeddings:
        """Rows of images uint8 `[M, H, W, C]` of any size."""
        images = [decode(encode_png(image), self.dataset.input) for image in pixels]
        return LabelledEmbeddings(embed(self.embedder, np.stack(images), "embedding more images"), labels)


def _ways(
    trial: _Trial, maker: ImageMaker, missing: Sequence[tuple[int, int]], of_rare: Indices
) -> dict[str, Callable[[], tuple[float, float]]]:
    dataset, seed = trial.dataset, trial.seed
    weights = np.ones(len(dataset.labels))
    for class_, count in missing:
        here = of_rare[dataset.labels[of_rare] == class_]
        weights[here] = 1 + count / len(here)
    labels = np.concatenate([np.full(count, class_) for class_, count in missing])

    def varied() -> NDArray[np.uint8]:
        random = np.random.default_rng(seed)
        drawn = [random.choice(of_rare[dataset.labels[of_rare] == class_], count) for class_, count in missing]
        assert isinstance(dataset.images, Encoded)
        return random_variants(torch.from_numpy(small(dataset.images, np.concatenate(drawn))), random).numpy()

    def made() -> NDArray[np.uint8]:
        return np.concatenate([
            maker.make(position, count, seed) for position, (_, count) in enumerate(missing)
        ])  # fmt: skip

    return {
        "as they are": trial.measured,
        "class weights": lambda: trial.measured(is_balanced=True),
        "duplicated": lambda: trial.measured(weights=weights),
        "varied": lambda: trial.measured(trial.embedded(varied(), labels)),
        DIFFUSION: lambda: trial.measured(trial.embedded(made(), labels)),
    }


def _kept(dataset: Dataset, known: Indices, rare: Sequence[int], keep: int | None, seed: int) -> Indices:
    """The known images, of each rare class at most `keep`."""
    if keep is None:
        return known
    random, labels = np.random.default_rng(seed), dataset.labels[known]
    others = known[~np.isin(labels, rare)]
    drawn = [random.permutation(known[labels == class_])[:keep] for class_ in rare]
    return np.sort(np.concatenate([others, *drawn]))
