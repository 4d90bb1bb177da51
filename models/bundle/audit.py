"""ONNX bytes ──▶ accepted, or a BundleError: checks graphs before any runtime sees them.

A graph must hold all its data and use known operator domains only. The protobuf wire format is read directly, so that
serving needs no `onnx` package. Field numbers are those of onnx.proto (ONNX IR versions to 14); `_CHILDREN` lists how
messages nest.
"""

from __future__ import annotations

from collections.abc import Iterator

from models.errors import BundleError

ALLOWED_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MAX_DEPTH = 32
_MAX_FIELD_NUMBER = 2**29 - 1  # protobuf's limit; some readers drop higher bits and would see another field
_ORT_FORMAT = b"ORTM"  # at byte 4: ONNX Runtime then reads its own flatbuffer format, which is not audited

# message -> {field number: message it holds}
_CHILDREN = {
    "Model": {7: "Graph", 8: "Opset", 20: "TrainingInfo", 25: "Function"},
    "TrainingInfo": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 9: "Opset", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
}
_DOMAIN_FIELD = {"Opset": 1, "Node": 7, "Function": 10}
_EXTERNAL_DATA_FIELD, _DATA_LOCATION_FIELD = 13, 14


def audit_onnx(data: bytes, file: str) -> None:
    """Checks that a graph is self-contained and uses known operator domains only.

    Args:
        data: the serialized ModelProto.
        file: its name in errors.

    Raises:
        BundleError: not a protobuf message, nested too deeply, external data, or a domain outside `ALLOWED_DOMAINS`.
    """
    if data[4:8] == _ORT_FORMAT:
        raise BundleError(f"{file}: an ORT-format model; export it as ONNX")
    try:
        _audit_message(memoryview(data), "Model", file, depth=0)
    except (IndexError, UnicodeDecodeError) as error:
        raise BundleError(f"{file}: not a readable ONNX graph ({error}); restore it from the original") from error


def _audit_message(data: memoryview, message: str, file: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise BundleError(f"{file}: graphs nested deeper than {_MAX_DEPTH}; export the model without them")
    for number, value in _fields(data):
        if number == _DOMAIN_FIELD.get(message) and isinstance(value, memoryview):
            _audit_domain(bytes(value).decode(), file)
        if message == "Tensor" and (number == _EXTERNAL_DATA_FIELD or (number == _DATA_LOCATION_FIELD and value)):
            raise BundleError(f"{file}: a tensor has external data; export it with all data inside the file")
        child = _CHILDREN.get(message, {}).get(number)
        if child and isinstance(value, memoryview):
            _audit_message(value, child, file, depth + 1)


def _audit_domain(domain: str, file: str) -> None:
    if domain not in ALLOWED_DOMAINS:
        raise BundleError(
            f"{file}: operator domain {domain!r} is not allowed; use operators of {', '.join(ALLOWED_DOMAINS[1:])}"
        )


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yields number and value of each field of one message; fixed-width values are skipped and given as 0."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire_type = key >> 3, key & 7
        if not 1 <= number <= _MAX_FIELD_NUMBER:
            raise IndexError(f"field number {number} does not exist")
        if wire_type == _VARINT:
            value, position = _varint(data, position)
            yield number, value
        elif wire_type == _LENGTH:
            size, start = _varint(data, position)
            position = start + size
            if position > len(data):
                raise IndexError(f"field {number} runs past the end")
            yield number, data[start:position]
        elif wire_type in (_FIXED32, _FIXED64):
            position += 4 if wire_type == _FIXED32 else 8
            yield number, 0
        else:
            raise IndexError(f"wire type {wire_type} does not exist")


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise IndexError("a number is longer than 64 bits")
