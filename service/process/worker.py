"""settings ──▶ `Worker`: what one server process has once, and how it starts and ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from models.bundle.store import resolve
from models.errors import TandemError
from service import coordination
from service.api.routes import build_routes
from service.gateway.admission import Admission
from service.gateway.api_keys import ApiKeys
from service.gateway.gateway import Gateway
from service.gateway.lifecycle import Lifecycle
from service.gateway.router import Routes
from service.gateway.telemetry import Telemetry
from service.gateway.transaction import Handler
from service.http.asgi import mounted
from service.http.connection_balancing import ConnectionBalance
from service.http.connections import Connections
from service.inference.following.live_reload import LiveReload
from service.inference.open_engine import open_engine
from service.inference.pipeline import Pipeline
from service.observability.json_log import AccessLog, LineWriter, configure_logging
from service.observability.service_metrics import Metrics
from service.observability.tracing import Tracing
from service.process.memory import quieten_collector, return_large_blocks
from service.process.recording.recorder_opening import open_recorder
from service.settings import Settings

if TYPE_CHECKING:
    from service.process.recording.feedback_loop import FeedbackLoop


@dataclass
class Worker:
    """One process' own parts; None stands for what the settings leave out, or what `load` and `start` make."""

    settings: Settings
    metrics: Metrics
    admission: Admission
    lifecycle: Lifecycle
    telemetry: Telemetry
    balance: ConnectionBalance
    connections: Connections
    keys: ApiKeys | None = None
    lines: LineWriter | None = None
    _pipeline: Pipeline | None = field(default=None, repr=False)
    _champion: LiveReload | None = field(default=None, repr=False)
    _gateway: Gateway | None = field(default=None, repr=False)
    _app: ASGIApp | None = field(default=None, repr=False)
    _feedback: FeedbackLoop | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Worker:
        """Builds the parts; nothing runs yet.

        Raises:
            KeysError: the file of API keys is damaged.
            SettingsError, DatabaseError: decisions cannot be recorded in the database of that URL.
        """
        metrics, balance = Metrics(), ConnectionBalance()
        return cls(
            settings=settings,
            metrics=metrics,
            admission=Admission(max_images=settings.max_queue, max_bytes=settings.max_buffered_bytes),
            lifecycle=Lifecycle(),
            telemetry=Telemetry(metrics, settings.trusted_addresses, recorder=open_recorder(settings)),
            balance=balance,
            connections=Connections(settings, balance.set),
            keys=ApiKeys.open(settings.api_keys_file) if settings.api_keys_file else None,
        )

    @property
    def gateway(self) -> Gateway:
        """What answers requests, once `start` has run."""
        assert self._gateway is not None
        return self._gateway

    @property
    def pipeline(self) -> Pipeline:
        """What computes answers, once `load` has run."""
        assert self._pipeline is not None
        return self._pipeline

    def load(self) -> None:
        """Opens the bundle and checks it; what stops it is told to the supervisor.

        Raises:
            TandemError: the bundle or the device cannot be had.
        """
        settings = self.settings
        self.lines = LineWriter()
        configure_logging(self.lines)
        return_large_blocks()
        try:
            path = resolve(settings.bundle_path)
            engine = open_engine(settings, path)
        except TandemError as error:
            coordination.report_failure(str(error))
            raise
        self._pipeline = Pipeline(engine, settings, self.metrics, self.admission)
        self._champion = LiveReload(
            settings.bundle_path,
            path,
            load=lambda candidate: open_engine(settings, candidate),
            replace=self._pipeline.replace,
            observe=self.metrics.model_changed,
        )

    def mount(self, app: ASGIApp) -> None:
        """Takes the application that answers what is on none of our routes."""
        self._app = app

    async def start(self) -> None:
        """Begins to answer, once the golden check has passed in this process; to be called on the event loop.

        Raises:
            TracingError: an exporter is configured that cannot be had.
        """
        quieten_collector()
        settings, pipeline, champion = self.settings, self.pipeline, self._champion
        assert champion is not None
        assert self._app is not None
        if settings.access_log and self.lines is not None:
            self.telemetry.access_log = AccessLog(self.lines)
        self.telemetry.tracing = Tracing.from_environment()
        self.metrics.start(workers=settings.workers, deadline_s=settings.deadline_ms / 1000)
        pipeline.start()
        routes = {
            **build_routes(pipeline, settings, lambda: self.lifecycle.draining),
            **self._start_recording(pipeline),
        }
        self._gateway = self.gateway_of(routes, mounted(self._app))
        self._sample(pipeline)
        champion.start()
        self.balance.open()

    def gateway_of(self, routes: Routes, fallback: Handler) -> Gateway:
        """A gateway of this process, with the limits, keys and metrics that all of them share."""
        parts = (self.settings, self.admission, self.lifecycle, self.telemetry, self.keys)
        return Gateway(*parts, routes=routes, fallback=fallback)

    async def stop(self) -> None:
        """Finishes what is queued; writes and exports what is left."""
        if self._champion is not None:
            await self._champion.stop()
        self.pipeline.close()
        if self.telemetry.recorder is not None:
            await asyncio.to_thread(self.telemetry.recorder.close)
        if self._feedback is not None:
            await self._feedback.stop()
        self.metrics.close()
        if self.telemetry.tracing is not None:
            self.telemetry.tracing.close()
        if self.lines is not None:
            self.lines.close()

    def _start_recording(self, pipeline: Pipeline) -> Routes:
        """Begins to record decisions; returns the routes of their record, none where there is none."""
        recorder = self.telemetry.recorder
        if recorder is None:
            return {}
        from service.process.recording.feedback_loop import FeedbackLoop  # noqa: PLC0415 (SQLAlchemy comes with an extra)

        self._feedback = FeedbackLoop(self.settings, pipeline, self.metrics, recorder)
        self._feedback.start()
        recorder.start()
        return self._feedback.routes

    def _sample(self, pipeline: Pipeline) -> None:
        cache, admission, lines, recorder = pipeline.cache, self.admission, self.lines, self.telemetry.recorder
        self.metrics.sample(
            {
                "tandem_cache_bytes": lambda: cache.bytes if cache is not None else 0,
                "tandem_cache_images": lambda: len(cache) if cache is not None else 0,
                "tandem_ready": lambda: pipeline.ready and not self.lifecycle.draining,
                "tandem_queue_images": lambda: admission.images,
                "tandem_queue_wait_estimate_seconds": lambda: admission.wait_s,
                "tandem_buffered_bytes": lambda: admission.bytes,
                "tandem_requests_in_flight": lambda: self.lifecycle.in_flight,
                "tandem_connections": lambda: len(self.connections),
                "tandem_log_lines_dropped": lambda: lines.dropped if lines else 0,
                "tandem_feedback_recorded": lambda: recorder.recorded if recorder else 0,
                "tandem_feedback_dropped": lambda: recorder.dropped if recorder else 0,
                "tandem_feedback_images_dropped": lambda: recorder.images_dropped if recorder else 0,
                "tandem_feedback_queue": lambda: recorder.waiting if recorder else 0,
            }
        )
