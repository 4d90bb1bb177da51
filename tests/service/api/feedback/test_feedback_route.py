"""`/v1/feedback`: an answer finds its decision over HTTP, and can be taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from feedback.database.tables import feedback
from models.runtime.engine import Engine
from service.gateway.api_keys import ApiKeys
from service.process.keys_command import line_of, new_key
from tests.service.api.feedback.recorded_site import RecordedSite, recorded
from tests.service.serving import MID, ask
from tests.tiny_bundle import tiny_bundle


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine.load(tiny_bundle(tmp_path / "store", min_confidence=1.0, regressions=("glow",)), device="cpu")


def said(site: RecordedSite) -> list[dict[str, Any]]:
    with site.database.reading() as connection:
        return [dict(row) for row in connection.execute(select(feedback).order_by(feedback.c.id)).mappings()]


def test_a_decision_is_answered_and_the_answer_taken_back(engine: Engine, tmp_path: Path) -> None:
    async def test(site: RecordedSite) -> None:
        request_id = await site.decide(MID)
        written = await site.say(request_id, label="dark", by="ann", source="desk")
        assert written.status_code == 201
        (row,) = said(site)
        assert written.json() == {"id": row["id"]}
        assert (row["label"], row["by"], row["source"], row["cannot_tell"]) == ("dark", "ann", "desk", False)
        undone = await site.client.delete(f"/v1/feedback/{row['id']}")
        assert (undone.status_code, undone.content, said(site)) == (204, b"", [])
        again = await site.client.delete(f"/v1/feedback/{row['id']}")
        assert (again.status_code, again.json()["code"]) == (404, "not_found")

    recorded(engine, tmp_path, test)


@pytest.mark.parametrize(
    ("answer", "status", "code", "detail"),
    [
        pytest.param(
            {"label": "pink"}, 422, "bad_feedback", "no class 'pink'; it has dark, mid, bright", id="no class"
        ),
        pytest.param({}, 422, "bad_feedback", "either a 'label' or", id="nothing"),
        pytest.param(
            {"head": "glow", "label": "dark"}, 422, "bad_feedback", "either a 'value' or", id="a class for a number"
        ),
        pytest.param({"label": "dark", "index": 1}, 404, "not_found", "no decision on image 1", id="no such image"),
        pytest.param({"label": "dark", "request_id": "x"}, 404, "not_found", "request 'x'", id="no such request"),
        pytest.param({"label": "dark", "index": -1}, 400, "bad_request", "index: ", id="an index below 0"),
        pytest.param({"label": 5}, 400, "bad_request", "label: ", id="no text"),
        pytest.param({"labels": "dark"}, 400, "bad_request", "labels: ", id="a misspelt field"),
        *(
            pytest.param({"label": "dark", field: "a\0b"}, 400, "bad_request", f"{field}: ", id=f"NUL in {field}")
            for field in ("request_id", "by", "label", "head")
        ),
        pytest.param({"request_id": None}, 400, "bad_request", "request_id: ", id="no request"),
    ],
)
def test_what_is_no_answer_is_refused_by_what_is_wrong(
    engine: Engine, tmp_path: Path, answer: dict[str, Any], status: int, code: str, detail: str
) -> None:
    async def test(site: RecordedSite) -> None:
        request_id = await site.decide(MID, heads="shade,glow")
        response = await site.client.post("/v1/feedback", json={"request_id": request_id, **answer})
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert detail in response.json()["detail"]
        assert said(site) == []

    recorded(engine, tmp_path, test)


def test_a_body_that_is_no_json_is_refused(engine: Engine, tmp_path: Path) -> None:
    async def test(site: RecordedSite) -> None:
        for headers, status in (({"content-type": "text/plain"}, 415), ({"content-type": "application/json"}, 400)):
            response = await site.client.post("/v1/feedback", content=b"{", headers=headers)
            assert response.status_code == status

    recorded(engine, tmp_path, test)


def test_who_says_it_is_the_name_of_the_key(engine: Engine, tmp_path: Path) -> None:
    key, file = new_key(), tmp_path / "keys"
    file.write_text(line_of("desk", key, "predict,review") + "\n")

    async def test(site: RecordedSite) -> None:
        site.client.headers["authorization"] = f"Bearer {key}"
        assert (await site.say(await site.decide(MID), label="dark", by="somebody else")).status_code == 201
        assert [row["by"] for row in said(site)] == ["desk"]

    recorded(engine, tmp_path, test, keys=ApiKeys.open(file))


def test_a_database_that_is_gone_is_no_answer_that_is_lost(engine: Engine, tmp_path: Path) -> None:
    async def test(site: RecordedSite) -> None:
        request_id = await site.decide(MID)
        with site.database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE feedback RENAME TO elsewhere")
        response = await site.say(request_id, label="dark")
        assert (response.status_code, response.json()["code"]) == (503, "not_ready")
        with site.database.writing() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO feedback")
        assert (await site.say(request_id, label="dark")).status_code == 201

    recorded(engine, tmp_path, test)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/feedback"),
        ("DELETE", "/v1/feedback/1"),
        ("GET", "/v1/reviews"),
        ("GET", "/v1/reviews/1/explanation"),
        ("GET", f"/v1/reviews/images/{'0' * 64}"),
        ("GET", "/v1/monitor"),
    ],
)
def test_without_a_record_the_routes_say_how_to_get_one(engine: Engine, method: str, path: str) -> None:
    response = ask(engine, method, path)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert "TANDEM_FEEDBACK_URL names the database" in response.json()["detail"]
