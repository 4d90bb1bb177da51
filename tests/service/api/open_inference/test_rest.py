"""`/v2/…`, over both transports: what each request of the protocol is answered, and how it is refused."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import math
import struct
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from models.runtime.engine import Engine
from tests.service.serving import BRIGHT, DARK, JSON, MID, PNG, TEXT, ask, engine_site, post_image, post_instances
from tests.tiny_bundle import CLASSES, tiny_bundle

MODEL = "/v2/models/tiny"
INFER = f"{MODEL}/infer"
JSON_BYTES = "inference-header-content-length"


def image(*images: bytes, **more: Any) -> dict[str, Any]:
    """The input `image` as JSON has it."""
    data = [base64.b64encode(one).decode() for one in images]
    return {"name": "image", "datatype": "BYTES", "shape": [len(images)], "data": data, **more}


def column(name: str, datatype: str, *values: object) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(values)], "data": list(values)}


def infer(engine: Engine, document: Any, url: str = INFER, **settings: Any) -> httpx.Response:
    found: httpx.Response = ask(engine, "POST", url, settings, content=json.dumps(document), headers=JSON)
    return found


def infer_binary(engine: Engine, document: Any, *blobs: bytes, url: str = INFER, **headers: str) -> httpx.Response:
    text = json.dumps(document).encode()
    sent = {JSON_BYTES: str(len(text)), **headers}
    found: httpx.Response = ask(engine, "POST", url, content=b"".join([text, *blobs]), headers=sent)
    return found


def outputs(response: httpx.Response) -> dict[str, Any]:
    """The tensors of a response by name, those behind the JSON included."""
    assert response.status_code == 200, response.text
    size = int(response.headers.get(JSON_BYTES, len(response.content)))
    document, rest = json.loads(response.content[:size]), response.content[size:]
    found = {}
    for output in document["outputs"]:
        if "data" in output:
            found[output["name"]] = np.array(output["data"]).reshape(output["shape"]).tolist()
            continue
        length = output["parameters"]["binary_data_size"]
        found[output["name"]], rest = unpacked(output, rest[:length]), rest[length:]
    assert not rest
    return found


def unpacked(output: dict[str, Any], data: bytes) -> Any:
    if output["datatype"] != "BYTES":
        kind = {"FP32": "<f4", "FP64": "<f8"}[output["datatype"]]
        return np.frombuffer(data, kind).reshape(output["shape"]).tolist()
    texts = []
    while data:
        (size,) = struct.unpack("<I", data[:4])
        texts.append(data[4 : 4 + size].decode())
        data = data[4 + size :]
    return texts


def refused(response: httpx.Response, status: int = 400) -> str:
    """Checks that the error has the protocol's form; returns its text."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json"), response.text
    document = response.json()
    assert list(document) == ["error"]
    return str(document["error"])


