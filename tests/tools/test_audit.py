"""The audit of pinned packages: the real pip-audit asks a small database on this machine."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools.audit import why_unreachable

ROOT = Path(__file__).parents[2]
VULNERABLE = "leaky"


class Database(BaseHTTPRequestHandler):
    """Speaks as much of OSV's protocol as pip-audit needs, and knows one package with a hole."""

    server: DatabaseServer

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = query["package"]["name"]
        self.server.asked.append(f"{name}=={query['version']}")
        package = {"name": name, "ecosystem": "PyPI"}
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}]
        hole = {
            "id": "PYSEC-2026-1",
            "summary": "it leaks",
            "aliases": [],
            "affected": [{"package": package, "ranges": ranges}],
        }
        answer = json.dumps({"vulns": [hole]} if name == VULNERABLE else {}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


class DatabaseServer(ThreadingHTTPServer):
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Database)
        self.asked: list[str] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/query"


@pytest.fixture
def database() -> Iterator[DatabaseServer]:
    with DatabaseServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(requirements: Path, url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.audit", str(requirements), "--database", url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def pinned(folder: Path, *requirements: str) -> Path:
    path = folder / "pinned.txt"
    path.write_text("".join(f"{requirement}\n" for requirement in requirements))
    return path


def test_every_pin_of_the_lock_file_is_asked_for(database: DatabaseServer) -> None:
    outcome = run(ROOT / "constraints.txt", database.url)
    assert (outcome.returncode, outcome.stderr) == (0, "No known vulnerabilities found\n")
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line]
    assert sorted(database.asked) == sorted(pins)


def test_a_known_vulnerability_fails_and_is_named(database: DatabaseServer, tmp_path: Path) -> None:
    outcome = run(pinned(tmp_path, "sound==1.0", f"{VULNERABLE}==1.0"), database.url)
    assert outcome.returncode == 1
    assert VULNERABLE in outcome.stdout
    assert "PYSEC-2026-1" in outcome.stdout


def test_a_database_that_fails_is_no_reason_to_pass(database: DatabaseServer, tmp_path: Path) -> None:
    database.status = 500
    assert run(pinned(tmp_path, "sound==1.0"), database.url).returncode == 1


def test_an_unpinned_requirement_fails(database: DatabaseServer, tmp_path: Path) -> None:
    outcome = run(pinned(tmp_path, "sound>=1.0"), database.url)
    assert outcome.returncode == 1
    assert "sound" in outcome.stderr


def test_a_database_out_of_reach_is_a_warning_that_nothing_was_checked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1/query"
    outcome = run(pinned(tmp_path, f"{VULNERABLE}==1.0"), url)
    assert outcome.returncode == 0
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("WARNING: ")
    assert f"was NOT checked for known vulnerabilities: {url} cannot be reached" in line


def test_a_host_that_is_silent_is_given_up_within_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts, and never answers
        started = time.monotonic()
        assert why_unreachable(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout_s=0.5) == "timed out"
        assert time.monotonic() - started < 5


def test_a_name_that_is_not_known_is_out_of_reach() -> None:
    assert why_unreachable("http://database.invalid/v1/query")
