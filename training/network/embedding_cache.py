"""images ──▶ their embeddings, each computed once and kept on disk under hashes of embedder and encoded image.

Fitting another head on the same images then runs no network and decodes no image.
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
"""Images in small files, from which on the files are merged."""
SECONDS_BETWEEN_FILES = 15
"""A killed run loses the work of so many seconds, at most."""
_LEFTOVER_SECONDS = 24 * 60 * 60
_DAMAGE = (OSError, EOFError, ValueError, KeyError, IndexError, RuntimeError, BadZipFile)
"""What numpy and zipfile raise if bytes of a file are missing or wrong."""


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
        """Embeddings of images that it has, float32 `[N, D]`."""
        return np.stack([self._rows[key][0] for key in keys])

    def thumbnails(self, keys: Sequence[bytes]) -> list[bytes]:
        """Encoded thumbnails of images that it has."""
        return [self._rows[key][1] for key in keys]

    def add(self, keys: Sequence[bytes], embedding: Embedding, thumbnails: Sequence[bytes]) -> Path:
        """Adds embeddings as one new file, which appears in one rename; returns the file."""
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
        """Removes unfinished files of killed runs; a younger one may be a running one's."""
        for file in self.folder.glob("*.part"):
            with suppress(OSError):  # another run removed it, or the folder is read-only
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
        except FileNotFoundError:  # another process has just merged it
            return
        except _DAMAGE as error:
            raise DataError(f"{file} is damaged ({error}); remove it, and its images are embedded again") from error
        self._rows.update(rows)


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
    """Says that the embeddings are kept if a person interrupts the block.

    Raises:
        KeyboardInterrupt: the interrupt, with that sentence if it has none.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        said = f"all {len(embedding):,} embeddings are kept, and the same command goes on from there"
        raise KeyboardInterrupt(str(error) or said) from error


class _Written:
    """Writes embeddings to the cache: often, in small files, so that a kill costs seconds; later merges the files.

    Attributes:
        count: images added so far.
    """

    def __init__(self, cache: EmbeddingCache) -> None:
        self.count = 0
        self._cache = cache
        self._waiting: list[tuple[Sequence[bytes], Embedding, Sequence[bytes]]] = []
        self._small: dict[Path, list[bytes]] = {}
        self._since = time.monotonic()

    def add(self, keys: Sequence[bytes], embedding: Embedding, thumbnails: Sequence[bytes]) -> None:
        """Adds embeddings; writes all that wait if the last file is old enough."""
        self.count += len(keys)
        self._waiting.append((keys, embedding, thumbnails))
        if time.monotonic() - self._since >= SECONDS_BETWEEN_FILES:
            self.write()
            if sum(map(len, self._small.values())) >= _FILE_IMAGES:
                self._merge()

    def write(self) -> None:
        """Writes the embeddings that wait."""
        if self._waiting:
            parts = list(zip(*self._waiting, strict=True))
            keys, thumbnails = ([each for part in parts[place] for each in part] for place in (0, 2))
            self._waiting = []
            self._small[self._cache.add(keys, np.concatenate(parts[1]), thumbnails)] = keys
        self._since = time.monotonic()

    def finish(self) -> None:
        """Writes the embeddings that wait, and merges the small files."""
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
