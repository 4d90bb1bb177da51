"""The routes: every answer and every error of the HTTP contract, over both transports."""

from __future__ import annotations

import asyncio
import base64
import functools
import gzip
import io
import itertools
import json
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnxruntime as ort
import pytest
from PIL import Image

from models.bundle.loading import Bundle
from models.columns import Column
from models.imaging.decode import decode
from models.policy import Policy
from models.runtime.engine import Engine
from service.api.body.bodies import PACKED
from service.api.predictions import to_answer
from service.inference.pipeline import Pipeline
from service.messages import Request, Response
from tests.models import encoded as files
from tests.service.serving import (
    BRIGHT,
    DARK,
    JSON,
    MID,
    PNG,
    TEXT,
    HeldEngine,
    Transport,
    ask,
    engine_site,
    form,
    instance,
    over_each,
    post_image,
    post_instances,
    post_parts,
    problem,
    serving,
    until,
)
from tests.tiny_bundle import CLASSES, COLUMNS, GREYS, solid_image, tiny_bundle

MEGABYTE = 1024 * 1024


def noise(seed: int) -> bytes:
    """A PNG whose class is not obvious."""
    random = np.random.default_rng(seed)
    low = int(random.integers(0, 200))
    body = io.BytesIO()
    Image.fromarray(random.integers(low, 256, (9, 12, 3), np.uint8)).save(body, "PNG")
    return body.getvalue()


def labels(response: httpx.Response) -> list[str]:
    """Labels of several predictions; the code where there is an error."""
    assert response.status_code == 200, response.text
    return [one["label"] if "label" in one else one["error"]["code"] for one in response.json()["predictions"]]


def assert_close(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert found["probabilities"] == pytest.approx(wanted["probabilities"], abs=1e-5)
    assert found["label"] == wanted["label"]


class TestOneImage:
    @pytest.mark.parametrize("label", CLASSES)
    def test_gets_one_bare_prediction(self, engine: Engine, label: str) -> None:
        response = post_image(engine, solid_image(GREYS[label]))
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        prediction = response.json()
        assert prediction["label"] == label
        assert prediction["confidence"] == prediction["probabilities"][label]
        assert list(prediction) == ["label", "confidence", "decision", "reasons", "probabilities", "model", "head"]
        assert (prediction["decision"], prediction["reasons"]) == ("accept", [])
        assert (prediction["model"], prediction["head"]) == ("tiny@1", "shade")
        assert set(prediction["probabilities"]) == set(CLASSES)

    def test_is_served_as_the_same_files_give_in_process(self, engine: Engine, tiny_path: Path) -> None:
        bundle = Bundle.open(tiny_path)
        options = {"providers": ["CPUExecutionProvider"]}
        embedder = ort.InferenceSession(bundle.path / "embedder.onnx", **options)
        head = ort.InferenceSession(bundle.path / "head-shade.onnx", **options)
        for seed in range(20):
            pixels = decode(noise(seed), bundle.manifest.input)[None]
            embedding = embedder.run(["embedding"], {"image": pixels})[0]
            probabilities = head.run(["probabilities"], {"embedding": embedding})[0][0]
            served = post_image(engine, noise(seed)).json()["probabilities"]
            assert served == pytest.approx(dict(zip(CLASSES, probabilities.tolist(), strict=True)), abs=1e-5)
            raw = post_image(engine, noise(seed), "/v1/embed").json()["embedding"]
            assert raw == pytest.approx(embedding[0].tolist(), abs=1e-5)

    @pytest.mark.parametrize(
        "image",
        [
            pytest.param(solid_image(225, mode="CMYK", format_="JPEG"), id="a CMYK JPEG"),
            pytest.param(solid_image(225, mode="RGB", format_="JPEG"), id="an RGB JPEG"),
            pytest.param(solid_image(225, format_="WEBP", mode="RGB"), id="a WebP"),
            pytest.param(solid_image(225, mode="P"), id="a palette PNG"),
            pytest.param(solid_image(225, mode="LA"), id="a PNG with alpha"),
            pytest.param(solid_image(225, mode="RGBA"), id="an RGB PNG with alpha"),
            pytest.param(
                files.encode(Image.fromarray(np.full((8, 8), 57825, np.uint16)), "PNG"), id="a PNG of 16 bits"
            ),
            pytest.param(solid_image(225, size=(1, 1)), id="an image of 1x1"),
            pytest.param(solid_image(225, size=(1, 900)), id="an image of one column"),
            pytest.param(solid_image(225, size=(1200, 900)), id="an image that is decoded in a thread"),
        ],
    )
    def test_of_any_good_kind_is_answered(self, engine: Engine, image: bytes) -> None:
        assert post_image(engine, image).json()["label"] == "bright"

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_that_a_camera_turned_is_answered(self, engine: Engine, orientation: int) -> None:
        assert post_image(engine, files.oriented("JPEG", orientation)).status_code == 200

    @pytest.mark.parametrize(
        ("image", "status", "code", "text"),
        [
            pytest.param(b"", 400, "bad_image", "empty (0 bytes)", id="an empty body"),
            pytest.param(TEXT, 415, "unsupported_type", "b'hello, this '", id="text"),
            pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_type", "SVG", id="SVG"),
            pytest.param(files.encode(files.picture(), "GIF"), 415, "unsupported_type", "GIF", id="GIF"),
            pytest.param(files.encode(files.picture(), "BMP"), 415, "unsupported_type", "BM", id="BMP"),
            pytest.param(files.animated("WEBP"), 415, "unsupported_type", "of 3 frames", id="an animated WebP"),
            pytest.param(files.animated("PNG"), 415, "unsupported_type", "of 3 frames", id="an animated PNG"),
            pytest.param(files.encode(files.picture(), "JPEG")[:-10], 400, "bad_image", "jpeg", id="half a JPEG"),
            pytest.param(files.encode(files.picture(), "JPEG")[:20], 400, "bad_image", "JPEG", id="a JPEG's start"),
            pytest.param(files.encode(files.picture(), "PNG")[:-40], 400, "bad_image", "png", id="half a PNG"),
            pytest.param(files.png_header(8, 8)[:20], 400, "bad_image", "20 bytes", id="half a PNG header"),
            pytest.param(files.encode(files.picture(), "WEBP")[:-30], 400, "bad_image", "webp", id="half a WebP"),
            pytest.param(
                files.png_header(30000, 30000), 413, "too_large", "900000000 pixels; the limit is 25000000", id="900 MP"
            ),
            pytest.param(files.png_header(0, 9), 400, "bad_image", "0x9", id="a PNG without width"),
            pytest.param(files.png_with_two_headers(), 400, "bad_image", "two chunks IHDR", id="a PNG of two sizes"),
            pytest.param(files.jpeg_with_scans(400), 400, "bad_image", "65 or more scans", id="a JPEG of 400 scans"),
        ],
    )
    @pytest.mark.parametrize("url", ["/v1/predict", "/v1/embed"])
    def test_of_a_bad_kind_is_refused(
        self, engine: Engine, image: bytes, status: int, code: str, text: str, url: str
    ) -> None:
        assert text in problem(post_image(engine, image, url), status, code)

    def test_over_the_pixel_limit_is_refused_with_both_numbers(self, engine: Engine) -> None:
        response = post_image(engine, solid_image(9, size=(11, 10)), max_pixels=109)
        assert problem(response, 413, "too_large") == "the image has 11x10 = 110 pixels; the limit is 109"
        assert post_image(engine, solid_image(9, size=(11, 10)), max_pixels=110).status_code == 200

    @pytest.mark.parametrize("content_type", ["image/gif", "image/*", "application/octet-stream", "IMAGE/PNG"])
    def test_is_known_by_its_bytes_and_not_by_what_the_client_calls_it(self, engine: Engine, content_type: str) -> None:
        response = ask(engine, "POST", "/v1/predict", content=BRIGHT, headers={"content-type": content_type})
        assert response.json()["label"] == "bright"

    @pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "video/mp4", ""])
    def test_under_another_content_type_is_refused(self, engine: Engine, content_type: str) -> None:
        response = ask(engine, "POST", "/v1/predict", content=BRIGHT, headers={"content-type": content_type})
        detail = problem(response, 415, "unsupported_type")
        assert detail.startswith(f"content type {content_type!r} is not accepted; send image/*")


