"""results of images ──▶ rows of the output, a pyarrow record batch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from models.bundle.head_spec import HeadSpec
from models.policy import as_served
from models.runtime.engine_types import HeadOutput, Result
from models.runtime.head_answers import classify, estimate
from scoring.chunks import Failed
from scoring.engines.scorer_options import Asked

Scored = Result | Failed
_TEXTS = pa.list_(pa.string())
_SHARES = pa.map_(pa.string(), pa.float64())


def result_schema(heads: Sequence[HeadSpec], asked: Asked, width: int) -> Any:
    """Names and types of the columns that scoring adds to a row.

    Args:
        heads: those that are asked.
        asked: what is asked beside their answers.
        width: of the embedding.
    """
    fields = [field for head in heads for field in _fields(head, asked)]
    if asked.embeddings:
        fields.append(pa.field("embedding", pa.list_(pa.float32(), width)))
    return pa.schema([*fields, *(pa.field(name, pa.string()) for name in ("model", "error", "error_detail"))])


def to_rows(scored: Sequence[Scored], heads: Sequence[HeadSpec], asked: Asked, model: str, width: int) -> Any:
    """Makes the rows of some images.

    Args:
        scored: the engine's result for each image, or why there is none.
        heads: those that were asked.
        asked: what is asked beside their answers.
        model: `name@version`.
        width: of the embedding.
    """
    columns = [column for head in heads for column in _head_columns(scored, head, asked)]
    if asked.embeddings:
        columns.append(_embeddings(scored, width))
    failed = [each if isinstance(each, Failed) else None for each in scored]
    columns.append(pa.array([model] * len(scored), pa.string()))
    columns.append(pa.array([each and each.code for each in failed], pa.string()))
    columns.append(pa.array([each and each.detail for each in failed], pa.string()))
    return pa.record_batch(columns, schema=result_schema(heads, asked, width))


def _fields(head: HeadSpec, asked: Asked) -> Iterator[Any]:
    if head.classes:
        yield pa.field(f"{head.name}.label", pa.string())
        yield pa.field(f"{head.name}.confidence", pa.float64())
    else:
        for name in ("value", *(("low", "high") if head.interval_coverage else ())):
            yield pa.field(f"{head.name}.{name}", pa.float64())
    yield pa.field(f"{head.name}.decision", pa.string())
    yield pa.field(f"{head.name}.reasons", _TEXTS)
    if asked.probabilities and head.classes:
        yield pa.field(f"{head.name}.probabilities", _SHARES)
    if asked.explain and head.explain_rows:
        yield pa.field(f"{head.name}.explanation", pa.string())


def _head_columns(scored: Sequence[Scored], head: HeadSpec, asked: Asked) -> Iterator[Any]:
    """The columns of one head, in the order of `_fields`."""
    outputs = [each.decisions[head.name] if isinstance(each, Result) else None for each in scored]
    if head.classes:
        classified = [output and classify(output, head) for output in outputs]
        yield pa.array([each and each.label for each in classified], pa.string())
        yield pa.array([each and each.confidence for each in classified], pa.float64())
        yield from _decisions(classified)
    else:
        estimated = [output and estimate(output, head) for output in outputs]
        yield pa.array([each and each.value for each in estimated], pa.float64())
        if head.interval_coverage:
            for bound in (0, 1):
                yield pa.array([each and each.interval and each.interval[bound] for each in estimated], pa.float64())
        yield from _decisions(estimated)
    if asked.probabilities and head.classes:
        yield _probabilities(outputs, head)
    if asked.explain and head.explain_rows:
        yield pa.array([_explanation(each, head) for each in scored], pa.string())


def _decisions(answers: Sequence[Any]) -> Iterator[Any]:
    yield pa.array([each and each.decision for each in answers], pa.string())
    yield pa.array([each and each.reasons for each in answers], _TEXTS)


def _probabilities(outputs: Sequence[HeadOutput | None], head: HeadSpec) -> Any:
    """Classes and their probabilities in whole millionths; null where there is no output."""
    there = np.array([output is not None for output in outputs])
    found = [output.output for output in outputs if output is not None]
    count = len(head.classes)
    shares = as_served(np.stack(found)) if found else np.empty((0, count))
    ends = np.cumsum(there) * count
    offsets = pa.array([0, *ends.tolist()], pa.int32())
    keys = pa.array(list(head.classes) * len(found), pa.string())
    return pa.MapArray.from_arrays(offsets, keys, pa.array(shares.ravel(), pa.float64()), mask=pa.array(~there))


def _embeddings(scored: Sequence[Scored], width: int) -> Any:
    there = np.array([isinstance(each, Result) for each in scored])
    rows = np.zeros((len(scored), width), np.float32)
    for row, each in zip(rows, scored, strict=True):
        if isinstance(each, Result):
            row[:] = each.embedding
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), width, mask=pa.array(~there))


def _explanation(scored: Scored, head: HeadSpec) -> str | None:
    if isinstance(scored, Failed) or scored.explanations is None:
        return None
    return json.dumps(scored.explanations[head.name], separators=(",", ":"), ensure_ascii=False)
