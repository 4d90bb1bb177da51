"""`/v1/reviews`: what waits for a person, to whom it is given, and what is shown beside it."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from models.columns import Column
from models.runtime.engine import Engine
from service.gateway.api_keys import ApiKeys
from service.process.keys_command import line_of, new_key
from tests.feedback.decisions import add_decisions, decision_row
from tests.service.api.feedback.recorded_site import RecordedSite, recorded
from tests.service.serving import until
from tests.tiny_bundle import GREYS, solid_image, tiny_bundle

IMAGES = [solid_image(grey) for grey in range(60, 200, 20)]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A model that accepts nothing."""
    return Engine.load(tiny_bundle(tmp_path / "store", min_confidence=1.0, explained=True), device="cpu")


def test_what_waits_is_shown_with_its_image_and_why(engine: Engine, tmp_path: Path) -> None:
    image = solid_image(GREYS["mid"])

    async def test(site: RecordedSite) -> None:
        request_id = await site.decide(image)
        (review,) = await site.reviews()
        expected = {"request_id": request_id, "index": 0, "head": "shade", "kind": "review", "label": "mid"}
        assert {name: review[name] for name in expected} == expected
        assert (review["reasons"], review["columns"], review["model"]) == (["low_confidence"], {}, "tiny@1")
        assert review["leased_until"] > review["time"]
        picture = await site.client.get(review["image"])
        assert (picture.status_code, picture.content, picture.headers["content-type"]) == (200, image, "image/png")
        why = (await site.client.get(f"/v1/reviews/{review['id']}/explanation")).json()
        assert why["label"] == "mid"
        assert why["explanation"]["neighbours"]
        assert site.recorded(request_id) == 1

    recorded(engine, tmp_path, test)


def test_an_answered_decision_waits_no_more_and_an_undone_answer_makes_it_wait_again(
    engine: Engine, tmp_path: Path
) -> None:
    async def test(site: RecordedSite) -> None:
        request_id = await site.decide(IMAGES[0])
        answer = (await site.say(request_id, label="dark")).json()["id"]
        body = (await site.client.get("/v1/reviews")).json()
        assert (body["reviews"], body["waiting"], body["answered"]) == ([], 0, 1)
        await site.client.delete(f"/v1/feedback/{answer}")
        assert [review["request_id"] for review in await site.reviews()] == [request_id]

    recorded(engine, tmp_path, test)


def test_columns_are_shown_as_they_were_sent_and_explain_the_decision_again(tmp_path: Path) -> None:
    columns = (Column(name="made", type="date"), Column(name="invert", type="boolean", required=False))
    path = tiny_bundle(tmp_path / "store", heads={"shade": columns}, min_confidence=1.0)

    async def test(site: RecordedSite) -> None:
        sent = {"made": "1970-01-11", "invert": True}
        body = {"instances": [{"image": base64.b64encode(IMAGES[0]).decode(), "columns": sent}]}
        response = await site.client.post("/v1/predict", json=body)
        request_id = response.headers["x-request-id"]
        await until(lambda: site.recorded(request_id) > 0)
        (review,) = await site.reviews()
        assert review["columns"] == sent
        again = (await site.client.get(f"/v1/reviews/{review['id']}/explanation")).json()
        assert again["probabilities"] == response.json()["predictions"][0]["probabilities"]

    recorded(Engine.load(path, device="cpu"), tmp_path, test)


def test_reviewers_at_once_get_different_decisions(engine: Engine, tmp_path: Path) -> None:
    async def test(site: RecordedSite) -> None:
        for image in IMAGES[:6]:
            await site.decide(image)
        given = await asyncio.gather(*(site.reviews(limit=2, reviewer=name) for name in ("ann", "bob", "eve", "dan")))
        ids = [review["id"] for reviews in given for review in reviews]
        assert sorted(map(len, given)) == [0, 2, 2, 2]
        assert len(set(ids)) == 6

    recorded(engine, tmp_path, test)


def test_a_lease_runs_out_and_0_leases_nothing(engine: Engine, tmp_path: Path) -> None:
    async def test(site: RecordedSite) -> None:
        await site.decide(IMAGES[0])
        (looked,) = await site.reviews(lease=0)
        assert looked["leased_until"] is None
        assert len(await site.reviews(lease=1)) == 1
        assert await site.reviews() == []
        await asyncio.sleep(1.1)
        assert [review["id"] for review in await site.reviews()] == [looked["id"]]

    recorded(engine, tmp_path, test)


def test_the_reviewer_who_asks_again_gets_the_same(engine: Engine, tmp_path: Path) -> None:
    async def test(site: RecordedSite) -> None:
        for image in IMAGES[:3]:
            await site.decide(image)
        first, again = [await site.reviews(limit=2, reviewer="ann") for _ in range(2)]
        assert [review["id"] for review in first] == [review["id"] for review in again]

    recorded(engine, tmp_path, test)