class TestSeveralImages:
    def test_are_answered_in_order(self, engine: Engine) -> None:
        assert labels(post_parts(engine, [BRIGHT, DARK, MID])) == ["bright", "dark", "mid"]
        assert labels(post_instances(engine, [instance(image) for image in (BRIGHT, DARK, MID)])) == [
            "bright",
            "dark",
            "mid",
        ]

    def test_may_be_one(self, engine: Engine) -> None:
        assert labels(post_parts(engine, [MID])) == ["mid"]
        assert labels(post_instances(engine, [instance(MID)])) == ["mid"]

    def test_are_answered_as_each_is_alone(self, engine: Engine) -> None:
        images = [noise(seed) for seed in range(32)]
        together = post_parts(engine, images).json()["predictions"]
        for image, prediction in zip(images, together, strict=True):
            assert_close(prediction, post_image(engine, image).json())

    def test_of_which_one_is_damaged_are_answered_but_for_that_one(self, engine: Engine) -> None:
        images = [noise(seed) for seed in range(8)]
        wanted = [post_image(engine, image).json() for image in images]
        images[5] = images[5][:-25]
        for response in (post_parts(engine, images), post_instances(engine, [instance(image) for image in images])):
            assert response.status_code == 200
            found = response.json()["predictions"]
            assert found[5]["error"]["code"] == "bad_image"
            assert set(found[5]) == {"error"}
            assert set(found[5]["error"]) == {"code", "detail"}
            for index in set(range(8)) - {5}:
                assert_close(found[index], wanted[index])

    @over_each
    def test_sent_at_once_of_which_one_is_damaged_are_answered_but_for_that_one(
        self, engine: Engine, over: Transport
    ) -> None:
        images = [noise(seed) for seed in range(8)]
        wanted = [post_image(engine, image).json() for image in images]
        images[2] = images[2][:-25]

        async def at_once() -> list[httpx.Response]:
            async with serving(engine, over) as (client, _):
                return await asyncio.gather(
                    *[client.post("/v1/predict", content=image, headers=PNG) for image in images]
                )

        found = asyncio.run(at_once())
        problem(found[2], 400, "bad_image")
        for index in set(range(8)) - {2}:
            assert_close(found[index].json(), wanted[index])

    @over_each
    def test_that_arrive_while_the_engine_is_busy_are_one_batch_and_equal_to_each_alone(
        self, engine: Engine, held_engine: HeldEngine, over: Transport
    ) -> None:
        images = [noise(seed) for seed in range(32)]

        async def test() -> list[httpx.Response]:
            async with serving(held_engine, over, max_batch=32) as (client, pipeline):

                async def send(image: bytes) -> httpx.Response:
                    return await client.post("/v1/predict", content=image, headers=PNG)

                busy = [asyncio.create_task(send(MID))]
                await held_engine.wait_until_entered()
                busy.append(asyncio.create_task(send(MID)))  # prefetched
                await until(lambda: pipeline.model.depth == 1)
                await until(lambda: pipeline.model.depth == 0)
                tasks = [asyncio.create_task(send(image)) for image in images]
                await until(lambda: pipeline.model.depth == 32)
                held_engine.release.set()
                await asyncio.gather(*busy)
                return await asyncio.gather(*tasks)

        found = asyncio.run(test())
        assert held_engine.batches == [1, 1, 32]
        for image, response in zip(images, found, strict=True):
            assert_close(response.json(), post_image(engine, image).json())

    def test_all_damaged_are_errors_in_their_places(self, engine: Engine) -> None:
        assert labels(post_parts(engine, [TEXT, b"", MID[:40]])) == ["unsupported_type", "bad_image", "bad_image"]

    @pytest.mark.parametrize(
        ("image", "said"),
        [
            pytest.param(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC image; the service takes JPEG, PNG", id="HEIC"),
            pytest.param(files.encode(files.picture(), "TIFF"), "TIFF image; the service takes JPEG, PNG", id="TIFF"),
            pytest.param(b"<?xml version='1.0'?><svg/>", "SVG drawing; the service takes JPEG, PNG", id="SVG"),
        ],
    )
    def test_of_another_type_are_named_however_they_are_sent(self, engine: Engine, image: bytes, said: str) -> None:
        packed = b"".join(len(each).to_bytes(4, "little") + each for each in (MID, image))
        for response in (
            post_parts(engine, [MID, image]),
            post_instances(engine, [instance(MID), instance(image)]),
            ask(engine, "POST", "/v1/predict", content=packed, headers={"content-type": PACKED}),
        ):
            assert labels(response) == ["mid", "unsupported_type"]
            assert response.json()["predictions"][1]["error"]["detail"].startswith(said)
        assert problem(post_image(engine, image), 415, "unsupported_type").startswith(said)

    def test_over_the_limit_are_refused(self, engine: Engine) -> None:
        detail = problem(post_parts(engine, [MID] * 3, max_images=2), 413, "too_large")
        assert detail == "the request has 3 or more parts named 'image' or 'file'; the limit is 2"
        detail = problem(post_instances(engine, [instance(MID)] * 3, max_images=2), 413, "too_large")
        assert detail == "the request has 3 or more instances; the limit is 2"
        assert labels(post_parts(engine, [MID] * 2, max_images=2)) == ["mid", "mid"]

    def test_10_000_of_them_are_refused(self, engine: Engine) -> None:
        assert "the limit is 256" in problem(post_parts(engine, [b"x"] * 10_000), 413, "too_large")
        assert "the limit is 256" in problem(post_instances(engine, [{"image": ""}] * 10_000), 413, "too_large")


class TestForms:
    @pytest.mark.parametrize(
        ("content_type", "body", "text"),
        [
            pytest.param("multipart/form-data", b"--X\r\n", "has no boundary", id="a missing boundary"),
            pytest.param("multipart/form-data; boundary=X", b"", "closing boundary", id="an empty body"),
            pytest.param("multipart/form-data; boundary=X", b"text", "malformed", id="text"),
            pytest.param(
                "multipart/form-data; boundary=X",
                b'--X\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + MID,
                "closing boundary is missing",
                id="a truncated body",
            ),
            pytest.param(f"multipart/form-data; boundary={'X' * 999}", b"--X", "malformed", id="a giant boundary"),
        ],
    )
    def test_that_are_malformed_are_a_bad_request(
        self, engine: Engine, content_type: str, body: bytes, text: str
    ) -> None:
        response = ask(engine, "POST", "/v1/predict", content=body, headers={"content-type": content_type})
        assert text in problem(response, 400, "bad_request")

    def test_whose_images_are_named_file_are_answered(self, engine: Engine) -> None:
        response = ask(engine, "POST", "/v1/predict", files=[("file", BRIGHT), ("image", DARK), ("file", MID)])
        assert labels(response) == ["bright", "dark", "mid"]

    def test_with_a_preamble_and_padding_are_answered(self, engine: Engine) -> None:
        body = b'Hello.\r\n--X \r\nContent-Disposition: form-data; name="image"\r\n\r\n' + MID + b"\r\n--X--\r\n"
        headers = {"content-type": "multipart/form-data; boundary=X"}
        assert labels(ask(engine, "POST", "/v1/predict", content=body, headers=headers)) == ["mid"]

    def test_with_a_misnamed_part_are_a_bad_request(self, engine: Engine) -> None:
        response = ask(engine, "POST", "/v1/predict", files={"picture": MID})
        assert "unexpected part 'picture'" in problem(response, 400, "bad_request")


class TestJson:
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param("", id="nothing"),
            pytest.param("{", id="half an object"),
            pytest.param("null", id="null"),
            pytest.param("[]", id="a list"),
            pytest.param("{}", id="an object without instances"),
            pytest.param('{"instances": []}', id="no instances"),
            pytest.param('{"instances": {"image": ""}}', id="an object of instances"),
            pytest.param('{"instances": ["aGk="]}', id="a bare string for an instance"),
            pytest.param('{"instances": [{"img": "aGk="}]}', id="a misnamed key"),
            pytest.param('{"instances": [{"image": 5}]}', id="a number for an image"),
            pytest.param('{"instances": [{"image": "", "columns": []}]}', id="a list of columns"),
            pytest.param('{"instances": [{"image": ""}], "top_k": 3}', id="a key too many"),
        ],
    )
    def test_of_the_wrong_shape_is_a_bad_request(self, engine: Engine, body: str) -> None:
        problem(ask(engine, "POST", "/v1/predict", content=body, headers=JSON), 400, "bad_request")

    def test_with_a_data_uri_among_base64_is_answered(self, engine: Engine) -> None:
        encoded = base64.encodebytes(DARK).decode()
        rows = [instance(BRIGHT), {"image": f"data:image/png;base64,{encoded}"}, {"image": encoded.rstrip("=\n")}]
        assert labels(post_instances(engine, rows)) == ["bright", "dark", "dark"]

    def test_with_wrong_base64_alone_is_a_bad_image(self, engine: Engine) -> None:
        detail = problem(post_instances(engine, [{"image": "no base64!"}]), 400, "bad_image")
        assert detail == "instances[0].image is not base64: character '!' at position 9"

    def test_with_wrong_base64_among_several_is_an_error_in_its_place(self, engine: Engine) -> None:
        response = post_instances(engine, [instance(DARK), {"image": "no base64!"}, instance(BRIGHT)])
        assert labels(response) == ["dark", "bad_image", "bright"]


