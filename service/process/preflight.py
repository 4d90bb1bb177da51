"""settings ──▶ the device and the bundle that will be used, or one sentence and exit status 1: run before any worker.

Downloads a bundle that is at a URL, opens it, places the embedder and runs the golden check in a process of its own, so
that the supervisor never holds a GPU context, and a server that cannot serve ends instead of restarting workers.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
from pathlib import Path

from models.errors import TandemError
from models.remote.bundle_cache import BundleCache
from service.inference.open_engine import open_engine
from service.observability.tracing import Tracing
from service.settings import PREFIX, Settings, SettingsError

_ROOT = Path(__file__).resolve().parents[2]


def check_before_start() -> None:
    """Runs this module in a process of its own; workers inherit the device that it found, and a URL's directory.

    Raises:
        SystemExit: the server cannot serve; the reason is on stderr.
    """
    outcome = subprocess.run(
        [sys.executable, "-m", "service.process.preflight"], cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if outcome.returncode != 0:
        raise SystemExit(outcome.returncode)
    device, *directory = outcome.stdout.splitlines()
    os.environ[f"{PREFIX}DEVICE"] = device
    if directory:
        os.environ[f"{PREFIX}BUNDLE"] = directory[0]


def main() -> int:
    """Prints the device, and a line more with the directory that a URL was downloaded to.

    Returns:
        1 after one line on stderr if the server cannot serve.
    """
    logging.basicConfig(format="%(message)s")
    try:
        Tracing.check_environment()
        settings = Settings.from_environment()
        _check_grpc(settings)
        path = BundleCache.of_user(settings.bundle).refresh() if isinstance(settings.bundle, str) else None
        engine = open_engine(settings, path)
    except (TandemError, OSError) as error:
        print(f"tandem cannot start: {error}", file=sys.stderr)
        return 1
    print(engine.device, *([path] if path else []), sep="\n")
    return 0


def _check_grpc(settings: Settings) -> None:
    """Refuses a port for gRPC if its package is missing."""
    if settings.grpc_port and importlib.util.find_spec("grpc") is None:
        raise SettingsError(f"{PREFIX}GRPC_PORT={settings.grpc_port} needs grpcio: install Tandem's extra `grpc`")


if __name__ == "__main__":
    sys.exit(main())
