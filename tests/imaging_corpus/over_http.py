"""files of the corpus ──HTTP──▶ what is wrong with what a real server answers of them."""

from __future__ import annotations

import base64
import functools
import http.client
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.bundle.loading import Bundle
from models.bundle.store import DEFAULT_ROOT, Store
from models.imaging.decode import decode
from models.runtime.head_sessions import Head
from models.runtime.sessions import Embedder, cpu_session
from tests.chaos.rig.servers import HOST, Server
from tests.imaging_corpus.files import Dice, File, saved

TOLERANCE = 2e-5  # of a probability: batches add in another order, and answers have six digits
REQUEST_WITHIN_S = 20.0
_TOGETHER = 8  # files of a JSON or packed request
_BOUNDARY = "corpus-boundary-9d1f"


@dataclass(frozen=True)
class Request:
    """A request and the files whose answers it must bring, in order."""

    content_type: str
    body: bytes
    files: Sequence[File]
    single: bool = False


@dataclass
class Answers:
    """What came of the requests so far."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    slowest_s: float = 0.0

    @property
    def requests(self) -> int:
        """All of them."""
        return sum(self.statuses.values())

    def describe(self) -> str:
        """One line."""
        statuses = ", ".join(f"{count} x {status}" for status, count in sorted(self.statuses.items()))
        return f"{self.requests} requests in {self.seconds:.0f} s: {statuses}; the slowest took {self.slowest_s:.2f} s"


def good_neighbour() -> File:
    """A picture that is answered whatever stands beside it."""
    data = saved(Dice(1).picture(28, 28), "RGB", "PNG")
    return File("good", "a neighbour", data)


def requests(files: Sequence[File]) -> Iterator[Request]:
    """Each file alone, and between good neighbours in a form; some at a time with good ones as JSON and packed."""
    good = good_neighbour()
    for file in files:
        yield Request("application/octet-stream", file.data, [file], single=True)
        yield _form([good, file, good])
    for start in range(0, len(files), _TOGETHER):
        group = [one for file in files[start : start + _TOGETHER] for one in (good, file)]
        yield _json(group)
        yield _packed(group)


def _form(files: Sequence[File]) -> Request:
    head = 'Content-Disposition: form-data; name="image"; filename="a"\r\nContent-Type: application/octet-stream'
    parts = [f"--{_BOUNDARY}\r\n{head}\r\n\r\n".encode() + file.data + b"\r\n" for file in files]
    return Request(
        f"multipart/form-data; boundary={_BOUNDARY}", b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode(), files
    )


def _data_uri(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


_STYLES: tuple[Callable[[bytes], str], ...] = (
    lambda data: base64.b64encode(data).decode(),
    lambda data: base64.encodebytes(data).decode(),
    lambda data: base64.urlsafe_b64encode(data).decode(),
    lambda data: base64.b64encode(data).decode().rstrip("="),
    _data_uri,
)


def _json(files: Sequence[File]) -> Request:
    """In all the ways in which base64 is written."""
    instances = [{"image": _STYLES[place % len(_STYLES)](file.data)} for place, file in enumerate(files)]
    return Request("application/json", json.dumps({"instances": instances}).encode(), files)


def _packed(files: Sequence[File]) -> Request:
    body = b"".join(len(file.data).to_bytes(4, "little") + file.data for file in files)
    return Request("application/x-tandem-images", body, files)


class InProcess:
    """The committed bundle without a server: what a right answer is."""

    def __init__(self) -> None:
        bundle = Bundle.open(Store(DEFAULT_ROOT).path("fashion-mnist"))
        self.spec, self.head = bundle.manifest.input, bundle.manifest.default_head
        self._embedder = Embedder(cpu_session(bundle.embedder("fp32")))
        self._head = Head(cpu_session(bundle.head(self.head)), self.head)
        self._answer = functools.cache(self._compute)

    def complaint(self, file: File, answer: Any) -> str:
        """What is wrong with the answer to one file, a prediction or an error; empty where nothing is."""
        code = answer.get("code") or answer.get("error", {}).get("code", "")
        if file.codes:
            allowed = file.codes | ({"bad_request"} if not file.data else set())
            return "" if code in allowed else f"{code or 'accepted'}; right is {sorted(allowed)}"
        if code:
            return f"refused: {answer}"
        wanted = self._answer(file.data)
        found = [answer["probabilities"][name] for name in self.head.classes]
        apart = float(np.abs(np.array(found) - wanted).max())
        return "" if apart <= TOLERANCE else f"probabilities are {apart:g} apart from those in process"

    def _compute(self, data: bytes) -> np.ndarray:
        return self._head(self._embedder(decode(data, self.spec)[None]))[0]


def hammer(server: Server, asked: Iterable[Request], within_s: float) -> Answers:
    """Sends each request and looks at its answer.

    Raises:
        AssertionError: not done in time.
        OSError: the server does not answer.
    """
    right, found, began = InProcess(), Answers(), time.monotonic()
    connection = http.client.HTTPConnection(HOST, server.port, timeout=REQUEST_WITHIN_S)
    try:
        for request in asked:
            started = time.monotonic()
            assert started - began < within_s, f"not done in {within_s:g} s: {found.describe()}"
            connection.request("POST", "/v1/predict", request.body, {"Content-Type": request.content_type})
            response = connection.getresponse()
            answer = json.loads(response.read())
            found.slowest_s = max(found.slowest_s, time.monotonic() - started)
            found.statuses[response.status] += 1
            found.wrong += _complaints(right, request, response.status, answer)
    finally:
        connection.close()
    found.seconds = time.monotonic() - began
    return found


def _complaints(right: InProcess, request: Request, status: int, answer: Any) -> list[str]:
    where = f"{status} {request.content_type.partition(';')[0]}"
    if request.single:
        (file,) = request.files
        complaint = right.complaint(file, answer) or _status_complaint(file, status, answer)
        return [f"{where}: {file.kind}: {file.name}: {complaint}"] if complaint else []
    if status != 200:
        return [f"{where}: {[file.name for file in request.files if file.kind != 'good']}: {answer}"]
    pairs = zip(request.files, answer["predictions"], strict=True)
    complaints = [(file, right.complaint(file, one)) for file, one in pairs]
    return [f"{where}: {file.kind}: {file.name}: {complaint}" for file, complaint in complaints if complaint]


def _status_complaint(file: File, status: int, answer: Any) -> str:
    wanted = 200 if not file.codes else STATUSES[answer["code"]]
    return "" if status == wanted else f"status {status}; right is {wanted}"


STATUSES = {"bad_image": 400, "bad_request": 400, "unsupported_type": 415, "too_large": 413}
