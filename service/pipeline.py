"""encoded images ──decode──▶ ──queue──▶ ──embed──▶ ──decide──▶ outcomes: the whole path, each image on its own.

Both the lean HTTP routes and BentoML's typed endpoint call this.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from models.errors import ClientError, NotReady, TandemError
from models.headers import Header
from models.manifest import ColumnValue
from models.pixels import decode, read_checked_header
from service.batcher import Batcher
from service.bodies import Item
from service.engine import Engine, Outcome, Work
from service.metrics import Metrics
from service.settings import Settings

# A request of so few pixels and bytes is decoded in place: that costs less than handing it to a thread and back.
INLINE_PIXELS = 32 * 1024
INLINE_BYTES = 32 * 1024
DECODE_THREADS = 2

# A whole batch may hold up the event loop for so long; a slower engine gets a thread.
INLINE_BATCH_S = 0.02


@dataclass(frozen=True, slots=True)
class Admitted:
    """An image whose header and columns were found good."""

    image: bytes
    header: Header
    columns: dict[str, ColumnValue] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One image's outcome, and the seconds that decoding took."""

    outcome: Outcome
    decode_s: float


class Pipeline:
    """Decoder, queue and engine of one process."""

    def __init__(self, engine: Engine, settings: Settings, metrics: Metrics) -> None:
        self.engine = engine
        self.settings = settings
        self.ready = False
        self._metrics = metrics
        self._batcher: Batcher[Work, Outcome] = Batcher(
            self._run_batch,
            max_batch=settings.max_batch,
            max_queue=settings.max_queue,
            threaded=engine.device != "cpu" or engine.image_s * settings.max_batch > INLINE_BATCH_S,
        )
        self._decoders = ThreadPoolExecutor(DECODE_THREADS, thread_name_prefix="decode")

    def start(self) -> None:
        """Begins to answer."""
        self.ready = True

    def close(self) -> None:
        """Finishes what is queued and stops."""
        self.ready = False
        self._batcher.close()
        self._decoders.shutdown()

    async def run(self, items: Sequence[Item], *, decide: bool) -> list[Answer | TandemError]:
        """Answers the items in order, each alone: an answer or what was wrong with it.

        Raises:
            Overloaded, DeadlineExceeded, NotReady: nothing could be answered.
        """
        if not self.ready:
            raise NotReady("the server is starting or draining; try again")
        deadline = time.monotonic() + self.settings.deadline_ms / 1000
        prepared = await self._prepare(items, decide)
        works = [work for work, _ in prepared if isinstance(work, Work)]
        outcomes = iter(await self._batcher.submit(works, deadline))
        answers: list[Answer | TandemError] = []
        for work, decode_s in prepared:
            outcome = next(outcomes) if isinstance(work, Work) else work
            answers.append(Answer(outcome, decode_s) if isinstance(outcome, Outcome) else outcome)
        self._metrics.observe_images(answers)
        return answers

    def _run_batch(self, works: list[Work], waited_s: list[float]) -> list[Outcome]:
        outcomes = self.engine.run(works, waited_s)
        self._metrics.observe_batch(outcomes)
        return outcomes

    async def _prepare(self, items: Sequence[Item], decide: bool) -> list[tuple[Work | ClientError, float]]:
        """Checks all, then decodes in place what is small, in a thread what is not."""
        admitted = [self._admit(item, decide) for item in items]
        good = [one for one in admitted if isinstance(one, Admitted)]
        if (
            sum(one.header.pixels for one in good) <= INLINE_PIXELS
            and sum(len(one.image) for one in good) <= INLINE_BYTES
        ):
            return [self._decode(one) for one in admitted]
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._decoders, lambda: [self._decode(one) for one in admitted])

    def _admit(self, item: Item, decide: bool) -> Admitted | ClientError:
        if isinstance(item.image, ClientError):
            return item.image
        try:
            header = read_checked_header(item.image, self.settings.max_pixels)
            columns = self.engine.head.spec.check_columns(item.columns) if decide else None
        except ClientError as error:
            return error
        return Admitted(item.image, header, columns)

    def _decode(self, admitted: Admitted | ClientError) -> tuple[Work | ClientError, float]:
        if isinstance(admitted, ClientError):
            return admitted, 0.0
        started = time.perf_counter()
        try:
            pixels = decode(admitted.image, self.engine.manifest.input, admitted.header)
        except ClientError as error:
            return error, 0.0
        return Work(pixels, admitted.columns), time.perf_counter() - started