class TestServerAndModel:
    @pytest.mark.parametrize(
        ("path", "document"),
        [
            ("/v2/health/live", {"live": True}),
            ("/v2/health/ready", {"ready": True}),
            (f"{MODEL}/ready", {"name": "tiny", "ready": True}),
            (f"{MODEL}/versions/1/ready", {"name": "tiny", "ready": True}),
        ],
    )
    def test_health_is_told_as_json(self, engine: Engine, path: str, document: dict[str, Any]) -> None:
        response = ask(engine, "GET", path)
        assert (response.status_code, response.json()) == (200, document)
        assert response.headers["content-type"] == "application/json"

    def test_a_starting_server_lives_and_is_not_ready(self, engine: Engine) -> None:
        async def asked(path: str) -> httpx.Response:
            async with engine_site(engine, started=False) as (site, gateway, _):
                return await site.ask(gateway, "GET", path)

        assert asyncio.run(asked("/v2/health/live")).status_code == 200
        assert "starting" in refused(asyncio.run(asked("/v2/health/ready")), 503)
        assert "starting" in refused(asyncio.run(asked(f"{MODEL}/ready")), 503)

    def test_a_draining_server_is_not_ready(self, engine: Engine) -> None:
        async def asked() -> httpx.Response:
            async with engine_site(engine) as (site, gateway, _):
                site.lifecycle.draining = True
                return await site.ask(gateway, "GET", "/v2/health/ready")

        assert "draining" in refused(asyncio.run(asked()), 503)

    def test_the_server_names_its_extensions(self, engine: Engine) -> None:
        document = ask(engine, "GET", "/v2").json()
        assert document["name"] == "tandem"
        assert set(document["extensions"]) == {
            "binary_tensor_data",
            "model_configuration",
            "model_repository",
            "statistics",
        }

    @pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/1"])
    def test_metadata_name_each_column_and_each_output(self, two_heads: Engine, path: str) -> None:
        document = ask(two_heads, "GET", path).json()
        assert (document["name"], document["versions"], document["platform"]) == ("tiny", ["1"], "onnxruntime_onnx")
        assert [(one["name"], one["datatype"], one["shape"]) for one in document["inputs"]] == [
            ("image", "BYTES", [-1]),
            ("shift", "FP64", [-1]),
            ("force", "BYTES", [-1]),
            ("invert", "BOOL", [-1]),
        ]
        named = {one["name"]: one for one in document["outputs"]}
        assert list(named) == [
            *(f"{head}.{what}" for head in ("shade", "priced") for what in
              ("label", "probabilities", "confidence", "decision", "reasons")),
            "embedding",
        ]  # fmt: skip
        assert named["shade.probabilities"]["shape"] == [-1, 3]
        assert named["shade.probabilities"]["parameters"] == {"classes": list(CLASSES)}

    def test_the_configuration_says_what_may_be_left_out(self, two_heads: Engine) -> None:
        document = ask(two_heads, "GET", f"{MODEL}/config").json()
        assert (document["name"], document["max_batch_size"]) == ("tiny", 0)
        assert {one["name"]: one["optional"] for one in document["input"]} == {
            "image": False,
            "shift": False,
            "force": True,
            "invert": True,
        }
        assert document["output"][1] == {"name": "shade.probabilities", "data_type": "TYPE_FP32", "dims": [-1, 3]}

    def test_the_repository_has_the_model_that_serves(self, engine: Engine) -> None:
        (model,) = ask(engine, "POST", "/v2/repository/index", content=b"").json()
        assert model == {"name": "tiny", "version": "1", "state": "READY", "reason": ""}

    @pytest.mark.parametrize("change", ["load", "unload"])
    def test_a_model_is_not_changed_over_the_network(self, engine: Engine, change: str) -> None:
        text = refused(ask(engine, "POST", f"/v2/repository/models/tiny/{change}", content=b"{}"))
        assert "promote" in text

    @pytest.mark.parametrize("path", ["", "/ready", "/config", "/stats", "/versions/1", "/versions/1/stats"])
    def test_another_model_is_not_found(self, engine: Engine, path: str) -> None:
        text = refused(ask(engine, "GET", f"/v2/models/huge{path}"), 404)
        assert text == "no model 'huge'; 'tiny' is served"

    @pytest.mark.parametrize("version", ["2", "01", "latest"])
    def test_another_version_is_not_found(self, engine: Engine, version: str) -> None:
        text = refused(ask(engine, "GET", f"{MODEL}/versions/{version}/ready"), 404)
        assert text == f"model 'tiny' has no version '{version}' here; 1 is served"

    @pytest.mark.parametrize("path", ["/v2/nothing", f"{MODEL}/nothing", "/v2/models"])
    def test_a_path_that_is_none_has_an_error_of_the_protocol(self, engine: Engine, path: str) -> None:
        refused(ask(engine, "GET", path), 404)

    def test_a_wrong_method_is_told_which_are_right(self, engine: Engine) -> None:
        response = ask(engine, "GET", INFER)
        refused(response, 405)
        assert response.headers["allow"] == "POST"


class TestStatistics:
    @pytest.mark.parametrize("path", [f"{MODEL}/stats", f"{MODEL}/versions/1/stats", "/v2/models/stats"])
    def test_they_count_inferences(self, engine: Engine, path: str) -> None:
        def read() -> dict[str, Any]:
            (found,) = ask(engine, "GET", path).json()["model_stats"]
            return dict(found)

        before = read()
        assert infer(engine, {"inputs": [image(MID, DARK)]}).status_code == 200
        refused(infer(engine, {"inputs": [image(TEXT)]}))
        after = read()
        assert (after["name"], after["version"]) == ("tiny", "1")
        # each request goes over two transports
        assert after["inference_count"] - before["inference_count"] == 4
        assert after["execution_count"] > before["execution_count"]
        assert after["last_inference"] > 1_700_000_000_000
        now, then = after["inference_stats"], before["inference_stats"]
        assert now["success"]["count"] - then["success"]["count"] == 2
        assert now["fail"]["count"] - then["fail"]["count"] == 2
        assert {now[stage]["count"] for stage in ("success", "compute_input", "compute_infer", "compute_output")} == {
            now["success"]["count"]
        }
        assert now["compute_infer"]["ns"] > then["compute_infer"]["ns"]


