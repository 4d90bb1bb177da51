"""encoded images ──decode──▶ ──queue──▶ ──embed──▶ ──decide──▶ outcomes: the whole path, each image on its own.

Both the lean HTTP routes and BentoML's typed endpoint call this.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from models.errors import ClientError, DeadlineExceeded, NotReady, TandemError, TooLarge
from models.headers import Header
from models.manifest import ColumnValue
from models.pixels import decode, read_checked_header
from models.sessions import Embedding
from service.bodies import Item
from service.cache import EmbeddingCache, key_of
from service.engine import Engine, Outcome, Work
from service.served import Served
from service.worker import Worker

# A request of so little work and so few bytes is decoded in place, which costs less than a thread and back.
INLINE_PIXELS = 32 * 1024
INLINE_BYTES = 32 * 1024
MIB = 1024 * 1024
DECODE_THREADS = 2
"""Images that a process decodes at once: so many times `models.pixels.DECODE_MIB` is what all its requests together
may hold for decoding, beside their bodies, which `Settings.max_buffered_bytes` bounds."""

# What one image costs a process beside the engine, for estimates: reading and writing a request, decoding a pixel.
IMAGE_S = 0.0003
PIXEL_S = 10e-9


class Admitted(NamedTuple):
    """An image whose header and columns were found good."""

    image: bytes
    header: Header
    columns: dict[str, ColumnValue] | None
    key: bytes
    """In the cache; empty where there is none."""


class Known(NamedTuple):
    """An image that was embedded before, with columns that were found good."""

    embedding: Embedding
    """`[D]`"""
    columns: dict[str, ColumnValue] | None


Checked = Admitted | Known | ClientError


class Answer(NamedTuple):
    """One image's outcome, and the seconds that decoding took."""

    outcome: Outcome
    decode_s: float


