"""Ask Tandem by Triton's client: `python predict_triton.py MODEL IMAGE ...`, with GRPC_ADDRESS or SERVER_URL set.

All images are one request; one bad image fails it, and the error says which one it was.
"""

import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

TIMEOUT_US = 10_000_000


def connect() -> tuple[ModuleType, str, dict[str, str]]:
    """The client's module, the address without its scheme, and the headers of every request."""
    headers = {"authorization": f"Bearer {os.environ['API_KEY']}"} if "API_KEY" in os.environ else {}
    if "GRPC_ADDRESS" in os.environ:
        return tritonclient.grpc, os.environ["GRPC_ADDRESS"], headers
    address = os.environ.get("SERVER_URL", "http://127.0.0.1:3000").removeprefix("http://")
    return tritonclient.http, address, headers


def main(model: str, *files: str) -> None:
    """Print the label of each image, and whether to accept it."""
    triton, address, headers = connect()
    client = triton.InferenceServerClient(address)
    try:
        outputs = client.get_model_metadata(model, headers=headers, **as_json(triton))["outputs"]
        head = outputs[0]["name"].rpartition(".")[0]  # the default head's outputs come first
        images = triton.InferInput("image", [len(files)], "BYTES")
        images.set_data_from_numpy(np.array([Path(file).read_bytes() for file in files], dtype=object))
        asked = [triton.InferRequestedOutput(f"{head}.{name}") for name in ("label", "decision")]
        found = client.infer(model, [images], outputs=asked, headers=headers, timeout=TIMEOUT_US)
        for row in zip(files, *(found.as_numpy(each.name()) for each in asked), strict=True):
            print(row[0], *(text.decode() for text in row[1:]))
    except InferenceServerException as error:
        sys.exit(error.message())
    except OSError as error:  # no server, no such file
        sys.exit(str(error))
    finally:
        client.close()


def as_json(triton: ModuleType) -> dict[str, bool]:
    """GRPC's client answers with messages unless it is asked for what HTTP's has anyway."""
    return {"as_json": True} if triton is tritonclient.grpc else {}


if __name__ == "__main__":
    main(*sys.argv[1:])
