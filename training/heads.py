"""embeddings ──▶ the gradient-boosted head, fitted so that the network's own training images do not fool it.

A network knows the images that it was fitted on too well: their embeddings lie farther from the class borders
than those of new images, and a head fitted on them is over-confident. Three sources are tried and judged
on validation images that none of them has seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier

from models.sessions import Embedder, Embedding, Probabilities
from training.augment import augment
from training.dataset import Dataset, Labels, Split
from training.images import Images, Indices, select
from training.metrics import Scores, score
from training.network import EmbeddingNetwork
from training.progress import progress
from training.recipe import Recipe

KIND = "hist_gradient_boosting"
_BATCH = 500
_BATCH_PIXELS = _BATCH * 64 * 64  # activations of larger images would fill the memory


@dataclass(frozen=True)
class Candidate:
    """A fitted head, what distinguishes it from the others, and how it does on the judging images."""

    name: str
    head: Any
    scores: Scores


@dataclass(frozen=True)
class Judge:
    """The validation images that judge candidates: embeddings `[J, D]`, labels `[J]`."""

    embedding: Embedding
    labels: Labels

    def probabilities(self, head: Any) -> Probabilities:
        """What a scikit-learn classifier says of them, `[J, K]`."""
        if not len(self.labels):  # scikit-learn refuses an empty array
            return np.empty((0, len(head.classes_)), np.float32)
        return np.asarray(head.predict_proba(self.embedding), np.float32)

    def scores(self, head: Any) -> Scores:
        """How a scikit-learn classifier does on them; NaN where there are none."""
        return score(self.probabilities(head), self.labels)


def embed(embedder: Embedder, images: Images, title: str) -> Embedding:
    """Embeds uint8 `[N, H, W, C]` with the exported graph, to float32 `[N, D]`."""
    batch = max(1, min(_BATCH, _BATCH_PIXELS // (images.shape[1] * images.shape[2])))
    starts = progress(range(0, max(1, len(images)), batch), title, "batch", part=True)  # none of them: [0, D]
    return np.concatenate([embedder(images[np.arange(start, min(start + batch, len(images)))]) for start in starts])


def fit_candidates(
    dataset: Dataset, split: Split, network: EmbeddingNetwork, embedder: Embedder, *, recipe: Recipe, seed: int
) -> tuple[list[Candidate], Judge]:
    """Fits a head on each source that knows all classes; the best comes first.

    Where there are no images to judge by, their scores are NaN and the training images come first.

    Args:
        dataset: images and labels.
        split: which of them may be used; the test images are not.
        network: gives mean and deviation for the random variants.
        embedder: the exported graph, which computes all embeddings.
        recipe: settings of the random variants.
        seed: of the random variants and of the heads.
    """
    labels = dataset.labels
    held_out, judging = split.validation[0::2], split.validation[1::2]
    judge = Judge(embed(embedder, select(dataset.images, judging), "embedding for judging"), labels[judging])
    sources: dict[str, tuple[Indices, Callable[[], Images]]] = {
        "training images": (split.train, lambda: dataset.images[split.train]),
        "training images, augmented": (split.train, lambda: _variants(dataset, split, network, recipe, seed)),
        "held-out images": (held_out, lambda: dataset.images[held_out]),
    }
    candidates = []
    for source, (positions, load) in progress(sources.items(), "fitting heads", "head", total=len(sources)):
        if len(np.unique(labels[positions])) < len(dataset.classes):
            continue  # too few images: a class would be unknown to the head
        head = fit_head(embed(embedder, load(), f"embedding {source}"), labels[positions], seed)
        candidates.append(Candidate(source, head, judge.scores(head)))
    return sorted(candidates, key=lambda candidate: candidate.scores.log_loss), judge


def fit_head(embedding: Embedding, labels: Labels, seed: int) -> HistGradientBoostingClassifier:
    """Fits gradient boosting on float32 `[N, D]` and class positions `[N]`.

    Shallow, slow and regularized: on embeddings, whose classes are all but linearly separable, trees of 8
    leaves gave a log loss of 0.170 on validation images where trees of 15 gave 0.187
    (Fashion-MNIST, 20 epochs).
    """
    head = HistGradientBoostingClassifier(
        max_iter=100,
        learning_rate=0.08,
        max_leaf_nodes=8,
        min_samples_leaf=int(np.clip(len(labels) // 500, min(5, len(labels) // 20 + 1), 100)),
        l2_regularization=5.0,
        early_stopping=False,
        random_state=seed,
    )
    return head.fit(embedding, labels)


def _variants(dataset: Dataset, split: Split, network: EmbeddingNetwork, recipe: Recipe, seed: int) -> np.ndarray:
    """One random variant of each training image, uint8 `[N, H, W, C]`."""
    generator = torch.Generator().manual_seed(seed)
    variants = []
    for start in range(0, len(split.train), _BATCH):
        images = torch.from_numpy(dataset.images[split.train[start : start + _BATCH]])
        x = augment(network.normalize(images), recipe, mirror=dataset.mirror, generator=generator)
        pixels = x.permute(0, 2, 3, 1) * network.std + network.mean
        variants.append(pixels.round().clamp(0, 255).to(torch.uint8).numpy())
    return np.concatenate(variants)
