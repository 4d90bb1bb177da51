"""settings ──▶ `Worker`: what one server process has once, shared by its gate, its pipeline and its routes."""

from __future__ import annotations

from dataclasses import dataclass

from service.admission import Admission
from service.keys import ApiKeys
from service.lifecycle import Lifecycle
from service.logs import AccessLog
from service.metrics import Metrics
from service.settings import Settings
from service.tracing import Tracing


@dataclass(frozen=True)
class Worker:
    """One process' own parts; None stands for what the settings leave out."""

    settings: Settings
    metrics: Metrics
    admission: Admission
    lifecycle: Lifecycle
    keys: ApiKeys | None
    access_log: AccessLog | None
    tracing: Tracing | None

    @classmethod
    def of(cls, settings: Settings) -> Worker:
        """Builds the parts; nothing runs yet.

        Raises:
            TandemError: the file of API keys is damaged, or a configured exporter is missing.
        """
        return cls(
            settings=settings,
            metrics=Metrics(),
            admission=Admission(max_images=settings.max_queue, max_bytes=settings.max_buffered_bytes),
            lifecycle=Lifecycle(),
            keys=ApiKeys.open(settings.api_keys_file) if settings.api_keys_file else None,
            access_log=AccessLog() if settings.access_log else None,
            tracing=Tracing.from_environment(),
        )
