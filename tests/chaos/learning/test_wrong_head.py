"""From a head that is wrong to a better one that serves: answers, relearn, replay gate, shadow, promote."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from models.bundle.store import Store
from tests.chaos.learning.wrong_head import CONFUSED, NAME, wrong_head
from tests.chaos.rig.reliability import Reliability
from tests.chaos.rig.servers import ROOT, Server, serving, until
from tests.chaos.rig.steady_load import Plan, load, outcomes
from training.data import fashion_mnist
from training.exceptions import DataError
from training.export.bundle_files import encode_png

pytestmark = pytest.mark.chaos

ANSWERS, UNSEEN = 300, 500
WITHIN_S = 60.0
ANSWERABLE_WITHIN_S = 1.0  # after the decision was given
LOAD_PER_S = 20


@pytest.fixture(scope="module")
def clothes() -> list[tuple[bytes, str]]:
    """Test images that no network and no head has seen, with their classes."""
    try:
        dataset = fashion_mnist.load()
    except DataError as error:
        pytest.skip(f"no Fashion-MNIST: {error}")
    assert dataset.official_test is not None
    chosen = np.random.default_rng(0).choice(dataset.official_test, ANSWERS + UNSEEN, replace=False)
    labels = [dataset.classes[label] for label in dataset.labels[chosen]]
    return [(encode_png(image), label) for image, label in zip(dataset.images[chosen], labels, strict=True)]


def run(*arguments: str) -> str:
    """Runs one command of the project to its end, and returns what it says."""
    command = [sys.executable, "-m", *arguments]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def accuracy(server: Server, clothes: list[tuple[bytes, str]]) -> float:
    return sum(server.predict(image).document["label"] == label for image, label in clothes) / len(clothes)


def answer(server: Server, clothes: list[tuple[bytes, str]]) -> int:
    """Sends images, says by HTTP what each of them is, and counts what was taken."""
    sent = [(server.predict(image).headers["x-request-id"], label) for image, label in clothes]
    for request_id, label in sent:
        body = json.dumps({"request_id": request_id, "label": label}).encode()
        until(functools.partial(_is_taken, server, body), ANSWERABLE_WITHIN_S, "the decision can be answered")
    return len(sent)


def _is_taken(server: Server, body: bytes) -> bool:
    return server.request("/v1/feedback", body, {"Content-Type": "application/json"}).status == 201


@pytest.mark.parametrize("wrong_rows", [False, True], ids=["the head alone is wrong", "its training rows are, too"])
def test_300_answers_make_a_better_model_within_a_minute(
    clothes: list[tuple[bytes, str]], wrong_rows: bool, tmp_path: Path, reliability: Reliability
) -> None:
    entry = wrong_head(tmp_path / "store", wrong_rows=wrong_rows)
    url = f"sqlite:///{tmp_path / 'feedback.db'}"
    bodies = []
    for number, (image, _) in enumerate(clothes[ANSWERS:][:50]):
        bodies.append(str(tmp_path / f"{number}.png"))
        Path(bodies[-1]).write_bytes(image)
    with serving(tmp_path, entry, workers=2, feedback_url=url, feedback_audit=0.05) as server:
        before = accuracy(server, clothes[ANSWERS:])
        plan = Plan(server.port, tuple(bodies), connections=4, rate=LOAD_PER_S)
        with load(tmp_path, plan) as beside:
            taken = answer(server, clothes[:ANSWERS])
            started = time.monotonic()
            learned = run("training", "relearn", str(entry), "--feedback", url)
            until(lambda: server.metric("tandem_shadow_decisions_total") > 0, 10.0, "the shadow decides")
            promoted = run("models", "--store", str(entry.parent), "promote", NAME, "2", "--feedback", url)
            until(lambda: server.metric("tandem_model_info", model=f"{NAME}@2") == 2, 10.0, "both workers serve it")
            took_s = time.monotonic() - started
            statuses = outcomes(beside.stop())
        after = accuracy(server, clothes[ANSWERS:])
    print(learned, promoted)
    met = took_s < WITHIN_S and taken == ANSWERS and set(statuses) == {"200"} and after > before + 0.1
    rows = "wrong rows" if wrong_rows else "right rows"
    reliability.record(
        f"learning: 300 answers to a head that calls {CONFUSED[0]} {CONFUSED[1]}, {rows}",
        f"< {WITHIN_S:.0f} s from the last answer to the new champion in 2 workers; 0 requests lost",
        f"{took_s:.1f} s; accuracy {before:.3f} before, {after:.3f} after, on {UNSEEN} unseen images; "
        f"{statuses} beside it",
        met,
    )
    assert Store(entry.parent).champion(NAME) == 2
    assert met, (took_s, taken, statuses, before, after)