class TestInference:
    def test_the_default_head_answers_as_predict_does(self, engine: Engine) -> None:
        response = infer(engine, {"id": "7", "inputs": [image(MID, BRIGHT)]})
        document = response.json()
        assert (document["model_name"], document["model_version"], document["id"]) == ("tiny", "1", "7")
        assert response.headers["x-tandem-model"] == "tiny@1"
        found = outputs(response)
        for row, data in enumerate((MID, BRIGHT)):
            wanted = post_image(engine, data).json()
            assert found["shade.label"][row] == wanted["label"]
            assert found["shade.decision"][row] == wanted["decision"]
            assert found["shade.confidence"][row] == pytest.approx(wanted["confidence"], abs=1e-6)
            shown = dict(zip(CLASSES, found["shade.probabilities"][row], strict=True))
            assert shown == pytest.approx(wanted["probabilities"], abs=1e-6)

    @pytest.mark.parametrize("id_", [None, "", "a"])
    def test_an_id_is_sent_back_as_it_came(self, engine: Engine, id_: str | None) -> None:
        document: dict[str, Any] = {"inputs": [image(MID)]}
        if id_ is not None:
            document["id"] = id_
        assert infer(engine, document).json().get("id") == id_

    def test_a_version_may_be_named(self, engine: Engine) -> None:
        assert outputs(infer(engine, {"inputs": [image(MID)]}, f"{MODEL}/versions/1/infer"))["shade.label"] == ["mid"]
        refused(infer(engine, {"inputs": [image(MID)]}, f"{MODEL}/versions/2/infer"), 404)

    def test_outputs_come_in_the_order_asked_for(self, two_heads: Engine) -> None:
        names = ["embedding", "priced.label", "shade.label"]
        document = {"inputs": [image(MID), column("shift", "FP64", 0.0)], "outputs": [{"name": name} for name in names]}
        found = outputs(infer(two_heads, document))
        assert list(found) == names
        assert np.shape(found["embedding"]) == (1, 4)

    def test_the_embedding_needs_no_columns(self, priced_engine: Engine) -> None:
        found = infer(
            priced_engine, {"inputs": [image(MID)], "outputs": [{"name": "embedding"}]}, "/v2/models/priced/infer"
        )
        assert list(outputs(found)) == ["embedding"]

    def test_a_head_of_numbers_has_a_value_and_its_bounds(self, tmp_path: Path) -> None:
        engine = Engine.load(tiny_bundle(tmp_path, regressions=["price"]), device="cpu")
        names = ["price.value", "price.low", "price.high", "price.decision", "price.reasons"]
        found = outputs(infer(engine, {"inputs": [image(MID)], "outputs": [{"name": name} for name in names]}))
        wanted = post_image(engine, MID, "/v1/predict?heads=price").json()
        assert [found["price.value"][0], found["price.low"][0], found["price.high"][0]] == [
            wanted["value"],
            *wanted["interval"],
        ]
        assert (found["price.decision"], found["price.reasons"]) == ([wanted["decision"]], [""])

    @pytest.mark.parametrize(
        ("shape", "nested"),
        [([2, 1], False), ([2, 1], True), ([2], False)],
    )
    def test_images_may_be_a_column_flat_or_nested(self, engine: Engine, shape: list[int], nested: bool) -> None:
        given = image(MID, DARK, shape=shape)
        if nested:
            given["data"] = [[one] for one in given["data"]]
        assert outputs(infer(engine, {"inputs": [given]}))["shade.label"] == ["mid", "dark"]

    def test_unknown_keys_are_ignored(self, engine: Engine) -> None:
        document = {"inputs": [image(MID, more=1)], "parameters": {"priority": 1}, "else": []}
        assert outputs(infer(engine, document))["shade.label"] == ["mid"]

    def test_a_zipped_body_is_undone(self, engine: Engine) -> None:
        text = json.dumps({"inputs": [image(MID)]}).encode()
        response = ask(engine, "POST", INFER, content=gzip.compress(text), headers={"content-encoding": "gzip"})
        assert outputs(response)["shade.label"] == ["mid"]

    def test_no_content_type_is_needed(self, engine: Engine) -> None:
        response = ask(engine, "POST", INFER, content=json.dumps({"inputs": [image(MID)]}))
        assert outputs(response)["shade.label"] == ["mid"]


