"""What the tests of the load tests share: a stand-in for the service, and a summary."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtests.load.server_process import Command
from loadtests.scenarios.run_summary import Row, Summary

FAKE_SERVICE = Path(__file__).with_name("fake_service.py")


@pytest.fixture(scope="session")
def fake_command() -> Callable[[str], Command]:
    """Give the command of a fake service with a fault (``none`` for a healthy one)."""

    def command(fault: str) -> Command:
        return lambda port: [sys.executable, str(FAKE_SERVICE), str(port), "--fault", fault]

    return command


@pytest.fixture
def summary() -> Summary:
    """Give the summary of a run of 200 requests, 2 of which failed."""
    single = Row("one PNG", 150, 0, 75.0, 2.0, 5.0, 9.0)
    form = Row("form of 2-16", 50, 2, 25.0, 6.0, 12.0, 30.0)
    total = Row("all", 200, 2, 100.0, 3.0, 10.0, 20.0)
    errors = (("status 500: b'oops'", 2),)
    return Summary((single, form), total, 2.0, 0.9, 60, 0.5, errors, "4 users")
