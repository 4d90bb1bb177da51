"""`python -m service serve`: checks what BentoML needs before it runs, then becomes `bentoml serve`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

GRACE_S = 30
"""What a server has to end what is under way, where `--timeout-graceful-shutdown` does not say otherwise."""


def main(arguments: Sequence[str]) -> int:
    """Becomes the server; returns 1 after one line on stderr where BentoML would end with a traceback.

    Args:
        arguments: of `bentoml serve`, such as `--host` and `--port`.
    """
    fault = _fault()
    if not fault:
        os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
        grace = ["--timeout-graceful-shutdown", str(GRACE_S)]
        command = [sys.executable, "-m", "bentoml", "serve", "service:HybridService", *grace, *arguments]
        os.execv(sys.executable, command)  # noqa: S606 (our own command)
    print(f"tandem cannot start: {fault}", file=sys.stderr)
    return 1


def _fault() -> str:
    """Which directory cannot be written, and what to do; empty where all can."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        return f"{error.strerror}; set TMPDIR to a directory that can be written"
    home = Path(os.environ.get("BENTOML_HOME") or Path("~/bentoml").expanduser())
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            return ""
    except OSError as error:
        return f"{home}: {error.strerror}; set BENTOML_HOME to a directory that can be written"
