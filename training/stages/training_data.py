"""split images ──▶ their embeddings ──▶ `TrainingData`: what a head is fitted on, validated and tested with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from models.pooling import ALONE, Pooling
from models.runtime.embedding_files import EmbeddingCache
from models.runtime.sessions import Embedder, Embedding, cpu_session
from training.data.dataset import Dataset
from training.data.images import Images, Indices, select
from training.data.seen_images import WHY_FEWER
from training.data.split import Split
from training.heads.labelled_embeddings import LabelledEmbeddings, embeddings_of
from training.heads.sources import Source, make_sources
from training.instances.instance_photos import Photos
from training.network.embedding_cache import embed_all, keys_of
from training.stages.prepare import Prepared


@dataclass(frozen=True)
class Embedded:
    """The embeddings of a data set.

    Attributes:
        embedding: float32 `[N, D]`; where an instance has several photos, pooled, `[N, W]`.
        cache: where those of the images are kept, with thumbnails.
        pooling: how the photos of an instance are pooled.
        why: what the pooling was chosen by; empty if it was not.
        files: of the bundle, that the pooling needs.
    """

    embedding: Embedding
    cache: EmbeddingCache
    pooling: Pooling = ALONE
    why: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingData:
    """What a head is fitted on, validated and tested with.

    Attributes:
        dataset: N images, with classes and columns.
        parts: how they are split.
        embedding: float32 `[N, D]`, or pooled, `[N, W]`.
        held_out: positions of the images that validate heads and policies, in the order of the sources' rows.
        sources: what heads may be fitted on, by name; the held-out images are the same in all of them.
        cache: has thumbnails of the images.
        why_fewer: why some images are neither held out nor test images; empty if there are none.
        pooling: how the photos of an instance are pooled.
    """

    dataset: Dataset
    parts: Split
    embedding: Embedding
    held_out: Indices
    sources: Mapping[str, Source]
    cache: EmbeddingCache
    why_fewer: str = ""
    pooling: Pooling = ALONE

    @property
    def embedding_width(self) -> int:
        """Numbers of the embedding of one image."""
        return int(self.embedding.shape[1]) // max(1, len(self.pooling.kinds))

    @property
    def test(self) -> LabelledEmbeddings:
        """The test images."""
        return self.at(self.parts.test)

    @property
    def uncopied_test(self) -> Indices:
        """Positions of the test images that have no copy in another part."""
        return np.setdiff1d(self.parts.test, self.parts.copied)

    def at(self, positions: Indices) -> LabelledEmbeddings:
        """The images at some positions."""
        return embeddings_of(self.dataset, self.embedding, positions)

    def images_at(self, positions: Indices) -> Images | Photos:
        """What is embedded for the instances at some positions."""
        photos = self.dataset.photos
        return select(self.dataset.images, positions) if photos is None else photos.of(positions)

    def thumbnails(self, positions: Indices) -> list[bytes]:
        """Encoded thumbnails of the images at some positions."""
        keys = keys_of(self.dataset)
        return self.cache.thumbnails([keys[position] for position in positions])


def embed_images(graph: bytes, dataset: Dataset, root: Path) -> Embedded:
    """Embeds all images, or takes their embeddings from the cache.

    Args:
        graph: the embedder, float32.
        dataset: N images.
        root: directory of the caches.
    """
    cache = EmbeddingCache(root, graph, dataset.input)
    embedder = Embedder(cpu_session(graph, threads=os.cpu_count() or 1))
    return Embedded(embed_all(cache, embedder, dataset), cache)


def label_embeddings(
    prepared: Prepared, embedded: Embedded, *, seed: int, augmented: Mapping[str, LabelledEmbeddings] | None = None
) -> TrainingData:
    """Labels the embeddings; holds out all images that are no test images and that the network has not seen.

    Args:
        prepared: labels, split, and which images the network has seen.
        embedded: of the same images.
        seed: of the folds.
        augmented: more rows that the network has seen, by name; each is tried as a source of its own.

    Raises:
        DataError: all images are of one group, so there are no folds.
    """
    dataset, parts, embedding = prepared.dataset, prepared.parts, embedded.embedding
    seen = parts.known[prepared.seen[parts.known]]
    held_out = np.setdiff1d(np.union1d(parts.known, prepared.unfitted), np.flatnonzero(prepared.seen))
    rows = {"training images": embeddings_of(dataset, embedding, seen), **(augmented or {})} if len(seen) else {}
    sources = make_sources(dataset, embedding, held_out, rows, seed=seed, unfitted=prepared.unfitted)
    why_fewer = WHY_FEWER if len(seen) else ""
    return TrainingData(dataset, parts, embedding, held_out, sources, embedded.cache, why_fewer, embedded.pooling)
