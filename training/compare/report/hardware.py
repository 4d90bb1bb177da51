"""this machine ──▶ what a measured figure needs beside it: processor, cores, versions of libraries."""

from __future__ import annotations

import importlib.util
import os
import platform
from importlib.metadata import version
from pathlib import Path

from training.export.bundle_files import library_versions

_CPU_INFO = Path("/proc/cpuinfo")
_BESIDE = {"skimage": "scikit-image", "xgboost": "xgboost-cpu", "lightgbm": "lightgbm"}
"""Optional modules that the comparison uses, and the packages they come with."""


def hardware() -> str:
    """The processor and the number of cores."""
    return f"{_processor()}, {os.cpu_count()} cores"


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries whose speed and results are compared."""
    beside = {
        package: version(package) for module, package in _BESIDE.items() if importlib.util.find_spec(module) is not None
    }
    return {"python": platform.python_version(), **library_versions(), **beside}


def _processor() -> str:
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:  # another system
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