def test_copies_of_one_image_come_behind_other_images(engine: Engine, tmp_path: Path) -> None:
    async def test(site: RecordedSite) -> None:
        for _ in range(5):
            await site.decide(IMAGES[3])
        other = await site.decide(IMAGES[0])
        assert other in [review["request_id"] for review in await site.reviews(limit=2)]

    recorded(engine, tmp_path, test)


def test_audits_come_first(tmp_path: Path) -> None:
    path = tiny_bundle(tmp_path / "store", min_confidence=0.9)

    async def test(site: RecordedSite) -> None:
        audited = await site.decide(solid_image(GREYS["dark"]))
        doubtful = [await site.decide(solid_image(grey)) for grey in (84, 86)]
        reviews = await site.reviews()
        kinds = [(review["kind"], review["request_id"]) for review in reviews]
        assert kinds[0] == ("audit", audited)
        assert {request_id for kind, request_id in kinds if kind == "review"} <= set(doubtful)

    recorded(Engine.load(path, device="cpu"), tmp_path, test, feedback_audit=1.0)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"limit": "0"}, "limit must be a whole number from 1 to 100; got '0'"),
        ({"limit": "many"}, "limit must be a whole number"),
        ({"lease": "-1"}, "lease must be a whole number from 0 to 86400"),
        ({"head": "none"}, "has no head 'none'"),
        ({"reviewer": "a b"}, "reviewer must be 1 to 40 letters"),
        ({"heads": "shade"}, "unknown query parameter 'heads'"),
    ],
)
def test_a_wrong_query_is_refused_by_its_value(
    engine: Engine, tmp_path: Path, query: dict[str, str], reason: str
) -> None:
    async def test(site: RecordedSite) -> None:
        response = await site.client.get("/v1/reviews", params=query)
        assert (response.status_code, response.json()["code"]) == (400, "bad_request")
        assert reason in response.json()["detail"]

    recorded(engine, tmp_path, test)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/reviews/999/explanation",
        "/v1/reviews/none/explanation",
        f"/v1/reviews/images/{'0' * 64}",
        "/v1/reviews/images/..%2f..%2fetc",
    ],
)
def test_what_is_not_there_is_404(engine: Engine, tmp_path: Path, path: str) -> None:
    async def test(site: RecordedSite) -> None:
        await site.decide(IMAGES[0])
        assert (await site.client.get(path)).status_code == 404

    recorded(engine, tmp_path, test)


def test_another_bundle_in_the_same_database_has_its_own_queue(engine: Engine, tmp_path: Path) -> None:
    async def test(site: RecordedSite) -> None:
        request_id = await site.decide(IMAGES[0])
        (other,) = add_decisions(site.database, [decision_row(model="tiny-2@1", head="shade")])
        body = (await site.client.get("/v1/reviews")).json()
        assert ([review["request_id"] for review in body["reviews"]], body["waiting"]) == ([request_id], 1)
        assert (await site.client.get(f"/v1/reviews/{other}/explanation")).status_code == 404
        refused = await site.say("request-0", label="dark")
        assert (refused.status_code, "tiny-2@1" in refused.json()["detail"]) == (404, True)

    recorded(engine, tmp_path, test)


def test_without_an_image_store_there_are_decisions_and_no_pictures(engine: Engine, tmp_path: Path) -> None:
    async def test(site: RecordedSite) -> None:
        await site.decide(IMAGES[0])
        (review,) = await site.reviews()
        assert review["image"] is None
        response = await site.client.get(f"/v1/reviews/{review['id']}/explanation")
        assert (response.status_code, "TANDEM_FEEDBACK_IMAGES" in response.json()["detail"]) == (404, True)

    recorded(engine, tmp_path, test, feedback_images=None)


def test_a_key_without_the_scope_sees_nothing(engine: Engine, tmp_path: Path) -> None:
    keys, file = {scope: new_key() for scope in ("predict", "review")}, tmp_path / "keys"
    file.write_text("".join(f"{line_of(scope, key, scope)}\n" for scope, key in keys.items()))

    async def test(site: RecordedSite) -> None:
        site.client.headers["authorization"] = f"Bearer {keys['predict']}"
        request_id = await site.decide(IMAGES[0])
        for path in ("/v1/reviews", "/v1/monitor", "/v1/reviews/1/explanation"):
            assert (await site.client.get(path)).status_code == 403
        assert (await site.say(request_id, label="dark")).status_code == 403
        site.client.headers["authorization"] = f"Bearer {keys['review']}"
        assert len(await site.reviews()) == 1
        assert (await site.say(request_id, label="dark")).status_code == 201

    recorded(engine, tmp_path, test, keys=ApiKeys.open(file))
