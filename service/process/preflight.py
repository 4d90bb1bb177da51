"""settings ──▶ the device that will be used, or one sentence and exit status 1: run before any worker starts.

Opens the bundle, places the embedder and runs the golden check in a process of its own, so that the
supervisor never holds a GPU context, and a server that cannot serve ends instead of restarting workers for ever.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from models.errors import TandemError
from service.inference.open_engine import open_engine
from service.observability.tracing import Tracing
from service.settings import PREFIX, Settings

_ROOT = Path(__file__).resolve().parents[2]


def check_before_start() -> None:
    """Runs this module in a process of its own; workers inherit the device that it found.

    Raises:
        SystemExit: the server cannot serve; the reason is on stderr.
    """
    outcome = subprocess.run(
        [sys.executable, "-m", "service.process.preflight"], cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if outcome.returncode != 0:
        raise SystemExit(outcome.returncode)
    os.environ[f"{PREFIX}DEVICE"] = outcome.stdout.strip()


def main() -> int:
    """Prints the device on stdout; returns 1 after one line on stderr if the server cannot serve."""
    logging.basicConfig(format="%(message)s")
    try:
        Tracing.check_environment()
        engine = open_engine(Settings.from_environment())
    except TandemError as error:
        print(f"tandem cannot start: {error}", file=sys.stderr)
        return 1
    print(engine.device)
    return 0


if __name__ == "__main__":
    sys.exit(main())
