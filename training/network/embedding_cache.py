"""images ──▶ their embeddings, each computed once and kept on disk, see `models/runtime/embedding_files.py`.

Fitting another head on the same images then runs no network and decodes no image.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from tqdm import tqdm

from models.imaging.types import Pixels
from models.runtime.embedding_files import EmbeddingCache, EmbeddingWriter, key_of
from models.runtime.sessions import Embedder, Embedding
from training.data.dataset import Dataset
from training.data.images import Encoded, Images, Indices
from training.export.example_selection import thumbnail
from training.progress import progress

_BATCH = 500
_BATCH_PIXELS = _BATCH * 64 * 64  # activations of larger images would fill the memory


def keys_of(dataset: Dataset) -> tuple[bytes, ...]:
    """Keys of a data set's images: hashes of their files, or of their pixels if they have none."""
    if dataset.keys:
        return dataset.keys
    images = dataset.images
    if isinstance(images, Encoded):
        return tuple(key_of(images.read(int(position))) for position in images.positions)
    return tuple(key_of(images[np.array([row])].tobytes()) for row in range(len(images)))


def embed(embedder: Embedder, images: Images, title: str) -> Embedding:
    """Embeds uint8 `[N, H, W, C]` with the exported graph, to float32 `[N, D]`."""
    batch = _batch_size(images)
    starts = progress(
        range(0, max(1, len(images)), batch), title, "batch", part=True
    )  # at least one, so that no images give [0, D]
    return np.concatenate([embedder(images[np.arange(start, min(start + batch, len(images)))]) for start in starts])


def embed_all(
    cache: EmbeddingCache, embedder: Embedder, dataset: Dataset, positions: Indices | None = None
) -> Embedding:
    """The embeddings of all images of a data set, or of those at some positions, float32 `[N, D]`.

    Computes those that the cache lacks, equal images once, and writes them to the cache as it goes.

    Raises:
        KeyboardInterrupt: a person stopped it; the exception says how many embeddings are kept.
    """
    keys = keys_of(dataset)
    wanted = range(len(keys)) if positions is None else positions.tolist()
    first = {keys[row]: row for row in reversed(wanted)}
    new = np.array(sorted(row for key, row in first.items() if not cache.has_thumbnail(key)), np.int64)
    kept, total = len(first) - len(new), len(first)
    if kept:
        print(f"{kept:,} of {total:,} embeddings kept from before", file=sys.stderr)
    if len(new):
        _embed_new(cache, embedder, dataset, new, keys=keys, total=total)
    return cache.embedding([keys[row] for row in wanted])


def _embed_new(
    cache: EmbeddingCache, embedder: Embedder, dataset: Dataset, new: Indices, *, keys: Sequence[bytes], total: int
) -> None:
    batch, written = _batch_size(dataset.images), EmbeddingWriter(cache)
    kept = total - len(new)
    bar: tqdm[None] = progress((), "embedding", "image", total=total, done=kept)
    try:
        with bar:
            for start in range(0, len(new), batch):
                rows = new[start : start + batch]
                pixels = dataset.images[rows]
                pictures = [thumbnail(*each) for each in zip(pixels, dataset.aspects_at(rows), strict=True)]
                of_rows = [keys[row] for row in rows]
                written.add(of_rows, _embedded(cache, embedder, pixels, of_rows), pictures)
                bar.update(len(rows))
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(
            f"{kept + written.count:,} of {total:,} embeddings are kept, and the same command goes on from there"
        ) from error
    finally:
        written.write()
    written.finish()


def _embedded(cache: EmbeddingCache, embedder: Embedder, pixels: Pixels, keys: Sequence[bytes]) -> Embedding:
    """The embeddings of a batch; those that scoring kept, without thumbnails, are taken as they are."""
    if all(key in cache for key in keys):
        return cache.embedding(keys)
    return embedder(pixels)


@contextmanager
def keeping(embedding: Embedding) -> Iterator[None]:
    """Says that the embeddings are kept if a person interrupts the block.

    Raises:
        KeyboardInterrupt: the interrupt, with that sentence if it has none.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        said = f"all {len(embedding):,} embeddings are kept, and the same command goes on from there"
        raise KeyboardInterrupt(str(error) or said) from error


def _batch_size(images: Images) -> int:
    return max(1, min(_BATCH, _BATCH_PIXELS // (images.shape[1] * images.shape[2])))
