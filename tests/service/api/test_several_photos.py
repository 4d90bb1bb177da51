"""Instances of several photos: one decision each, over every route that takes images and both transports."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from models.runtime.engine import Engine
from models.runtime.head_answers import Answered
from tests.service.serving import (
    BRIGHT,
    DARK,
    JSON,
    MID,
    TEXT,
    ask,
    engine_site,
    instance,
    post_image,
    post_instances,
    post_parts,
    problem,
    serving,
)
from tests.tiny_bundle import COLUMNS, solid_image, tiny_bundle


def photos(*images: bytes, columns: object = None) -> dict[str, Any]:
    """One instance of a JSON request, of several images."""
    encoded: dict[str, Any] = {"images": [base64.b64encode(image).decode() for image in images]}
    return encoded if columns is None else {**encoded, "columns": columns}


def post_photos(
    engine: Engine, parts: Sequence[tuple[str, bytes]], columns: str | None = None, **settings: Any
) -> httpx.Response:
    """Sends parts of these names as a form."""
    files: list[tuple[str, tuple[str | None, bytes, str]]]
    files = [(name, ("a.png", data, "image/png")) for name, data in parts]
    if columns is not None:
        files.append(("columns", (None, columns.encode(), "application/json")))
    response: httpx.Response = ask(engine, "POST", "/v1/predict", settings, files=files)
    return response


def found(response: httpx.Response) -> list[str]:
    """Labels of several predictions; the code where there is an error."""
    assert response.status_code == 200, response.text
    return [one["label"] if "label" in one else one["error"]["code"] for one in response.json()["predictions"]]


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A bundle that pools, whose head takes columns."""
    store = tmp_path_factory.mktemp("store")
    return Engine.load(tiny_bundle(store, heads={"priced": COLUMNS}, pooling=("mean",)), device="cpu")


@pytest.mark.parametrize("url", ["/v1/predict", "/predict"])
def test_photos_of_one_instance_get_one_decision(pooling_engine: Engine, url: str) -> None:
    response = post_instances(pooling_engine, [photos(DARK, BRIGHT), instance(DARK), photos(BRIGHT)], url)
    assert found(response) == ["mid", "dark", "bright"]


def test_parts_of_a_form_name_the_instance_that_they_show(pooling_engine: Engine) -> None:
    parts = [("image[1]", DARK), ("image[0]", DARK), ("image[0]", BRIGHT), ("image[1]", DARK)]
    assert found(post_photos(pooling_engine, parts)) == ["mid", "dark"]


def test_equal_photos_are_answered_exactly_as_one(pooling_engine: Engine) -> None:
    one, three = (post_instances(pooling_engine, [photos(*[MID] * count)]).json()["predictions"][0] for count in (1, 3))
    bare = post_image(pooling_engine, MID).json()
    assert one == three == bare


def test_a_bad_photo_is_the_error_of_its_own_instance(pooling_engine: Engine) -> None:
    no_base64 = {"images": [*photos(DARK)["images"], "§"]}
    given = [photos(DARK, DARK), photos(DARK, BRIGHT, TEXT), photos(DARK, MID[:40]), no_base64, instance(MID)]
    response = post_instances(pooling_engine, given)
    assert found(response) == ["dark", "unsupported_type", "bad_image", "bad_image", "mid"]
    details = [one["error"]["detail"] for one in response.json()["predictions"] if "error" in one]
    assert details[0].startswith("images[2]: ")
    assert details[1].startswith("images[1]: ")
    assert details[2].startswith("images[1]: the text is not base64")


def test_the_only_instance_s_error_is_the_response_s(pooling_engine: Engine) -> None:
    response = post_instances(pooling_engine, [photos(DARK, TEXT)])
    assert problem(response, 415, "unsupported_type").startswith("images[1]: ")


def test_columns_are_of_instances(priced: Engine) -> None:
    parts = [("image[0]", DARK), ("image[0]", DARK), ("image[1]", DARK)]
    columns = '[{"shift": 0.0}, {"shift": 0.8}]'
    assert found(post_photos(priced, parts, columns)) == ["dark", "bright"]
    too_many = post_photos(priced, parts, '[{"shift": 0.0}, {"shift": 0.8}, {}]')
    assert "a list of 2, one for each instance; got a list of 3" in problem(too_many, 400, "bad_request")


def test_bad_columns_are_the_error_of_their_own_instance(priced: Engine) -> None:
    given = [photos(DARK, DARK, columns={"shift": "x"}), photos(DARK, BRIGHT, columns={"shift": 0.0})]
    assert found(post_instances(priced, given)) == ["bad_columns", "mid"]


def test_a_bundle_without_pooling_decides_on_one_image(engine: Engine) -> None:
    detail = problem(post_instances(engine, [instance(DARK), photos(DARK, DARK, DARK)]), 400, "bad_request")
    assert detail == "tiny@1 decides on one image; instances[1] has 3"
    assert found(post_instances(engine, [photos(DARK), instance(MID)])) == ["dark", "mid"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"image": "", "images": [""]}, "instances[0] must be"),
        ({"columns": {}}, "instances[0] must be"),
        ({"images": []}, "instances[0].images must be a list of one base64 string or more; got a list of 0"),
        ({"images": "aa"}, "instances[0].images must be a list"),
        ({"images": ["", 5]}, "instances[0].images[1] must be a base64 string; got int '5'"),
    ],
    ids=["both", "neither", "no image", "a text", "a number"],
)
def test_an_instance_of_another_shape_is_refused(pooling_engine: Engine, given: dict[str, Any], text: str) -> None:
    assert problem(post_instances(pooling_engine, [given]), 400, "bad_request").startswith(text)


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (["image", "image[0]"], "send one kind or the other"),
        (["image[0]", "file"], "send one kind or the other"),
        (["image[0]", "image[2]"], "no part is named 'image[1]', but one is named 'image[2]'; number the instances"),
        (["image[1]"], "no part is named 'image[0]'"),
        (["image[00]"], "unexpected part 'image[00]'"),
        (["image[-1]"], "unexpected part 'image[-1]'"),
        (["image[]"], "unexpected part 'image[]'"),
    ],
)
def test_parts_that_do_not_say_which_instance_they_show_are_refused(
    pooling_engine: Engine, names: list[str], text: str
) -> None:
    assert text in problem(post_photos(pooling_engine, [(name, DARK) for name in names]), 400, "bad_request")


