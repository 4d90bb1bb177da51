"""request ──▶ admitted, or refused at once with 429: what one process may hold, and what it can still do in time.

Three bounds: bytes of request bodies, images, and the time that the admitted work will take. The last is an
estimate: each image's cost in seconds by its pixels and the engine's own timing, times a factor that says how long
such work has really been taking while there was any, threads, neighbours and frequency included.

All state belongs to the event loop's thread, so there are no locks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from models.errors import Overloaded

# The factor is looked at again each time so many seconds of work have been done, and moves by this share.
_MEASURED_S = 0.2
_SHARE = 0.4
_FACTORS = (0.05, 50.0)  # bounds, so that one strange interval cannot shut the door or leave it open

# Work is admitted up to this share of the time left; the rest is for what the estimate does not see.
_SHARE_OF_DEADLINE = 0.7


class Admission:
    """What one process holds now.

    Args:
        max_images: images admitted and not yet answered.
        max_bytes: request bodies held at once.
        clock: seconds, monotonic.
    """

    def __init__(self, *, max_images: int, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.max_images = max_images
        self.max_bytes = max_bytes
        self.images = 0
        """Images admitted and not yet answered."""
        self.bytes = 0
        """Bytes of bodies held."""
        self._clock = clock
        self._backlog_s = 0.0
        self._factor = 1.0
        self._busy_since = 0.0
        self._busy_s = 0.0
        self._done_s = 0.0

    @property
    def wait_s(self) -> float:
        """Seconds until the work that is admitted now will be done."""
        return self._backlog_s * self._factor

    def check(self, deadline: float) -> None:
        """Refuses a request before its body is read, where no image could be admitted.

        Args:
            deadline: a time of the clock.

        Raises:
            Overloaded: no room for an image, or no time.
        """
        self._check(1, 0.0, deadline)

    def admit(self, images: int, cost_s: float, deadline: float) -> None:
        """Admits images; `leave` is to be called when they are answered, or given up.

        Args:
            images: how many.
            cost_s: what they are expected to cost, seconds of a process that does nothing else.
            deadline: a time of the clock.

        Raises:
            Overloaded: no room for all of them, or no time.
        """
        self._check(images, cost_s, deadline)
        if self.images == 0:
            self._busy_since = self._clock()
        self.images += images
        self._backlog_s += cost_s

    def leave(self, images: int, cost_s: float) -> None:
        """Gives back the room of images that were admitted at such a cost."""
        self.images -= images
        self._backlog_s = self._backlog_s - cost_s if self.images else 0.0  # no rounding errors are kept
        self._measure()

    def did(self, cost_s: float) -> None:
        """Notes a part of admitted work when it has been done, whether or not anybody still waits for it.

        Work that was given up before it began takes no time, and must not make the rest of it look slow.
        """
        self._done_s += cost_s

    def hold(self, count: int) -> None:
        """Takes room for bytes of a body that arrive.

        Raises:
            Overloaded: no room.
        """
        if self.bytes + count > self.max_bytes:
            raise Overloaded(
                f"{self.bytes} bytes of requests are held and {count} more exceed the limit of {self.max_bytes}"
            )
        self.bytes += count

    def release(self, count: int) -> None:
        """Gives room for bytes back."""
        self.bytes -= count

    def _check(self, images: int, cost_s: float, deadline: float) -> None:
        if self.images + images > self.max_images:
            raise Overloaded(
                f"{self.images} images are being answered and {images} more exceed the limit of {self.max_images}",
                retry_after_s=self._retry_after_s(),
            )
        if self.images == 0:  # an idle server tries; how else could the estimate be corrected?
            return
        needed_s = (self._backlog_s + cost_s) * self._factor
        left_s = deadline - self._clock()
        if needed_s > left_s * _SHARE_OF_DEADLINE:
            raise Overloaded(
                f"the work before this request and its own take about {needed_s * 1000:.0f} ms "
                f"and {max(left_s, 0) * 1000:.0f} ms are left until its deadline",
                retry_after_s=self._retry_after_s(),
            )

    def _retry_after_s(self) -> int:
        return max(1, math.ceil(self.wait_s))

    def _measure(self) -> None:
        """Compares what was done with the time it took, while there was work without a pause."""
        now = self._clock()
        self._busy_s += now - self._busy_since
        self._busy_since = now
        if self._busy_s >= _MEASURED_S and self._done_s > 0.0:
            lowest, highest = _FACTORS
            measured = min(max(self._busy_s / self._done_s, lowest), highest)
            self._factor += _SHARE * (measured - self._factor)
            self._busy_s = self._done_s = 0.0
