"""Fixtures of the tests that send hostile input."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.rig.target import Target, serving_target


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A server that several tests send hostile input to; none may leave it the worse for it."""
    with serving_target(tmp_path_factory.mktemp("target")) as started:
        yield started
