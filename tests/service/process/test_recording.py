"""Whatever route decides, what it told the caller is recorded: once, with its image, and nothing else is."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from feedback.database.database import Database, DatabaseError
from feedback.recording.decision_recorder import Recorder
from models.errors import StoreError
from models.runtime.engine import Engine
from service.grpc import open_inference_pb2 as messages
from service.process.recording.recorder_opening import open_recorder
from service.settings import SettingsError
from tests.feedback.recording.recordings import rows
from tests.service.grpc.test_grpc_server import calling
from tests.service.serving import BRIGHT, DARK, JSON, MID, PNG, TEXT, engine_site, form, instance, settings_of
from tests.tiny_bundle import COLUMNS, tiny_bundle

Send = Callable[[httpx.AsyncClient], Any]
PACKED = b"".join(len(image).to_bytes(4, "little") + image for image in (MID, TEXT, BRIGHT))
OIP = {
    "inputs": [
        {
            "name": "image",
            "datatype": "BYTES",
            "shape": [2],
            "parameters": {"content_type": "base64"},
            "data": [instance(MID)["image"], instance(BRIGHT)["image"]],
        }
    ]
}


def sent(url: str, content: Any = None, headers: Any = None, **named: Any) -> Send:
    return lambda client: client.post(url, content=content, headers=headers, **named)


def recorded(engine: Engine, tmp_path: Path, send: Send) -> tuple[httpx.Response, list[dict[str, Any]]]:
    """The response to one request, and what is recorded then."""
    database = Database(f"sqlite:///{tmp_path / 'feedback.db'}")

    async def ask() -> httpx.Response:
        async with engine_site(engine) as (site, gateway, _):
            site.telemetry.recorder = Recorder(database)
            site.telemetry.recorder.start()
            async with site.client(gateway, "a socket") as client:
                response: httpx.Response = await send(client)
            await asyncio.to_thread(site.telemetry.recorder.close)
            return response

    response = asyncio.run(ask())
    database.migrate()
    found = rows(database)
    database.close()
    return response, found


@pytest.mark.parametrize(
    ("send", "places"),
    [
        pytest.param(sent("/v1/predict", MID, PNG), {0: MID}, id="an image"),
        pytest.param(sent("/v1/predict?explain=0&top_k=1", MID, PNG), {0: MID}, id="an image, with a query"),
        pytest.param(sent("/v1/predict", **form([MID, TEXT, BRIGHT])), {0: MID, 2: BRIGHT}, id="a form"),
        pytest.param(
            sent("/v1/predict", PACKED, {"content-type": "application/x-tandem-images"}),
            {0: MID, 2: BRIGHT},
            id="packed images",
        ),
        pytest.param(
            sent("/predict", json.dumps({"instances": [instance(MID), instance(BRIGHT)]}), JSON),
            {0: MID, 1: BRIGHT},
            id="BentoML's route",
        ),
        pytest.param(
            sent("/v2/models/tiny/infer", json.dumps(OIP), JSON), {0: MID, 1: BRIGHT}, id="the Open Inference Protocol"
        ),
    ],
)
def test_each_route_that_decides_is_recorded(
    engine: Engine, tmp_path: Path, send: Send, places: dict[int, bytes]
) -> None:
    response, found = recorded(engine, tmp_path, send)
    assert response.status_code == 200, response.text
    assert {row["index"]: row["image_sha256"] for row in found} == {
        place: hashlib.sha256(image).hexdigest() for place, image in places.items()
    }
    assert {row["request_id"] for row in found} == {response.headers["x-request-id"]}
    assert {(row["model"], row["head"]) for row in found} == {("tiny@1", "shade")}
    assert [row["label"] for row in found] == ["mid", "bright"][: len(places)]
    assert all(len(row["embedding"]) == 2 * 4 for row in found)


@pytest.mark.parametrize(
    "send",
    [
        pytest.param(sent("/v1/predict", TEXT, PNG), id="no image"),
        pytest.param(sent("/v1/embed", MID, PNG), id="an embedding"),
        pytest.param(sent("/v2/models/tiny/infer", json.dumps({**OIP, "outputs": [{"name": "embedding"}]}), JSON),
                     id="an embedding by the Open Inference Protocol"),
        pytest.param(sent("/v1/predict?top_k=99", MID, PNG), id="a query that is refused"),
    ],
)  # fmt: skip
def test_what_decides_nothing_is_not_recorded(engine: Engine, tmp_path: Path, send: Send) -> None:
    assert recorded(engine, tmp_path, send)[1] == []


def test_a_call_of_grpc_is_recorded_under_its_id(engine: Engine, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'feedback.db'}")
    request = messages.ModelInferRequest(model_name="tiny")
    request.inputs.add(name="image", datatype="BYTES", shape=[1]).contents.bytes_contents.append(DARK)

    async def call() -> None:
        async with calling(engine) as caller:
            caller.site.telemetry.recorder = Recorder(database)
            caller.site.telemetry.recorder.start()
            await caller.infer(request, metadata=(("x-request-id", "call-7"),))
            await asyncio.to_thread(caller.site.telemetry.recorder.close)

    asyncio.run(call())
    (found,) = rows(database)
    database.close()
    assert (found["request_id"], found["label"]) == ("call-7", "dark")


def test_each_head_that_decides_is_recorded_with_the_columns_that_it_was_given(tmp_path: Path) -> None:
    engine = Engine.load(
        tiny_bundle(tmp_path, heads={"shade": (), "moved": COLUMNS}, regressions=["number"]), device="cpu"
    )
    body = json.dumps({"instances": [instance(DARK, {"shift": 0.5, "force": "Ulm"})]})
    response, found = recorded(engine, tmp_path, sent("/v1/predict?heads=shade,moved,number", body, JSON))
    assert response.status_code == 200, response.text
    by_head = {row["head"]: row for row in found}
    assert by_head["moved"]["columns"] == {"shift": 0.5, "force": "Ulm", "invert": None}
    assert by_head["shade"]["columns"] == {}
    decisions = response.json()["predictions"][0]["decisions"]
    assert by_head["number"]["value"] == decisions["number"]["value"]
    for head in ("shade", "moved"):
        shown = {name: by_head[head][name] for name in ("label", "confidence", "decision", "reasons")}
        assert shown == {name: decisions[head][name] for name in shown}


def test_without_a_url_nothing_is_recorded(tmp_path: Path) -> None:
    assert open_recorder(settings_of(tmp_path)) is None


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"feedback_url": "mysql://user:secret@host/x"}, DatabaseError, "is not one of|SQLite or PostgreSQL|needs the"),
        ({"feedback_url": "no url secret"}, DatabaseError, "is not one of sqlite:///FILE and postgresql"),
        ({"feedback_url": "sqlite:////x/y.db", "feedback_images": "ftps3://secret"}, StoreError, "known are s3"),
    ],
)
def test_a_wrong_url_stops_the_start_in_one_sentence(
    tmp_path: Path, settings: dict[str, str], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as raised:
        open_recorder(settings_of(tmp_path, **settings))
    assert "user:secret" not in str(raised.value)


def test_without_the_extra_the_start_stops_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "feedback.database.database", None)
    with pytest.raises(SettingsError, match=r"pip install 'tandem\[feedback\]'"):
        open_recorder(settings_of(tmp_path, feedback_url="sqlite:////x/y.db"))


def test_a_database_that_cannot_be_reached_stops_nothing(tmp_path: Path) -> None:
    recorder = open_recorder(settings_of(tmp_path, feedback_url="postgresql+psycopg://x@127.0.0.1:1/x"))
    assert recorder is not None
    recorder.start()
    recorder.close()
