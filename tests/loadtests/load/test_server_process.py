"""A service is started, awaited and stopped."""

import http.client
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from loadtests.load.server_process import Command, ServerError, bentoml_command, running

Faulty = Callable[[str], Command]


def test_a_started_service_is_ready_and_ends_with_the_block(fake_command: Faulty, tmp_path: Path) -> None:
    with running(fake_command("none"), log=tmp_path / "log") as server:
        with urlopen(f"{server.url}/readyz") as answer:
            assert answer.status == http.client.OK
        assert psutil.pid_exists(server.pid)
    assert not psutil.pid_exists(server.pid)


def test_a_service_ends_when_the_block_fails(fake_command: Faulty, tmp_path: Path) -> None:
    service = running(fake_command("none"), log=tmp_path / "log")
    server = service.__enter__()
    assert service.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None) is False
    assert not psutil.pid_exists(server.pid)


def test_a_service_that_ends_early_is_an_error_with_its_last_words(fake_command: Faulty, tmp_path: Path) -> None:
    with (
        pytest.raises(ServerError, match=r"ended with status 1 before it was ready(?s:.*)no bundle here"),
        running(fake_command("crashing"), log=tmp_path / "log"),
    ):
        pass


def test_a_service_that_stays_unready_is_an_error_after_the_timeout(fake_command: Faulty, tmp_path: Path) -> None:
    with (
        pytest.raises(ServerError, match=r"not ready after 0.5 s"),
        running(fake_command("unready"), log=tmp_path / "log", ready_timeout_s=0.5),
    ):
        pass


def test_a_server_runs_the_code_of_its_checkout(tmp_path: Path) -> None:
    (tmp_path / "code_of_a_checkout.py").write_text("raise SystemExit('this checkout')")
    with (
        pytest.raises(ServerError, match="this checkout"),
        running(lambda _: [sys.executable, "-P", "-m", "code_of_a_checkout"], log=tmp_path / "log", checkout=tmp_path),
    ):
        pass


def test_the_service_listens_on_the_loopback_address_only() -> None:
    command = bentoml_command(3456)
    assert command[1:5] == ["-m", "bentoml", "serve", "service:HybridService"]
    assert command[5:] == ["--host", "127.0.0.1", "--port", "3456"]
