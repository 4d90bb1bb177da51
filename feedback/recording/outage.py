"""failures of the writer ──▶ `Outage`: one line in the log when records begin to wait or are lost, one at the end."""

from __future__ import annotations

import logging
import threading

logger = logging.getLogger(__name__)


class Outage:
    """Whether recording has trouble; any thread may tell it.

    Args:
        task: what has trouble, such as "recording of decisions".
    """

    def __init__(self, task: str) -> None:
        self._task = task
        self._lock = threading.Lock()
        self._lost_before: int | None = None

    def begin(self, reason: str, lost: int) -> None:
        """Logs the reason, unless the trouble has begun.

        Args:
            reason: in words, without a password.
            lost: records lost so far.
        """
        with self._lock:
            if self._lost_before is None:
                self._lost_before = lost
                logger.warning("%s has trouble, answers go on: %s", self._task, reason)

    def end(self, lost: int) -> None:
        """Logs how many were lost, if there was trouble."""
        with self._lock:
            if self._lost_before is not None:
                logger.warning("%s goes on; %d were lost", self._task, lost - self._lost_before)
                self._lost_before = None
