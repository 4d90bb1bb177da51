"""gRPC's `ModelInferRequest` ──▶ `InferRequest`, and tensors ──▶ `ModelInferResponse`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.errors import BadRequest
from service.api.open_inference.inference import InferRequest
from service.api.open_inference.rest_body import EXTENSIONS_NOT_SPOKEN
from service.api.open_inference.tensor import GivenTensor, Tensor
from service.grpc import open_inference_pb2 as messages

_CONTENTS = {"BYTES": "bytes_contents", "BOOL": "bool_contents", "FP32": "fp32_contents", "FP64": "fp64_contents"}


def read_infer_request(message: messages.ModelInferRequest) -> InferRequest:
    """Takes a message apart.

    Raises:
        BadRequest: not as many raw contents as inputs, or a parameter that means something else here.
    """
    raw = message.raw_input_contents
    if raw and len(raw) != len(message.inputs):
        raise BadRequest(f"raw_input_contents has {len(raw)} entries; there are {len(message.inputs)} inputs")
    _check_parameters(message.parameters, "the request")
    for given in message.inputs:
        _check_parameters(given.parameters, f"input {given.name[:80]!r}")
    for output in message.outputs:
        _check_parameters(output.parameters, f"output {output.name[:80]!r}")
    return InferRequest(
        [_read_input(given, raw[index] if raw else None) for index, given in enumerate(message.inputs)],
        [output.name for output in message.outputs],
        message.id,
        _timeout_us(message),
    )


def write_infer_response(
    tensors: Sequence[Tensor], asked: messages.ModelInferRequest, model: str, version: str
) -> messages.ModelInferResponse:
    """The response: raw contents to a request that had raw ones, or no contents of its own, else typed ones."""
    response = messages.ModelInferResponse(model_name=model, model_version=version, id=asked.id)
    for tensor in tensors:
        spec = tensor.spec
        output = response.outputs.add(name=spec.name, datatype=spec.datatype, shape=tensor.shape)
        if asked.raw_input_contents:
            response.raw_output_contents.append(tensor.to_bytes())
        else:
            values = tensor.values()
            encoded = [text.encode() for text in values] if spec.datatype == "BYTES" else values
            getattr(output.contents, _CONTENTS[spec.datatype]).extend(encoded)
    return response


def _read_input(given: messages.InferTensor, raw: bytes | None) -> GivenTensor:
    shape = tuple(given.shape)
    if any(size < 0 for size in shape):
        raise BadRequest(f"the shape of input {given.name[:80]!r} has a size below 0: {list(shape)[:8]}")
    if raw is None:
        return GivenTensor(given.name, given.datatype, shape, _typed(given))
    if given.HasField("contents"):
        raise BadRequest(f"input {given.name[:80]!r} has both contents and raw_input_contents")
    return GivenTensor(given.name, given.datatype, shape, memoryview(raw))


def _typed(given: messages.InferTensor) -> Sequence[Any]:
    """The elements in the field of the input's datatype; no others may be filled."""
    field = _CONTENTS.get(given.datatype, "")
    if wrong := next((found.name for found, _ in given.contents.ListFields() if found.name != field), None):
        raise BadRequest(f"input {given.name[:80]!r} of the datatype {given.datatype[:20]!r} has {wrong}")
    return list(getattr(given.contents, field)) if field else []


def _timeout_us(message: messages.ModelInferRequest) -> int:
    if "timeout" not in message.parameters:
        return 0
    given = message.parameters["timeout"]
    kind = given.WhichOneof("parameter_choice")
    value = getattr(given, kind) if kind in ("int64_param", "uint64_param") else -1
    if value < 0:
        raise BadRequest(
            f"parameters.timeout must be a whole number of microseconds; got {str(given).strip() or 'none'}"
        )
    return int(value)


def _check_parameters(parameters: Mapping[str, object], where: str) -> None:
    if unknown := next((name for name in EXTENSIONS_NOT_SPOKEN if name in parameters), None):
        raise BadRequest(f"parameter {unknown} of {where}: that extension is not available here")