class TestOptions:
    def test_top_k_shortens_the_list_of_every_prediction(self, engine: Engine) -> None:
        assert list(post_image(engine, BRIGHT, "/v1/predict?top_k=1").json()["probabilities"]) == ["bright"]
        several = post_parts(engine, [BRIGHT, DARK], url="/v1/predict?top_k=2").json()["predictions"]
        assert [len(prediction["probabilities"]) for prediction in several] == [2, 2]

    @pytest.mark.parametrize("value", ["0", "4", "-1", "x", "", "1.0", "1" * 5000])
    def test_top_k_out_of_bounds_is_refused_with_value_and_limit(self, engine: Engine, value: str) -> None:
        detail = problem(post_image(engine, MID, f"/v1/predict?top_k={value}"), 400, "bad_request")
        assert detail == f"top_k must be a whole number from 1 to 3; got {value[:40]!r}"

    def test_a_head_that_is_named_answers(self, two_heads: Engine) -> None:
        row = {"image": base64.b64encode(DARK).decode(), "columns": {"shift": 0.8}}
        answer = post_instances(two_heads, [row], url="/v1/predict?heads=priced").json()["predictions"][0]
        assert (answer["head"], answer["label"]) == ("priced", "bright")

    def test_several_heads_answer_by_their_names(self, two_heads: Engine) -> None:
        rows = [
            {"image": base64.b64encode(DARK).decode(), "columns": {"shift": 0.8}},
            {"image": base64.b64encode(DARK).decode(), "columns": {}},
            {"image": base64.b64encode(DARK).decode(), "columns": {"shift": 0.0, "unknown": 1}},
        ]
        url = "/v1/predict?heads=priced,shade&top_k=1&timing=1"
        good, missing, unknown = post_instances(two_heads, rows, url=url).json()["predictions"]
        assert {name: each["label"] for name, each in good["decisions"].items()} == {
            "priced": "bright",
            "shade": "dark",
        }
        assert (list(good), good["model"]) == (["decisions", "model", "timing_ms"], "tiny@1")
        assert "required column 'shift' of head 'priced' is missing" in missing["error"]["detail"]
        assert "unknown column 'unknown'; head 'priced' takes 'shift'" in unknown["error"]["detail"]

    def test_without_names_the_first_head_answers(self, two_heads: Engine) -> None:
        assert post_image(two_heads, DARK).json()["head"] == "shade"

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            ("size", "tiny@1 has no head 'size'; it has shade, priced"),
            ("", "tiny@1 has no head ''; it has shade, priced"),
            ("shade,", "tiny@1 has no head ''"),
            ("shade,shade", "heads names one twice: 'shade,shade'"),
            ("x" * 5000, "tiny@1 has no head 'xxxx"),
        ],
    )
    def test_heads_that_there_are_not_are_refused(self, two_heads: Engine, value: str, reason: str) -> None:
        detail = problem(post_image(two_heads, DARK, f"/v1/predict?heads={value}"), 400, "bad_request")
        assert detail.startswith(reason)
        assert len(detail) < 400

    def test_timing_adds_the_milliseconds_of_each_stage(self, engine: Engine) -> None:
        timing = post_image(engine, MID, "/v1/predict?timing=1").json()["timing_ms"]
        assert list(timing) == ["decode", "queue", "embed", "decide"]
        assert all(0 <= milliseconds < 10_000 for milliseconds in timing.values())
        assert "timing_ms" not in post_image(engine, MID, "/v1/predict?timing=0").json()

    @pytest.mark.parametrize("value", ["2", "true", ""])
    def test_timing_is_0_or_1(self, engine: Engine, value: str) -> None:
        detail = problem(post_image(engine, MID, f"/v1/predict?timing={value}"), 400, "bad_request")
        assert detail == f"timing must be 0 or 1; got {value!r}"

    @pytest.mark.parametrize(
        ("url", "known"),
        [("/v1/predict?topk=3", "top_k, timing"), ("/v1/embed?top_k=3", "none"), ("/v1/predict?%ff=1", "")],
    )
    def test_an_unknown_parameter_is_refused_by_name(self, engine: Engine, url: str, known: str) -> None:
        detail = problem(post_image(engine, MID, url), 400, "bad_request")
        assert detail.startswith("unknown query parameter")
        assert known in detail


