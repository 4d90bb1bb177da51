"""What the protocol tells of server and model, as the documents that REST sends and gRPC's messages are filled from."""

from __future__ import annotations

import json
from typing import Any

from models.bundle.manifest import Manifest
from service.api.open_inference.model_tensors import input_specs, output_specs
from service.api.open_inference.tensor import TensorSpec

EXTENSIONS = ("binary_tensor_data", "model_configuration", "model_repository", "statistics")
NO_CHANGE = (
    "models are not loaded or unloaded over the network; promote a version of {!r} in the store, "
    "with `python -m models promote`, and the server follows"
)
PLATFORM = "onnxruntime_onnx"
_TYPES = {"BYTES": "TYPE_STRING", "BOOL": "TYPE_BOOL", "FP32": "TYPE_FP32", "FP64": "TYPE_FP64"}


def server_metadata(version: str) -> dict[str, Any]:
    """Name, version and extensions of the server."""
    return {"name": "tandem", "version": version, "extensions": list(EXTENSIONS)}


def model_metadata(manifest: Manifest) -> dict[str, Any]:
    """Inputs and outputs; what columns of probabilities stand for is in the parameters of the output."""
    return {
        "name": manifest.name,
        "versions": [str(manifest.version)],
        "platform": PLATFORM,
        "inputs": [_tensor(spec) for spec in input_specs(manifest).values()],
        "outputs": [_tensor(spec) for spec, _ in output_specs(manifest).values()],
    }


def model_config(manifest: Manifest) -> dict[str, Any]:
    """Triton's model configuration.

    No batch dimension is left out of the shapes, so `max_batch_size` is 0: a tensor's first dimension are the images.
    The parameters have the classes of each head as a list in JSON: gRPC's metadata have no room for them.
    """
    return {
        "name": manifest.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": 0,
        "input": [{**_config(spec), "optional": spec.optional} for spec in input_specs(manifest).values()],
        "output": [_config(spec) for spec, _ in output_specs(manifest).values()],
        "parameters": {
            f"{head.name}.classes": {"string_value": json.dumps(head.classes, ensure_ascii=False)}
            for head in manifest.heads
            if head.classes
        },
    }


def repository_index(manifest: Manifest) -> list[dict[str, str]]:
    """The model that is served; others of the store are not loaded."""
    return [{"name": manifest.name, "version": str(manifest.version), "state": "READY", "reason": ""}]


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    found: dict[str, Any] = {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}
    return {**found, "parameters": {"classes": list(spec.classes)}} if spec.classes else found


def _config(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "data_type": _TYPES[spec.datatype], "dims": list(spec.shape)}
