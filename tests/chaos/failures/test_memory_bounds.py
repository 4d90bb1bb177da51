"""Bounded memory: what is over a limit costs no more than what is under it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from models.imaging.decode import DECODE_MIB
from service.inference.preprocessing import DECODE_THREADS
from tests.chaos.inputs import bombs
from tests.chaos.inputs.fuzz_corpus import LIMIT_BYTES, chunk, corpus, head, post
from tests.chaos.inputs.hostile_bodies import FORM, JSON, form, instances, part
from tests.chaos.inputs.photos import photo
from tests.chaos.inputs.pictures import SNEAKER, blank_png, idat, png
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import Server, serving
from tests.chaos.rig.target import Target, serving_target
from tests.models.encoded import encode, picture

MIB = 1024 * 1024
GROWTH_BYTES = 16 * MIB
GB = 10**9
ROUNDS = 10
AT_ONCE = 4
DECODE_AT_ONCE = 8
SETTLED_WITHIN_S = 5.0
LIMIT_S = 60.0
PATIENCE_S = 15.0  # a bomb may take its time here: that is for the tests of time


def send(target: Target, data: bytes) -> None:
    """One over-limit request; how it is answered is for the tests of input."""
    target.send(data, PATIENCE_S)


def send_endless(target: Target) -> int:
    """A body of 1 GB in chunks, until the server has enough; returns the bytes that were sent."""
    piece = chunk(bytes(MIB))
    sent = 0
    with socket.create_connection(target.address, timeout=PATIENCE_S) as connection:
        try:
            connection.sendall(head("POST", "/v1/predict", "Content-Type: image/png", "Transfer-Encoding: chunked"))
            while sent < GB:
                connection.sendall(piece)
                sent += MIB
        except (ConnectionResetError, BrokenPipeError):
            pass
    return sent


def send_half(target: Target) -> None:
    """9 of 10 MB; then the caller is gone."""
    with socket.create_connection(target.address, timeout=PATIENCE_S) as connection:
        connection.sendall(head("POST", "/v1/predict", "Content-Type: image/png", f"Content-Length: {LIMIT_BYTES}"))
        connection.sendall(bytes(9 * MIB))


def _endless(target: Target) -> None:
    sent = send_endless(target)
    assert sent < 100 * MIB, f"{sent} bytes of an endless body were taken"


def _data_of(name: str) -> Callable[[Target], None]:
    data = next(case.data for case in corpus() if case.name == name)
    return lambda target: send(target, data)


def _post(body: bytes, kind: str = "image/png", route: str = "/v1/predict") -> Callable[[Target], None]:
    data = post(body, kind, route)
    return lambda target: send(target, data)


def floods() -> dict[str, Callable[[Target], None]]:
    """Over-limit requests by name."""
    large = png(6000, 5000, idat(bytes(6001 * 5000)))
    return {
        "1 GB in chunks": _endless,
        "1 GB announced": _data_of("framing: a length of 1 GB"),
        "a body of one byte more": _data_of("framing: one byte over the limit"),
        "9 of 10 MB and gone": send_half,
        "10,000 empty images in a form": _data_of("body: form of 10,000 empty images"),
        "10,000 parts of 1,000 bytes": _post(form(*[part("image", bytes(880))] * 10_000), FORM),
        "a part header of 9 MB": _post(form(part("image", SNEAKER, "X: " + "y" * 9_000_000)), FORM),
        "JSON of 100,000 lists": _data_of("body: JSON of 100,000 lists"),
        "JSON of a million zeros": _data_of("body: JSON of a million zeros"),
        "JSON of 200,000 images": _data_of("body: JSON of 200,000 images"),
        "JSON of 100,000 keys": _data_of("body: JSON with 100,000 other keys"),
        "JSON of 5 million lists": _post(b'{"instances":[' + b"[]," * 3_000_000 + b"[]]}", JSON),
        "JSON of a million zeros to BentoML's route": _data_of("body for BentoML's route: JSON of a million zeros"),
        "JSON of 200,000 images to BentoML's route": _data_of("body for BentoML's route: JSON of 200,000 images"),
        "an image of 30 MP": _post(large),
        "256 images of 30 MP": _post(form(*[part("image", large[:35_000])] * 256), FORM),
        "a PNG with two sizes": _data_of("image: png with two headers"),
        "10,000 headers": _data_of("headers: 10,000 of them"),
        "a header of 1 MB": _data_of("headers: one of 1 MB"),
        "a target of 100,000 bytes": _data_of("target: 100,000 bytes"),
    }


def warm_up(target: Target) -> None:
    """The largest that is legal, once for each decoder and parser: what that costs once is no growth."""
    largest = [
        post(blank_png(5000, 5000)),
        post(encode(picture(5000, 5000), "JPEG")),
        post(bytes(LIMIT_BYTES)),
        post(form(*[part("image", SNEAKER)] * 256), FORM),
        post(instances({"image": "A" * 10_000_000}), JSON),
        post(instances({"image": "A" * 10_000_000}), JSON, "/predict"),
    ]
    with ThreadPoolExecutor(AT_ONCE) as senders:
        assert all(found.responses for found in senders.map(target.send, largest * AT_ONCE))


def settled_bytes(target: Target, wanted: int) -> int:
    """Memory once it is down to what is wanted, or does not go there."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while (now := target.memory_bytes()) > wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    return now