class TestColumns:
    def test_of_one_object_are_for_all_images(self, priced_engine: Engine) -> None:
        response = post_parts(priced_engine, [DARK, MID, BRIGHT], '{"shift": 0, "force": "mid"}')
        assert labels(response) == ["mid", "mid", "mid"]

    def test_of_a_list_are_one_object_for_each(self, priced_engine: Engine) -> None:
        rows = [{"shift": 0}, {"shift": 0.75}, {"shift": 0, "force": "mid"}, {"shift": 0, "invert": True}]
        response = post_parts(priced_engine, [DARK] * 4, json.dumps(rows))
        assert labels(response) == ["dark", "bright", "mid", "bright"]

    def test_stand_beside_the_image_in_json(self, priced_engine: Engine) -> None:
        response = post_instances(
            priced_engine, [instance(DARK, {"shift": 0}), instance(DARK, {"shift": 0, "force": "bright"})]
        )
        assert labels(response) == ["dark", "bright"]

    def test_in_a_list_of_the_wrong_length_are_a_bad_request(self, priced_engine: Engine) -> None:
        detail = problem(post_parts(priced_engine, [DARK] * 3, '[{"shift": 0}]'), 400, "bad_request")
        assert "a list of 3, one for each image; got a list of 1" in detail

    @pytest.mark.parametrize(
        ("columns", "text"),
        [
            pytest.param({"shift": 0, "price": 1}, "unknown column 'price'; head 'priced' takes 'shift'", id="unknown"),
            pytest.param({}, "required column 'shift' of head 'priced' is missing", id="missing"),
            pytest.param({"shift": None}, "required column 'shift' of head 'priced' is missing", id="null"),
            pytest.param({"shift": "0"}, "column 'shift' is a number; got '0'", id="text for a number"),
            pytest.param({"shift": True}, "column 'shift' is a number; got True", id="a boolean for a number"),
            pytest.param({"shift": 0, "force": 1}, "column 'force' is a category; got 1", id="a number for a category"),
            pytest.param({"shift": 0, "invert": 1}, "column 'invert' is a boolean; got 1", id="a number for a boolean"),
            pytest.param({"shift": float("nan")}, "must be a finite number", id="not a number"),
            pytest.param({"shift": float("inf")}, "must be a finite number", id="infinity"),
            pytest.param({"shift": 10**4000}, "must be a finite number", id="a number of 4000 digits"),
        ],
    )
    def test_that_do_not_fit_are_422(self, priced_engine: Engine, columns: dict[str, object], text: str) -> None:
        assert text in problem(post_instances(priced_engine, [instance(DARK, columns)]), 422, "bad_columns")
        assert text in problem(post_parts(priced_engine, [DARK], json.dumps(columns)), 422, "bad_columns")

    def test_that_do_not_fit_fail_alone_among_several(self, priced_engine: Engine) -> None:
        rows = [{"shift": 0}, {"shift": float("nan")}, {"shif": 0}, {"shift": 0.75}]
        assert labels(post_parts(priced_engine, [DARK] * 4, json.dumps(rows))) == [
            "dark",
            "bad_columns",
            "bad_columns",
            "bright",
        ]

    def test_are_unknown_to_a_head_that_takes_none(self, engine: Engine) -> None:
        detail = problem(post_instances(engine, [instance(MID, {"a": 1})]), 422, "bad_columns")
        assert detail == "unknown column 'a'; the heads of tiny@1 take none"

    @pytest.mark.parametrize("columns", [{"shift": 0.8}, {"shift": "not looked at"}, {}])
    def test_of_a_head_that_is_not_asked_are_left_to_it(self, two_heads: Engine, columns: dict[str, object]) -> None:
        assert labels(post_instances(two_heads, [instance(DARK, columns)])) == ["dark"]
        assert labels(post_parts(two_heads, [DARK, MID], json.dumps(columns))) == ["dark", "mid"]

    def test_of_no_head_are_told_with_what_the_heads_take(self, two_heads: Engine) -> None:
        for response in (
            post_instances(two_heads, [instance(DARK, {"shift": 0.8, "size": 1})]),
            post_parts(two_heads, [DARK], '{"size": 1}'),
        ):
            detail = problem(response, 422, "bad_columns")
            assert detail == "unknown column 'size'; head 'priced' takes 'shift', 'force', 'invert'"

    def test_that_are_required_are_missing_from_a_bare_image(self, priced_engine: Engine) -> None:
        assert "'shift'" in problem(post_image(priced_engine, MID), 422, "bad_columns")


