"""encoded images ──decode──▶ ──queue──▶ ──embed──▶ ──decide──▶ outcomes: the whole path, each image on its own.

Both the lean HTTP routes and BentoML's typed endpoint call this.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from models.bundle.head_spec import HeadSpec
from models.errors import ClientError, DeadlineExceeded, NotReady, TandemError
from models.runtime.engine import Engine
from models.runtime.engine_types import Instance, Result
from service.gateway.admission import Admission
from service.inference.cache import EmbeddingCache
from service.inference.inference_types import PIXEL_S, Admitted
from service.inference.items import Item
from service.inference.loaded_model import LoadedModel
from service.inference.photo_groups import PhotoGroups
from service.inference.preprocessing import CheckedImages, Preprocessor
from service.observability.service_metrics import Metrics
from service.settings import Settings

MIB = 1024 * 1024

_Answers = list[Result | TandemError]

# What one image costs a process beside decoder and engine, for estimates: reading and writing a request.
IMAGE_S = 0.0003


class Pipeline:
    """Decoder, queue and engine of one process.

    Args:
        engine: the first model's.
        settings: limit of pixels, size of the cache.
        metrics: of the process.
        admission: what the process may hold.
    """

    def __init__(self, engine: Engine, settings: Settings, metrics: Metrics, admission: Admission) -> None:
        self.ready = False
        self._metrics = metrics
        self._admission = admission
        self._model = LoadedModel(engine, self._metrics)
        self.cache = EmbeddingCache(settings.cache_mb * MIB) if settings.cache_mb else None
        self._reader = Preprocessor(settings.max_pixels, self._admission, self.cache)
        self._explainer = ThreadPoolExecutor(1, thread_name_prefix="explain")

    @property
    def model(self) -> LoadedModel:
        """The model that serves now; a request asks once and keeps it.

        Raises:
            NotReady: none does.
        """
        if not self.ready:
            raise NotReady("the server is starting or draining; try again")
        return self._model

    def start(self) -> None:
        """Begins to answer."""
        self.ready = True
        self._tell_model()

    def replace(self, engine: Engine) -> None:
        """Has all requests that begin from now on answered by another engine."""
        self._model = LoadedModel(engine, self._metrics)
        self._tell_model()

    def close(self) -> None:
        """Finishes what is running and stops."""
        self.ready = False
        self._model.close()
        self._reader.close()
        self._explainer.shutdown()

    def _tell_model(self) -> None:
        engine = self._model.engine
        self._metrics.set_model(self._model.name, engine.device, engine.precision)

    async def run(
        self,
        model: LoadedModel,
        items: Sequence[Item],
        *,
        deadline: float,
        heads: Sequence[HeadSpec],
        explain: bool = False,
    ) -> list[Result | TandemError]:
        """Answers the items in order, each alone: an answer or what was wrong with it.

        Args:
            model: the model; of items with several images it must be one that pools.
            items: the request's images.
            deadline: a time of `time.monotonic()`.
            heads: that decide; none where only embeddings are wanted.
            explain: whether to say why, too; by heads that all have an explainer.

        Raises:
            Overloaded, DeadlineExceeded: nothing could be answered.
        """
        image_s = IMAGE_S + (model.engine.explain_s if explain else 0.0)
        explained = functools.partial(self._explained, model, heads, deadline) if explain else None
        if not any(item.others for item in items):
            return await self._run(model, items, explained, heads=heads, image_s=image_s, deadline=deadline)
        groups = PhotoGroups.of(model.engine.manifest, items, heads)

        async def decide(embedded: _Answers) -> _Answers:
            decided = await _decided(model, groups.instances(embedded), deadline)
            return decided if explained is None else await explained(decided)

        return await self._run(model, groups.photos, decide, heads=(), image_s=image_s, deadline=deadline)

    async def _run(
        self,
        model: LoadedModel,
        items: Sequence[Item],
        finish: Callable[[_Answers], Awaitable[_Answers]] | None,
        *,
        heads: Sequence[HeadSpec],
        image_s: float,
        deadline: float,
    ) -> _Answers:
        """Answers items of one image each.

        They are admitted until `finish` has made something else of the answers; an image takes `image_s` beside decoder
        and embedder.
        """
        reading = self._reader.check(model, items, heads)
        rest_s = image_s * reading.images + model.engine.image_s * reading.new
        cost_s = PIXEL_S * reading.work_pixels + rest_s
        self._admission.admit(reading.images, cost_s, deadline)
        try:
            prepared = await self._reader.decode(model, reading, deadline)
            found = iter(await model.run([one for one in prepared if not isinstance(one, ClientError)], deadline))
            answers = [one if isinstance(one, ClientError) else next(found) for one in prepared]
            self._keep(reading, answers)
            if finish is not None:
                answers = await finish(answers)
            self._admission.did(cost_s if prepared is reading.items else rest_s)
        finally:
            self._admission.leave(reading.images, cost_s)
        return answers

    def run_one(
        self,
        model: LoadedModel,
        item: Item,
        *,
        heads: Sequence[HeadSpec],
        deadline: float,
        take: Callable[[Result | TandemError], None],
        is_wanted: Callable[[], bool],
    ) -> bool:
        """Decides on one small image, by a model that computes on the event loop, for a caller that is no coroutine.

        Args:
            model: the model.
            item: the image.
            heads: that decide.
            deadline: a time of `time.monotonic()`.
            take: called with the answer, or with what was wrong.
            is_wanted: whether anybody still waits.

        Returns:
            False where the image is not so small, and nothing was done.

        Raises:
            Overloaded: it was not admitted.
        """
        reading = self._reader.check(model, [item], heads)
        if not reading.is_small_for(model):
            return False
        (one,) = reading.items
        if isinstance(one, ClientError):
            take(one)
            return True
        cost_s = PIXEL_S * reading.work_pixels + IMAGE_S + model.engine.image_s * reading.new
        self._admission.admit(1, cost_s, deadline)
        finish = functools.partial(self._finish_one, reading, cost_s, take)
        model.run_one(one, deadline, finish, is_wanted)
        return True

    def _finish_one(
        self,
        reading: CheckedImages,
        cost_s: float,
        take: Callable[[Result | TandemError], None],
        answer: Result | TandemError,
    ) -> None:
        if isinstance(answer, Result):
            self._admission.did(cost_s)
        self._admission.leave(1, cost_s)
        self._keep(reading, [answer])
        take(answer)

    async def _explained(
        self, model: LoadedModel, heads: Sequence[HeadSpec], deadline: float, found: _Answers
    ) -> _Answers:
        """The outcomes with their reasons, worked out on a thread: they take longer than the decisions."""

        def explain(one: Result | TandemError) -> Result | TandemError:
            if isinstance(one, TandemError):
                return one
            if time.monotonic() > deadline:
                raise DeadlineExceeded("the deadline passed before the decision was explained")
            return model.engine.explain(one, heads)

        explaining = self._explainer.submit(lambda: [explain(one) for one in found])
        return await asyncio.wrap_future(explaining)

    def _keep(self, reading: CheckedImages, answers: Sequence[Result | TandemError]) -> None:
        """Keeps embeddings of images that may come again, where that is asked for, and counts those that were kept."""
        if self.cache is None:
            return
        self._metrics.looked_up(hits=reading.images - reading.new, misses=reading.new)
        for one, answer in zip(reading.items, answers, strict=True):
            if isinstance(one, Admitted) and isinstance(answer, Result):
                self.cache.put(one.key, answer.embedding)


async def _decided(model: LoadedModel, instances: Sequence[Instance | TandemError], deadline: float) -> _Answers:
    """Decides on those that have no error."""
    found = iter(await model.decide([one for one in instances if isinstance(one, Instance)], deadline))
    return [next(found) if isinstance(one, Instance) else one for one in instances]
