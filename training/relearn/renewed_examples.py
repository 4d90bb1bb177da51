"""old examples and answers ──▶ `Examples` of the next version, which explain its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from models.bundle.examples import Examples
from models.bundle.head_spec import HeadSpec
from models.bundle.kept_rows import KeptRows
from models.bundle.loading import Bundle
from training.data.images import Indices
from training.export.example_selection import choose_examples, make_examples
from training.relearn.answered_rows import copies_among

FROM_ANSWERS = "examples from answers"
"""Entry of a head's `relearnt` in the manifest: so many of its examples, the first ones, are answers."""

Thumbnails = Callable[[str], bytes | None]
"""Gives the encoded thumbnail of an image by its SHA-256; None if the image was not kept."""


def renewed_examples(
    bundle: Bundle, spec: HeadSpec, rows: KeptRows, *, before: Mapping[str, Any], thumbnails: Thumbnails
) -> tuple[Examples | None, int]:
    """Makes the examples of the next version; answers come first.

    Old examples that were answers are left out, and taken anew from the answers that there are, so that what was erased
    since is gone; so are those of images that were answered, and those of classes whose old rows do not count. Where
    old examples have pictures, an answer becomes an example only if its image was kept.

    Args:
        bundle: has the old examples.
        spec: of its head.
        rows: old ones that count, and answers.
        before: the head's `relearnt` in the manifest.
        thumbnails: of the answers' images.

    Returns:
        The examples, None if the head has none, and how many of them are answers.
    """
    old = bundle.examples(spec)
    if old is None:
        return None, 0
    is_old = rows.answer == b""
    answers = rows.at(np.flatnonzero(~is_old))
    counted = np.isin(old.answers, rows.labels[is_old]) if spec.classes else np.full(len(old.answers), is_old.any())
    counted[: int(before.get(FROM_ANSWERS, 0))] = False
    if old.axes is not None and counted.any():  # of wide embeddings not enough is kept to mix them with answers
        return _part(old, np.flatnonzero(counted)), 0
    kept = np.setdiff1d(np.flatnonzero(counted), copies_among(_points(old).astype(np.float16), answers.embedding))
    return _made(old, kept.tolist(), answers, thumbnails, is_number=not spec.classes)


def _part(old: Examples, kept: Indices) -> Examples:
    """Some of the examples."""
    return replace(
        old,
        codes=old.codes[kept],
        answers=old.answers[kept],
        rest=None if old.rest is None else old.rest[kept],
        thumbnails=[old.thumbnails[place] for place in kept] if old.thumbnails else (),
    )


def _made(
    old: Examples, kept: list[int], answers: KeptRows, thumbnails: Thumbnails, *, is_number: bool
) -> tuple[Examples, int]:
    """Examples of answers, then of the old ones that are kept; and how many are answers."""
    chosen = choose_examples(
        answers.labels, np.arange(len(answers)), len(answers), is_number=is_number, seed=0
    ).tolist()
    found = {place: thumbnails(answers.answer[place].decode()) for place in chosen} if old.thumbnails else {}
    shown = bool(found) and (bool(kept) or all(found.values()))
    if shown:
        chosen = [place for place in chosen if found[place]]
    pictures = [found[place] or b"" for place in chosen] + [old.thumbnails[place] for place in kept] if shown else None
    labels = np.concatenate([answers.labels[chosen].astype(np.float64), old.answers[kept].astype(np.float64)])
    made = make_examples(
        np.concatenate([answers.embedding[chosen].astype(np.float32), _points(old)[kept]]),
        labels if is_number else labels.astype(np.int64),
        old.baseline,
        pictures,
    )
    return made, min(len(chosen), len(made.answers))


def _points(old: Examples) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Embeddings of examples, as far as their codes tell, float32 `[M, D]`; none of projected ones."""
    if old.axes is not None:
        return np.empty((0, len(old.baseline)), np.float32)
    return np.asarray(old.baseline + old.lows + old.codes * old.steps, np.float32)