class Pipeline:
    """Decoder, queue and engine of one process.

    Args:
        engine: the first model's.
        worker: settings, metrics and admission of the process.
    """

    def __init__(self, engine: Engine, worker: Worker) -> None:
        self.settings = worker.settings
        self.ready = False
        self._metrics = worker.metrics
        self._admission = worker.admission
        self._decoders = ThreadPoolExecutor(DECODE_THREADS, thread_name_prefix="decode")
        self._served = Served(engine, self._metrics)
        self.cache = EmbeddingCache(self.settings.cache_mb * MIB) if self.settings.cache_mb else None

    @property
    def served(self) -> Served:
        """The model that serves now; a request asks once and keeps it.

        Raises:
            NotReady: none does.
        """
        if not self.ready:
            raise NotReady("the server is starting or draining; try again")
        return self._served

    def start(self) -> None:
        """Begins to answer."""
        self.ready = True
        self._tell_model()

    def replace(self, engine: Engine) -> None:
        """Has all requests that begin from now on answered by another engine."""
        self._served = Served(engine, self._metrics)
        self._tell_model()

    def close(self) -> None:
        """Finishes what is running and stops."""
        self.ready = False
        self._served.close()
        self._decoders.shutdown()

    def _tell_model(self) -> None:
        engine = self._served.engine
        self._metrics.set_model(self._served.name, engine.device, engine.precision)

    async def run(
        self, served: Served, items: Sequence[Item], *, deadline: float, decide: bool
    ) -> list[Answer | TandemError]:
        """Answers the items in order, each alone: an answer or what was wrong with it.

        Args:
            served: the model.
            items: the request's images.
            deadline: a time of `time.monotonic()`.
            decide: whether decisions are wanted, or embeddings alone.

        Raises:
            Overloaded, DeadlineExceeded: nothing could be answered.
        """
        checked = self._check(served, items, decide)
        new = [one for one in checked if isinstance(one, Admitted)]
        good = sum(not isinstance(one, ClientError) for one in checked)
        decode_s = PIXEL_S * sum(one.header.work_pixels for one in new)
        rest_s = IMAGE_S * good + served.engine.image_s * len(new)
        with self._admission.admitted(good, decode_s + rest_s, deadline):
            prepared = await self._decode(served, checked, deadline)
            works = [work for work, _ in prepared if isinstance(work, Work)]
            outcomes = iter(await served.run(works, deadline))
            self._admission.did(rest_s)
        answers: list[Answer | TandemError] = []
        for work, took_s in prepared:
            outcome = next(outcomes) if isinstance(work, Work) else work
            answers.append(Answer(outcome, took_s) if isinstance(outcome, Outcome) else outcome)
        if self.cache is not None:
            for one, answer in zip(checked, answers, strict=True):
                if isinstance(one, Admitted) and isinstance(answer, Answer):
                    self.cache.put(one.key, answer.outcome.embedding)
        return answers

    def _check(self, served: Served, items: Sequence[Item], decide: bool) -> list[Checked]:
        """Reads headers and columns; the images of a request share the limit of pixels, and so of work."""
        left = self.settings.max_pixels
        checked: list[Checked] = []
        for item in items:
            one = self._check_one(served, item, decide)
            if isinstance(one, Admitted):
                if one.header.work_pixels > left:
                    one = TooLarge(
                        f"the image is the work of {one.header.work_pixels} pixels, and those before it leave {left} "
                        f"of the request's {self.settings.max_pixels}; send it in a request of its own"
                    )
                else:
                    left -= one.header.work_pixels
            checked.append(one)
        return checked

    def _check_one(self, served: Served, item: Item, decide: bool) -> Checked:
        if isinstance(item.image, ClientError):
            return item.image
        key = b"" if self.cache is None else key_of(served.cache_seed, item.image)
        embedding = self._look_up(key)
        try:
            header = read_checked_header(item.image, self.settings.max_pixels) if embedding is None else None
            columns = served.engine.head.spec.check_columns(item.columns) if decide else None
        except ClientError as error:
            return error.as_value()
        if header is None:
            assert embedding is not None
            return Known(embedding, columns)
        return Admitted(item.image, header, columns, key)

    def _look_up(self, key: bytes) -> Embedding | None:
        if self.cache is None:
            return None
        embedding = self.cache.get(key)
        self._metrics.looked_up("miss" if embedding is None else "hit")
        return embedding

    async def _decode(
        self, served: Served, checked: Sequence[Checked], deadline: float
    ) -> list[tuple[Work | ClientError, float]]:
        """Decodes in place what is small, in a thread what is not."""
        good = [one for one in checked if isinstance(one, Admitted)]
        pixels = sum(one.header.work_pixels for one in good)
        if pixels <= INLINE_PIXELS and sum(len(one.image) for one in good) <= INLINE_BYTES:
            self._admission.did(PIXEL_S * pixels)
            return [_decode(served, one) for one in checked]
        loop = asyncio.get_running_loop()
        done: list[int] = []
        decoding = self._decoders.submit(_decode_in_time, served, checked, deadline, done)
        decoding.add_done_callback(lambda _: loop.call_soon_threadsafe(self._note_decoded, done))
        return await asyncio.wrap_future(decoding)

    def _note_decoded(self, done: list[int]) -> None:
        """Counts what a thread has done, though its request may have been given up meanwhile."""
        self._admission.did(PIXEL_S * sum(done))


def _decode_in_time(
    served: Served, checked: Sequence[Checked], deadline: float, done: list[int]
) -> list[tuple[Work | ClientError, float]]:
    """Decodes, notes the work of each image that is done, and gives up between two once the deadline has passed."""
    decoded = []
    for one in checked:
        if time.monotonic() > deadline:
            raise DeadlineExceeded("the deadline passed before the image was decoded")
        decoded.append(_decode(served, one))
        done.append(one.header.work_pixels if isinstance(one, Admitted) else 0)
    return decoded


def _decode(served: Served, one: Checked) -> tuple[Work | ClientError, float]:
    if isinstance(one, ClientError):
        return one, 0.0
    if isinstance(one, Known):
        return Work(None, one.columns, one.embedding), 0.0
    started = time.perf_counter()
    try:
        pixels = decode(one.image, served.engine.manifest.input, one.header)
    except ClientError as error:
        return error.as_value(), 0.0
    return Work(pixels, one.columns), time.perf_counter() - started
