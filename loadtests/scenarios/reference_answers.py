"""Specimens, sent one by one → the label of each, which every later answer has to repeat."""

import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from loadtests.inputs.fashion_images import Specimen
from loadtests.scenarios.answer_check import WrongAnswerError, read_single

PREDICT = "/v1/predict"
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Reference:
    """What the service says of each specimen when asked for it alone.

    Attributes:
        specimens: The images, ``[N]``.
        labels: The service's label for each, ``[N]``.
    """

    specimens: tuple[Specimen, ...]
    labels: tuple[str, ...]

    @property
    def accuracy(self) -> float:
        """Share of the specimens whose label is the data set's, 0 to 1."""
        right = sum(label == specimen.truth for label, specimen in zip(self.labels, self.specimens, strict=True))
        return right / len(self.labels)

    def joined(self, other: "Reference") -> "Reference":
        """Return the specimens of both, this one's first."""
        return Reference(self.specimens + other.specimens, self.labels + other.labels)

    def check(self, picked: Sequence[int], labels: Sequence[str]) -> None:
        """Compare the labels of one answer with the labels that the picked specimens got alone.

        Raises:
            WrongAnswerError: A specimen got another label than before.
        """
        for index, label in zip(picked, labels, strict=True):
            if label != self.labels[index]:
                raise WrongAnswerError(f"image {index} was {self.labels[index]!r} alone, now it is {label!r}")


def ask_one_by_one(host: str, specimens: Sequence[Specimen]) -> Reference:
    """Send each specimen on its own, over one connection.

    Args:
        host: Base URL, e.g. ``http://127.0.0.1:3000``.
        specimens: What to send.

    Raises:
        WrongAnswerError: An answer is not a prediction, or its status is not 200.
        OSError: The service cannot be reached, or takes over 10 s for one image.
        http.client.HTTPException: What answers does not speak HTTP.
    """
    address = urlsplit(host)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.netloc, timeout=TIMEOUT_S)
    try:
        labels = tuple(_ask(connection, address.path + PREDICT, specimen) for specimen in specimens)
    finally:
        connection.close()
    return Reference(tuple(specimens), labels)


def _ask(connection: http.client.HTTPConnection, path: str, specimen: Specimen) -> str:
    connection.request("POST", path, body=specimen.body, headers={"Content-Type": specimen.media_type})
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != http.client.OK:
        raise WrongAnswerError(f"status {answer.status} for one {specimen.media_type}: {content[:200]!r}")
    return read_single(content)
