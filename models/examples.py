"""training examples of a head ──▶ the ones nearest to an embedding, and what an image counts as that is left out.

Kept as plain arrays in the bundle's directory `examples-<head>/`: `embedding` float16 `[M, D]`; `answers`, int64 `[M]`
class positions or float32 `[M]` values; `baseline` float32 `[D]`, the mean of all training embeddings; and, where the
bundle was built with them, thumbnails as one uint8 array of encoded images behind each other with their `ends` int64
`[M]`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.errors import BundleError

_DTYPES = {"embedding": "f2", "baseline": "f4", "thumbnails": "u1", "ends": "i8"}


@dataclass(frozen=True)
class Examples:
    """Some training examples of one head.

    Attributes:
        embedding: float32 `[M, D]`, at the precision of float16.
        answers: int64 `[M]` class positions, or float32 `[M]` values.
        baseline: float32 `[D]`, the embedding that stands for no image in particular.
        thumbnails: M encoded images, or none.
    """

    embedding: NDArray[np.float32]
    answers: NDArray[np.int64] | NDArray[np.float32]
    baseline: NDArray[np.float32]
    thumbnails: Sequence[bytes] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "_squares", (self.embedding**2).sum(1))

    def nearest(self, embedding: NDArray[np.float32], count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Positions and Euclidean distances of the examples nearest to an embedding `[D]`, the nearest first."""
        squares: NDArray[np.float32] = self._squares - 2 * (self.embedding @ embedding)  # type: ignore[attr-defined]
        count = min(count, len(squares))
        found = np.argpartition(squares, count - 1)[:count]
        found = found[np.argsort(squares[found], kind="stable")]
        return found, np.linalg.norm(self.embedding[found] - embedding, axis=1)

    def to_files(self, folder: str) -> dict[str, bytes]:
        """The arrays as files by name."""
        arrays: dict[str, NDArray[np.generic]] = {
            "embedding": self.embedding.astype(np.float16),
            "answers": self.answers,
            "baseline": self.baseline,
        }
        if self.thumbnails:
            arrays["thumbnails"] = np.frombuffer(b"".join(self.thumbnails), np.uint8)
            arrays["ends"] = np.cumsum([len(data) for data in self.thumbnails]).astype(np.int64)
        return {f"{folder}/{name}.npy": _npy(array) for name, array in arrays.items()}

    @classmethod
    def from_files(
        cls, folder: str, files: Mapping[str, bytes], read: Callable[[str], NDArray[np.generic]], width: int
    ) -> Examples:
        """Reads the arrays.

        Args:
            folder: their directory in the bundle.
            files: the bundle's.
            read: reads one of them by its name as a plain array.
            width: of the embedding.

        Raises:
            BundleError: one is missing, or another shape or type than it says.
        """
        arrays = {name: read(f"{folder}/{name}.npy") for name in ("embedding", "answers", "baseline")}
        if f"{folder}/thumbnails.npy" in files:
            arrays |= {name: read(f"{folder}/{name}.npy") for name in ("thumbnails", "ends")}
        rows = len(arrays["answers"])
        shapes = {"embedding": (rows, width), "answers": (rows,), "baseline": (width,), "ends": (rows,)}
        for name, array in arrays.items():
            is_typed = array.dtype == _DTYPES[name] if name in _DTYPES else array.dtype in ("i8", "f4")
            if not is_typed or not rows or array.shape != shapes.get(name, array.shape):
                raise BundleError(
                    f"{folder}/{name}.npy: holds {array.dtype} of shape {array.shape}, which is not what "
                    f"{rows} examples of width {width} need; write the bundle again with `python -m training`"
                )
        return cls(
            embedding=arrays["embedding"].astype(np.float32),
            answers=arrays["answers"],  # type: ignore[arg-type]
            baseline=arrays["baseline"],  # type: ignore[arg-type]
            thumbnails=_cut(arrays["thumbnails"], arrays["ends"], folder) if "ends" in arrays else (),
        )


def _cut(data: NDArray[np.generic], ends: NDArray[np.generic], folder: str) -> list[bytes]:
    """Each thumbnail's bytes."""
    cuts = [0, *ends.tolist()]
    if cuts != sorted(cuts) or cuts[-1] != data.size:
        raise BundleError(f"{folder}/ends.npy: are not the ends of the thumbnails; write the bundle again")
    whole = data.tobytes()
    return [whole[start:end] for start, end in pairwise(cuts)]


def _npy(array: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
