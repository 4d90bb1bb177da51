"""embedding and columns ──▶ why: the nearest training examples, and what image and columns did to the decision.

The blocks {image, column 1, column 2, ...} share the difference between what the head says knowing all of them and
knowing none by their Shapley values (Shapley 1953; for models Štrumbelj and Kononenko 2014): a block's mean effect over
all orders in which they could have come to be known. What is not known is, of an image, the mean embedding of training,
and, of a column, that it is missing. Where there are too many orders, a few are taken, each with its reverse, which
halves the error (Mitchell et al. 2022, https://arxiv.org/abs/2104.12199); they are the same for every request.
By how much such pairs differ, the standard error of their mean is known.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from math import factorial

import numpy as np
from numpy.typing import NDArray

from models.bundle.examples import Examples
from models.columns import ColumnValue
from models.imaging.decode import read_header
from models.runtime.sessions import Embedding
from models.runtime.head_sessions import Head
from service.api.schemas import Explanation, Neighbour

NEIGHBOURS = 5
_DIGITS = 6


class Explainer:
    """Explains the answers of one head.

    Args:
        head: the one.
        examples: its training examples.
    """

    def __init__(self, head: Head, examples: Examples) -> None:
        self._head = head
        self._examples = examples
        self._columns = [column.name for column in head.spec.columns]
        blocks = 1 + len(self._columns)
        self.is_exact = 2**blocks <= head.spec.explain_rows
        """Whether all orders count, or some that were drawn."""
        weighed = _all_orders(blocks) if self.is_exact else _some_orders(blocks, head.spec.explain_rows)
        self._known, self._pairs = weighed
        self._weights = self._pairs.mean(0)

    def __call__(self, embedding: Embedding, columns: Mapping[str, ColumnValue]) -> Explanation:
        """Explains one answer.

        Args:
            embedding: float32 `[D]`.
            columns: as the head takes them.
        """
        said = self._say(embedding, columns)
        shares = [round(float(share), _DIGITS) for share in self._weights @ said]
        explanation: Explanation = {
            "baseline": round(float(said[0]), _DIGITS),
            "image": shares[0],
            "columns": dict(zip(self._columns, shares[1:], strict=True)),
            "method": "exact" if self.is_exact else "sampled",
            "neighbours": self._neighbours(embedding),
        }
        if not self.is_exact:
            explanation["standard_error"] = round(_standard_error(self._pairs @ said), _DIGITS)
        return explanation

    def _say(self, embedding: Embedding, columns: Mapping[str, ColumnValue]) -> NDArray[np.float64]:
        """What the head says of the answer it gives, knowing the blocks that each row knows, `[R]`."""
        rows = np.where(self._known[:, :1], embedding, self._examples.baseline)
        beside = [
            {name: columns[name] if is_known else None for name, is_known in zip(self._columns, known, strict=True)}
            for known in self._known[:, 1:].tolist()
        ]
        found = self._head(rows, beside).astype(np.float64)
        return np.asarray(found[:, found[-1].argmax()])  # the last row knows everything

    def _neighbours(self, embedding: Embedding) -> list[Neighbour]:
        positions, distances = self._examples.nearest(embedding, NEIGHBOURS)
        return [
            self._neighbour(int(position), float(distance))
            for position, distance in zip(positions, distances, strict=True)
        ]

    def _neighbour(self, position: int, distance: float) -> Neighbour:
        answer = self._examples.answers[position]
        classes = self._head.spec.classes
        shown: Neighbour = {"distance": round(distance, _DIGITS)}
        if classes:
            shown["label"] = classes[int(answer)]
        else:
            shown["value"] = float(answer)
        if self._examples.thumbnails:
            shown["thumbnail"] = _data_uri(self._examples.thumbnails[position])
        return shown


def _all_orders(blocks: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Every set of blocks, none of them first and all of them last, `[R, B]`, and each one's weights, `[1, B, R]`."""
    known = (np.arange(2**blocks)[:, None] >> np.arange(blocks)) & 1 == 1
    sizes = known.sum(1)
    orders = np.array([factorial(k) * factorial(blocks - k - 1) / factorial(blocks) for k in range(blocks)])
    with_it, without = orders[np.maximum(sizes - 1, 0)], orders[np.minimum(sizes, blocks - 1)]
    return known, np.where(known, with_it[:, None], -without[:, None]).T[None]


def _some_orders(blocks: int, rows: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Sets as above, and weights `[P, B, R]`, of P orders with the reverse of each: as many as `rows` allow, but two.

    Two tell how far they differ.
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
    """Of the mean of shares `[P, B]` by P pairs of orders: its root mean square over the blocks."""
    return float(np.sqrt(shares.var(axis=0, ddof=1).mean() / len(shares)))


def _data_uri(image: bytes) -> str:
    return f"data:image/{read_header(image).type};base64,{base64.b64encode(image).decode()}"
