"""Encoded images ──▶ the bodies of requests that carry them."""

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtests.inputs.fashion_images import LabelledImage

BOUNDARY = "tandem-3f1c9a54e0b84d7f"


PREDICT = "/v1/predict"


@dataclass(frozen=True)
class Body:
    """Content of a request, its ``Content-Type``, where it is sent and what other headers it needs."""

    content: bytes
    content_type: str
    path: str = PREDICT
    headers: Mapping[str, str] = field(default_factory=dict)


def single(image: LabelledImage) -> Body:
    """Return an encoded image as it is."""
    return Body(image.body, image.media_type)


def multipart(images: Sequence[LabelledImage]) -> Body:
    """Return a form with each image as a part named ``image`` (RFC 7578)."""
    return form([single(image) for image in images], "image")


def form(parts: Sequence[Body], field: str) -> Body:
    """Return a form with bodies as the files of one field (RFC 7578)."""
    chunks = []
    for position, part in enumerate(parts):
        headers = (
            f"--{BOUNDARY}\r\n"
            f'Content-Disposition: form-data; name="{field}"; filename="{position}"\r\n'
            f"Content-Type: {part.content_type}\r\n\r\n"
        )
        chunks += [headers.encode(), part.content, b"\r\n"]
    chunks.append(f"--{BOUNDARY}--\r\n".encode())
    return Body(b"".join(chunks), f"multipart/form-data; boundary={BOUNDARY}")


def instances(images: Sequence[LabelledImage]) -> Body:
    """Return images in base64 as ``{"instances": [{"image": ...}]}``."""
    encoded = [{"image": base64.b64encode(image.body).decode()} for image in images]
    return Body(json.dumps({"instances": encoded}).encode(), "application/json")


def with_columns(image: LabelledImage, columns: Mapping[str, Any]) -> Body:
    """Return an image in base64 with columns, as ``{"instances": [{"image": ..., "columns": ...}]}``."""
    row = {"image": base64.b64encode(image.body).decode(), "columns": columns}
    return Body(json.dumps({"instances": [row]}).encode(), "application/json")


def binary(images: Sequence[LabelledImage]) -> Body:
    """Return each image after its length in bytes, a little-endian uint32."""
    chunks = [chunk for each in images for chunk in (struct.pack("<I", len(each.body)), each.body)]
    return Body(b"".join(chunks), "application/x-tandem-images")


def open_inference(images: Sequence[LabelledImage]) -> Body:
    """Return images as one binary tensor of the Open Inference Protocol, all outputs of the default head binary, too.

    The path has ``{model}`` in the place of the model's name.
    """
    tensor = binary(images).content  # a tensor of BYTES has its elements behind their sizes, too
    size = {"binary_data_size": len(tensor)}
    inputs = [{"name": "image", "datatype": "BYTES", "shape": [len(images)], "parameters": size}]
    text = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))}
    return Body(text + tensor, "application/octet-stream", "/v2/models/{model}/infer", headers)
