"""`service.inference.following.shadow_watch`: the shadow comes, changes and goes with its file, and never harms."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedback.recording.record_queue import Record, size_of
from models.bundle.store import SHADOW, Store
from models.imaging.decode import decode
from models.runtime.engine import Engine
from models.runtime.engine_types import EngineInput
from models.runtime.head_answers import Classified, answer_image
from service.gateway.admission import Admission
from service.inference.following.shadow_watch import ShadowWatch
from service.inference.pipeline import Pipeline
from tests.service.serving import METRICS, settings_of
from tests.tiny_bundle import CLASSES, GREYS, solid_image, tiny_bundle


class Entry:
    """A store entry `tiny`: version 1 serves, 2 has the same classes the other way round, 3 is damaged."""

    def __init__(self, root: Path) -> None:
        tiny_bundle(root, version=1)
        tiny_bundle(root, version=2, classes=CLASSES[::-1])
        damaged = tiny_bundle(root, version=3)
        (damaged / "head-shade.onnx").write_bytes(b"damaged")
        self.store, self.path = Store(root), root / "tiny"
        settings = settings_of(self.path)
        self.pipeline = Pipeline(self.engine(1), settings, METRICS, Admission(max_images=8, max_bytes=1024))
        self.pipeline.start()
        self.watch = ShadowWatch(settings, self.pipeline, METRICS)

    def engine(self, version: int) -> Engine:
        return Engine.load(self.path / str(version), device="cpu")

    def look(self, *changes: Callable[[], object]) -> None:
        """Changes something, and looks, one after the other."""
        for change in changes:
            change()
            asyncio.run(self.watch.look())

    def decided(self, model: str = "tiny@1") -> list[str]:
        """Labels of the shadow for a dark image that a model has answered."""
        engine, image = self.pipeline.model.engine, solid_image(GREYS["dark"])
        asked = engine.manifest.check_columns(engine.manifest.heads, {})
        (result,) = engine.run([EngineInput(decode(image, engine.manifest.input), asked)], [0.0])
        answered = [answer_image(0, image, result, engine.manifest.heads)]
        found = self.watch.decide([Record(b"id", time.time(), model, answered, *size_of(answered))])
        answers = [one.answers["shade"] for one in found.decisions] if found is not None else []
        return [answer.label for answer in answers if isinstance(answer, Classified)]


@pytest.fixture
def entry(tmp_path: Path) -> Iterator[Entry]:
    made = Entry(tmp_path)
    yield made
    made.pipeline.close()


def test_without_a_shadow_nothing_is_wanted(entry: Entry) -> None:
    entry.look(lambda: None)
    assert not entry.watch.wants()
    assert entry.decided() == []


def test_a_shadow_decides_as_soon_as_it_is_set_and_until_it_is_off(entry: Entry) -> None:
    entry.look(lambda: entry.store.set_shadow("tiny", 2))
    assert entry.watch.wants()
    assert entry.decided() == ["bright"]
    assert entry.watch.seconds > 0
    entry.look(lambda: entry.store.clear_shadow("tiny"))
    assert not entry.watch.wants()
    assert entry.decided() == []


def test_answers_of_another_model_are_left_out(entry: Entry) -> None:
    entry.look(lambda: entry.store.set_shadow("tiny", 2))
    assert entry.decided("tiny@0") == []


@pytest.mark.parametrize("text", ["3 1.0\n", "9 1.0\n", "two\n"], ids=["damaged", "not there", "no version"])
def test_a_shadow_that_cannot_be_had_is_refused_once_and_named(
    entry: Entry, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        entry.look(lambda: (entry.path / SHADOW).write_text(text), lambda: None)
    assert [record.message.startswith("the shadow of tiny is refused: ") for record in caplog.records] == [True]
    assert not entry.watch.wants()


def test_a_shadow_that_becomes_champion_ends_and_another_champion_has_it_opened_again(entry: Entry) -> None:
    entry.look(lambda: entry.store.set_shadow("tiny", 2), lambda: entry.pipeline.replace(entry.engine(2)))
    assert not entry.watch.wants()
    entry.look(lambda: entry.pipeline.replace(entry.engine(1)))
    assert entry.decided() == ["bright"]
