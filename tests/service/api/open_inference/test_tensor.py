"""Elements of tensors as JSON, as bytes and as values."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest

from models.errors import BadRequest
from service.api.open_inference.tensor import Datatype, GivenTensor, Tensor, TensorSpec, elements


def given(datatype: str, shape: tuple[int, ...], data: Any) -> GivenTensor:
    return GivenTensor("x", datatype, shape, memoryview(data) if isinstance(data, bytes) else data)


def sized(*elements: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(element)) + element for element in elements)


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "wanted"),
    [
        pytest.param("BYTES", (2,), sized(b"ab", b""), [b"ab", b""], id="raw bytes, one empty"),
        pytest.param("BYTES", (0,), b"", [], id="no bytes"),
        pytest.param("BYTES", (2, 1), ["ab", "c"], ["ab", "c"], id="texts"),
        pytest.param("BYTES", (1,), [b"\xff"], [b"\xff"], id="typed bytes"),
        pytest.param("BOOL", (3,), b"\1\0\1", [True, False, True], id="raw booleans"),
        pytest.param("BOOL", (1,), [True], [True], id="booleans"),
        pytest.param("FP64", (2,), struct.pack("<2d", 0.1, -1e300), [0.1, -1e300], id="raw doubles"),
        pytest.param("FP64", (2,), [1, 0.5], [1, 0.5], id="a whole number and a half"),
        pytest.param("FP32", (1,), struct.pack("<f", 0.5), [0.5], id="a raw float"),
    ],
)
def test_elements_are_read(datatype: Datatype, shape: tuple[int, ...], data: Any, wanted: list[Any]) -> None:
    assert elements(given(datatype, shape, data), datatype) == wanted


def test_a_raw_nan_is_read() -> None:
    (value,) = elements(given("FP64", (1,), struct.pack("<d", math.nan)), "FP64")
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "reason"),
    [
        pytest.param("BYTES", (1,), b"\5\0\0\0abcd", "cut short: element 0 is to end at byte 9 of 8", id="a byte less"),
        pytest.param("BYTES", (1,), b"\1\0", "cut short", id="half a size"),
        pytest.param("BYTES", (1,), b"\xff\xff\xff\xff", "cut short", id="a size of 4 GiB"),
        pytest.param("BYTES", (3,), sized(b"a", b"b"), "3 elements by its shape [3], and 2", id="an element less"),
        pytest.param("BYTES", (2**62, 2**62), sized(b"a"), "and 1", id="a shape without end"),
        pytest.param("BYTES", (1,), [1], "element 0 of input 'x' is not BYTES: '1'", id="a number for a text"),
        pytest.param("BOOL", (1,), [1], "is not BOOL", id="a number for a boolean"),
        pytest.param("BOOL", (2,), b"\1\2", "bytes 0 and 1; got 2", id="a raw boolean of 2"),
        pytest.param("FP64", (1,), [True], "is not FP64", id="a boolean for a number"),
        pytest.param("FP64", (1,), [None], "is not FP64", id="null for a number"),
        pytest.param("FP64", (1,), bytes(9), "has 9 bytes; FP64 takes 8 each", id="a byte more"),
    ],
)
def test_what_does_not_add_up_is_refused(datatype: Datatype, shape: tuple[int, ...], data: Any, reason: str) -> None:
    with pytest.raises(BadRequest) as caught:
        elements(given(datatype, shape, data), datatype)
    assert reason in str(caught.value)


def test_another_datatype_is_refused_by_name() -> None:
    with pytest.raises(BadRequest, match="input 'x' is FP64; got 'FP32'"):
        elements(given("FP32", (1,), [1.0]), "FP64")


def test_texts_are_written_behind_their_sizes_in_utf_8() -> None:
    tensor = Tensor(TensorSpec("x", "BYTES"), ["ä", ""])
    assert (tensor.shape, tensor.values()) == ((2,), ["ä", ""])
    assert tensor.to_bytes() == sized("ä".encode(), b"")


def test_numbers_are_written_row_by_row_in_their_datatype() -> None:
    rows = np.array([[1.5, 2.0], [0.1, -3.0]], np.float32)
    tensor = Tensor(TensorSpec("x", "FP32", (-1, 2)), rows)
    assert (tensor.shape, tensor.values()) == ((2, 2), rows.ravel().tolist())
    assert tensor.to_bytes() == struct.pack("<4f", *rows.ravel())