class TestColumns:
    ROWS = ({"shift": 1.0, "force": "bright", "invert": True}, {"shift": 0.0}, {"shift": -2.5, "force": "dark"})

    def test_they_reach_the_head_as_those_of_predict_do(self, priced_engine: Engine) -> None:
        images = (MID, DARK, BRIGHT)
        document = {
            "inputs": [
                image(*images),
                column("shift", "FP64", 1.0, 0.0, -2.5),
                column("force", "BYTES", "bright", "", "dark"),
            ]
        }
        found = outputs(infer(priced_engine, document, "/v2/models/priced/infer"))
        sent = [
            {"image": base64.b64encode(data).decode(), "columns": {**row, "invert": None}}
            for data, row in zip(images, self.ROWS, strict=True)
        ]
        wanted = post_instances(priced_engine, sent).json()["predictions"]
        assert found["priced.label"] == [one["label"] for one in wanted]
        assert found["priced.confidence"] == pytest.approx([one["confidence"] for one in wanted], abs=1e-6)

    def test_null_is_a_missing_value_of_any_datatype(self, priced_engine: Engine) -> None:
        document = {
            "inputs": [
                image(MID, DARK),
                column("shift", "FP64", 1.0, 0.0),
                column("force", "BYTES", None, "dark"),
                column("invert", "BOOL", True, None),
            ]
        }
        assert infer(priced_engine, document, "/v2/models/priced/infer").status_code == 200
        document["inputs"][1]["data"][1] = None
        text = refused(infer(priced_engine, document, "/v2/models/priced/infer"))
        assert text == "image 1: bad_columns: required column 'shift' of head 'priced' is missing"
        assert "is not BYTES" in refused(
            infer(priced_engine, {"inputs": [image(MID, data=[None])]}, "/v2/models/priced/infer")
        )

    def test_booleans_are_taken(self, priced_engine: Engine) -> None:
        document = {"inputs": [image(MID), column("shift", "FP64", 0.0), column("invert", "BOOL", True)]}
        assert infer(priced_engine, document, "/v2/models/priced/infer").status_code == 200

    def test_binary_columns_are_taken_and_nan_is_missing(self, priced_engine: Engine) -> None:
        blob = struct.pack("<I", len(MID)) + MID
        shift = struct.pack("<d", math.nan)
        document = {
            "inputs": [
                {"name": "image", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(blob)}},
                {"name": "shift", "datatype": "FP64", "shape": [1], "parameters": {"binary_data_size": 8}},
            ]
        }
        text = refused(infer_binary(priced_engine, document, blob, shift, url="/v2/models/priced/infer"))
        assert text == "image 0: bad_columns: required column 'shift' of head 'priced' is missing"

    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            (column("shift", "FP64"), "has 0 rows; there are 1 images"),
            (column("shift", "FP64", 1.0, 2.0), "has 2 rows; there are 1 images"),
            (column("shift", "FP32", 1.0), "input 'shift' is FP64; got 'FP32'"),
            (column("shift", "FP64", "1"), "is not FP64"),
            (column("force", "BYTES", 1), "is not BYTES"),
            (column("weight", "FP64", 1.0), "has no input 'weight'; it has image, shift, force, invert"),
        ],
    )
    def test_a_wrong_one_is_refused_by_name(self, priced_engine: Engine, given: Any, reason: str) -> None:
        document = {"inputs": [image(MID), given]}
        assert reason in refused(infer(priced_engine, document, "/v2/models/priced/infer"))


