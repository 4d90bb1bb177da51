"""What all measurements of a run have in common."""

from dataclasses import dataclass
from pathlib import Path

from loadtests.inputs.fashion_images import LabelledImage
from loadtests.inputs.request_bodies import Body, single


@dataclass(frozen=True)
class Settings:
    """What is served and sent, and for how long.

    Attributes:
        bundle: What every system serves.
        images: What is sent; the first one where a request has one image.
        workers: Processes of each system.
        connections: Connections of the closed loop.
        rounds: Repetitions of every measurement.
        seconds: Length of one measurement.
        out: Existing folder for logs.
    """

    bundle: Path
    images: list[LabelledImage]
    workers: int
    connections: int
    rounds: int
    seconds: int
    out: Path

    @property
    def body(self) -> Body:
        """The body of a request with one image."""
        return single(self.images[0])

    @property
    def model_name(self) -> str:
        """Name of the bundle, by its folder or, for one version, the folder above."""
        return self.bundle.parent.name if self.bundle.name.isdecimal() else self.bundle.name
