"""tensors of a request ──▶ images and columns ──pipeline──▶ tensors of its response; the same for REST and gRPC."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from models.bundle.head_spec import HeadSpec
from models.errors import BadImage, BadRequest, ClientError, NotFound, TandemError, TooLarge
from models.runtime.engine_types import Result
from models.runtime.head_answers import Answered, answer_image
from service.api.body.base64_text import decode_base64
from service.api.open_inference.model_tensors import IMAGE, input_specs, output_specs
from service.api.open_inference.tensor import NUMPY, GivenTensor, Tensor, TensorSpec, elements
from service.inference.items import Item
from service.inference.loaded_model import LoadedModel
from service.inference.pipeline import Pipeline
from service.messages import Request, Response
from service.problems import code_of, problem_of

_BASE64 = "base64"
"""The content type of texts that stand for bytes; there is no other way to write an image in JSON."""


class InferRequest(NamedTuple):
    """A request, whichever way it came.

    Attributes:
        inputs: its tensors.
        outputs: names of those that are wanted; none where the default head's are.
        id: the caller's, sent back; None where he gave none.
        timeout_us: microseconds that the caller gives the request; 0 leaves it to the server.
    """

    inputs: Sequence[GivenTensor]
    outputs: Sequence[str] = ()
    id: str | None = None
    timeout_us: int = 0


def check_model(model: LoadedModel, name: str, version: str = "") -> None:
    """Checks that a model and, where one is given, a version are those that serve.

    Raises:
        NotFound: they are not.
    """
    manifest = model.engine.manifest
    if name != manifest.name:
        raise NotFound(f"no model {name[:80]!r}; {manifest.name!r} is served")
    if version and version != str(manifest.version):
        raise NotFound(f"model {manifest.name!r} has no version {version[:40]!r} here; {manifest.version} is served")


class Inference:
    """Answers requests by the model that serves; there is no error of one image alone in this protocol.

    Args:
        pipeline: of the process.
        max_images: in one request.
    """

    def __init__(self, pipeline: Pipeline, max_images: int) -> None:
        self._pipeline = pipeline
        self._max_images = max_images

    async def answer(
        self, request: Request, model: LoadedModel, asked: InferRequest, write: Callable[[list[Tensor]], Response]
    ) -> Response:
        """The response, with its tensors in the order asked for, or with the first error of an image.

        Args:
            request: that carries it.
            model: whose tensors are meant.
            asked: what is in the request.
            write: makes a response of tensors, as the transport has it.

        Raises:
            ClientError: the request is malformed, or cannot be answered now.
        """
        outputs = _wanted(model, asked.outputs)
        heads = tuple({head.name: head for _, head in outputs if head is not None}.values())
        items = _items(model, asked.inputs, self._max_images)
        deadline = request.deadline
        if asked.timeout_us > 0:
            deadline = min(deadline, request.started + asked.timeout_us / 1e6)
        results = await self._pipeline.run(model, items, deadline=deadline, heads=heads)
        answered = [
            answer_image(index, item.image, result, heads)
            for index, (item, result) in enumerate(zip(items, results, strict=True))
            if isinstance(result, Result) and isinstance(item.image, bytes)
        ]
        if len(answered) < len(results):
            return _failed(results, request.path)
        response = write(_tensors(outputs, heads, answered))
        response.model, response.results = model.name, results
        response.decided = answered if heads else ()
        return response


def _failed(results: Sequence[Result | TandemError], path: str) -> Response:
    """The response to a request one of whose images has an error: it names the first, and how many there are."""
    errors = [(index, result) for index, result in enumerate(results) if isinstance(result, TandemError)]
    index, error = errors[0]
    others = f" (and {len(errors) - 1} more of {len(results)} images)" if len(errors) > 1 else ""
    detail = f"image {index}: {code_of(error)}: {error}{others}"
    response = problem_of(error if not isinstance(error, ClientError) else _Named(error, detail), path)
    response.results = results
    return response


class _Named(ClientError):
    """An image's error that says which image it was."""

    def __init__(self, error: ClientError, detail: str) -> None:
        super().__init__(detail)
        self.code = error.code  # type: ignore[misc]