class TestEmbed:
    def test_a_bare_image_gets_a_bare_embedding(self, engine: Engine) -> None:
        brightness = 225 / 255
        wanted = [brightness, 1 - brightness, 2 * brightness - 1, brightness / 2]
        assert post_image(engine, BRIGHT, "/v1/embed").json() == {"embedding": pytest.approx(wanted, abs=1e-5)}

    def test_several_images_get_a_list_with_errors_in_their_places(self, engine: Engine) -> None:
        found = post_parts(engine, [BRIGHT, TEXT, DARK], url="/v1/embed").json()["embeddings"]
        assert found[0][0] == pytest.approx(225 / 255, abs=1e-5)
        assert found[1]["error"]["code"] == "unsupported_type"
        assert found[2][0] == pytest.approx(30 / 255, abs=1e-5)

    def test_does_not_look_at_columns(self, engine: Engine) -> None:
        found = post_parts(engine, [BRIGHT], '{"unknown": 1}', url="/v1/embed")
        assert found.status_code == 200

    def test_needs_no_columns(self, priced_engine: Engine) -> None:
        assert len(post_image(priced_engine, MID, "/v1/embed").json()["embedding"]) == 4

    @pytest.mark.parametrize(
        "accept", ["application/octet-stream", "application/octet-stream, */*;q=0.1", "Application/Octet-Stream;Q=0.5"]
    )
    def test_gives_raw_float32_where_that_is_accepted(self, engine: Engine, accept: str) -> None:
        request = form([BRIGHT, DARK, MID])
        response = ask(engine, "POST", "/v1/embed", headers={"accept": accept}, **request)
        assert response.headers["content-type"] == "application/octet-stream"
        assert response.headers["x-tandem-shape"] == "3,4"
        assert "x-tandem-errors" not in response.headers
        found = np.frombuffer(response.content, "<f4").reshape(3, 4)
        wanted = ask(engine, "POST", "/v1/embed", **request).json()["embeddings"]
        np.testing.assert_allclose(found, wanted, atol=1e-6)

    @pytest.mark.parametrize(
        "accept",
        [
            "application/octet-stream;q=0",
            "application/octet-stream;q=0.1, application/json",
            "*/*",
            "application/*",
            "text/html, application/json",
        ],
    )
    def test_gives_json_where_raw_float32_is_not_asked_for(self, engine: Engine, accept: str) -> None:
        response = ask(engine, "POST", "/v1/embed", content=MID, headers={**PNG, "accept": accept})
        assert response.headers["content-type"] == "application/json"

    def test_raw_rows_of_failed_images_are_nan_and_named(self, engine: Engine) -> None:
        request = form([BRIGHT, TEXT, DARK, b""])
        response = ask(engine, "POST", "/v1/embed", headers={"accept": "application/octet-stream"}, **request)
        assert response.status_code == 200
        assert response.headers["x-tandem-shape"] == "4,4"
        assert response.headers["x-tandem-errors"] == "1=unsupported_type,3=bad_image"
        found = np.frombuffer(response.content, "<f4").reshape(4, 4)
        assert np.isnan(found).all(axis=1).tolist() == [False, True, False, True]
        assert not np.isnan(found[[0, 2]]).any()

    def test_one_bad_image_is_a_problem_even_where_raw_numbers_are_accepted(self, engine: Engine) -> None:
        headers = {**PNG, "accept": "application/octet-stream"}
        problem(ask(engine, "POST", "/v1/embed", content=TEXT, headers=headers), 415, "unsupported_type")


class TestBodySize:
    def test_11_mb_are_refused_by_their_announced_length(self, engine: Engine) -> None:
        detail = problem(post_image(engine, bytes(11 * MEGABYTE)), 413, "too_large")
        assert detail == "the body has 11534336 bytes; the limit is 10485760"

    @over_each
    @pytest.mark.parametrize("url", ["/v1/predict", "/v1/embed", "/predict"])
    def test_11_mb_in_chunks_are_refused(self, engine: Engine, url: str, over: Transport) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(1100):
                yield bytes(10_000)

        async def test() -> httpx.Response:
            async with serving(engine, over) as (client, _):
                return await client.post(url, content=chunks(), headers=JSON)

        assert problem(asyncio.run(test()), 413, "too_large") == (
            "the body has more than 10485760 bytes; the limit is 10485760"
        )

    @over_each
    @pytest.mark.parametrize("is_announced", [True, False], ids=["announced", "in chunks"])
    def test_exactly_the_limit_is_taken_and_a_byte_more_is_refused(
        self, engine: Engine, is_announced: bool, over: Transport
    ) -> None:
        whole = BRIGHT + bytes(1500 - len(BRIGHT))  # what is behind a PNG's end is nobody's

        async def chunks(body: bytes) -> AsyncIterator[bytes]:
            yield body[:1000]
            yield body[1000:]

        async def test() -> list[httpx.Response]:
            async with serving(engine, over, max_body_bytes=1500) as (client, _):
                return [
                    await client.post("/v1/predict", content=body if is_announced else chunks(body), headers=PNG)
                    for body in (whole, whole + b"x", whole)
                ]

        first, refused, again = asyncio.run(test())
        assert first.json()["label"] == again.json()["label"] == "bright"
        size = "1501" if is_announced else "more than 1500"
        assert problem(refused, 413, "too_large") == f"the body has {size} bytes; the limit is 1500"


