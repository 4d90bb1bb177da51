"""files of a bundle ──▶ accepted, or a BundleError: hashes, and graphs before any runtime sees them.

A graph must hold all its data and use known operator domains only. The protobuf wire format is read directly, so that
serving needs no `onnx` package. Field numbers are those of onnx.proto (ONNX IR versions to 14); `_CHILDREN` lists how
messages nest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from models.bundle.manifest import FileEntry
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


class AuditedFiles(Mapping[str, bytes]):
    """The bytes of a bundle's files, by name, each with the size and the hash that the manifest says.

    They stay in memory, so a file that changes later has no effect. Kept rows (`rows-<head>.npz`) do not: serving never
    needs them. They are hashed when the bundle is opened, and read and hashed again by whoever asks for them.

    Args:
        path: the bundle's directory.
        entries: the manifest's.

    Raises:
        BundleError: a file is missing, or has another size or hash; here, and where kept rows are asked for.
        OSError: a file cannot be read.
    """

    def __init__(self, path: Path, entries: Mapping[str, FileEntry]) -> None:
        self._path = path
        self._entries = entries
        self._kept = {name: self._read(name) for name in entries if not is_kept_rows(name)}
        for name in entries.keys() - self._kept.keys():
            self._check(name, _sha256_of_file(self._checked_size(name)))

    def __getitem__(self, name: str) -> bytes:
        return self._kept[name] if name in self._kept else self._read(name)

    def __contains__(self, name: object) -> bool:
        return name in self._entries  # without reading it

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def _read(self, name: str) -> bytes:
        if name not in self._entries:
            raise KeyError(name)
        data = self._checked_size(name).read_bytes()
        self._check(name, hashlib.sha256(data).hexdigest())
        return data

    def _checked_size(self, name: str) -> Path:
        file, size = self._path / name, self._entries[name].size_bytes
        if not file.is_file():
            raise BundleError(f"{name}: not a regular file; restore it from the original bundle")
        if (found := file.stat().st_size) != size:
            raise BundleError(f"{name}: {found} bytes instead of {size}; restore it from the original bundle")
        return file

    def _check(self, name: str, found: str) -> None:
        if found != (wanted := self._entries[name].sha256):
            raise BundleError(
                f"{name}: SHA-256 is {found[:12]}…, not {wanted[:12]}…; restore it from the original bundle"
            )


def is_kept_rows(name: str) -> bool:
    """Whether a file of a bundle holds the kept rows of a head."""
    return name.startswith("rows-") and name.endswith(".npz")


def _sha256_of_file(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
