"""body of a REST request ──▶ `InferRequest`, and tensors ──▶ body of its response: JSON, and the binary extension.

In the binary extension the body is JSON with the bytes of tensors behind it; a header says where the JSON ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pydantic_core

from models.errors import BadRequest
from service.api.body.bodies import parse_json, shape_of
from service.api.open_inference.inference import InferRequest
from service.api.open_inference.model_tensors import IMAGE
from service.api.open_inference.tensor import GivenTensor, Tensor
from service.messages import Headers, Response

JSON_BYTES = b"inference-header-content-length"
"""The header that says how many bytes of a body are JSON; 0 says that the body is the image itself."""
OCTETS = b"application/octet-stream"
EXTENSIONS_NOT_SPOKEN = ("shared_memory_region", "classification")
"""Parameters of extensions that are not spoken here; without them the answer would be another one."""


class RestRequest(NamedTuple):
    """A request and which of its outputs are to be binary."""

    infer: InferRequest
    is_binary: Mapping[str, bool]
    """By the names of outputs; the empty name stands for all others."""


def read_request(headers: Headers, body: bytes, max_images: int) -> RestRequest:
    """Takes a body apart.

    Raises:
        BadRequest: malformed JSON, or of another shape; binary data that do not add up.
        TooLarge: too many JSON values.
    """
    size = _json_size(headers, len(body))
    if size == 0:
        image = GivenTensor(IMAGE, "BYTES", (1,), [body])
        return RestRequest(InferRequest([image]), {"": JSON_BYTES in headers})
    document = parse_json(body[:size], "the body", max_images)
    if not isinstance(document, dict):
        raise BadRequest(f'the body must be an object with "inputs"; got {shape_of(document)}')
    parameters = _parameters(document, "the request")
    outputs = _objects(document, "outputs") if document.get("outputs") is not None else []
    infer = InferRequest(
        _read_inputs(_objects(document, "inputs"), memoryview(body)[size:]),
        [_name(output, f"outputs[{index}]") for index, output in enumerate(outputs)],
        _id(document.get("id")),
        _timeout_us(parameters.get("timeout", 0)),
    )
    return RestRequest(infer, _binary_outputs(parameters, outputs))


def write_response(tensors: Sequence[Tensor], asked: RestRequest, model: str, version: str) -> Response:
    """The response of status 200."""
    document: dict[str, Any] = {"model_name": model, "model_version": version}
    if asked.infer.id is not None:
        document["id"] = asked.infer.id
    binary: list[bytes] = []
    document["outputs"] = outputs = []
    for tensor in tensors:
        spec = tensor.spec
        output: dict[str, Any] = {"name": spec.name, "datatype": spec.datatype, "shape": tensor.shape}
        if asked.is_binary.get(spec.name, asked.is_binary[""]):
            binary.append(tensor.to_bytes())
            output["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            output["data"] = tensor.values()
        outputs.append(output)
    text = pydantic_core.to_json(document)
    if not binary:
        return Response(200, text)
    return Response(200, b"".join([text, *binary]), OCTETS, [(JSON_BYTES, b"%d" % len(text))])


def _json_size(headers: Headers, body_bytes: int) -> int:
    value = headers.get(JSON_BYTES)
    if value is None:
        return body_bytes or 1  # an empty body is no JSON
    if not value.isdigit() or len(value) > 18 or int(value) > body_bytes:
        shown = value[:40].decode("latin-1")
        raise BadRequest(f"Inference-Header-Content-Length must be from 0 to {body_bytes}, the body's; got {shown!r}")
    return int(value)


def _read_inputs(inputs: Sequence[Mapping[str, Any]], binary: memoryview) -> list[GivenTensor]:
    tensors = []
    for index, given in enumerate(inputs):
        tensor, binary = _read_input(given, f"inputs[{index}]", binary)
        tensors.append(tensor)
    if binary:
        raise BadRequest(f"{len(binary)} bytes of binary data belong to no input")
    return tensors


def _read_input(given: Mapping[str, Any], where: str, binary: memoryview) -> tuple[GivenTensor, memoryview]:
    """An input, and the binary data behind its own."""
    name, shape, datatype = _name(given, where), _shape(given.get("shape"), where), given.get("datatype")
    if not isinstance(datatype, str):
        raise BadRequest(f"{where}.datatype must be a text; got {shape_of(datatype)}")
    parameters = _parameters(given, where)
    size = parameters.get("binary_data_size")
    content_type = parameters.get("content_type", "")
    if not isinstance(content_type, str):
        raise BadRequest(f"{where}.parameters.content_type must be a text; got {shape_of(content_type)}")
    if size is None:
        if not isinstance(given.get("data"), list):
            raise BadRequest(f"{where}.data must be a list; got {shape_of(given.get('data'))}")
        return GivenTensor(name, datatype, shape, _flat(given["data"], shape, where), content_type), binary
    if "data" in given:
        raise BadRequest(f"{where} has both data and binary_data_size")
    if not _is_count(size) or size > len(binary):
        raise BadRequest(f"{where}.binary_data_size is {str(size)[:40]}; {len(binary)} bytes are left of the body")
    return GivenTensor(name, datatype, shape, binary[:size]), binary[size:]


def _flat(data: list[Any], shape: tuple[int, ...], where: str) -> list[Any]:
    """The elements row by row, of a flat list or of one that is nested as the shape is."""
    if not any(isinstance(value, list) for value in data):
        return data
    if len(shape) != 2 or not all(isinstance(row, list) and len(row) == shape[1] for row in data):
        raise BadRequest(f"{where}.data is not nested as its shape {list(shape)[:8]} is")
    return [value for row in data for value in row]


def _shape(shape: object, where: str) -> tuple[int, ...]:
    if not isinstance(shape, list) or not all(_is_count(size) for size in shape):
        raise BadRequest(f"{where}.shape must be a list of whole numbers from 0; got {str(shape)[:60]}")
    return tuple(shape)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _id(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"id must be a text; got {shape_of(value)}")
    return value


def _timeout_us(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadRequest(f"parameters.timeout must be a whole number of microseconds; got {shape_of(value)}")
    return value


def _binary_outputs(parameters: Mapping[str, Any], outputs: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    wanted = {"": _flag(parameters, "binary_data_output", default=False)}
    for index, output in enumerate(outputs):
        own = _parameters(output, f"outputs[{index}]")
        wanted[output["name"]] = _flag(own, "binary_data", default=wanted[""])
    return wanted


def _flag(parameters: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise BadRequest(f"parameter {name} must be true or false; got {shape_of(value)}")
    return value


def _name(given: Mapping[str, Any], where: str) -> str:
    name = given.get("name")
    if not isinstance(name, str):
        raise BadRequest(f"{where}.name must be a text; got {shape_of(name)}")
    return name


def _objects(document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = document.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise BadRequest(f"{name} must be a list of objects; got {shape_of(found)}")
    return found


def _parameters(given: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    parameters = given.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise BadRequest(f"parameters of {where} must be an object; got {shape_of(parameters)}")
    if unknown := next((name for name in EXTENSIONS_NOT_SPOKEN if name in parameters), None):
        raise BadRequest(f"parameter {unknown} of {where}: that extension is not available here")
    return parameters
