"""The server that processes are forked from is started where the tests are: some of them go elsewhere."""

from __future__ import annotations

import os

import pytest

from training.compare.time_limit import Worker


@pytest.fixture(autouse=True, scope="session")
def _server() -> None:
    with Worker() as worker:
        worker(os.getpid, seconds=300)
