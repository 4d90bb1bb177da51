"""Whole requests whose head has come before, on connections that take the shortcut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from service.http.shortcut import Shortcut

from models.runtime.engine import Engine
from service.gateway.api_keys import ApiKeys
from tests.service.http.test_shortcut import LoadedModel, post, serving
from tests.service.serving import BRIGHT, DARK, MID, until
from tests.tiny_bundle import solid_image


class HeadReader:
    """Counts the heads that are read, rather than known."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read = 0
        original = Shortcut.takes

        def takes(shortcut: Shortcut, *arguments: Any) -> bool:
            self.read += 1
            return original(shortcut, *arguments)

        monkeypatch.setattr(Shortcut, "takes", takes)


@pytest.fixture
def heads(monkeypatch: pytest.MonkeyPatch) -> HeadReader:
    return HeadReader(monkeypatch)


def test_a_head_that_comes_again_is_known_on_any_connection(engine: Engine, heads: HeadReader) -> None:
    async def test(site: LoadedModel) -> None:
        first = await site.site.caller()
        answers = [await first.ask(post(image)) for image in (BRIGHT, DARK, BRIGHT)]
        answers.append(await site.ask(post(DARK)))
        assert [json.loads(answer.body)["label"] for answer in answers] == ["bright", "dark", "bright", "dark"]
        assert len({answer.headers["x-request-id"] for answer in answers}) == 4
        assert answers[0].headers | {"x-request-id": ""} == answers[2].headers | {"x-request-id": ""}
        assert heads.read == (1 if len(BRIGHT) == len(DARK) else 2)

    serving(engine, test)


@pytest.mark.parametrize(
    "header",
    ["X-Request-Id: a", "Traceparent: 00-aa-bb-01", "Connection: close", f"X-Long: {'x' * 1000}"],
    ids=["an id", "a trace", "the last one", "a long one"],
)
def test_a_head_that_does_not_come_again_is_not_kept(engine: Engine, heads: HeadReader, header: str) -> None:
    async def test(site: LoadedModel) -> None:
        for _ in range(2):
            assert (await site.ask(post(BRIGHT, header))).status == 200
        assert heads.read == 2

    serving(engine, test)


def test_heads_are_kept_within_bounds(engine: Engine, heads: HeadReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.http.shortcut._KNOWN_HEADS", 2)

    async def test(site: LoadedModel) -> None:
        assert site.worker.shortcut is not None
        for name in "abca":
            assert (await site.ask(post(BRIGHT, f"User-Agent: {name}"))).status == 200
            assert len(site.worker.shortcut._heads) <= 2
        assert heads.read == 4

    serving(engine, test)


def test_behind_a_known_head_a_body_may_come_later_or_another_request(engine: Engine) -> None:
    async def test(site: LoadedModel) -> None:
        caller = await site.site.caller()
        assert (await caller.ask(post(BRIGHT))).status == 200
        await caller.send(post(BRIGHT)[:-5])
        await until(lambda: len(site.framework) == 1)
        await caller.send(post(BRIGHT)[-5:])
        assert (await caller.answer()).status == 200
        await caller.send(post(BRIGHT) + post(MID))
        assert [json.loads((await caller.answer()).body)["label"] for _ in range(2)] == ["bright", "mid"]

    serving(engine, test)


def test_a_known_head_is_asked_for_its_key_and_refused_while_the_server_drains(engine: Engine, tmp_path: Path) -> None:
    async def test(site: LoadedModel) -> None:
        caller = await site.site.caller()
        assert (await caller.ask(post(BRIGHT))).status == 200
        file = tmp_path / "keys"
        file.write_text("")
        site.worker.keys = ApiKeys.open(file)
        assert (await caller.ask(post(BRIGHT))).status == 401
        site.worker.lifecycle.draining = True
        answer = await caller.ask(post(BRIGHT))
        assert (answer.status, answer.headers["connection"]) == (503, "close")

    serving(engine, test)


def test_an_image_of_many_pixels_behind_a_known_head_is_the_frameworks(engine: Engine, heads: HeadReader) -> None:
    async def test(site: LoadedModel) -> None:
        large = solid_image(128, size=(600, 600))
        for _ in range(2):
            assert (await site.ask(post(large))).status == 200
        assert (len(site.framework), heads.read) == (2, 1)

    serving(engine, test)


def test_a_head_is_never_known_by_the_bytes_of_another_one(engine: Engine) -> None:
    """The second of two requests that come at once claims the length of all that follows the first one's head."""

    async def test(site: LoadedModel) -> None:
        assert site.worker.shortcut is not None
        caller = await site.site.caller()
        first, second = post(BRIGHT), post(b"x" * 9999).removesuffix(b"x" * 9999)
        length = len(BRIGHT) + len(second) + 5000
        assert 1000 <= length <= 9999
        second = second.replace(b"9999", b"%d" % length)
        await caller.send(first + second + bytes(5000))
        assert (await caller.answer()).status == 200
        await caller.send(bytes(length - 5000))
        assert (await caller.answer()).status == 415
        assert site.worker.shortcut._heads == {}  # neither came alone

    serving(engine, test)