def test_all_photos_count_against_the_limit(pooling_engine: Engine) -> None:
    given = [photos(DARK, DARK), photos(DARK, DARK)]
    assert found(post_instances(pooling_engine, given, max_images=4)) == ["dark", "dark"]
    assert "4 or more images; the limit is 3" in problem(
        post_instances(pooling_engine, given, max_images=3), 413, "too_large"
    )
    parts = [("image[0]", DARK)] * 4
    assert "the limit is 3" in problem(post_photos(pooling_engine, parts, max_images=3), 413, "too_large")


def test_an_explanation_says_which_photo_moved_the_decision(pooling_engine: Engine) -> None:
    url = "/v1/predict?explain=1&heads=level,shade"
    two, one = post_instances(pooling_engine, [photos(solid_image(51), solid_image(153)), instance(DARK)], url).json()[
        "predictions"
    ]
    level = two["decisions"]["level"]
    assert level["value"] == pytest.approx(0.4, abs=1e-5)
    assert level["explanation"]["images"] == [
        {"index": 0, "effect": pytest.approx(-0.2, abs=1e-5)},
        {"index": 1, "effect": pytest.approx(0.2, abs=1e-5)},
    ]
    assert len(two["decisions"]["shade"]["explanation"]["images"]) == 2
    assert "images" not in one["decisions"]["level"]["explanation"]


def test_times_are_told_of_an_instance(pooling_engine: Engine) -> None:
    (told,) = post_instances(pooling_engine, [photos(DARK, BRIGHT)], "/v1/predict?timing=1").json()["predictions"]
    assert set(told["timing_ms"]) == {"decode", "queue", "embed", "decide"}
    assert all(each >= 0 for each in told["timing_ms"].values())
    assert told["timing_ms"]["embed"] > 0


def test_an_embedding_is_of_one_image(pooling_engine: Engine) -> None:
    assert len(post_image(pooling_engine, DARK, "/v1/embed").json()["embedding"]) == 4
    detail = problem(post_instances(pooling_engine, [photos(DARK)], "/v1/embed"), 400, "bad_request")
    assert "/v1/embed gives each image an embedding of its own" in detail


def test_the_cache_keeps_photos(pooling_engine: Engine) -> None:
    async def test() -> None:
        async with serving(pooling_engine, cache_mb=1) as (client, pipeline):
            body = json.dumps({"instances": [photos(DARK, BRIGHT), photos(BRIGHT, MID)]})
            answers = [(await client.post("/v1/predict", content=body, headers=JSON)).json() for _ in range(2)]
            assert answers[0] == answers[1]
            assert pipeline.cache is not None
            assert len(pipeline.cache) == 3
            (alone,) = (await client.post("/v1/predict", files=[("image", DARK)])).json()["predictions"]
            assert alone["label"] == "dark"
            assert len(pipeline.cache) == 3

    asyncio.run(test())


def test_in_the_open_inference_protocol_an_image_is_an_instance(pooling_engine: Engine) -> None:
    data = [base64.b64encode(image).decode() for image in (DARK, BRIGHT)]
    outputs = [{"name": "shade.label"}, {"name": "embedding"}]
    document = {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [2], "data": data}], "outputs": outputs}
    response = ask(pooling_engine, "POST", "/v2/models/pooling/infer", {}, content=json.dumps(document), headers=JSON)
    assert response.status_code == 200, response.text
    label, embedding = response.json()["outputs"]
    assert label["data"] == ["dark", "bright"]
    assert embedding["shape"] == [2, 4]


def test_a_form_of_images_is_of_instances_of_one(pooling_engine: Engine) -> None:
    assert found(post_parts(pooling_engine, [DARK, BRIGHT])) == ["dark", "bright"]


class Recorded:
    """Takes what a server records."""

    def __init__(self) -> None:
        self.decided: list[Answered] = []

    def record(self, request_id: bytes, model: str, decided: Sequence[Answered]) -> None:
        self.decided += decided


def test_the_first_photo_and_the_pooled_row_are_recorded(pooling_engine: Engine) -> None:
    recorder = Recorded()

    async def test() -> None:
        async with engine_site(pooling_engine) as (site, gateway, _):
            site.telemetry.recorder = recorder  # type: ignore[assignment]
            async with site.client(gateway, "ASGI") as client:
                body = json.dumps({"instances": [photos(DARK, BRIGHT), instance(MID)]})
                await client.post("/v1/predict", content=body, headers=JSON)

    asyncio.run(test())
    both, one = recorder.decided
    assert (both.image, list(both.others)) == (DARK, [BRIGHT])
    assert (one.image, list(one.others)) == (MID, [])
    assert both.result.row.shape == one.result.row.shape == (8,)
