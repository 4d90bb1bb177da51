"""images ──▶ their embeddings, each computed once: kept on disk by what the encoded image is, and by the embedder.

A head that is fitted again, or another one on the same images, then runs no network and decodes no image.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.manifest import InputSpec
from models.sessions import Embedder, Embedding
from training.dataset import Dataset
from training.errors import DataError
from training.examples import thumbnail
from training.images import Encoded, Images, Indices, key_of
from training.progress import progress

DEFAULT_ROOT = Path("build") / "embeddings"
_KEY_BYTES = 32
_BATCH = 500
_BATCH_PIXELS = _BATCH * 64 * 64  # activations of larger images would fill the memory
_FILE_IMAGES = 4000
"""Images of one file, and at most so many are lost where a run is interrupted."""


class EmbeddingCache:
    """The embeddings of one embedder, with thumbnails of the images.

    Args:
        root: directory of all embedders' caches.
        graph: the embedder, float32.
        spec: how images are decoded for it.

    Raises:
        DataError: a file of the cache is damaged.
    """

    def __init__(self, root: Path, graph: bytes, spec: InputSpec) -> None:
        name = hashlib.sha256(hashlib.sha256(graph).digest() + spec.model_dump_json().encode()).hexdigest()
        self.folder = root / name[:32]
        self._rows: dict[bytes, tuple[NDArray[np.float32], bytes]] = {}
        for file in sorted(self.folder.glob("*.npz")):
            self._read(file)

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def embedding(self, keys: Sequence[bytes]) -> Embedding:
        """Of some images that it has, float32 `[N, D]`."""
        return np.stack([self._rows[key][0] for key in keys])

    def thumbnails(self, keys: Sequence[bytes]) -> list[bytes]:
        """Of some images that it has, encoded."""
        return [self._rows[key][1] for key in keys]

    def add(self, keys: Sequence[bytes], embedding: Embedding, thumbnails: Sequence[bytes]) -> None:
        """Keeps more, as one file that appears as a whole."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{uuid.uuid4().hex}.npz"
        beginning = file.with_suffix(".part")
        with beginning.open("wb") as stream:
            np.savez(
                stream,
                keys=np.frombuffer(b"".join(keys), np.uint8).reshape(-1, _KEY_BYTES),
                embedding=embedding,
                thumbnails=np.frombuffer(b"".join(thumbnails), np.uint8),
                ends=np.cumsum([len(data) for data in thumbnails]).astype(np.int64),
            )
        beginning.replace(file)
        self._rows.update(zip(keys, zip(embedding, thumbnails, strict=True), strict=True))

    def _read(self, file: Path) -> None:
        try:
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                keys, embedding, ends = arrays["keys"], arrays["embedding"], arrays["ends"]
                data = arrays["thumbnails"].tobytes()
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise DataError(f"{file} is damaged ({error}); remove it, and its images are embedded again") from error
        starts = [0, *ends.tolist()]
        for index, key in enumerate(keys):
            self._rows[key.tobytes()] = embedding[index], data[starts[index] : starts[index + 1]]


def keys_of(dataset: Dataset) -> tuple[bytes, ...]:
    """What the images of a data set are known by: their files where they have some, else their pixels."""
    if dataset.keys:
        return dataset.keys
    images = dataset.images
    if isinstance(images, Encoded):
        return tuple(key_of(images.read(int(position))) for position in images.positions)
    return tuple(key_of(images[np.array([row])].tobytes()) for row in range(len(images)))


def embed(embedder: Embedder, images: Images, title: str) -> Embedding:
    """Embeds uint8 `[N, H, W, C]` with the exported graph, to float32 `[N, D]`."""
    batch = max(1, min(_BATCH, _BATCH_PIXELS // (images.shape[1] * images.shape[2])))
    starts = progress(range(0, max(1, len(images)), batch), title, "batch", part=True)  # none of them: [0, D]
    return np.concatenate([embedder(images[np.arange(start, min(start + batch, len(images)))]) for start in starts])


def embed_all(
    cache: EmbeddingCache, embedder: Embedder, dataset: Dataset, positions: Indices | None = None
) -> Embedding:
    """The embeddings of all images of a data set, or of some, float32 `[N, D]`.

    Those that the cache lacks are computed, equal images once.
    """
    keys = keys_of(dataset)
    wanted = range(len(keys)) if positions is None else positions.tolist()
    first = {keys[row]: row for row in reversed(wanted)}
    new = np.array(sorted(row for key, row in first.items() if key not in cache), np.int64)
    _, height, width, _ = dataset.images.shape
    batch = max(1, min(500, _BATCH_PIXELS // (height * width)))
    size = max(batch, _FILE_IMAGES // batch * batch)
    for start in progress(range(0, len(new), size), "embedding", "part") if len(new) else ():
        rows = new[start : start + size]
        found, thumbnails = [], []
        for offset in range(0, len(rows), batch):
            pixels = dataset.images[rows[offset : offset + batch]]
            found.append(embedder(pixels))
            aspects = dataset.aspects_at(rows[offset : offset + batch])
            thumbnails += [thumbnail(image, aspect) for image, aspect in zip(pixels, aspects, strict=True)]
        cache.add([keys[row] for row in rows], np.concatenate(found), thumbnails)
    return cache.embedding([keys[row] for row in wanted])
