"""training examples of a head ──▶ those nearest to an embedding, and the baseline of explanations.

They are plain arrays in the bundle's folder `examples-<head>/`. Embeddings are quantized: `codes` uint8 `[M, d]`, where
`lows + codes * steps`, both float32 `[d]`, is the offset from `baseline` float32 `[D]`, the mean of all training
embeddings. Wide embeddings are projected first: `axes` float16 `[d, D]` are principal axes, and `rest` float32 `[M]` is
the squared length of each example outside of them. `answers` are int32 `[M]` class positions or float32 `[M]` values.
Optional `thumbnails`, uint8, are encoded images one after the other, with their `ends` int32 `[M]`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import BundleError

Floats = NDArray[np.float32]

_DTYPES = {
    "codes": ("u1",), "lows": ("f4",), "steps": ("f4",), "answers": ("i4", "f4"), "baseline": ("f4",),
    "axes": ("f2",), "rest": ("f4",), "thumbnails": ("u1",), "ends": ("i4",),
}  # fmt: skip
_PROJECTED, _PICTURED = ("axes", "rest"), ("thumbnails", "ends")


@dataclass(frozen=True)
class Examples:
    """Some training examples of one head.

    Attributes:
        codes: uint8 `[M, d]`, the quantized embeddings.
        lows: float32 `[d]`, the offset of code 0.
        steps: float32 `[d]`, the difference between one code and the next.
        answers: int32 `[M]` class positions, or float32 `[M]` values.
        baseline: float32 `[D]`, the mean embedding of training.
        axes: float16 `[d, D]`; None if nothing was projected, so that d is D.
        rest: float32 `[M]`; None if nothing was projected.
        thumbnails: M encoded images, or none.
    """

    codes: NDArray[np.uint8]
    lows: Floats
    steps: Floats
    answers: NDArray[np.int32] | NDArray[np.float32]
    baseline: Floats
    axes: NDArray[np.float16] | None = None
    rest: Floats | None = None
    thumbnails: Sequence[bytes] = ()

    _points: Floats = field(init=False, repr=False)
    _axes: Floats | None = field(init=False, repr=False)
    _missed: Floats = field(init=False, repr=False)
    _squares: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        points = self.lows + self.codes * self.steps
        missed = np.zeros(len(points), np.float32) if self.rest is None else self.rest
        object.__setattr__(self, "_points", points)
        object.__setattr__(self, "_axes", None if self.axes is None else self.axes.astype(np.float32))
        object.__setattr__(self, "_missed", missed)
        object.__setattr__(self, "_squares", (points**2).sum(1) + missed)

    def nearest(self, embedding: Floats, count: int) -> tuple[NDArray[np.int64], Floats]:
        """Positions of the examples nearest to an embedding `[D]` and their Euclidean distances, the nearest first.

        The parts of embedding and example outside the axes are assumed orthogonal. So if embeddings are projected, the
        distance of an example to itself is more than 0.
        """
        # Not `@`: OpenBLAS splits it over threads, which takes 8 ms instead of 0.3 if another worker uses a core.
        offset = embedding - self.baseline
        projected: Floats = offset if self._axes is None else np.vecdot(self._axes, offset)
        squares: Floats = self._squares - 2 * np.vecdot(self._points, projected)
        count = min(count, len(squares))
        found = np.argpartition(squares, count - 1)[:count]
        found = found[np.argsort(squares[found], kind="stable")]
        missed = self._missed[found] + max(0.0, float(offset @ offset - projected @ projected))
        return found, np.sqrt(((self._points[found] - projected) ** 2).sum(1) + missed)

    def to_files(self, folder: str) -> dict[str, bytes]:
        """The arrays as .npy files by name."""
        names = ["codes", "lows", "steps", "answers", "baseline", *(_PROJECTED if self.axes is not None else ())]
        arrays = {name: getattr(self, name) for name in names}
        if self.thumbnails:
            arrays["thumbnails"] = np.frombuffer(b"".join(self.thumbnails), np.uint8)
            arrays["ends"] = np.cumsum([len(data) for data in self.thumbnails]).astype(np.int32)
        return {f"{folder}/{name}.npy": _npy(array) for name, array in arrays.items()}

    @classmethod
    def from_files(
        cls, folder: str, files: Mapping[str, bytes], read: Callable[[str], NDArray[np.generic]], width: int
    ) -> Examples:
        """Reads the arrays.

        Args:
            folder: their folder in the bundle.
            files: of the bundle.
            read: reads one of the files as a plain array.
            width: of the embedding.

        Raises:
            BundleError: an array is missing, or has a wrong shape or type.
        """
        names = ["codes", "lows", "steps", "answers", "baseline"]
        for first, *others in (_PROJECTED, _PICTURED):
            names += [first, *others] if f"{folder}/{first}.npy" in files else []
        arrays: dict[str, Any] = {name: read(f"{folder}/{name}.npy") for name in names}
        _check(arrays, folder, width)
        thumbnails, ends = (arrays.pop(name, None) for name in _PICTURED)
        return cls(**arrays, thumbnails=() if ends is None else _cut(thumbnails, ends, folder))


def _check(arrays: Mapping[str, NDArray[np.generic]], folder: str, width: int) -> None:
    """Raises `BundleError` unless all types and shapes fit together and the width."""
    rows, codes = arrays["answers"].size, arrays["codes"].shape[1:2] if "axes" in arrays else (width,)
    shapes = {
        "codes": (rows, *codes), "lows": codes, "steps": codes, "answers": (rows,), "baseline": (width,),
        "axes": (*codes, width), "rest": (rows,), "ends": (rows,),
    }  # fmt: skip
    for name, array in arrays.items():
        if array.dtype not in _DTYPES[name] or not rows or array.shape != shapes.get(name, (array.size,)):
            raise BundleError(
                f"{folder}/{name}.npy: holds {array.dtype} of shape {array.shape}, which is not what "
                f"{rows} examples of width {width} need; write the bundle again with `python -m training`"
            )


def _cut(data: NDArray[np.generic], ends: NDArray[np.generic], folder: str) -> list[bytes]:
    """Cuts the bytes into thumbnails."""
    cuts = [0, *ends.tolist()]
    if cuts != sorted(cuts) or cuts[-1] != data.size:
        raise BundleError(f"{folder}/ends.npy: are not the ends of the thumbnails; write the bundle again")
    whole = data.tobytes()
    return [whole[start:end] for start, end in pairwise(cuts)]


def _npy(array: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