def deflate(data: bytes) -> bytes:
    return zlib.compress(data)


class TestContentEncoding:
    @pytest.mark.parametrize(
        ("encoding", "encode"),
        [
            ("gzip", gzip.compress),
            ("x-gzip", gzip.compress),
            ("GZIP", gzip.compress),
            ("deflate", deflate),
            ("identity", bytes),
            ("", bytes),
        ],
    )
    @pytest.mark.parametrize("url", ["/v1/predict", "/predict"])
    def test_is_undone(self, engine: Engine, encoding: str, encode: Callable[[bytes], bytes], url: str) -> None:
        body = json.dumps({"instances": [instance(BRIGHT), instance(noise(1) * 100)]}).encode()
        headers = {**JSON, "content-encoding": encoding}
        found = ask(engine, "POST", url, content=encode(body), headers=headers)
        assert labels(found)[0] == "bright"
        assert found.content == ask(engine, "POST", url, content=body, headers=JSON).content

    def test_of_a_bare_image_is_undone_for_its_embedding_too(self, engine: Engine) -> None:
        headers = {**PNG, "content-encoding": "gzip"}
        image = solid_image(GREYS["bright"], size=(300, 300))
        found = ask(engine, "POST", "/v1/embed", content=gzip.compress(image), headers=headers)
        assert found.content == post_image(engine, image, "/v1/embed").content

    @pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip", "gzip, br", "x" * 99])
    def test_that_is_not_undone_is_415_by_name(self, engine: Engine, encoding: str) -> None:
        headers = {**PNG, "content-encoding": encoding}
        detail = problem(ask(engine, "POST", "/v1/predict", content=MID, headers=headers), 415, "unsupported_type")
        assert detail.startswith(f"content encoding {encoding[:40]!r} is not undone; send the body as it is")

    @pytest.mark.parametrize(
        ("encoding", "body", "text"),
        [
            pytest.param("gzip", MID, "incorrect header check", id="no gzip"),
            pytest.param("gzip", b"", "ends early", id="an empty body"),
            pytest.param("gzip", gzip.compress(MID)[:-3], "ends early", id="cut short"),
            pytest.param("gzip", gzip.compress(MID) + b"x", "has bytes behind its end", id="a byte too many"),
            pytest.param("deflate", gzip.compress(MID), "incorrect header check", id="gzip under another name"),
        ],
    )
    def test_that_the_body_does_not_have_is_a_bad_request(
        self, engine: Engine, encoding: str, body: bytes, text: str
    ) -> None:
        headers = {**PNG, "content-encoding": encoding}
        detail = problem(ask(engine, "POST", "/v1/predict", content=body, headers=headers), 400, "bad_request")
        assert detail.startswith(f"the body is not {encoding}: ")
        assert text in detail

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    def test_that_makes_more_than_the_limit_of_a_body_is_refused(self, engine: Engine, encoding: str) -> None:
        encode = gzip.compress if encoding == "gzip" else deflate
        limit = {"max_body_bytes": 100_000}
        headers = {**PNG, "content-encoding": encoding}
        padding = bytes(100_000 - len(BRIGHT))
        whole = ask(engine, "POST", "/v1/predict", limit, content=encode(BRIGHT + padding), headers=headers)
        assert whole.json()["label"] == "bright"
        for size in (100_001, 50_000_000):
            bomb = ask(engine, "POST", "/v1/predict", limit, content=encode(bytes(size)), headers=headers)
            detail = problem(bomb, 413, "too_large")
            assert detail == f"the body, once {encoding} is undone, has more than 100000 bytes, the limit"


class TestPressure:
    @over_each
    def test_a_full_queue_is_429_with_retry_after(self, held_engine: HeldEngine, over: Transport) -> None:
        async def test() -> list[httpx.Response]:
            async with serving(held_engine, over, max_batch=1, max_queue=2) as (client, _):
                tasks = [asyncio.create_task(client.post("/v1/predict", content=MID, headers=PNG))]
                await held_engine.wait_until_entered()
                tasks += [asyncio.create_task(client.post("/v1/predict", content=MID, headers=PNG)) for _ in range(5)]
                await until(lambda: any(task.done() for task in tasks))
                held_engine.release.set()
                return await asyncio.gather(*tasks)

        responses = asyncio.run(test())
        refused = [response for response in responses if response.status_code == 429]
        assert len(refused) == 4
        assert {response.status_code for response in responses} == {200, 429}
        detail = problem(refused[0], 429, "overloaded")
        assert detail == "2 images are being answered and 1 more exceed the limit of 2"
        assert int(refused[0].headers["retry-after"]) >= 1

    @over_each
    def test_a_passed_deadline_is_504(self, held_engine: HeldEngine, over: Transport) -> None:
        async def test() -> httpx.Response:
            async with serving(held_engine, over, deadline_ms=30) as (client, _):
                response = await client.post("/v1/predict", content=MID, headers=PNG)
                held_engine.release.set()
                return response

        assert "no result within the deadline, after" in problem(asyncio.run(test()), 504, "deadline_exceeded")

    @pytest.mark.parametrize(
        ("method", "url"),
        [
            ("POST", "/v1/predict"),
            ("POST", "/v1/embed"),
            ("POST", "/predict"),
            ("GET", "/v1/models"),
            ("GET", "/docs.json"),
            ("GET", "/readyz"),
        ],
    )
    def test_a_server_is_503_before_its_start_and_not_after_it(self, engine: Engine, method: str, url: str) -> None:
        body = {} if method == "GET" else {"json": {"instances": [instance(MID)]}}

        async def test() -> list[httpx.Response]:
            async with engine_site(engine, started=False) as (site, gateway, pipeline):
                before = await site.ask(gateway, method, url, **body)
                alive = await site.ask(gateway, "GET", "/livez")
                pipeline.start()
                return [before, alive, await site.ask(gateway, method, url, **body)]

        before, alive, after = asyncio.run(test())
        assert "starting" in problem(before, 503, "not_ready")
        assert (alive.status_code, after.status_code) == (200, 200)

    @pytest.mark.parametrize("url", ["/v1/predict", "/v1/embed", "/predict"])
    def test_a_server_that_ends_answers_as_always_and_says_that_it_is_not_ready(self, engine: Engine, url: str) -> None:
        async def test() -> list[httpx.Response]:
            async with engine_site(engine) as (site, gateway, _):
                site.lifecycle.draining = True
                body = {"json": {"instances": [instance(MID)]}}
                return [await site.ask(gateway, "POST", url, **body), await site.ask(gateway, "GET", "/readyz")]

        answered, readiness = asyncio.run(test())
        assert answered.status_code == 200
        assert problem(readiness, 503, "not_ready") == "the server is draining"


