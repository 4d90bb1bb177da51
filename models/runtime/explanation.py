"""embedding and columns ──▶ an explanation: the nearest training examples, and what image and columns contributed.

The blocks {image, column 1, column 2, ...} share the difference between the head's output knowing all of them and
knowing none, by their Shapley values (Shapley 1953; for models Štrumbelj and Kononenko 2014): a block's share is its
mean effect over all orders in which the blocks could become known. An unknown image is the mean embedding of training,
an unknown column is a missing one. If there are too many orders, a sample is taken, each with its reverse, which halves
the error (Mitchell et al. 2022, https://arxiv.org/abs/2104.12199); it is the same for every request. The spread of
these pairs gives the standard error of their mean.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from math import factorial
from typing import Literal, Required

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict  # pydantic's own dependency; it refuses typing's before Python 3.12

from models.bundle.examples import Examples
from models.columns import ColumnValue
from models.imaging.decode import read_header
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedding

NEIGHBOURS = 5
_DIGITS = 6


class Neighbour(TypedDict, total=False):
    """A training example near the image: its label or value, its distance, and a data URI of it."""

    distance: Required[float]
    label: str
    value: float
    thumbnail: str


class PhotoEffect(TypedDict):
    """The probability of the label, or the value, less what it would be without one of an instance's images."""

    index: int
    effect: float


class Explanation(TypedDict, total=False):
    """How far image and columns moved the probability of the label, or the value, from the baseline; they add up.

    Sampled ones have the standard error of image and columns: its root mean square over them. Of an instance of several
    images, `image` is all of them, and `images` says what each of them did.
    """

    baseline: Required[float]
    image: Required[float]
    columns: Required[dict[str, float]]
    method: Required[Literal["exact", "sampled"]]
    standard_error: float
    neighbours: Required[list[Neighbour]]
    images: list[PhotoEffect]


class Explainer:
    """Explains the answers of one head.

    Args:
        head: the head.
        examples: its training examples.
    """

    def __init__(self, head: Head, examples: Examples) -> None:
        self._head = head
        self._examples = examples
        self._columns = [column.name for column in head.spec.columns]
        blocks = 1 + len(self._columns)
        self.is_exact = 2**blocks <= head.spec.explain_rows
        """Whether all orders count, or a sample of them."""
        self._known, self._pairs = (
            _all_orders(blocks) if self.is_exact else _some_orders(blocks, head.spec.explain_rows)
        )
        self._weights = self._pairs.mean(0)

    def __call__(self, embedding: Embedding, columns: Mapping[str, ColumnValue]) -> Explanation:
        """Explains one answer.

        Args:
            embedding: float32 `[D]`.
            columns: as the head takes them.
        """
        outputs = self._outputs(embedding, columns)
        shares = [round(float(share), _DIGITS) for share in self._weights @ outputs]
        explanation: Explanation = {
            "baseline": round(float(outputs[0]), _DIGITS),
            "image": shares[0],
            "columns": dict(zip(self._columns, shares[1:], strict=True)),
            "method": "exact" if self.is_exact else "sampled",
            "neighbours": [
                self._neighbour(int(position), float(distance))
                for position, distance in zip(*self._examples.nearest(embedding, NEIGHBOURS), strict=True)
            ],
        }
        if not self.is_exact:
            explanation["standard_error"] = round(_standard_error(self._pairs @ outputs), _DIGITS)
        return explanation

    def _outputs(self, embedding: Embedding, columns: Mapping[str, ColumnValue]) -> NDArray[np.float64]:
        """The probability of the label, or the value, when the blocks in each row of `_known` are known, `[R]`."""
        rows = np.where(self._known[:, :1], embedding, self._examples.baseline)
        beside = [
            {name: columns[name] if is_known else None for name, is_known in zip(self._columns, known, strict=True)}
            for known in self._known[:, 1:].tolist()
        ]
        outputs = self._head(rows, beside).astype(np.float64)
        return np.asarray(outputs[:, outputs[-1].argmax()])  # the last row knows everything

    def _neighbour(self, position: int, distance: float) -> Neighbour:
        answer = self._examples.answers[position]
        classes = self._head.spec.classes
        neighbour: Neighbour = {"distance": round(distance, _DIGITS)}
        if classes:
            neighbour["label"] = classes[int(answer)]
        else:
            neighbour["value"] = float(answer)
        if self._examples.thumbnails:
            neighbour["thumbnail"] = _data_uri(self._examples.thumbnails[position])
        return neighbour


def _all_orders(blocks: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """All sets of blocks, the empty one first and the full one last, `[R, B]`, and their weights `[1, B, R]`."""
    known = (np.arange(2**blocks)[:, None] >> np.arange(blocks)) & 1 == 1
    sizes = known.sum(1)
    orders = np.array([factorial(k) * factorial(blocks - k - 1) / factorial(blocks) for k in range(blocks)])
    with_it, without = orders[np.maximum(sizes - 1, 0)], orders[np.minimum(sizes, blocks - 1)]
    return known, np.where(known, with_it[:, None], -without[:, None]).T[None]


def _some_orders(blocks: int, rows: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Sets as above and weights `[P, B, R]` of P orders with the reverse of each.

    P is as large as `rows` allows, but at least 2, so that there is a standard error.
    """
    pairs = max(2, (rows - 2) // (2 * (blocks - 1)))
    generator = np.random.default_rng(0)
    weights: dict[bytes, NDArray[np.float64]] = {}
    for pair in range(pairs):
        order = generator.permutation(blocks)
        for way in (order, order[::-1]):
            known = np.zeros(blocks, bool)
            for block in way:
                before, known = known, known.copy()
                known[block] = True
                for row, sign in ((known, 0.5), (before, -0.5)):
                    weights.setdefault(row.tobytes(), np.zeros((pairs, blocks)))[pair, block] += sign
    ordered = sorted(weights, key=lambda row: np.frombuffer(row, bool).sum())
    return np.stack([np.frombuffer(row, bool) for row in ordered]), np.stack([weights[row] for row in ordered], axis=2)


def _standard_error(shares: NDArray[np.float64]) -> float:
    """Standard error of the mean of shares `[P, B]` over P pairs of orders: its root mean square over the blocks."""
    return float(np.sqrt(shares.var(axis=0, ddof=1).mean() / len(shares)))


def _data_uri(image: bytes) -> str:
    return f"data:image/{read_header(image).type};base64,{base64.b64encode(image).decode()}"