class TestBinary:
    BLOB = b"".join(struct.pack("<I", len(one)) + one for one in (MID, DARK))
    INPUT: dict[str, Any] = {"name": "image", "datatype": "BYTES", "shape": [2]}  # noqa: RUF012

    def given(self, **parameters: Any) -> dict[str, Any]:
        return {**self.INPUT, "parameters": {"binary_data_size": len(self.BLOB), **parameters}}

    def test_binary_in_and_json_out(self, engine: Engine) -> None:
        response = infer_binary(engine, {"inputs": [self.given()]}, self.BLOB)
        assert JSON_BYTES not in response.headers
        assert outputs(response)["shade.label"] == ["mid", "dark"]

    def test_all_outputs_binary(self, engine: Engine) -> None:
        document = {"inputs": [self.given()], "parameters": {"binary_data_output": True}}
        response = infer_binary(engine, document, self.BLOB)
        assert response.headers["content-type"] == "application/octet-stream"
        found = outputs(response)
        assert (found["shade.label"], np.shape(found["shade.probabilities"])) == (["mid", "dark"], (2, 3))

    def test_an_output_s_own_wish_goes_first(self, engine: Engine) -> None:
        document = {
            "inputs": [self.given()],
            "parameters": {"binary_data_output": True},
            "outputs": [
                {"name": "shade.label", "parameters": {"binary_data": False}},
                {"name": "shade.probabilities"},
            ],
        }
        response = infer_binary(engine, document, self.BLOB)
        size = int(response.headers[JSON_BYTES])
        told = json.loads(response.content[:size])["outputs"]
        assert "data" in told[0]
        assert told[1]["parameters"] == {"binary_data_size": 2 * 3 * 4}

    def test_a_length_of_0_makes_the_body_the_image(self, engine: Engine) -> None:
        response = ask(engine, "POST", INFER, content=MID, headers={JSON_BYTES: "0"})
        assert outputs(response)["shade.label"] == ["mid"]

    def test_the_length_counts_before_compression(self, engine: Engine) -> None:
        text = json.dumps({"inputs": [self.given()]}).encode()
        headers = {JSON_BYTES: str(len(text)), "content-encoding": "gzip"}
        response = ask(engine, "POST", INFER, content=gzip.compress(text + self.BLOB), headers=headers)
        assert outputs(response)["shade.label"] == ["mid", "dark"]

    @pytest.mark.parametrize("length", ["-1", "x", "1e3", "999999999", "1" * 40, "+5"])
    def test_a_length_that_cannot_be_is_refused(self, engine: Engine, length: str) -> None:
        text = refused(ask(engine, "POST", INFER, content=b"{}", headers={JSON_BYTES: length}))
        assert "Inference-Header-Content-Length must be from 0 to 2" in text

    @pytest.mark.parametrize(
        ("parameters", "reason"),
        [
            ({"binary_data_size": 10**9}, "bytes are left of the body"),
            ({"binary_data_size": -1}, "binary_data_size is -1"),
            ({"binary_data_size": True}, "binary_data_size is True"),
            ({"binary_data_size": 8}, "bytes of binary data belong to no input"),
            ({"shared_memory_region": "x"}, "that extension is not available here"),
        ],
    )
    def test_sizes_that_lie_are_refused(self, engine: Engine, parameters: Any, reason: str) -> None:
        assert reason in refused(infer_binary(engine, {"inputs": [self.given(**parameters)]}, self.BLOB))

    def test_data_in_both_places_are_refused(self, engine: Engine) -> None:
        document = {"inputs": [{**self.given(), "data": ["a", "b"]}]}
        assert "both data and binary_data_size" in refused(infer_binary(engine, document, self.BLOB))