class TestDelivery:
    """Eight callers in one batch, one of whom cannot be answered."""

    @pytest.mark.parametrize(
        "fails", ["writing the response", "making the response"], ids=lambda fails: f"{fails} fails"
    )
    def test_the_other_seven_are_answered_and_nothing_is_left(
        self, tiny_path: Path, fails: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        engine = Engine.load(tiny_path, device="cpu")
        engine.max_batch = 8
        found: dict[int, Response] = {}

        async def test() -> None:
            async with engine_site(engine) as (site, gateway, pipeline):

                def respond(index: int, response: Response) -> None:
                    if index == 3 and fails == "writing the response":
                        raise OSError("the connection is closed")
                    found[index] = response

                for index in range(8):
                    request = Request("POST", "/v1/predict", b"", {b"content-type": b"image/png"})
                    transaction = gateway.open(request, functools.partial(respond, index))
                    gateway.receive(request, len(BRIGHT))
                    gateway.handle(transaction, BRIGHT)
                assert (site.lifecycle.in_flight, site.admission.images, pipeline.model.depth) == (8, 8, 8)
                assert site.admission.bytes == 8 * len(BRIGHT)
                await until(lambda: site.lifecycle.in_flight == 0)
                assert (site.admission.images, site.admission.bytes, site.admission.wait_s) == (0, 0, 0.0)

        calls = itertools.count()

        def shown(*arguments: Any) -> Any:
            if next(calls) == 3 and fails == "making the response":
                raise ValueError("secret")
            return to_answer(*arguments)

        monkeypatch.setattr("service.api.predict.to_answer", shown)
        asyncio.run(test())
        answered = set(range(8)) - {3}
        assert {index for index, response in found.items() if response.status == 200} == answered
        assert all(json.loads(found[index].body)["label"] == "bright" for index in answered)
        if fails == "making the response":
            assert (found[3].status, found[3].code) == (500, "internal")
            assert b"secret" not in found[3].body
        else:
            assert 3 not in found
        (record,) = caplog.records
        assert record.exc_info is not None


class TestOtherRoutes:
    def test_models_tells_the_manifest_less_its_files(self, engine: Engine) -> None:
        document = ask(engine, "GET", "/v1/models").json()
        assert (document["name"], document["version"]) == ("tiny", 1)
        assert document["heads"][0]["classes"] == list(CLASSES)
        assert document["input"]["height"] == 8
        assert "files" not in document

    @pytest.mark.parametrize("url", ["/docs/", "/v1", "/v1/predictions", "/nope", "/%0a", "/é"])
    def test_an_unknown_route_is_404(self, engine: Engine, url: str) -> None:
        assert "no route" in problem(ask(engine, "GET", url), 404, "not_found")

    @pytest.mark.parametrize(
        ("method", "url", "allowed"),
        [
            ("GET", "/v1/predict", "POST"),
            ("PUT", "/v1/predict", "POST"),
            ("DELETE", "/v1/embed", "POST"),
            ("POST", "/v1/models", "GET"),
            ("POST", "/metrics", "GET"),
            ("POST", "/docs.json", "GET"),
            ("GET", "/predict", "POST"),
            ("POST", "/readyz", "GET"),
        ],
    )
    def test_another_method_is_405_and_says_which_is_allowed(
        self, engine: Engine, method: str, url: str, allowed: str
    ) -> None:
        response = ask(engine, method, url)
        assert problem(response, 405, "method_not_allowed") == f"{method} is not allowed on {url!r}"
        assert allowed in response.headers["allow"].split(", ")

    def test_an_engine_that_fails_is_500_for_that_request_and_tells_nothing(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise MemoryError("secret")

        monkeypatch.setattr(Pipeline, "run", broken)
        monkeypatch.setattr(Pipeline, "run_one", broken)
        for response in (post_image(engine, MID), post_parts(engine, [MID, MID])):
            assert "secret" not in problem(response, 500, "internal")


def test_base64_of_an_image_is_the_image(engine: Engine) -> None:
    encoded = base64.b64encode(noise(3)).decode()
    (prediction,) = post_instances(engine, [{"image": encoded}]).json()["predictions"]
    assert prediction == post_image(engine, noise(3)).json()


@pytest.fixture(scope="module")
def careful(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Of the heads `shade` and `light`, which names a number; both find what is bright unfamiliar, and can explain."""
    policy, store = Policy(max_distance=0.8), tmp_path_factory.mktemp("store")
    return Engine.load(tiny_bundle(store, policy=policy, explained=True, regressions=["light"]), device="cpu")


@pytest.fixture(scope="module")
def expecting(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Of a head that expects an optional column."""
    policy, store = Policy(expected_columns=("invert",)), tmp_path_factory.mktemp("store")
    return Engine.load(tiny_bundle(store, heads={"priced": COLUMNS}, policy=policy), device="cpu")


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Of a head that takes a number from -1 to 1 and a date of the first 101 days of 1970, and reviews any other."""
    columns = (
        Column(name="shift", type="number", low=-1.0, high=1.0),
        Column(name="made", type="date", required=False, low=0.0, high=100.0),
    )
    policy, store = Policy(range_columns=("shift", "made")), tmp_path_factory.mktemp("store")
    return Engine.load(tiny_bundle(store, heads={"priced": columns}, policy=policy, explained=True), device="cpu")


class TestDecisions:
    """What the policy looks at beside confidence, numbers in the place of classes, and why."""

    def test_what_training_never_saw_goes_to_a_person(self, careful: Engine) -> None:
        rows = [{"image": base64.b64encode(image).decode()} for image in (BRIGHT, DARK)]
        bright, dark = post_instances(careful, rows).json()["predictions"]
        assert (bright["label"], bright["decision"], bright["reasons"]) == ("bright", "review", ["unfamiliar"])
        assert (dark["decision"], dark["reasons"]) == ("accept", [])

    def test_so_does_what_lacks_a_column_that_training_hardly_ever_lacked(self, expecting: Engine) -> None:
        rows = [
            {"image": base64.b64encode(DARK).decode(), "columns": columns}
            for columns in ({"shift": 0.0}, {"shift": 0.0, "invert": None}, {"shift": 0.0, "invert": False})
        ]
        found = post_instances(expecting, rows).json()["predictions"]
        assert [each["reasons"] for each in found] == [["missing_columns"], ["missing_columns"], []]

    @pytest.mark.parametrize(
        ("columns", "reasons"),
        [
            pytest.param({"shift": 0.0, "made": "1970-01-02"}, [], id="within"),
            pytest.param({"shift": -1.0, "made": "1970-04-11T00:00Z"}, [], id="at both ends"),
            pytest.param({"shift": -1.0000001, "made": None}, ["out_of_range"], id="less"),
            pytest.param({"shift": 1e300, "made": None}, ["out_of_range"], id="more than float32 holds"),
            pytest.param({"shift": -999, "made": "2024-01-01"}, ["out_of_range"], id="both"),
            pytest.param({"shift": 0.0, "made": "1970-04-11T00:00:01Z"}, ["out_of_range"], id="a second later"),
            pytest.param({"shift": 0.0, "made": "1970-01-01T00:00+01:00"}, ["out_of_range"], id="an hour before"),
        ],
    )
    def test_a_number_or_date_that_training_did_not_reach_goes_to_a_person(
        self, dated: Engine, columns: dict[str, object], reasons: list[str]
    ) -> None:
        (found,) = post_instances(dated, [instance(DARK, columns)]).json()["predictions"]
        assert (found["decision"], found["reasons"]) == ("review" if reasons else "accept", reasons)
        assert found["label"] in ("dark", "mid", "bright")

    def test_a_date_reaches_the_head_and_is_explained(self, dated: Engine) -> None:
        columns = {"shift": 0.0, "made": "1970-02-20T12:00"}  # 50.5 days, a thousandth each
        rows = [instance(DARK, columns), instance(DARK, {"shift": 0.0505})]
        made, shifted = post_instances(dated, rows, url="/v1/predict?explain=1").json()["predictions"]
        assert made["probabilities"] == pytest.approx(shifted["probabilities"], abs=2e-6)
        assert set(made["explanation"]["columns"]) == {"shift", "made"}

    @pytest.mark.parametrize("value", [20000, True, "20.02.1970", "", ["1970-01-01"]])
    def test_what_is_no_date_is_told_with_one_that_is(self, dated: Engine, value: object) -> None:
        detail = problem(post_instances(dated, [instance(DARK, {"shift": 0, "made": value})]), 422, "bad_columns")
        assert detail.startswith("column 'made' is a date; ")
        assert "ISO 8601, such as " in detail

    def test_a_head_that_names_a_number_gives_an_estimate(self, careful: Engine) -> None:
        rows = [{"image": base64.b64encode(image).decode()} for image in (MID, BRIGHT)]
        mid, bright = post_instances(careful, rows, url="/v1/predict?heads=light").json()["predictions"]
        assert list(mid) == ["value", "decision", "reasons", "model", "head", "interval"]
        assert mid["value"] == pytest.approx(128 / 255, abs=1e-4)
        assert mid["interval"] == pytest.approx([mid["value"] / 2, mid["value"] * 2])
        assert bright["interval"] == pytest.approx([bright["value"] / 2, bright["value"] * 2])
        assert (mid["decision"], bright["decision"], bright["reasons"]) == ("accept", "review", ["unfamiliar"])

    def test_numbers_and_classes_answer_side_by_side(self, careful: Engine) -> None:
        rows = [{"image": base64.b64encode(MID).decode()}]
        (both,) = post_instances(careful, rows, url="/v1/predict?heads=shade,light").json()["predictions"]
        assert both["decisions"]["shade"]["label"] == "mid"
        assert "value" in both["decisions"]["light"]

    def test_it_says_why_where_it_is_asked(self, careful: Engine) -> None:
        rows = [{"image": base64.b64encode(image).decode()} for image in (DARK, b"no image")]
        url = "/v1/predict?heads=shade,light&explain=1"
        good, bad = post_instances(careful, rows, url=url).json()["predictions"]
        assert bad["error"]["code"] == "unsupported_type"
        shade, light = (good["decisions"][name]["explanation"] for name in ("shade", "light"))
        assert shade["neighbours"][0]["label"] == "dark"
        assert shade["baseline"] + shade["image"] == pytest.approx(good["decisions"]["shade"]["confidence"], abs=1e-4)
        assert light["neighbours"][0]["value"] == pytest.approx(30 / 255, abs=1e-3)
        assert (shade["columns"], shade["method"]) == ({}, "exact")

    def test_without_being_asked_it_says_nothing(self, careful: Engine) -> None:
        rows = [{"image": base64.b64encode(DARK).decode()}]
        assert "explanation" not in post_instances(careful, rows, url="/v1/predict?explain=0").json()["predictions"][0]

    def test_a_bundle_without_examples_says_that_it_cannot(self, two_heads: Engine) -> None:
        rows = [{"image": base64.b64encode(DARK).decode()}]
        answer = post_instances(two_heads, rows, url="/v1/predict?explain=1")
        assert answer.status_code == 400
        assert "head 'shade' of tiny@1 cannot explain: its bundle was built without examples" in answer.json()["detail"]
