"""A PostgreSQL server for tests: Debian's, in a folder of its own, on a free port of this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.rig.servers import free_port


def _programs() -> Path | None:
    """The folder of the newest server that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    return found[-1] if found else None


def _as_server(command: list[str], folder: Path) -> None:
    """Runs a command as the account of the server, which refuses root."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*prefix, *command], check=True, capture_output=True, timeout=60, cwd=folder)


class PostgresqlServer:
    """A server that can be stopped and started again, with its data.

    Args:
        programs: the folder of its programs.
        data: its folder.
    """

    def __init__(self, programs: Path, data: Path) -> None:
        self._data, self._port = data, free_port()
        self._control = [f"{programs}/pg_ctl", "-D", str(data), "-w"]
        self.url = f"postgresql+psycopg://tandem@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Returns when it takes connections."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        _as_server([*self._control, "-l", f"{self._data}/log", "-o", options, "start"], self._data)

    def kill(self) -> None:
        """Ends all its processes at once, whatever they do."""
        _as_server([*self._control, "-m", "immediate", "stop"], self._data)


@contextlib.contextmanager
def postgresql_server() -> Iterator[PostgresqlServer]:
    """Starts a server and stops it. Skips the test where none is installed."""
    programs = _programs()
    if programs is None or (os.geteuid() == 0 and shutil.which("runuser") is None):
        pytest.skip("no PostgreSQL server is installed: apt-get install postgresql")
    with tempfile.TemporaryDirectory(prefix="tandem-postgresql-") as folder:
        data = Path(folder)
        if os.geteuid() == 0:
            shutil.chown(data, "postgres", "postgres")
        _as_server([f"{programs}/initdb", "-D", folder, "-A", "trust", "-U", "tandem", "--no-sync"], data)
        server = PostgresqlServer(programs, data)
        server.start()
        try:
            yield server
        finally:
            server.kill()
