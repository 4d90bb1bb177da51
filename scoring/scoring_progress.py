"""images that are done ──▶ a line on stderr that is written anew, or without a terminal one every ten seconds."""

from __future__ import annotations

import sys
import time
from typing import TextIO

SECONDS_BETWEEN_LINES = 10.0
_SECONDS_ON_TERMINAL = 0.2


class ScoringProgress:
    """Shows how far a run is.

    Args:
        total: images of the whole run.
        done: images that earlier runs scored.
        stream: where it is written.
    """

    def __init__(self, total: int, done: int, stream: TextIO | None = None) -> None:
        self._total = total
        self.done = done
        self._before = done
        self._stream = sys.stderr if stream is None else stream
        self._is_terminal = self._stream.isatty()
        self._started = self._shown = time.monotonic()

    @property
    def rate(self) -> float:
        """Images a second of this run."""
        return (self.done - self._before) / max(time.monotonic() - self._started, 1e-9)

    @property
    def is_begun(self) -> bool:
        """Whether this run has scored an image."""
        return self.done > self._before

    @property
    def summary(self) -> str:
        """What this run did."""
        seconds = time.monotonic() - self._started
        return f"{self.done - self._before:,} images in {seconds:,.1f} s, {self.rate:,.0f} images/s"

    def add(self, count: int) -> None:
        """Counts images, and shows how many there are if the last time was long enough ago."""
        self.done += count
        now = time.monotonic()
        if now - self._shown >= (_SECONDS_ON_TERMINAL if self._is_terminal else SECONDS_BETWEEN_LINES):
            self._shown = now
            left = _clock((self._total - self.done) / self.rate)
            line = f"{self.done:,} of {self._total:,} images, {self.rate:,.0f} images/s, {left} left"
            self._write(f"\r\x1b[K{line}" if self._is_terminal else f"{line}\n")

    def close(self) -> None:
        """Removes the line from a terminal."""
        if self._is_terminal:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
