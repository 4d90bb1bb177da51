"""Images, sent one by one ──▶ the label of each, which every later answer must repeat."""

import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from loadtests.inputs.fashion_images import LabelledImage
from loadtests.inputs.request_bodies import PREDICT
from loadtests.scenarios.answer_check import WrongAnswerError, read_single

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Reference:
    """Images, and the label that the service gives each of them alone; both ``[N]``."""

    images: tuple[LabelledImage, ...]
    labels: tuple[str, ...]

    @property
    def accuracy(self) -> float:
        """Share of the images whose label is the data set's, 0 to 1."""
        right = sum(label == image.label for label, image in zip(self.labels, self.images, strict=True))
        return right / len(self.labels)

    def joined(self, other: "Reference") -> "Reference":
        """Return the images of both, this one's first."""
        return Reference(self.images + other.images, self.labels + other.labels)

    def check(self, picked: Sequence[int], labels: Sequence[str]) -> None:
        """Compare the labels of one answer with the labels that the picked images got alone.

        Raises:
            WrongAnswerError: A image got another label than before.
        """
        for index, label in zip(picked, labels, strict=True):
            if label != self.labels[index]:
                raise WrongAnswerError(f"image {index} was {self.labels[index]!r} alone, now it is {label!r}")


def ask_one_by_one(host: str, images: Sequence[LabelledImage]) -> Reference:
    """Send each image alone, over one connection; ``host`` is a base URL.

    Raises:
        WrongAnswerError: An answer is not a prediction, or its status is not 200.
        OSError: The service cannot be reached, or takes more than 10 s for one image.
        http.client.HTTPException: A response is not HTTP.
    """
    address = urlsplit(host)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.netloc, timeout=TIMEOUT_S)
    try:
        labels = tuple(_ask(connection, address.path + PREDICT, image) for image in images)
    finally:
        connection.close()
    return Reference(tuple(images), labels)


def _ask(connection: http.client.HTTPConnection, path: str, image: LabelledImage) -> str:
    connection.request("POST", path, body=image.body, headers={"Content-Type": image.media_type})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != http.client.OK:
        raise WrongAnswerError(f"status {answer.status} for one {image.media_type}: {content[:200]!r}")
    return read_single(content)
