"""What a network's training measured, epoch by epoch; needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class History:
    """One entry per epoch.

    Attributes:
        loss: mean training loss.
        validation_accuracy: accuracy of the averaged network, in [0, 1]; NaN if there are no validation images.
        seconds: duration of the epoch.
    """

    loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
