"""`Tensor`: a named array of the protocol, and its elements as JSON, as bytes and as Python values."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.errors import BadRequest

Datatype = Literal["BYTES", "BOOL", "FP32", "FP64"]

NUMPY = {"BOOL": np.dtype(np.bool_), "FP32": np.dtype("<f4"), "FP64": np.dtype("<f8")}
"""How numbers are stored, by datatype."""
_SIZE_BYTES = 4
"""In front of each element of BYTES: its size, a little-endian uint32."""


class TensorSpec(NamedTuple):
    """What a model's metadata say of an input or an output."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...] = (-1,)
    """-1 stands for any size."""
    optional: bool = False
    classes: tuple[str, ...] = ()
    """What the columns of probabilities stand for."""


class GivenTensor(NamedTuple):
    """An input of a request, as it came.

    Attributes:
        name: of the input.
        datatype: as the request has it.
        shape: as the request has it; no element is below 0.
        data: its elements, flat; or the bytes of all of them, as in the binary extension and gRPC's raw contents.
        content_type: how texts in JSON stand for bytes; empty where nothing was said.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Sequence[Any] | memoryview
    content_type: str = ""

    @property
    def size(self) -> int:
        """Elements by the shape."""
        return math.prod(self.shape)


class Tensor(NamedTuple):
    """An output of a response."""

    spec: TensorSpec
    data: Sequence[str] | NDArray[Any]
    """Texts of BYTES `[N]`, or numbers `[N]` or `[N, K]`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of this one."""
        return (len(self.data), *self.spec.shape[1:])

    def values(self) -> list[Any]:
        """The elements, flat, as JSON has them."""
        return self.data.ravel().tolist() if isinstance(self.data, np.ndarray) else list(self.data)

    def to_bytes(self) -> bytes:
        """The elements, flat and little-endian."""
        if isinstance(self.data, np.ndarray):
            return self.data.astype(NUMPY[self.spec.datatype], copy=False).tobytes()
        encoded = [text.encode() for text in self.data]
        return b"".join([part for one in encoded for part in (struct.pack("<I", len(one)), one)])


def elements(given: GivenTensor, datatype: Datatype, *, may_be_null: bool = False) -> list[Any]:
    """The elements of an input: bytes or texts of BYTES, booleans, or floats; None for null in JSON, where it may be.

    Raises:
        BadRequest: another datatype, or not as many elements as the shape says, or one of another type.
    """
    if given.datatype != datatype:
        raise BadRequest(f"input {given.name!r} is {datatype}; got {given.datatype[:20]!r}")
    found = _unpacked(given, datatype) if isinstance(given.data, memoryview) else _checked(given, datatype, may_be_null)
    if len(found) != given.size:
        raise BadRequest(
            f"input {given.name!r} has {given.size} elements by its shape {list(given.shape)[:8]}, and {len(found)}"
        )
    return found


def _checked(given: GivenTensor, datatype: Datatype, may_be_null: bool) -> list[Any]:
    types: Any = {"BYTES": (str, bytes), "BOOL": bool, "FP32": (int, float), "FP64": (int, float)}[datatype]
    for index, value in enumerate(given.data):
        if value is None and may_be_null:
            continue
        if not isinstance(value, types) or (isinstance(value, bool) and datatype != "BOOL"):
            raise BadRequest(f"element {index} of input {given.name!r} is not {datatype}: {str(value)[:40]!r}")
    return list(given.data)


def _unpacked(given: GivenTensor, datatype: Datatype) -> list[Any]:
    data = given.data
    assert isinstance(data, memoryview)
    if datatype == "BYTES":
        return list(_byte_strings(given.name, data))
    kind = NUMPY[datatype]
    if len(data) % kind.itemsize:
        raise BadRequest(f"input {given.name!r} has {len(data)} bytes; {datatype} takes {kind.itemsize} each")
    if datatype == "BOOL" and (wrong := next((byte for byte in data if byte > 1), None)) is not None:
        raise BadRequest(f"input {given.name!r} is BOOL, of bytes 0 and 1; got {wrong}")
    found: list[Any] = np.frombuffer(data, kind).tolist()
    return found


def _byte_strings(name: str, data: memoryview) -> Iterator[bytes]:
    at = count = 0
    while at < len(data):
        start = at + _SIZE_BYTES
        end = start + int.from_bytes(data[at:start], "little")
        if start > len(data) or end > len(data):
            raise BadRequest(
                f"input {name!r} is cut short: element {count} is to end at byte {max(start, end)} of {len(data)}"
            )
        yield bytes(data[start:end])
        at, count = end, count + 1
