"""`training.relearn.renewed_examples`: what explains the next version, with pictures where there are some."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feedback.recording.image_store import ImageStore
from models.bundle.examples import Examples
from models.bundle.input_spec import InputSpec
from models.bundle.kept_rows import KeptRows
from models.bundle.loading import Bundle
from models.runtime.embedding_files import key_of
from tests.tiny_bundle import solid_image, tiny_bundle
from tests.training.relearn.rows_with_answers import made_rows
from training.relearn.kept_thumbnails import kept_thumbnails
from training.relearn.renewed_examples import FROM_ANSWERS, Thumbnails, renewed_examples

OLD = 3
"""Examples of the tiny bundle, with pictures."""
ROWS = made_rows(30, 12)


def none(_: str) -> bytes | None:
    return None


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.open(tiny_bundle(tmp_path_factory.mktemp("store"), explained=True))


def renewed(
    bundle: Bundle, thumbnails: Thumbnails = none, *, rows: KeptRows = ROWS, answered: int = 0
) -> tuple[Examples, int]:
    spec = bundle.manifest.default_head
    before = {FROM_ANSWERS: answered}
    made, count = renewed_examples(bundle, spec, rows, before=before, thumbnails=thumbnails)
    assert made is not None
    return made, count


def test_without_their_images_answers_are_no_examples_beside_pictures(bundle: Bundle) -> None:
    made, count = renewed(bundle)
    old = bundle.examples(bundle.manifest.default_head)
    assert old is not None
    assert (count, made.answers.tolist()) == (0, old.answers.tolist())
    assert list(made.thumbnails) == list(old.thumbnails)


def test_answers_whose_images_were_kept_come_first_with_their_pictures(bundle: Bundle) -> None:
    made, count = renewed(bundle, lambda sha256: sha256[-2:].encode())
    assert (count, len(made.answers)) == (12, 12 + OLD)
    assert {picture.decode() for picture in made.thumbnails[:12]} == {f"{number:02x}" for number in range(30, 42)}
    spans = made.baseline + made.lows + made.codes[:12] * made.steps
    answers = ROWS.embedding[30:].astype(np.float32)
    assert all((np.abs(spans - answer) <= made.steps).all(1).any() for answer in answers)


def test_old_examples_that_were_answers_are_taken_anew(bundle: Bundle) -> None:
    made, count = renewed(bundle, answered=2)
    assert (count, len(made.answers)) == (0, OLD - 2)


def test_examples_of_answered_images_give_way(bundle: Bundle) -> None:
    old = bundle.examples(bundle.manifest.default_head)
    assert old is not None
    point = (old.baseline + old.lows + old.codes[1] * old.steps).astype(np.float16)
    embedding = np.concatenate([ROWS.embedding[:-1], point[None]])
    made, _ = renewed(bundle, rows=replace(ROWS, embedding=embedding))
    assert len(made.answers) == OLD - 1


def test_where_old_rows_do_not_count_their_examples_are_gone(bundle: Bundle) -> None:
    made, count = renewed(bundle, rows=ROWS.at(np.arange(30, 42)))
    assert (count, len(made.answers), list(made.thumbnails)) == (12, 12, [])
    some = np.flatnonzero((ROWS.labels == 1) | (ROWS.answer != b""))
    made, count = renewed(bundle, rows=ROWS.at(some))
    assert (count, made.answers.tolist()) == (0, [1])


def test_a_head_without_examples_stays_so(tmp_path: Path) -> None:
    plain = Bundle.open(tiny_bundle(tmp_path))
    spec = plain.manifest.default_head
    assert renewed_examples(plain, spec, ROWS, before={}, thumbnails=none) == (None, 0)


def test_kept_images_become_thumbnails_and_others_do_not(tmp_path: Path) -> None:
    images, picture = ImageStore(str(tmp_path)), solid_image(90, size=(64, 32))
    sha256 = key_of(picture).hex()
    images.write({sha256: picture})
    find = kept_thumbnails(images, InputSpec(height=8, width=8, channels=1))
    found = find(sha256)
    assert found is not None
    assert found[8:12] == b"WEBP"
    assert find("0" * 64) is None
