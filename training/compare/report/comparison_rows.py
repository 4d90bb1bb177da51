"""what a comparison found: one row for each model and size, what was left out, and where it was measured."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from models.frozen import Frozen
from training.compare.report.paired_intervals import Hits, accuracy_interval


class Family(StrEnum):
    """What models see, the simplest first."""

    COLUMNS = "columns alone"
    PIXELS = "pixels"
    HOG = "hand-made features"
    PRETRAINED = "pretrained network, frozen"
    HYBRID = "hybrid"
    HYBRID_COLUMNS = "hybrid with columns"
    NETWORK = "network alone"


class Row(Frozen):
    """One model, fitted on `size` images.

    Attributes:
        size: images that it was given, including those held out for its calibration.
        family: what it belongs to.
        name: as people read it.
        accuracy: share of test images that it got right, in [0, 1]. All figures are means over the seeds.
        low: lower end of the 95 % interval of the accuracy; it includes the noise of training if several seeds ran.
        high: upper end.
        log_loss: nats.
        ece: expected calibration error, in [0, 1].
        fit_seconds: wall time from images to a fitted and calibrated model, features and network included.
        predict_us: median microseconds for one image alone, on one thread, from decoded pixels to probabilities.
        size_bytes: of all ONNX graphs that are needed.
        explains: what its decisions can be explained by: pixels, neighbours, columns.
        right: which test images it got right, packed by `pack`, for each seed.
    """

    size: int
    family: Family
    name: str
    accuracy: float
    low: float
    high: float
    log_loss: float
    ece: float
    fit_seconds: float
    predict_us: float
    size_bytes: int
    explains: tuple[str, ...]
    right: tuple[str, ...]

    def hits(self, count: int) -> Hits:
        """Whether each of `count` test images was right with each seed, bool `[S, count]`."""
        packed = [np.frombuffer(base64.b64decode(each), np.uint8) for each in self.right]
        return np.stack([np.unpackbits(each, count=count).astype(np.bool_) for each in packed])

    def and_another(self, other: Row, count: int) -> Row:
        """This row with one more seed, on `count` test images."""
        seeds = len(self.right)
        names = ("accuracy", "log_loss", "ece", "fit_seconds", "predict_us")
        means = {name: (getattr(self, name) * seeds + getattr(other, name)) / (seeds + 1) for name in names}
        joined = self.model_copy(update={**means, "right": (*self.right, *other.right)})
        found = accuracy_interval(joined.hits(count))
        return joined.model_copy(update={"low": found.low / 100, "high": found.high / 100})


class LeftOut(Frozen):
    """What was not measured, and why."""

    size: int
    name: str
    reason: str


class Network(Frozen):
    """How the network of one size was fitted; in fewer epochs than planned if they took too long."""

    size: int
    images: int
    epochs: int
    planned: int
    seconds: float

    @property
    def told(self) -> str:
        """Its epochs, and how many were planned, as people read it."""
        return (
            f"{self.epochs:,} epochs" if self.epochs == self.planned else f"{self.epochs:,} of {self.planned:,} epochs"
        )


class Decision(Frozen):
    """Which model of the largest size to use, or that the data cannot tell.

    Attributes:
        recommended: its name; None if no model is shown to be good enough.
        contenders: if none is recommended, the names of the models that cannot be told apart, the simplest first.
        enough_images: test images that would be enough if the figures stay as they are; None if no number would be.
    """

    recommended: str | None
    contenders: tuple[str, ...] = ()
    enough_images: int | None = None


class Comparison(Frozen):
    """Everything that the page, the table and the JSON file show.

    Attributes:
        data: name of the data set.
        classes: their names.
        columns: names of the columns beside the image.
        test_images: size of the common test set.
        copied: test images that are left out because other images are copies of them.
        rows: in the order in which they were measured.
        left_out: what was asked for and is not in `rows`.
        networks: one for each size.
        margin: points by which the recommended model may be worse than the best.
        confidence: of that.
        decision: which model to use; None if nothing was measured, or if somebody stopped the comparison.
        verdict: the same in sentences.
        interrupted: whether somebody stopped it.
        command: that makes the same comparison again.
        seed: of samples and models.
        budget_minutes: the budget.
        seconds: the time it took, without reading the data.
        created: when it ended, with a time zone.
        hardware: what it ran on.
        versions: of the libraries.
        skipped: files that could not be read.
    """

    data: str
    classes: tuple[str, ...]
    columns: tuple[str, ...]
    test_images: int
    copied: int
    rows: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]
    networks: tuple[Network, ...]
    margin: float
    confidence: float
    decision: Decision | None
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
        """Sizes with a row, ascending."""
        return sorted({row.size for row in self.rows})

    def at(self, size: int) -> list[Row]:
        """The rows of one size, the best first."""
        return sorted((row for row in self.rows if row.size == size), key=by_merit)


def pack(hits: NDArray[np.bool_]) -> str:
    """Bool `[N]` as base64 of its bits, the first of each byte the highest."""
    return base64.b64encode(np.packbits(hits).tobytes()).decode()


def by_merit(row: Row) -> tuple[float, float, float]:
    """Sorts by accuracy, the best first; ties by log loss, then by speed."""
    return -row.accuracy, row.log_loss, row.predict_us


def champion(rows: Sequence[Row], *families: Family) -> Row | None:
    """The best row of some families, from rows that `Comparison.at` has sorted."""
    return next((row for row in rows if row.family in families), None)
