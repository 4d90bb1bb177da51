"""What a worker knows of the others' connections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.coordination import CONNECTIONS, forget_worker
from service.http import connection_balancing as module
from service.http.connection_balancing import ConnectionBalance

OTHER = 1  # a process id that is not ours


def has(directory: Path, connections: int, pid: int = OTHER) -> None:
    """Has another worker show so many connections."""
    path = directory / CONNECTIONS.format(pid)
    if not path.exists():
        path.write_bytes(bytes(4))
    with path.open("r+b") as file:
        file.write(connections.to_bytes(4, "little"))


@pytest.fixture
def balance(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConnectionBalance]:
    monkeypatch.setattr(module, "LISTED_S", -1.0)
    balance = ConnectionBalance()
    balance.open()
    yield balance
    balance.close()


def test_who_has_as_many_as_the_others_takes_the_next(shared: Path, balance: ConnectionBalance) -> None:
    has(shared, 3)
    balance.set(3)
    assert not balance.is_exceeded()


def test_who_has_more_leaves_the_next_to_them(shared: Path, balance: ConnectionBalance) -> None:
    has(shared, 0)
    balance.set(1)
    assert balance.is_exceeded()
    has(shared, 1)
    assert not balance.is_exceeded()


def test_the_one_with_the_fewest_counts(shared: Path, balance: ConnectionBalance) -> None:
    has(shared, 9)
    has(shared, 2, pid=OTHER + 1)
    balance.set(3)
    assert balance.is_exceeded()


def test_of_many_a_few_more_are_no_matter(shared: Path, balance: ConnectionBalance) -> None:
    has(shared, 500)
    balance.set(510)
    assert not balance.is_exceeded()
    balance.set(600)
    assert balance.is_exceeded()


def test_a_worker_alone_takes_all(balance: ConnectionBalance) -> None:
    balance.set(1000)
    assert not balance.is_exceeded()


def test_a_dead_worker_is_forgotten(shared: Path, balance: ConnectionBalance) -> None:
    has(shared, 0)
    balance.set(5)
    assert balance.is_exceeded()
    forget_worker(OTHER)
    assert not balance.is_exceeded()


def test_nothing_is_left_to_who_has_closed(
    shared: Path, balance: ConnectionBalance, monkeypatch: pytest.MonkeyPatch
) -> None:
    has(shared, 0)
    balance.set(1)
    balance.is_exceeded()
    monkeypatch.setattr(module, "LISTED_S", 1000.0)  # it is not noticed that the file is gone
    has(shared, module._NONE)
    assert not balance.is_exceeded()


def test_who_has_closed_takes_all_and_leaves_nothing_behind(shared: Path, balance: ConnectionBalance) -> None:
    has(shared, 0)
    balance.set(9)
    balance.close()
    assert not balance.is_exceeded()
    assert [path.name for path in shared.iterdir()] == [CONNECTIONS.format(OTHER)]


def test_before_it_is_opened_it_counts_nothing() -> None:
    balance = ConnectionBalance()
    balance.set(5)
    assert not balance.is_exceeded()
    balance.close()
