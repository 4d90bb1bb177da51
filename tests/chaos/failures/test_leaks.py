"""No leak: 20,000 requests, good and bad, and the second half leaves nothing behind."""

from __future__ import annotations

import http.client
import itertools
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.chaos.inputs.hostile_bodies import BASE64, FORM, JSON, form, instances, part
from tests.chaos.inputs.pictures import SNEAKER, png
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.target import Target, serving_target
from tests.models.encoded import encode, picture

MIB = 1024 * 1024
HALF = 10_000
CLIENTS = 8
PER_CONNECTION = 50  # then a new one, so that connections are part of it
GROWTH_BYTES = MIB
SPARE_DESCRIPTORS = 4  # a connection may not have been closed yet

Message = tuple[str, str, bytes, dict[str, str], int]  # method, target, body, headers, wanted status


def messages() -> list[Message]:
    """One of each kind, as many good as bad."""
    image, fresh = {"Content-Type": "image/png"}, encode(picture(), "JPEG")
    several = form(part("image", SNEAKER), part("image", SNEAKER[:100]), part("image", fresh))
    made: list[Message] = [
        ("POST", "/v1/predict?top_k=2", SNEAKER, image, 200),
        ("POST", "/v1/predict", fresh, image, 200),
        ("POST", "/v1/embed", SNEAKER, {**image, "Accept": "application/octet-stream"}, 200),
        ("POST", "/v1/predict", several, {"Content-Type": FORM}, 200),
        ("POST", "/v1/predict", instances({"image": BASE64}), {"Content-Type": JSON}, 200),
        ("POST", "/predict", instances({"image": BASE64}), {"Content-Type": JSON}, 200),
        ("GET", "/v1/models", b"", {}, 200),
        ("POST", "/v1/predict", SNEAKER[:200], image, 400),
        ("POST", "/v1/predict", b"hello", image, 415),
        ("POST", "/v1/predict", png(9000, 9000), image, 413),
        ("POST", "/v1/predict", b"{", {"Content-Type": JSON}, 400),
        ("POST", "/predict", b"{", {"Content-Type": JSON}, 400),
        ("POST", "/v1/predict", form(part("x", b"")), {"Content-Type": FORM}, 400),
        ("GET", "/random/{number}", b"", {}, 404),
        ("PUT", "/v1/predict", SNEAKER, image, 405),
    ]
    return made


def send_many(target: Target, numbers: Iterator[int], count: int) -> Counter[str]:
    """Sends from several connections; counts the answers whose status was another."""
    kinds, surprises, lock = messages(), Counter[str](), threading.Lock()

    def send_some(share: int) -> None:
        connection = http.client.HTTPConnection(*target.address, timeout=10)
        for index in range(share):
            with lock:
                number = next(numbers)
            method, path, body, headers, wanted = kinds[number % len(kinds)]
            connection.request(method, path.format(number=number), body or None, headers)
            response = connection.getresponse()
            response.read()
            if response.status != wanted:
                with lock:
                    surprises[f"{method} {path} {response.status}"] += 1
            if index % PER_CONNECTION == PER_CONNECTION - 1:
                connection.close()
        connection.close()

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(send_some, [count // CLIENTS] * CLIENTS))
    return surprises


@pytest.mark.chaos
def test_the_second_half_of_20000_requests_leaves_nothing_behind(tmp_path: Path, reliability: Reliability) -> None:
    numbers = itertools.count()
    with serving_target(tmp_path) as target:
        surprises = send_many(target, numbers, HALF)
        memory, descriptors, files = target.memory_bytes(), target.descriptors(), target.temporary_files()
        surprises += send_many(target, numbers, HALF)
        growth = target.memory_bytes() - memory
        opened = target.descriptors() - descriptors
        new = sorted(set(target.temporary_files()) - set(files))
    assert not surprises
    measured = f"{growth / MIB:+.2f} MiB on {memory / MIB:.0f}, {opened:+d} descriptors, {len(new)} temporary files"
    met = growth <= GROWTH_BYTES and opened <= SPARE_DESCRIPTORS and not new
    reliability.record("no leak: second half of 20,000 requests", "≤ 1 MiB, descriptors and files flat", measured, met)
    assert met, f"{measured}: {new[:9]}"
