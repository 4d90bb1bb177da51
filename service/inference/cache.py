"""encoded image ──▶ its embedding, where this process has computed it before.

The key is a SHA-256 of all that an embedding depends on: the image as it was sent, the rule by which it is decoded, and
the embedder. So a new head finds what was embedded for the old one, and a new embedder finds nothing.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from models.bundle.manifest import EMBEDDER_FILES, Manifest, Precision
from models.runtime.sessions import Embedding

ENTRY_BYTES = 320
"""What an entry takes beside its numbers: key, array and place in the table. 252 to 292 bytes measured with
`tracemalloc` on CPython 3.11 and numpy 2.4, by how full the table is; a test measures it anew."""


class EmbeddingCache:
    """The embeddings last used; to be used by one thread.

    Args:
        limit_bytes: room for all of them.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.bytes = 0
        """Held now."""
        self._limit_bytes = limit_bytes
        self._found: OrderedDict[bytes, Embedding] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: bytes) -> Embedding | None:
        """The embedding `[D]`, which is from now on the one last used; None where there is none."""
        embedding = self._found.get(key)
        if embedding is not None:
            self._found.move_to_end(key)
        return embedding

    def put(self, key: bytes, embedding: Embedding) -> None:
        """Keeps a copy of an embedding `[D]`, and forgets those that were not used for the longest time."""
        if key in self._found or embedding.nbytes + ENTRY_BYTES > self._limit_bytes:
            return
        self._found[key] = embedding.copy()
        self.bytes += embedding.nbytes + ENTRY_BYTES
        while self.bytes > self._limit_bytes:
            _, oldest = self._found.popitem(last=False)
            self.bytes -= oldest.nbytes + ENTRY_BYTES


def seed_of(manifest: Manifest, precision: Precision) -> bytes:
    """What all embeddings of one embedder have in common."""
    embedder = manifest.files[EMBEDDER_FILES[precision]].sha256
    return hashlib.sha256(f"{embedder}{manifest.input.model_dump_json()}".encode()).digest()


def key_of(seed: bytes, image: bytes) -> bytes:
    """The key of one encoded image."""
    return hashlib.sha256(seed + image).digest()
