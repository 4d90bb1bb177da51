"""store entry ──watched──▶ its shadow beside the champion: loaded, replaced and ended while the server runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from models.bundle.store import SHADOW, Store
from models.runtime.head_answers import Classified, Estimated
from service.inference.following.entry_watch import EntryWatch, FileState, file_state, reason_of
from service.inference.following.shadow_model import ShadowModel
from service.inference.pipeline import Pipeline
from service.observability.service_metrics import Metrics
from service.settings import Settings

if TYPE_CHECKING:
    from feedback.recording.record_queue import Record
    from feedback.recording.shadow_recorder import ShadowDecisions

logger = logging.getLogger(__name__)


class ShadowWatch(EntryWatch):
    """Watches one store entry, and has its shadow decide.

    Args:
        settings: of the bundle.
        pipeline: with the champion.
        metrics: where the shadow's decisions are counted.
    """

    def __init__(self, settings: Settings, pipeline: Pipeline, metrics: Metrics) -> None:
        super().__init__(settings.bundle_path)
        self.seconds = 0.0
        """Time that the shadow has taken."""
        self._settings = settings
        self._pipeline = pipeline
        self._metrics = metrics
        self._model: ShadowModel | None = None
        self._seen: tuple[FileState, str] = (None, "")

    def wants(self) -> bool:
        """Whether the shadow decides on the next image; any thread may ask."""
        model = self._model
        return model is not None and model.wants()

    def decide(self, records: Sequence[Record]) -> ShadowDecisions | None:
        """Has the shadow decide on the images that its champion has answered; on the shadow's thread."""
        from feedback.recording.shadow_recorder import (  # noqa: PLC0415 (SQLAlchemy comes with an extra)
            ShadowDecision,
            ShadowDecisions,
        )

        model = self._model
        if model is None:
            return None
        started = time.thread_time()
        images = [(record, image) for record in records if record.model == model.champion for image in record.decided]
        answers = model.decide([image for _, image in images]) if images else []
        self.seconds += time.thread_time() - started
        for (_, image), found in zip(images, answers, strict=True):
            for head, answer in found.items():
                self._metrics.shadow_decided(agrees=_is_same(answer, image.answers[head]))
        made = [ShadowDecision(record, image, found) for (record, image), found in zip(images, answers, strict=True)]
        return ShadowDecisions(model.name, made)

    async def look(self) -> None:
        """Looks once, and changes the shadow if there is another one, or another champion beside it."""
        champion = self._pipeline.model.engine
        state = file_state(self.entry / SHADOW), champion.manifest.model
        if state == self._seen:
            return
        self._seen, self._model = state, None
        try:
            shadow = Store(self.entry.parent).shadow(self.entry.name)
            if shadow is None or shadow.version == champion.manifest.version:
                return
            path = self.entry / str(shadow.version)
            self._model = await asyncio.to_thread(ShadowModel.open, path, shadow.share, champion, self._settings)
        except Exception as error:  # whatever is wrong with a shadow must not touch the model that serves
            logger.error("the shadow of %s is refused: %s", self.entry.name, reason_of(error))
            return
        logger.warning("%s decides in shadow of %s", self._model.name, champion.manifest.model)


def _is_same(one: Classified | Estimated, other: Classified | Estimated) -> bool:
    """Whether two answers name the same class, or the same number."""
    if isinstance(one, Classified) and isinstance(other, Classified):
        return one.label == other.label
    return isinstance(one, Estimated) and isinstance(other, Estimated) and one.value == other.value
