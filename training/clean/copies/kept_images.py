"""`Dataset` ──▶ `Copies`: found once, and cached on disk by the bytes of the encoded images, as embeddings are."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import asdict
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from training.clean.copies.duplicates import Copies, Group, find_copies
from training.clean.copies.perceptual_hash import PerceptualHashes
from training.data.dataset import Dataset
from training.exceptions import DataError
from training.network.embedding_cache import keys_of

FOLDER = "copies"
_METHOD = b"2"
"""Has to change when `find_copies` finds other copies, or when the cached arrays have other names."""


def kept_copies(dataset: Dataset, root: Path) -> Copies:
    """The copies among a data set's images, from the cache if they are in it.

    Args:
        dataset: the images.
        root: the directory of the cache.

    Raises:
        DataError: the cached file is damaged.
        ClientError, OSError: an image changed since it was first read.
    """
    digest = hashlib.sha256(_METHOD + dataset.input.model_dump_json().encode() + b"".join(keys_of(dataset)))
    file = root / FOLDER / f"{digest.hexdigest()[:32]}.npz"
    if not file.is_file():
        _write(file, find_copies(dataset.as_compared()))
    return _read(file)


def _write(file: Path, copies: Copies) -> None:
    """Writes the file in one rename, so that it is never seen half-written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beginning = file.with_name(f"{uuid.uuid4().hex}.part")
    groups = copies.groups
    with beginning.open("wb") as stream:
        np.savez(
            stream,
            **asdict(copies.hashes),
            members=np.array([position for group in groups for position in group.positions], np.int64),
            ends=np.cumsum([len(group.positions) for group in groups]).astype(np.int64),
            exact=np.array([group.exact for group in groups], bool),
        )
    beginning.replace(file)


def _read(file: Path) -> Copies:
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            found = dict(arrays)
            members, ends, exact = (found.pop(name) for name in ("members", "ends", "exact"))
            hashes = PerceptualHashes(**found)
    except (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, BadZipFile) as error:
        raise DataError(f"{file} is damaged ({error}); remove it, and copies are looked for again") from error
    parts = np.split(members, ends)[:-1]
    groups = [Group(tuple(part.tolist()), bool(same)) for part, same in zip(parts, exact, strict=True)]
    return Copies(hashes, groups)
