"""What a worker knows of the others' connections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.http import connection_balancing as module
from service.http.connection_balancing import Share
from service.coordination import CONNECTIONS, forget_worker

OTHER = 1  # a process id that is not ours


def has(directory: Path, connections: int, pid: int = OTHER) -> None:
    """Has another worker show so many connections."""
    path = directory / CONNECTIONS.format(pid)
    if not path.exists():
        path.write_bytes(bytes(4))
    with path.open("r+b") as file:
        file.write(connections.to_bytes(4, "little"))


@pytest.fixture
def share(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Share]:
    monkeypatch.setattr(module, "LISTED_S", -1.0)
    share = Share()
    share.open()
    yield share
    share.close()


def test_who_has_as_many_as_the_others_takes_the_next(shared: Path, share: Share) -> None:
    has(shared, 3)
    share.set(3)
    assert not share.is_exceeded()


def test_who_has_more_leaves_the_next_to_them(shared: Path, share: Share) -> None:
    has(shared, 0)
    share.set(1)
    assert share.is_exceeded()
    has(shared, 1)
    assert not share.is_exceeded()


def test_the_one_with_the_fewest_counts(shared: Path, share: Share) -> None:
    has(shared, 9)
    has(shared, 2, pid=OTHER + 1)
    share.set(3)
    assert share.is_exceeded()


def test_of_many_a_few_more_are_no_matter(shared: Path, share: Share) -> None:
    has(shared, 500)
    share.set(510)
    assert not share.is_exceeded()
    share.set(600)
    assert share.is_exceeded()


def test_a_worker_alone_takes_all(share: Share) -> None:
    share.set(1000)
    assert not share.is_exceeded()


def test_a_dead_worker_is_forgotten(shared: Path, share: Share) -> None:
    has(shared, 0)
    share.set(5)
    assert share.is_exceeded()
    forget_worker(OTHER)
    assert not share.is_exceeded()


def test_nothing_is_left_to_who_has_closed(shared: Path, share: Share, monkeypatch: pytest.MonkeyPatch) -> None:
    has(shared, 0)
    share.set(1)
    share.is_exceeded()
    monkeypatch.setattr(module, "LISTED_S", 1000.0)  # it is not noticed that the file is gone
    has(shared, module._NONE)
    assert not share.is_exceeded()


def test_who_has_closed_takes_all_and_leaves_nothing_behind(shared: Path, share: Share) -> None:
    has(shared, 0)
    share.set(9)
    share.close()
    assert not share.is_exceeded()
    assert [path.name for path in shared.iterdir()] == [CONNECTIONS.format(OTHER)]


def test_before_it_is_opened_it_counts_nothing() -> None:
    share = Share()
    share.set(5)
    assert not share.is_exceeded()
    share.close()
