"""Fixtures of the chaos tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.chaos.target import Target, serving

Record = Callable[[str, str, str, bool], None]


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server that several tests send hostile input to; none may leave it the worse for it."""
    with serving(tmp_path_factory.mktemp("target")) as started:
        yield started


@pytest.fixture(scope="session")
def reliability() -> Record:
    """Takes down what a promise was measured at; a stand-in until the recorder is there."""

    def record(promise: str, figure: str, measured: str, met: bool) -> None:
        print(f"\n{'met' if met else 'MISSED'}: {promise} ({figure}): {measured}")

    return record
