"""`Recorder` ──▶ what a worker does with what it records: answers, reviews, the shadow, and what was measured."""

from __future__ import annotations

import asyncio
import logging

from feedback.database.database import Database
from feedback.measures.measurements import DRIFT, PRECISION, Measurement, newest_measurements
from feedback.recording.decision_recorder import Recorder
from feedback.recording.image_store import ImageStore
from feedback.recording.shadow_recorder import ShadowRecorder
from models.errors import ClientError
from service.api.feedback.database_calls import DatabaseCalls
from service.api.feedback.feedback_routes import feedback_routes
from service.gateway.router import Routes
from service.inference.following.shadow_watch import ShadowWatch
from service.inference.pipeline import Pipeline
from service.observability.service_metrics import Metrics
from service.settings import Settings

logger = logging.getLogger(__name__)

MEASURED_EVERY_S = 10.0
"""Between two looks for new measurements of `python -m feedback watch`."""


class FeedbackLoop:
    """The parts of one worker whose decisions are recorded.

    Args:
        settings: where to.
        pipeline: whose decisions.
        metrics: of the process.
        recorder: of the process, which its owner starts and ends.

    Raises:
        DatabaseError: the URL is not that of such a database.
    """

    def __init__(self, settings: Settings, pipeline: Pipeline, metrics: Metrics, recorder: Recorder) -> None:
        assert settings.feedback_url is not None
        images = ImageStore(settings.feedback_images) if settings.feedback_images else None
        self._pipeline = pipeline
        self._metrics = metrics
        self._calls = DatabaseCalls(Database(settings.feedback_url))
        self.routes: Routes = feedback_routes(pipeline, settings, images, self._calls)
        self._watch = ShadowWatch(settings, pipeline, metrics)
        self._shadow = ShadowRecorder(Database(settings.feedback_url), self._watch.wants, self._watch.decide)
        recorder.after = self._shadow.put
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to watch for a shadow and for measurements; to be called on the event loop."""
        self._shadow.start()
        self._watch.start()
        self._task = asyncio.get_running_loop().create_task(self._measure())
        watch, shadow = self._watch, self._shadow
        self._metrics.sample(
            {"tandem_shadow_seconds": lambda: watch.seconds, "tandem_shadow_dropped": lambda: shadow.dropped}
        )

    async def stop(self) -> None:
        """Ends what runs; to be called after the recorder has written what it had."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._watch.stop()
        await asyncio.to_thread(self._shadow.close)
        await asyncio.to_thread(self._calls.close)

    async def _measure(self) -> None:
        """Shows in the metrics what was measured elsewhere."""
        while True:
            try:
                for found in await self._calls.run(self._newest):
                    self._show(found)
            except ClientError:  # logged where it was raised; the database will be there again
                pass
            except Exception:
                logger.exception("measurements cannot be shown")
            await asyncio.sleep(MEASURED_EVERY_S)

    def _newest(self) -> list[Measurement]:
        with self._calls.database.reading() as connection:
            return newest_measurements(connection, self._pipeline.model.engine.manifest.name)

    def _show(self, found: Measurement) -> None:
        if found.kind == PRECISION and found.head is not None:
            precision = found.document["precision"]
            shown = {"": "estimate", "_lower": "lower", "_upper": "upper", "_target": "target"}
            for suffix, name in shown.items():
                if precision[name] is not None:
                    self._metrics.set_measured(f"tandem_live_precision{suffix}", precision[name], found.head)
        elif found.kind == DRIFT:
            for name in ("statistic", "threshold", "alarm"):
                self._metrics.set_measured(f"tandem_drift_{name}", float(found.document[name]))
