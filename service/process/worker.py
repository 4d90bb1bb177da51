"""settings ──▶ `Worker`: what one server process has once, shared by its gate, its pipeline and its routes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from service.gateway.admission import Admission
from service.gateway.api_keys import ApiKeys
from service.http.connection_balancing import Share
from service.observability.json_log import AccessLog, LineWriter, configure_logging, in_worker
from service.observability.service_metrics import Metrics
from service.observability.tracing import Tracing
from service.process.lifecycle import Lifecycle
from service.settings import Settings

if TYPE_CHECKING:
    from service.http.shortcut import Shortcut


@dataclass
class Worker:
    """One process' own parts; None stands for what the settings leave out, or what `start` has not made yet."""

    settings: Settings
    metrics: Metrics
    admission: Admission
    lifecycle: Lifecycle
    share: Share = field(default_factory=Share)
    keys: ApiKeys | None = None
    lines: LineWriter | None = None
    access_log: AccessLog | None = None
    tracing: Tracing | None = None
    shortcut: Shortcut | None = None

    @classmethod
    def of(cls, settings: Settings) -> Worker:
        """Builds the parts; in the supervisor, which builds them, too, nothing runs.

        Raises:
            KeysError: the file of API keys is damaged.
        """
        lines = None
        if in_worker():  # from here on everything is logged in one way
            lines = LineWriter()
            configure_logging(lines)
        return cls(
            settings=settings,
            metrics=Metrics(),
            admission=Admission(max_images=settings.max_queue, max_bytes=settings.max_buffered_bytes),
            lifecycle=Lifecycle(),
            keys=ApiKeys.open(settings.api_keys_file) if settings.api_keys_file else None,
            lines=lines,
        )

    def start(self) -> None:
        """Begins to log, to trace and to measure what is sampled; to be called on the event loop.

        Raises:
            TracingError: an exporter is configured that cannot be had.
        """
        settings = self.settings
        if settings.access_log and self.lines is not None:
            self.access_log = AccessLog(self.lines)
        self.tracing = Tracing.from_environment()
        self.metrics.start(workers=settings.workers, deadline_s=settings.deadline_ms / 1000)
        self.metrics.sample(
            {
                "tandem_queue_images": lambda: self.admission.images,
                "tandem_queue_wait_estimate_seconds": lambda: self.admission.wait_s,
                "tandem_buffered_bytes": lambda: self.admission.bytes,
                "tandem_requests_in_flight": lambda: self.lifecycle.in_flight,
                "tandem_connections": lambda: len(self.lifecycle.connections),
                "tandem_log_lines_dropped": lambda: self.lines.dropped if self.lines else 0,
            }
        )

    def close(self) -> None:
        """Writes and exports what is left."""
        self.metrics.close()
        if self.tracing is not None:
            self.tracing.close()
        if self.lines is not None:
            self.lines.close()
