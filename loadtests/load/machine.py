"""Files of the operating system ──▶ the hardware of a figure, in a few words."""

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def describe() -> str:
    """Name cores, processor and Python version, e.g. ``2 cores of AMD EPYC, Python 3.11.9``."""
    return f"{os.cpu_count()} cores of {_processor()}, Python {platform.python_version()}"


def _processor() -> str:
    if not CPUINFO.is_file():  # not Linux
        return platform.processor() or platform.machine()
    named = [line for line in CPUINFO.read_text().splitlines() if line.startswith("model name")]
    return named[0].partition(":")[2].strip() if named else platform.machine()