class TestRefused:
    def test_one_bad_image_fails_the_request_by_its_index_and_code(self, engine: Engine) -> None:
        text = refused(infer(engine, {"inputs": [image(MID, TEXT, DARK)]}))
        assert text.startswith("image 1: unsupported_type: ")

    def test_several_bad_images_are_counted(self, engine: Engine) -> None:
        text = refused(infer(engine, {"inputs": [image(TEXT, MID, b"")]}))
        assert text.startswith("image 0: unsupported_type: ")
        assert text.endswith("(and 1 more of 3 images)")

    @pytest.mark.parametrize(
        ("document", "reason"),
        [
            pytest.param([], "must be an object", id="a list"),
            pytest.param({}, "inputs must be a list of objects; got NoneType", id="nothing"),
            pytest.param({"inputs": []}, "the request has no input 'image'", id="no inputs"),
            pytest.param({"inputs": [1]}, "inputs must be a list of objects", id="a number for an input"),
            pytest.param({"inputs": [image()]}, "the request has no images", id="no images"),
            pytest.param({"inputs": [image(MID), image(MID)]}, "input 'image' is given twice", id="an input twice"),
            pytest.param({"inputs": [image(MID, shape=[2])]}, "2 elements by its shape [2], and 1", id="shape too big"),
            pytest.param({"inputs": [image(MID, shape=[-1])]}, "whole numbers from 0", id="a size of -1"),
            pytest.param({"inputs": [image(MID, shape=[1.0])]}, "whole numbers from 0", id="a size of 1.0"),
            pytest.param({"inputs": [image(MID, shape=[True])]}, "whole numbers from 0", id="a size of true"),
            pytest.param({"inputs": [image(MID, shape="1")]}, "whole numbers from 0", id="a text for a shape"),
            pytest.param({"inputs": [image(MID, shape=[2**64])]}, "whole numbers from 0", id="a size of 65 bits"),
            pytest.param({"inputs": [image(MID, shape=[])]}, "has the shape [-1] or [-1, 1]; got []", id="a scalar"),
            pytest.param({"inputs": [image(MID, shape=[1, 2])]}, "shape [-1] or [-1, 1]", id="two columns"),
            pytest.param({"inputs": [image(MID, shape=[1, 1, 1])]}, "shape [-1] or [-1, 1]", id="three dimensions"),
            pytest.param({"inputs": [image(MID, data="x")]}, "data must be a list", id="a text for data"),
            pytest.param({"inputs": [image(MID, data=[["a"]])]}, "not nested as its shape", id="nested too deep"),
            pytest.param({"inputs": [image(MID, shape=[2, 1], data=[["a"], ["b", "c"]])]}, "not nested", id="ragged"),
            pytest.param({"inputs": [image(MID, datatype="UINT8")]}, "is BYTES; got 'UINT8'", id="another datatype"),
            pytest.param({"inputs": [image(MID, datatype=1)]}, "datatype must be a text", id="a number for a type"),
            pytest.param({"inputs": [image(MID, name=None)]}, "name must be a text", id="no name"),
            pytest.param({"inputs": [image(MID, parameters=[])]}, "must be an object", id="a list of parameters"),
            pytest.param(
                {"inputs": [image(MID, parameters={"content_type": "str"})]},
                "must be 'base64'; got 'str'",
                id="another content type",
            ),
            pytest.param({"id": 7, "inputs": [image(MID)]}, "id must be a text; got int '7'", id="a number for an id"),
            pytest.param({"inputs": [image(MID)], "outputs": {}}, "outputs must be a list", id="an object of outputs"),
            pytest.param({"inputs": [image(MID)], "outputs": [{"name": "x"}]}, "no output 'x'; it has", id="no output"),
            pytest.param({"inputs": [image(MID)], "outputs": [{"name": ""}]}, "no output ''; it has", id="no name"),
            pytest.param(
                {"inputs": [image(MID)], "outputs": [{"name": "embedding"}] * 2},
                "'embedding' is asked for twice",
                id="an output twice",
            ),
            pytest.param(
                {"inputs": [image(MID)], "outputs": [{"name": "shade.label", "parameters": {"classification": 3}}]},
                "that extension is not available here",
                id="classification",
            ),
            pytest.param({"inputs": [image(MID)], "parameters": {"timeout": "1"}}, "timeout must be", id="a timeout"),
        ],
    )
    def test_what_is_malformed_is_400(self, engine: Engine, document: Any, reason: str) -> None:
        assert reason in refused(infer(engine, document))

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"inputs": ' + b"[" * 1000])
    def test_what_is_no_json_is_400(self, engine: Engine, body: bytes) -> None:
        refused(ask(engine, "POST", INFER, content=body, headers=JSON))

    def test_too_many_images_are_refused_by_number(self, engine: Engine) -> None:
        text = refused(infer(engine, {"inputs": [image(MID, MID, MID)]}, max_images=2))
        assert text == "the request has 3 images; the limit is 2"

    def test_a_body_over_the_limit_is_refused(self, engine: Engine) -> None:
        text = refused(ask(engine, "POST", INFER, {"max_body_bytes": 1024}, content=bytes(2000), headers=PNG))
        assert text == "the body has 2000 bytes; the limit is 1024"

    def test_a_timeout_of_the_request_is_kept(self, engine: Engine) -> None:
        document = {"inputs": [image(MID)], "parameters": {"timeout": 1}}
        assert "deadline" in refused(infer(engine, document), 504)

    def test_columns_that_no_head_takes_are_named(self, engine: Engine) -> None:
        assert "has no input 'shift'" in refused(infer(engine, {"inputs": [image(MID), column("shift", "FP64", 1.0)]}))
