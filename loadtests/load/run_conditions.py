"""A run ──▶ the conditions of its figures: hardware, versions, date, commit, command."""

import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version

from loadtests.load import machine
from loadtests.load.server_process import REPOSITORY

SHARED = ("onnxruntime", "numpy", "pillow", "simplejpeg")  # the same in every peer's environment


def describe(*, payload: str, rounds: str) -> dict[str, str]:
    """Return the conditions under which a run begins by their names; the arguments are two of them."""
    try:
        distribution = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        distribution = platform.system()
    git = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty", "--abbrev=12"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    return {
        "hardware": f"{machine.describe()}; load average before the run {os.getloadavg()[0]:.1f}",
        "system": f"{distribution}, Linux {platform.release()}",
        "versions": ", ".join(f"{package} {version(package)}" for package in SHARED),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit}",
        "precision": os.environ.get("TANDEM_PRECISION", "auto"),
        "command": f"`python -m loadtests {shlex.join(sys.argv[1:])}`",
        "payload": payload,
        "rounds": rounds,
    }
