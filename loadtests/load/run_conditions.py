"""A run → what its figures belong to: hardware, versions, date, commit, command."""

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

from loadtests.load import machine
from loadtests.load.server_process import REPOSITORY

SHARED = ("onnxruntime", "numpy", "pillow", "simplejpeg")  # the same in every peer's environment


def describe(**facts: str) -> dict[str, str]:
    """Say under which conditions a run begins, each in a line.

    Args:
        facts: What else belongs to them, by its name; ``_`` stands for a space.
    """
    return {
        "hardware": f"{machine.describe()}; load average before the run {os.getloadavg()[0]:.1f}",
        "system": f"{_distribution()}, Linux {platform.release()}",
        "versions": _listed({package: version(package) for package in SHARED}),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}",
        "precision": os.environ.get("TANDEM_PRECISION", "auto"),
        "command": f"`python -m loadtests {shlex.join(sys.argv[1:])}`",
        **{name.replace("_", " "): fact for name, fact in facts.items()},
    }


def as_markdown(conditions: Mapping[str, str]) -> str:
    """Lay conditions out as a list."""
    return "\n".join(f"- {name[0].upper()}{name[1:]}: {fact}" for name, fact in conditions.items())


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{package} {number}" for package, number in versions.items())


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _commit() -> str:
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=12"]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    return outcome.stdout.strip() or "unknown"
