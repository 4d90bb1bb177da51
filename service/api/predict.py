"""`POST /v1/predict` and BentoML's `/predict`: encoded images ──▶ decisions."""

from __future__ import annotations

from collections.abc import Sequence

from models.errors import BadRequest, TandemError, UnsupportedType
from models.runtime.engine_types import Result
from models.runtime.head_answers import Answered, answer_image
from service.api.body.bodies import is_image
from service.api.image_route import NATIVE, ImageRoute, failed, json_response
from service.api.predictions import to_answer
from service.api.query import Options, Queries
from service.gateway.transaction import Answer, Transaction
from service.inference.items import Item
from service.inference.loaded_model import LoadedModel
from service.inference.pipeline import Pipeline
from service.messages import Request, Response
from service.problems import item_error
from service.settings import Settings


class Predict(ImageRoute):
    """Decides on the images of a request; see `ImageRoute` for its arguments."""

    def __init__(self, pipeline: Pipeline, settings: Settings) -> None:
        super().__init__(pipeline, settings)
        self._queries = Queries()

    def __call__(self, transaction: Transaction) -> Answer:
        """Answers a small image from within the batch that computes it, everything else later."""
        request = transaction.request
        model = self._pipeline.model
        options = self._queries.read(request.query, model)
        kind = request.content_type
        if request.path == NATIVE and kind and kind.partition(";")[0].strip().lower() != "application/json":
            raise UnsupportedType(f"content type {kind[:100]!r} is not accepted here; send application/json")
        is_plain = is_image(kind) and b"content-encoding" not in request.headers
        if is_plain and not options.explain and self._take_small(transaction, model, options):
            return None
        return self._predict(request, model, options)

    def _take_small(self, transaction: Transaction, model: LoadedModel, options: Options) -> bool:
        """Queues the image, unless it is one of many pixels."""

        def take(result: Result | TandemError) -> None:
            response = transaction.attempt(_answer_one, result, request.body, options, model.name)
            assert isinstance(response, Response)
            transaction.respond(response)

        request = transaction.request
        return model.is_inline and self._pipeline.run_one(
            model,
            Item(request.body, {}),
            heads=options.heads,
            deadline=request.deadline,
            take=take,
            is_wanted=lambda: transaction.is_open,
        )

    async def _predict(self, request: Request, model: LoadedModel, options: Options) -> Response:
        """The JSON answer: bare for a bare image, else a list with errors in their places."""
        submission = await self._submission(request)
        _check_photos(submission.items, model)
        results = await self._pipeline.run(
            model, submission.items, deadline=request.deadline, heads=options.heads, explain=options.explain
        )
        if len(results) == 1 and (submission.single or isinstance(results[0], TandemError)):
            return _answer_one(results[0], submission.items[0].image, options, model.name)
        return _answer_all(results, submission.items, options, model.name)


def _check_photos(items: Sequence[Item], model: LoadedModel) -> None:
    """Raises `BadRequest` for an item of several images, unless the model takes such ones."""
    for index, item in enumerate(items):
        if item.others and not model.engine.manifest.pooling:
            raise BadRequest(f"{model.name} decides on one image; instances[{index}] has {len(item.images)}")


def _answer_one(result: Result | TandemError, image: bytes | TandemError, options: Options, model: str) -> Response:
    if isinstance(result, TandemError):
        return failed(result)
    assert isinstance(image, bytes)
    answered = answer_image(0, image, result, options.heads)
    return json_response(to_answer(answered, options, model), model, [result], [answered])


def _answer_all(
    results: Sequence[Result | TandemError], items: Sequence[Item], options: Options, model: str
) -> Response:
    shown: list[object] = []
    decided: list[Answered] = []
    for index, (result, item) in enumerate(zip(results, items, strict=True)):
        if isinstance(result, TandemError):
            shown.append(item_error(result))
            continue
        first, *others = (image for image in item.images if isinstance(image, bytes))
        decided.append(answer_image(index, first, result, options.heads, others))
        shown.append(to_answer(decided[-1], options, model))
    return json_response({"predictions": shown}, model, results, decided)
