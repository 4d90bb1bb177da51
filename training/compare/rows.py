"""what a comparison found: one row a contender and size, what was left out, and where all of it was measured."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from models.columns import Strict

Hits = NDArray[np.bool_]


class Family(StrEnum):
    """What decides, on what; simplest first."""

    COLUMNS = "columns alone"
    PIXELS = "pixels"
    HOG = "hand-made features"
    HYBRID = "hybrid"
    HYBRID_COLUMNS = "hybrid with columns"
    NETWORK = "network alone"


class Row(Strict):
    """One contender, fitted on `size` images.

    Attributes:
        size: images that it was given, those held out for its calibration among them.
        family: what it belongs to.
        name: for a person.
        accuracy: share of right answers on the test set, in [0, 1].
        log_loss: nats.
        ece: expected calibration error, in [0, 1].
        fit_seconds: wall time from images to a fitted and calibrated model, features and network included.
        predict_us: median microseconds for one image alone, on one thread, from decoded pixels to probabilities.
        size_bytes: of all ONNX graphs that are needed.
        explains: what its decisions can be told by: pixels, neighbours, columns.
        right: which test images it answered right, as `pack` gives it.
    """

    size: int
    family: Family
    name: str
    accuracy: float
    log_loss: float
    ece: float
    fit_seconds: float
    predict_us: float
    size_bytes: int
    explains: tuple[str, ...]
    right: str

    def hits(self, count: int) -> Hits:
        """Whether each of `count` test images was answered right, bool `[count]`."""
        packed = np.frombuffer(base64.b64decode(self.right), np.uint8)
        return np.unpackbits(packed, count=count).astype(np.bool_)


class LeftOut(Strict):
    """What was not measured, and why."""

    size: int
    name: str
    reason: str


class Network(Strict):
    """How the network of one size was fitted: in fewer epochs than planned where they took too long."""

    size: int
    images: int
    epochs: int
    planned: int
    seconds: float

    @property
    def told(self) -> str:
        """Its epochs, and how many there should have been, for a person."""
        return (
            f"{self.epochs:,} epochs" if self.epochs == self.planned else f"{self.epochs:,} of {self.planned:,} epochs"
        )


class Comparison(Strict):
    """Everything that the page, the table and the JSON file tell.

    Attributes:
        data: name of the data set.
        classes: their names.
        columns: names of what stands beside the image.
        test_images: size of the common test set.
        rows: in the order in which they were measured.
        left_out: everything that was asked for and is not in `rows`.
        networks: one a size.
        verdict: sentences.
        interrupted: whether a person stopped it.
        command: that makes the same again.
        seed: of samples and models.
        budget_minutes: that was given.
        seconds: that it took, without the reading of the data.
        created: when it ended, with a time zone.
        hardware: what it ran on.
        versions: of the libraries.
        skipped: files that could not be read.
    """

    data: str
    classes: tuple[str, ...]
    columns: tuple[str, ...]
    test_images: int
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]
    networks: tuple[Network, ...]
    verdict: tuple[str, ...]
    interrupted: bool
    command: str
    seed: int
    budget_minutes: float
    seconds: float
    created: datetime
    hardware: str
    versions: dict[str, str]
    skipped: tuple[str, ...] = ()

    @property
    def sizes(self) -> list[int]:
        """Those with a row, ascending."""
        return sorted({row.size for row in self.rows})

    def at(self, size: int) -> list[Row]:
        """The rows of one size, the best first."""
        return sorted((row for row in self.rows if row.size == size), key=by_merit)


def pack(hits: Hits) -> str:
    """Bool `[N]` as base64 of its bits, the first of each byte the highest."""
    return base64.b64encode(np.packbits(hits).tobytes()).decode()


def by_merit(row: Row) -> tuple[float, float, float]:
    """Sorts the most accurate first, of equals the one of less log loss, then the faster one."""
    return -row.accuracy, row.log_loss, row.predict_us


def champion(rows: Sequence[Row], *families: Family) -> Row | None:
    """The first of some families in rows as `Comparison.at` gives them."""
    return next((row for row in rows if row.family in families), None)
