"""Bodies of requests as another parser reads them."""

import base64
import json
from email import message_from_bytes

from loadtests.inputs import request_bodies
from loadtests.inputs.fashion_images import LabelledImage

PNG = LabelledImage(b"\x89PNG\r\n--not a boundary\r\n", "image/png", "Bag")
JPEG = LabelledImage(b"\xff\xd8\xff", "image/jpeg", "Coat")


def test_a_form_carries_each_image_unchanged_in_a_part_named_image() -> None:
    body = request_bodies.multipart([PNG, JPEG])
    message = message_from_bytes(f"Content-Type: {body.content_type}\r\n\r\n".encode() + body.content)
    parts = list(message.walk())[1:]
    assert [part.get_param("name", header="content-disposition") for part in parts] == ["image", "image"]
    assert [part.get_content_type() for part in parts] == ["image/png", "image/jpeg"]
    assert PNG.body in body.content
    assert JPEG.body in body.content


def test_json_carries_each_image_in_base64() -> None:
    body = request_bodies.instances([PNG, JPEG])
    decoded = [base64.b64decode(instance["image"]) for instance in json.loads(body.content)["instances"]]
    assert body.content_type == "application/json"
    assert decoded == [PNG.body, JPEG.body]


def test_a_single_image_is_sent_as_it_is() -> None:
    assert request_bodies.single(JPEG) == request_bodies.Body(JPEG.body, "image/jpeg")


def test_a_binary_body_has_each_length_before_its_image() -> None:
    body = request_bodies.binary([PNG, JPEG])
    assert body.content_type == "application/x-tandem-images"
    assert body.content == len(PNG.body).to_bytes(4, "little") + PNG.body + b"\x03\0\0\0" + JPEG.body


def test_columns_stand_beside_the_image() -> None:
    body = request_bodies.with_columns(PNG, {"size": 3.5, "shape": None})
    (row,) = json.loads(body.content)["instances"]
    assert (base64.b64decode(row["image"]), row["columns"]) == (PNG.body, {"size": 3.5, "shape": None})
    assert body.content_type == "application/json"
