"""KServe's clients, in an environment of their own: arguments are the model, its HTTP and gRPC address and an image."""

import asyncio
import base64
import sys
from pathlib import Path

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.inference_client import InferenceGRPCClient


def encoded(data: bytes) -> InferInput:
    given = InferInput("image", [1], "BYTES")
    given.set_data_from_numpy(np.array([data], dtype=object), binary_data=True)
    return given


async def main(model: str, http: str, grpc: str, image: bytes) -> None:
    rest, rpc = InferenceRESTClient(RESTConfig(protocol="v2")), InferenceGRPCClient(grpc)
    print(await rest.is_server_live(http), await rest.is_server_ready(http), await rest.is_model_ready(http, model))
    print(await rpc.is_server_live(), await rpc.is_server_ready(), await rpc.is_model_ready(model))
    text = InferInput("image", [1], "BYTES", data=[base64.b64encode(image).decode()])
    text.parameters = {"content_type": "base64"}
    for given in (encoded(image), text):
        answer = await rest.infer(http, InferRequest(model, [given]), model_name=model)
        print(answer.outputs[0].name, str(answer.outputs[0].as_numpy()[0]))
    answer = await rpc.infer(InferRequest(model, [encoded(image)]))
    print(answer.outputs[0].name, answer.outputs[0].as_numpy()[0].decode())
    for call in (
        rest.infer(http, InferRequest(model, [encoded(b"no image")]), model_name=model),
        rpc.infer(InferRequest(model, [encoded(b"no image")])),
    ):
        try:
            await call
        except Exception as error:
            print(type(error).__name__, "image 0: unsupported_type" in str(error))


asyncio.run(main(*sys.argv[1:4], Path(sys.argv[4]).read_bytes()))
