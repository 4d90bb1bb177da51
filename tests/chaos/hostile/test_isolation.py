"""One image's failure never reaches its neighbours: neither those in its batch nor those in its request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from tests.chaos.inputs.fuzz_corpus import post
from tests.chaos.inputs.hostile_bodies import FORM, form, part
from tests.chaos.inputs.pictures import SNEAKER, pictures
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.target import Target, is_same
from tests.chaos.rig.wire import Response
from tests.models.encoded import encode, picture

IMAGES = [encode(picture(20 + size, 28), "PNG") for size in range(8)]
BAD = 3
ROUNDS = 5
DAMAGED = {name: data for name, data, statuses in pictures() if statuses == {400}}
CHOSEN = ["png cut after 60 bytes", "jpeg cut in its scan", "webp of zeros", "png of colour type 9", "no bytes"]


def answer(target: Target, data: bytes) -> Response:
    found = target.send(data)
    assert not found.wrong, found.wrong
    return found.responses[0]


@pytest.fixture(scope="module")
def alone(target: Target) -> list[Any]:
    """Each image's answer when nothing else is asked."""
    answers = [answer(target, post(image)).json() for image in IMAGES]
    assert len({str(each["probabilities"]) for each in answers}) == len(IMAGES)
    return answers


def with_bad(name: str) -> list[bytes]:
    return [*IMAGES[:BAD], DAMAGED[name], *IMAGES[BAD + 1 :]]


@pytest.mark.parametrize("name", CHOSEN)
def test_one_bad_of_8_sent_at_once_errs_alone(target: Target, alone: list[Any], name: str) -> None:
    together = Barrier(len(IMAGES))

    def send(image: bytes) -> Response:
        together.wait(timeout=10)
        return answer(target, post(image))

    with ThreadPoolExecutor(len(IMAGES)) as senders:
        for _ in range(ROUNDS):
            found = list(senders.map(send, with_bad(name)))
            assert (found[BAD].status, found[BAD].json()["code"]) == (400, "bad_image")
            for index in set(range(8)) - {BAD}:
                assert is_same(found[index].json(), alone[index])


@pytest.mark.parametrize("name", CHOSEN)
def test_one_bad_of_8_in_a_form_errs_alone(target: Target, alone: list[Any], name: str) -> None:
    response = answer(target, post(form(*[part("image", image) for image in with_bad(name)]), FORM))
    assert response.status == 200
    found = response.json()["predictions"]
    assert len(found) == len(IMAGES)
    assert found[BAD]["error"]["code"] == "bad_image"
    for index in set(range(8)) - {BAD}:
        assert is_same(found[index], alone[index])


def test_isolation_is_recorded(target: Target, alone: list[Any], reliability: Reliability) -> None:
    """The promise in one figure: the worst neighbours a picture can have, in one request."""
    bad = [data for data in DAMAGED.values() if len(data) < 5000][:40]
    mixed = [image for data in bad for image in (data, SNEAKER)]
    found = answer(target, post(form(*[part("image", image) for image in mixed]), FORM)).json()["predictions"]
    errors = sum("error" in each for each in found[::2])
    equal = sum(is_same(each, target.answer) for each in found[1::2])
    met = errors == equal == len(bad)
    measured = f"{errors} of {len(bad)} bad ones err, {equal} of {len(bad)} neighbours as when alone"
    reliability.record(
        "isolation: bad images in one batch with good ones", "each errs alone, the others as alone", measured, met
    )
    assert met
