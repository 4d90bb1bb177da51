"""bundle ──▶ `LoadedModel`: a model that answers requests, its engine and the queue in front of it.

A request takes the model that serves when it begins and keeps it to its end, so that a change of the model in between
never mixes two. A model that was replaced is gone with the last request that holds it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import cast

import pydantic_core

from models.errors import ClientError, TandemError
from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput, Instance, Result
from service.inference.batcher import Batcher, Reason
from service.inference.cache import seed_of
from service.inference.inference_types import PIXEL_S, Admitted, decoded
from service.observability.service_metrics import Metrics

# A whole batch may hold up the event loop for so long; a slower engine gets a thread.
INLINE_BATCH_S = 0.02

# A request of so few pixels and bytes is decoded on the event loop, which costs less than a thread and back; and, with
# a network that takes longer, of so many as take twice its time: on as many cores as there are workers, a thread for
# them would only interrupt it. (EfficientNet-Lite0, photographs of 640x427: 4 % more requests/s.)
SMALL_PIXELS = 32 * 1024
_SMALL_IMAGES = 2


class LoadedModel:
    """One bundle on its device.

    Args:
        engine: checked and warmed up.
        metrics: where its batches are measured.
    """

    def __init__(self, engine: Engine, metrics: Metrics) -> None:
        self.engine = engine
        self._metrics = metrics
        self.name = engine.manifest.model
        """`name@version`"""
        self.cache_seed = seed_of(engine.manifest, engine.precision)
        """Where the cache keeps the embeddings of this model's embedder."""
        self.manifest = pydantic_core.to_json(engine.manifest.model_dump(mode="json", exclude={"files"}))
        """What `/v1/models` tells, JSON."""
        self._inline = engine.device == "cpu" and engine.image_s * engine.max_batch <= INLINE_BATCH_S
        in_time = int(_SMALL_IMAGES * engine.image_s / PIXEL_S) if self._inline else 0
        self.small_pixels = max(SMALL_PIXELS, in_time)
        """Pixels, and bytes, of a request that is decoded on the event loop."""
        self._batcher: Batcher[EngineInput | Admitted, Result | ClientError] = Batcher(
            self._compute, max_batch=engine.max_batch, threaded=not self._inline
        )
        self._decider: Batcher[Instance, Result] = Batcher(
            self._decide, max_batch=engine.max_batch, threaded=not self._inline
        )

    @property
    def depth(self) -> int:
        """Images that wait for the engine."""
        return self._batcher.depth

    @property
    def is_inline(self) -> bool:
        """Whether it computes on the event loop."""
        return self._inline

    def decode(self, admitted: Admitted) -> EngineInput | ClientError:
        """Decodes an image by the bundle's rule, in any thread; returns what is wrong with it."""
        return decoded(admitted, self.engine.manifest.input, self._metrics.image_warned)

    def run_one(
        self,
        work: EngineInput | Admitted,
        deadline: float,
        take: Callable[[Result | TandemError], None],
        is_wanted: Callable[[], bool],
    ) -> None:
        """Decodes, embeds and decides for a caller that is no coroutine, as `Batcher.submit_one`."""
        self._batcher.submit_one(work, deadline, take, is_wanted)

    async def run(self, works: Sequence[EngineInput | Admitted], deadline: float) -> list[Result | TandemError]:
        """Decodes what is not yet, embeds and decides; raises and returns as `Batcher.submit`."""
        return await self._batcher.submit(works, deadline)

    async def decide(self, instances: Sequence[Instance], deadline: float) -> list[Result | TandemError]:
        """Decides on instances whose images were embedded; raises and returns as `Batcher.submit`."""
        return await self._decider.submit(instances, deadline)

    def close(self) -> None:
        """Waits for the batches that are running; call when nobody waits for results any more."""
        self._batcher.close()
        self._decider.close()

    def _decide(self, batch: list[Instance], waited_s: list[float], reason: Reason) -> Sequence[Result]:
        results = self.engine.decide(batch, waited_s)
        self._metrics.observe_batch(0, reason, 0.0, results[0].decide_s)
        return results

    def _compute(
        self, batch: list[EngineInput | Admitted], waited_s: list[float], reason: Reason
    ) -> Sequence[Result | ClientError]:
        """One batch, each image on its own; the time in which others were decoded is time in the queue."""
        started = time.perf_counter()
        found = [self.decode(one) if isinstance(one, Admitted) else one for one in batch]
        works = [work for work in found if isinstance(work, EngineInput)]
        if not works:
            return cast("list[ClientError]", found)
        passed_s = time.perf_counter() - started
        queued_s = [
            waited + passed_s - (one.decode_s if one is not given else 0.0)
            for waited, one, given in zip(waited_s, found, batch, strict=True)
            if isinstance(one, EngineInput)
        ]
        outcomes = self.engine.run(works, queued_s)
        embedded = [outcome.embed_s for work, outcome in zip(works, outcomes, strict=True) if work.pixels is not None]
        self._metrics.observe_batch(len(embedded), reason, max(embedded, default=0.0), outcomes[0].decide_s)
        if len(works) == len(batch):
            return outcomes
        answered = iter(outcomes)
        return [next(answered) if isinstance(one, EngineInput) else one for one in found]
