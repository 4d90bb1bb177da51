"""images ──▶ their embeddings, each computed once: kept on disk by what the encoded image is, and by the embedder.

A head that is fitted again, or another one on the same images, then runs no network and decodes no image.
"""

from __future__ import annotations

import hashlib
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from models.bundle.input_spec import InputSpec
from models.runtime.sessions import Embedder, Embedding
from training.data.dataset import Dataset
from training.data.images import Encoded, Images, Indices, key_of
from training.exceptions import DataError
from training.export.example_selection import thumbnail
from training.progress import progress

DEFAULT_ROOT = Path("build") / "embeddings"
_KEY_BYTES = 32
_BATCH = 500
_BATCH_PIXELS = _BATCH * 64 * 64  # activations of larger images would fill the memory
_FILE_IMAGES = 4000
"""Of small files that are made one."""
SECONDS_BETWEEN_FILES = 15
"""What a run that is killed has to do again, at most."""
_LEFTOVER_SECONDS = 24 * 60 * 60
_DAMAGE = (OSError, EOFError, ValueError, KeyError, IndexError, RuntimeError, BadZipFile)
"""What numpy and zipfile raise where bytes of a file are missing or wrong."""


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
        self._remove_leftovers()
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

    def add(self, keys: Sequence[bytes], embedding: Embedding, thumbnails: Sequence[bytes]) -> Path:
        """Keeps more, as one file that appears as a whole; returns the file."""
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
        return file

    def _remove_leftovers(self) -> None:
        """Removes files that killed runs had begun; a younger one may be another run's."""
        for file in self.folder.glob("*.part"):
            with suppress(OSError):  # another run removed it, or the folder is not to be written in
                if time.time() - file.stat().st_mtime > _LEFTOVER_SECONDS:
                    file.unlink()

    def _read(self, file: Path) -> None:
        try:
            with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
                keys, embedding, ends = arrays["keys"], arrays["embedding"], arrays["ends"]
                data = arrays["thumbnails"].tobytes()
            starts = [0, *ends.tolist()]
            rows = {
                key.tobytes(): (embedding[index], data[starts[index] : starts[index + 1]])
                for index, key in enumerate(keys)
            }
        except FileNotFoundError:  # another process has just made one file of several
            return
        except _DAMAGE as error:
            raise DataError(f"{file} is damaged ({error}); remove it, and its images are embedded again") from error
        self._rows.update(rows)


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
    batch = _batch_size(images)
    starts = progress(range(0, max(1, len(images)), batch), title, "batch", part=True)  # none of them: [0, D]
    return np.concatenate([embedder(images[np.arange(start, min(start + batch, len(images)))]) for start in starts])


def embed_all(
    cache: EmbeddingCache, embedder: Embedder, dataset: Dataset, positions: Indices | None = None
) -> Embedding:
    """The embeddings of all images of a data set, or of some, float32 `[N, D]`.

    Those that the cache lacks are computed, equal images once, and kept while others are still to come.

    Raises:
        KeyboardInterrupt: a person stopped it; what there was is kept, and the exception says how much.
    """
    keys = keys_of(dataset)
    wanted = range(len(keys)) if positions is None else positions.tolist()
    first = {keys[row]: row for row in reversed(wanted)}
    new = np.array(sorted(row for key, row in first.items() if key not in cache), np.int64)
    kept, total = len(first) - len(new), len(first)
    if kept:
        print(f"{kept:,} of {total:,} embeddings kept from before", file=sys.stderr)
    if len(new):
        _embed_new(cache, embedder, dataset, new, keys=keys, total=total)
    return cache.embedding([keys[row] for row in wanted])


def _embed_new(
    cache: EmbeddingCache, embedder: Embedder, dataset: Dataset, new: Indices, *, keys: Sequence[bytes], total: int
) -> None:
    batch, written = _batch_size(dataset.images), _Written(cache)
    kept = total - len(new)
    bar: tqdm[None] = progress((), "embedding", "image", total=total, done=kept)
    try:
        with bar:
            for start in range(0, len(new), batch):
                rows = new[start : start + batch]
                pixels = dataset.images[rows]
                pictures = [thumbnail(*each) for each in zip(pixels, dataset.aspects_at(rows), strict=True)]
                written.add([keys[row] for row in rows], embedder(pixels), pictures)
                bar.update(len(rows))
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(
            f"{kept + written.count:,} of {total:,} embeddings are kept, and the same command goes on from there"
        ) from error
    finally:
        written.write()
    written.finish()


@contextmanager
def keeping(embedding: Embedding) -> Iterator[None]:
    """Lets a person who stops what follows know that the embeddings are kept.

    Raises:
        KeyboardInterrupt: the same, with a sentence if it had none.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        said = f"all {len(embedding):,} embeddings are kept, and the same command goes on from there"
        raise KeyboardInterrupt(str(error) or said) from error


class _Written:
    """Embeddings on their way to disk: in small files, so that a kill costs few seconds, and later in large ones.

    Attributes:
        count: of images that were added.
    """

    def __init__(self, cache: EmbeddingCache) -> None:
        self.count = 0
        self._cache = cache
        self._waiting: list[tuple[Sequence[bytes], Embedding, Sequence[bytes]]] = []
        self._small: dict[Path, list[bytes]] = {}
        self._since = time.monotonic()

    def add(self, keys: Sequence[bytes], embedding: Embedding, thumbnails: Sequence[bytes]) -> None:
        """Takes some more, and writes them where others have waited long enough."""
        self.count += len(keys)
        self._waiting.append((keys, embedding, thumbnails))
        if time.monotonic() - self._since >= SECONDS_BETWEEN_FILES:
            self.write()
            if sum(map(len, self._small.values())) >= _FILE_IMAGES:
                self._merge()

    def write(self) -> None:
        """Writes what waits."""
        if self._waiting:
            parts = list(zip(*self._waiting, strict=True))
            keys, thumbnails = ([each for part in parts[place] for each in part] for place in (0, 2))
            self._waiting = []
            self._small[self._cache.add(keys, np.concatenate(parts[1]), thumbnails)] = keys
        self._since = time.monotonic()

    def finish(self) -> None:
        """Writes what waits, and makes one file of all that were written since the last time."""
        self.write()
        self._merge()

    def _merge(self) -> None:
        if len(self._small) > 1:
            keys = [key for part in self._small.values() for key in part]
            self._cache.add(keys, self._cache.embedding(keys), self._cache.thumbnails(keys))
            for file in self._small:
                file.unlink(missing_ok=True)
        self._small = {}


def _batch_size(images: Images) -> int:
    return max(1, min(_BATCH, _BATCH_PIXELS // (images.shape[1] * images.shape[2])))
