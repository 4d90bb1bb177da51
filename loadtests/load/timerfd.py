"""Time on the monotonic clock ──▶ a file descriptor that is readable from then on (Linux's timerfd).

``epoll.poll`` rounds its timeout up to a millisecond, which is longer than many requests take; Python's own
``os.timerfd_create`` exists from 3.13 on.
"""

import ctypes
import os
import time

from loadtests.load.arrivals import NS_PER_S

_ABSOLUTE = 1  # TFD_TIMER_ABSTIME, linux/timerfd.h


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class Timer:
    """A timer that can be set again and again; its descriptor is not readable until it is due."""

    def __init__(self) -> None:
        """Open the descriptor.

        Raises:
            OSError: The system gives none.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = int(libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._settime = libc.timerfd_settime
        self._spec = _Itimerspec()
        self._pointer = ctypes.byref(self._spec)

    def set(self, due_ns: int) -> None:
        """Make the descriptor readable from ``due_ns`` of ``time.monotonic_ns`` on."""
        value = self._spec.value
        value.seconds, value.nanoseconds = divmod(due_ns, NS_PER_S)
        self._settime(self.fd, _ABSOLUTE, self._pointer, None)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)