@pytest.mark.chaos
def test_200_requests_over_the_limits_leave_memory_as_it_was(tmp_path: Path, reliability: Reliability) -> None:
    started = time.monotonic()
    kinds = floods()
    assert len(kinds) * ROUNDS >= 200
    grown: dict[str, float] = {}
    with serving_target(tmp_path) as target, ThreadPoolExecutor(AT_ONCE) as senders:
        workers = target.worker_ids()
        warm_up(target)
        before = last = target.memory_bytes()
        for name, flood in kinds.items():
            list(senders.map(flood, [target] * ROUNDS))
            now = settled_bytes(target, last + MIB) if time.monotonic() - started < LIMIT_S else target.memory_bytes()
            grown[name] = round((now - last) / MIB, 1)
            last = now
        growth = settled_bytes(target, before + GROWTH_BYTES) - before
        assert target.tells_right() == ""
        assert target.worker_ids() == workers
    seconds = time.monotonic() - started
    measured = f"{growth / MIB:.1f} MiB on {before / MIB:.0f} after {len(kinds) * ROUNDS}, {seconds:.0f} s"
    reliability.record(
        "bounded memory", "growth <= 16 MiB after 200 over-limit requests", measured, growth <= GROWTH_BYTES
    )
    assert growth <= GROWTH_BYTES, f"{measured}; MiB by kind: {grown}"
    assert seconds <= LIMIT_S


def largest() -> dict[str, bytes]:
    """Images at the limit of pixels, or of work, that take the most memory of their kinds."""
    lossy = photo(2750, 2750, format_="WEBP")
    return {
        "lossy WebP": photo(5000, 5000, format_="WEBP"),
        "lossless WebP": bombs.webp_of_groups(3340, 3340, 65536),
        "transparent WebP": bombs.webp_of_transparency(lossy, 2750, 2750, 65536),
        "JPEG of four inks": bombs.jpeg_of_refinements(5000, 5000, 20, 4),
        "progressive JPEG of 50 MP": bombs.jpeg_of_refinements(8160, 6144, 8, 3),
        "JPEG of four inks, 41 MP, kept until its last scan": bombs.jpeg_of_refinements(6400, 6400, 8, 4),
        "PNG with transparency": bombs.png_of_rows(5000, 5000),
    }


def peak_bytes(worker: psutil.Process, work: Callable[[], object]) -> int:
    """The most memory that a process has while the work is done, looked at every 2 ms."""
    done, peak = threading.Event(), [0]

    def look() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], worker.memory_info().rss)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        work()
    finally:
        done.set()
        watcher.join()
    return peak[0]


def predict_at_once(server: Server, image: bytes, count: int) -> None:
    """So many equal requests, each of which is answered or refused for want of time."""
    with ThreadPoolExecutor(count) as senders:
        statuses = set(senders.map(lambda _: server.predict(image).status, range(count)))
    assert statuses <= {200, 400, 429, 504}, statuses


@pytest.mark.chaos
def test_images_decoded_at_once_hold_no_more_than_their_bound(tmp_path: Path, reliability: Reliability) -> None:
    images, found = largest(), {}
    with serving(tmp_path, workers=1) as server:
        worker = psutil.Process(server.workers().pop())
        predict_at_once(server, SNEAKER, DECODE_AT_ONCE)
        for name, image in images.items():
            before = worker.memory_info().rss
            peak = peak_bytes(worker, lambda image=image: predict_at_once(server, image, DECODE_AT_ONCE))
            found[name] = (peak - before - DECODE_AT_ONCE * len(image)) / MIB
        assert server.predict(SNEAKER).status == 200
    bound = DECODE_THREADS * DECODE_MIB
    worst = max(found, key=lambda name: found[name])
    measured = f"{found[worst]:.0f} MiB for {worst}, the worst of {len(found)} kinds, {DECODE_AT_ONCE} requests at once"
    required = f"decoding holds <= {DECODE_THREADS} x {DECODE_MIB} MiB a worker"
    reliability.record("bounded memory: images at the limit", required, measured, found[worst] <= bound)
    assert found[worst] <= bound, f"{measured}; MiB by kind: {found}"
