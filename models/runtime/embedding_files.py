"""embeddings ──▶ files under hashes of embedder and encoded image, so that none is computed twice.

Training and scoring share them: a head is fitted on what scoring embedded, and the other way round.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.bundle.input_spec import InputSpec
from models.errors import DataError

DEFAULT_ROOT = Path("build") / "embeddings"
SECONDS_BETWEEN_FILES = 15
"""A killed run loses the work of so many seconds, at most."""
_KEY_BYTES = 32
_FILE_IMAGES = 4000
"""Images in small files, from which on the files are merged."""
_LEFTOVER_SECONDS = 24 * 60 * 60
_DAMAGE = (OSError, EOFError, ValueError, KeyError, IndexError, RuntimeError, BadZipFile)
"""What numpy and zipfile raise if bytes of a file are missing or wrong."""


def key_of(data: bytes) -> bytes:
    """The key that identifies an encoded image: its SHA-256."""
    return hashlib.sha256(data).digest()


class EmbeddingCache:
    """The embeddings of one embedder, with thumbnails of the images, which are empty if scoring embedded them.

    Args:
        root: directory of all embedders' caches.
        graph: the embedder.
        spec: how images are decoded for it.
        with_thumbnails: whether thumbnails are kept in memory.

    Raises:
        DataError: a file of the cache is damaged.
    """

    def __init__(self, root: Path, graph: bytes, spec: InputSpec, *, with_thumbnails: bool = True) -> None:
        self._with_thumbnails = with_thumbnails
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

    def has_thumbnail(self, key: bytes) -> bool:
        """Whether it has an image with a thumbnail."""
        return key in self._rows and bool(self._rows[key][1])

    def get(self, key: bytes) -> NDArray[np.float32] | None:
        """The embedding of an image `[D]`; None if it does not have it."""
        row = self._rows.get(key)
        return None if row is None else row[0]

    def embedding(self, keys: Sequence[bytes]) -> NDArray[np.float32]:
        """Embeddings of images that it has, float32 `[N, D]`."""
        return np.stack([self._rows[key][0] for key in keys])

    def thumbnails(self, keys: Sequence[bytes]) -> list[bytes]:
        """Encoded thumbnails of images that it has."""
        return [self._rows[key][1] for key in keys]

    def add(self, keys: Sequence[bytes], embedding: NDArray[np.float32], thumbnails: Sequence[bytes]) -> Path:
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
                data = arrays["thumbnails"].tobytes() if self._with_thumbnails else b""
            starts = [0, *ends.tolist()]
            rows = {
                key.tobytes(): (embedding[index], data[starts[index] : starts[index + 1]])
                for index, key in enumerate(keys)
            }
        except FileNotFoundError:  # another process has just merged it
            return
        except _DAMAGE as error:
            raise DataError(f"{file} is damaged ({error}); remove it, and its images are embedded again") from error
        for key, row in rows.items():  # a thumbnail may be in another file than scoring's, which has none
            if row[1] or key not in self._rows:
                self._rows[key] = row


class EmbeddingWriter:
    """Writes embeddings to the cache: often, in small files, so that a kill costs seconds; later merges the files.

    Attributes:
        count: images added so far.
    """

    def __init__(self, cache: EmbeddingCache) -> None:
        self.count = 0
        self._cache = cache
        self._waiting: list[tuple[Sequence[bytes], NDArray[np.float32], Sequence[bytes]]] = []
        self._small: dict[Path, list[bytes]] = {}
        self._since = time.monotonic()

    def add(self, keys: Sequence[bytes], embedding: NDArray[np.float32], thumbnails: Sequence[bytes]) -> None:
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