def _wanted(model: LoadedModel, names: Sequence[str]) -> list[tuple[TensorSpec, HeadSpec | None]]:
    """The outputs asked for, or those of the default head.

    Raises:
        BadRequest: one that there is not, or one twice.
    """
    known = output_specs(model.engine.manifest)
    if not names:
        return [(spec, head) for spec, head in known.values() if head is not None and head in model.engine.default]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise BadRequest(f"output {name[:80]!r} is asked for twice")
        if name not in known:
            raise BadRequest(f"{model.name} has no output {name[:80]!r}; it has {', '.join(known)}")
    return [known[name] for name in names]


def _items(model: LoadedModel, given: Sequence[GivenTensor], max_images: int) -> list[Item]:
    """The images, each with its columns.

    Raises:
        BadRequest: a tensor that there is not, twice, missing, or of another datatype or shape.
        TooLarge: too many images.
    """
    specs = input_specs(model.engine.manifest)
    tensors: dict[str, GivenTensor] = {}
    for tensor in given:
        if tensor.name not in specs:
            raise BadRequest(f"{model.name} has no input {tensor.name[:80]!r}; it has {', '.join(specs)}")
        if tensor.name in tensors:
            raise BadRequest(f"input {tensor.name!r} is given twice")
        tensors[tensor.name] = tensor
    if IMAGE not in tensors:
        raise BadRequest(f"the request has no input {IMAGE!r}")
    image = tensors.pop(IMAGE)
    count = _count(image, max_images)
    columns = {name: _column(tensor, specs[name], count) for name, tensor in tensors.items()}
    return [
        Item(encoded, {name: values[row] for name, values in columns.items() if values[row] is not None})
        for row, encoded in enumerate(_images(image))
    ]


def _count(tensor: GivenTensor, max_images: int) -> int:
    count = _rows(tensor)
    if count == 0:
        raise BadRequest("the request has no images")
    if count > max_images:
        raise TooLarge(f"the request has {count} images; the limit is {max_images}")
    return count


def _rows(tensor: GivenTensor) -> int:
    """The first size of the shape `[N]` or `[N, 1]`."""
    if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ((), (1,)):
        raise BadRequest(f"input {tensor.name!r} has the shape [-1] or [-1, 1]; got {list(tensor.shape)[:8]}")
    return tensor.shape[0]


def _images(tensor: GivenTensor) -> list[bytes | ClientError]:
    if tensor.content_type not in ("", _BASE64):
        raise BadRequest(f"content_type of input {IMAGE!r} must be {_BASE64!r}; got {tensor.content_type[:40]!r}")
    return [_image(value, index) for index, value in enumerate(elements(tensor, "BYTES"))]


def _image(value: bytes | str, index: int) -> bytes | ClientError:
    if isinstance(value, bytes):
        return value
    try:
        return decode_base64(value)
    except BadImage as error:
        return BadImage(f"element {index} of input {IMAGE!r} is not base64: {error}")


def _column(tensor: GivenTensor, spec: TensorSpec, count: int) -> list[Any]:
    """Values of a column, None where one is missing."""
    if _rows(tensor) != count:
        raise BadRequest(f"input {tensor.name!r} has {tensor.shape[0]} rows; there are {count} images")
    values = elements(tensor, spec.datatype, may_be_null=True)
    if spec.datatype == "BYTES":
        return [_text(tensor.name, index, value) or None for index, value in enumerate(values)]
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values]


def _text(name: str, index: int, value: bytes | str | None) -> str | None:
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError as error:
        raise BadRequest(f"element {index} of input {name!r} is not UTF-8: {error.reason}") from error


def _tensors(
    outputs: Sequence[tuple[TensorSpec, HeadSpec | None]], heads: Sequence[HeadSpec], answered: Sequence[Answered]
) -> list[Tensor]:
    answers = {head.name: [each.answers[head.name] for each in answered] for head in heads}
    return [
        Tensor(spec, np.stack([each.result.embedding for each in answered]))
        if head is None
        else _tensor(spec, spec.name.removeprefix(f"{head.name}."), answers[head.name])
        for spec, head in outputs
    ]


def _tensor(spec: TensorSpec, what: str, answers: Sequence[Any]) -> Tensor:
    """One output of a head; `what` is its name without the head's."""
    if what == "reasons":
        return Tensor(spec, [",".join(answer.reasons) for answer in answers])
    if what in ("low", "high"):
        values = [answer.interval[what == "high"] for answer in answers]
    else:
        values = [getattr(answer, what) for answer in answers]
    return Tensor(spec, values if spec.datatype == "BYTES" else np.array(values, NUMPY[spec.datatype]))
