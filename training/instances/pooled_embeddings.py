"""a data set, embedder and pooling ──▶ one row of each instance, as the service makes it."""

from __future__ import annotations

from models.bundle.manifest import Manifest
from models.pooling import Pooling, pool_alone
from models.runtime.embedding_files import EmbeddingCache
from models.runtime.sessions import Embedder, Embedding
from training.data.dataset import Dataset
from training.data.images import Indices
from training.exceptions import DataError
from training.network.embedding_cache import embed_all


def embed_instances(
    cache: EmbeddingCache,
    embedder: Embedder,
    dataset: Dataset,
    pooling: Pooling,
    positions: Indices | None = None,
) -> Embedding:
    """Embeds all photos of all instances, or of those at some positions, and pools them, float32 `[N, W]`.

    Args:
        cache: where embeddings of photos are kept.
        embedder: the graph.
        dataset: N instances, of one image each or of several photos.
        pooling: of the bundle.
        positions: of instances; None for all.
    """
    photos = dataset.photos
    if photos is None:
        return pool_alone(embed_all(cache, embedder, dataset, positions), pooling.kinds)
    counts = photos.counts if positions is None else photos.counts[positions]
    chosen = None if positions is None else photos.positions(positions)
    return pooling.each(embed_all(cache, embedder, dataset.of_photos(), chosen), counts.tolist())


def check_photos(manifest: Manifest, dataset: Dataset) -> None:
    """Checks that a bundle can decide on a data set's instances.

    Raises:
        DataError: they have several photos, and the bundle decides on one image.
    """
    if dataset.photos is not None and not manifest.pooling:
        raise DataError(
            f"{manifest.model} decides on one image, but rows of the table name several; train a bundle on them with "
            "`python -m training table`"
        )
