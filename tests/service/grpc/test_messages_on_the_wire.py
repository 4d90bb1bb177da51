"""The messages are compiled from the file beside them, and are on the wire what a client of Triton sends and reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from tritonclient.grpc import model_config_pb2, service_pb2

from service.grpc import open_inference_pb2 as ours

ROOM = Path(ours.__file__).parent
SAME_SHAPE = {
    "InferTensor": ("ModelInferRequest.InferInputTensor", "ModelInferResponse.InferOutputTensor"),
    "InferRequestedOutput": ("ModelInferRequest.InferRequestedOutputTensor",),
    "TensorMetadata": ("ModelMetadataResponse.TensorMetadata",),
    "ModelIndex": ("RepositoryIndexResponse.ModelIndex",),
    "ModelRequest": ("ModelReadyRequest", "ModelMetadataRequest", "ModelConfigRequest", "ModelStatisticsRequest"),
    "RepositoryModelRequest": ("RepositoryModelLoadRequest", "RepositoryModelUnloadRequest"),
}


def theirs(name: str) -> Descriptor:
    top, _, nested = name.partition(".")
    module: Any = service_pb2 if hasattr(service_pb2, top) else model_config_pb2
    found: Descriptor = module.DESCRIPTOR.message_types_by_name[top]
    return found.nested_types_by_name[nested] if nested else found


@pytest.mark.parametrize("name", sorted(ours.DESCRIPTOR.message_types_by_name))
def test_each_field_has_the_number_and_type_of_the_protocol(name: str) -> None:
    message = ours.DESCRIPTOR.message_types_by_name[name]
    for other in (theirs(each) for each in SAME_SHAPE.get(name, (name,))):
        known = {field.name: field for field in other.fields}
        assert [(field.name, field.number, field.type, field.is_repeated) for field in message.fields] == [
            (field.name, known[field.name].number, known[field.name].type, known[field.name].is_repeated)
            for field in message.fields
        ]


def test_data_types_have_the_numbers_of_the_protocol() -> None:
    numbers = dict(model_config_pb2.DataType.items())
    assert {name: numbers[name] for name in ours.DataType.keys()} == dict(ours.DataType.items())  # noqa: SIM118


def test_the_compiled_messages_are_those_of_the_file(tmp_path: Path) -> None:
    compiler = [sys.executable, "-m", "grpc_tools.protoc", "-I", str(ROOM)]
    outputs = [f"--python_out={tmp_path}", f"--pyi_out={tmp_path}"]
    subprocess.run([*compiler, *outputs, str(ROOM / "open_inference.proto")], check=True)
    for file in ("open_inference_pb2.py", "open_inference_pb2.pyi"):
        assert (tmp_path / file).read_text() == (ROOM / file).read_text(), "run `make proto`"
