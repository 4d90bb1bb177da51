"""The model changes with the store's champion, and only to one that is whole."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from models.bundle.signature import sign
from models.bundle.store import CHAMPION, Store
from models.runtime.engine import Engine
from service.inference.following.live_reload import LiveReload
from service.inference.open_engine import open_engine
from service.settings import Settings
from tests.models.bundle.signing_keys import key_pair
from tests.service.serving import until
from tests.tiny_bundle import tiny_bundle


class Watched:
    """A store entry `tiny` with the versions 1 and 2, and what its watcher did."""

    def __init__(self, root: Path) -> None:
        for version in (1, 2):
            tiny_bundle(root, version=version)
        self.store = Store(root)
        self.entry = root / "tiny"
        self.store.promote("tiny", 1)
        self.replaced: list[str] = []
        self.observed: list[str] = []
        self.loaded: list[Path] = []

    def champion(self, entry: Path | None = None) -> LiveReload:
        return LiveReload(
            entry or self.entry,
            self.entry / "1",
            load=self.load,
            replace=lambda engine: self.replaced.append(engine.manifest.model),
            observe=self.observed.append,
        )

    def load(self, path: Path) -> Engine:
        self.loaded.append(path)
        return Engine.load(path, device="cpu")

    def look(self, *changes: Callable[[], object]) -> None:
        """Looks, and again after each change."""

        async def test() -> None:
            champion = self.champion()
            await champion.look()
            for change in changes:
                change()
                await champion.look()

        asyncio.run(test())

    def damage(self, version: int) -> None:
        file = self.entry / str(version) / "embedder.onnx"
        file.write_bytes(file.read_bytes()[:-1] + b"\0")


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_without_a_change_nothing_is_loaded(watched: Watched) -> None:
    watched.look(lambda: None)
    assert (watched.loaded, watched.observed) == ([], [])


def test_a_new_champion_takes_over_and_a_rollback_takes_it_back(watched: Watched) -> None:
    watched.look(lambda: watched.store.promote("tiny", 2), lambda: watched.store.rollback("tiny"))
    assert watched.replaced == ["tiny@2", "tiny@1"]
    assert watched.observed == ["ok", "ok"]


def test_a_damaged_champion_is_refused_once_with_its_reason(watched: Watched, caplog: pytest.LogCaptureFixture) -> None:
    watched.damage(2)
    with caplog.at_level(logging.ERROR):
        watched.look(lambda: watched.store.promote("tiny", 2), lambda: None, lambda: None)
    assert (watched.replaced, watched.observed) == ([], ["refused"])
    (record,) = caplog.records
    assert "new champion of tiny refused, tiny@1 keeps serving: embedder.onnx: SHA-256" in record.getMessage()


def test_after_a_refusal_the_next_champion_is_looked_at(watched: Watched) -> None:
    tiny_bundle(watched.store.root, version=3)
    watched.damage(2)
    watched.look(lambda: watched.store.promote("tiny", 2), lambda: watched.store.promote("tiny", 3))
    assert (watched.replaced, watched.observed) == (["tiny@3"], ["refused", "ok"])


def test_going_back_to_the_one_that_still_serves_changes_nothing(watched: Watched) -> None:
    watched.damage(2)
    watched.look(lambda: watched.store.promote("tiny", 2), lambda: watched.store.rollback("tiny"))
    assert (watched.replaced, watched.observed) == ([], ["refused"])


def test_a_champion_that_the_key_does_not_stand_for_is_refused_by_name(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = key_pair(tmp_path, "ours"), key_pair(tmp_path, "theirs")
    settings = Settings(bundle=watched.entry, device="cpu", verify_key=ours.public)
    monkeypatch.setattr(watched, "load", lambda path: open_engine(settings, path))
    with caplog.at_level(logging.ERROR):
        watched.look(lambda: watched.store.promote("tiny", 2))
        sign(watched.entry / "2", theirs.private)
        watched.look()
        sign(watched.entry / "2", ours.private)
        watched.look()
    assert (watched.replaced, watched.observed) == (["tiny@2"], ["refused", "refused", "ok"])
    unsigned, other = (record.getMessage() for record in caplog.records)
    assert "new champion of tiny refused, tiny@1 keeps serving: model.sig: missing" in unsigned
    assert "tiny@1 keeps serving: model.sig: not a signature by the key" in other


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda entry: (entry / CHAMPION).unlink(), id="the champion file is gone"),
        pytest.param(lambda entry: (entry / CHAMPION).write_text("nine\n"), id="no number"),
        pytest.param(lambda entry: (entry / CHAMPION).write_text("9\n"), id="a version that is not there"),
        pytest.param(shutil.rmtree, id="the store is gone"),
    ],
)
def test_a_store_that_is_out_of_order_is_refused(watched: Watched, change: Callable[[Path], object]) -> None:
    watched.look(lambda: change(watched.entry), lambda: None)
    assert (watched.replaced, watched.observed) == ([], ["refused"])


def test_whatever_a_candidate_raises_the_watch_goes_on(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def load(path: Path) -> Engine:
        raise MemoryError("no room")

    monkeypatch.setattr(watched, "load", load)
    watched.look(lambda: watched.store.promote("tiny", 2))
    assert watched.observed == ["refused"]
    assert "MemoryError: no room" in caplog.text


def watch(watched: Watched, entry: Path, test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        champion = watched.champion(entry)
        champion.start()
        try:
            await test()
        finally:
            await champion.stop()

    asyncio.run(main())


def test_the_watch_notices_by_itself(watched: Watched) -> None:
    async def test() -> None:
        watched.store.promote("tiny", 2)
        await until(lambda: watched.replaced == ["tiny@2"])

    watch(watched, watched.entry, test)


def test_one_versions_directory_is_not_watched(watched: Watched) -> None:
    async def test() -> None:
        watched.store.promote("tiny", 2)
        assert len(asyncio.all_tasks()) == 1

    watch(watched, watched.entry / "1", test)
