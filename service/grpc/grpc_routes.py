"""gRPC's methods as routes of a gateway: the bytes of a message in, the bytes of a message out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError, Message

from models import __version__
from models.errors import BadRequest
from service.api.open_inference import documents
from service.api.open_inference.inference import Inference, check_model
from service.api.open_inference.statistics import model_statistics
from service.api.open_inference.tensor import Tensor
from service.api.readiness import is_ready
from service.gateway.router import Routes
from service.gateway.transaction import Answer, Handler, Transaction
from service.grpc import open_inference_pb2 as messages
from service.grpc.infer_messages import read_infer_request, write_infer_response
from service.inference.loaded_model import LoadedModel
from service.inference.pipeline import Pipeline
from service.messages import Request, Response
from service.settings import Settings

SERVICE = "/inference.GRPCInferenceService/"
HEALTH = "/grpc.health.v1.Health/Check"
"""What probes of Kubernetes and of load balancers call, https://github.com/grpc/grpc/blob/master/doc/health-checking.md."""
GRPC = b"application/grpc"
_SERVING, _NOT_SERVING = b"\x08\x01", b"\x08\x02"  # a message whose only field is the status

_Message = TypeVar("_Message", bound=Message)


class GrpcRoutes:
    """The methods of the service.

    Args:
        pipeline: answers requests.
        settings: limits of a request.
        is_draining: whether the end of the server has begun.
    """

    def __init__(self, pipeline: Pipeline, settings: Settings, is_draining: Callable[[], bool]) -> None:
        self._pipeline = pipeline
        self._inference = Inference(pipeline, settings.max_images)
        self._is_draining = is_draining

    def routes(self) -> Routes:
        """By path and method, which is always POST."""
        methods: dict[str, Handler] = {
            "ServerLive": lambda _: _sent(messages.ServerLiveResponse(live=True)),
            "ServerReady": self._server_ready,
            "ServerMetadata": _server_metadata,
            "ModelReady": self._of_model(messages.ModelReadyResponse, lambda _: {"ready": True}),
            "ModelMetadata": self._of_model(
                messages.ModelMetadataResponse, lambda model: documents.model_metadata(model.engine.manifest)
            ),
            "ModelConfig": self._of_model(
                messages.ModelConfigResponse, lambda model: {"config": documents.model_config(model.engine.manifest)}
            ),
            "ModelStatistics": self._of_model(
                messages.ModelStatisticsResponse, lambda model: model_statistics(model.engine.manifest)
            ),
            "RepositoryIndex": self._repository_index,
            "RepositoryModelLoad": _refuse_change,
            "RepositoryModelUnload": _refuse_change,
            "ModelInfer": self._infer,
        }
        return {HEALTH: {"POST": self._health}, **{f"{SERVICE}{name}": {"POST": do} for name, do in methods.items()}}

    def _health(self, _: Transaction) -> Response:
        return Response(200, _SERVING if self._is_ready() else _NOT_SERVING, GRPC)

    def _server_ready(self, _: Transaction) -> Response:
        return _sent(messages.ServerReadyResponse(ready=self._is_ready()))

    def _is_ready(self) -> bool:
        return is_ready(self._pipeline, is_draining=self._is_draining())

    def _repository_index(self, _: Transaction) -> Response:
        index = documents.repository_index(self._pipeline.model.engine.manifest)
        return _filled(messages.RepositoryIndexResponse(), {"models": index})

    def _of_model(self, kind: Callable[[], Message], tell: Callable[[LoadedModel], dict[str, Any]]) -> Handler:
        """A handler that tells something of the model that a request names, or of the one that serves."""

        def handler(transaction: Transaction) -> Response:
            asked = _parsed(messages.ModelRequest(), transaction.request)
            model = self._pipeline.model
            check_model(model, asked.name or model.engine.manifest.name, asked.version)
            return _filled(kind(), tell(model))

        return handler

    def _infer(self, transaction: Transaction) -> Answer:
        request, model = transaction.request, self._pipeline.model
        message, manifest = _parsed(messages.ModelInferRequest(), request), model.engine.manifest
        check_model(model, message.model_name, message.model_version)

        def write(tensors: list[Tensor]) -> Response:
            return _sent(write_infer_response(tensors, message, manifest.name, str(manifest.version)))

        return self._inference.answer(request, model, read_infer_request(message), write)


def _server_metadata(_: Transaction) -> Response:
    return _filled(messages.ServerMetadataResponse(), documents.server_metadata(__version__))


def _refuse_change(transaction: Transaction) -> Response:
    asked = _parsed(messages.RepositoryModelRequest(), transaction.request)
    raise BadRequest(documents.NO_CHANGE.format(asked.model_name[:80]))


def _parsed(message: _Message, request: Request) -> _Message:
    try:
        message.ParseFromString(request.body)
    except DecodeError as error:
        raise BadRequest(f"the body is no {message.DESCRIPTOR.name}: {error}") from error
    return message


def _filled(message: Message, document: dict[str, Any]) -> Response:
    """A message with those fields of a document that it has."""
    return _sent(ParseDict(document, message, ignore_unknown_fields=True))


def _sent(message: Message) -> Response:
    return Response(200, message.SerializeToString(), GRPC)
