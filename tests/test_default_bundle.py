"""The committed bundle keeps its promises when it is really served: accuracy, exactness, size."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images
from sklearn.metrics import roc_auc_score

from loadtests.load.server_process import bentoml_command, running
from models.bundle.golden import verify
from models.bundle.loading import Bundle
from models.bundle.store import DEFAULT_ROOT, Store
from models.devices.placement import place
from models.imaging.decode import decode
from models.runtime.head_sessions import Head, open_outlier_detector
from models.runtime.sessions import cpu_session
from tools.fashion_table import FAMILIES
from training.data import fashion_mnist
from training.export.bundle_files import encode_png
from training.reports.evaluation_metrics import score

MAX_BYTES = 8_000_000
MIN_ACCURACY = 0.949
MAX_ECE = 0.012
TARGET_PRECISION, MIN_ACCEPTED = 0.99, 0.82
MIN_AUROC, MIN_FLAGGED, FALSE_ALARMS = 0.98, 0.90, 0.02
CONNECTIONS = 16
TEST_IMAGES = 10_000
PNG = {"content-type": "image/png"}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.open(Store(DEFAULT_ROOT).path("fashion-mnist"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    assert not any(name.startswith("TANDEM_") for name in os.environ), "the default settings are tested here"
    with running(bentoml_command, log=tmp_path_factory.mktemp("server") / "log") as server:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        with httpx.Client(base_url=server.url, timeout=30, limits=limits) as client:
            yield client


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(10, id="every tenth test image"),
        pytest.param(1, id="every test image", marks=pytest.mark.slow),
    ],
)
def every(request: pytest.FixtureRequest) -> int:
    """The step at which images are taken. The quick suite takes a sample, the slow one all."""
    step: int = request.param
    return step


@pytest.fixture(scope="module")
def test_set(every: int) -> tuple[list[bytes], NDArray[np.int64]]:
    """Test images as PNG, and their labels."""
    if not fashion_mnist.DEBIAN_FOLDER.is_dir() and fashion_mnist.FOLDER_VARIABLE not in os.environ:
        pytest.skip("the data set is not installed: Debian's package dataset-fashion-mnist")
    dataset = fashion_mnist.load()
    assert dataset.official_test is not None
    taken = dataset.official_test[::every]
    return [encode_png(dataset.images[i]) for i in taken], dataset.labels[taken]


def slack(share: float, count: int) -> float:
    """Three standard errors of a share of a sample of so many images; 0 where all test images were taken."""
    return 0.0 if count == TEST_IMAGES else 3 * float(np.sqrt(share * (1 - share) / count))


def post(client: httpx.Client, image: bytes) -> dict[str, Any]:
    response = client.post("/v1/predict", content=image, headers=PNG)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def probabilities(answer: dict[str, Any], bundle: Bundle) -> list[float]:
    return [answer["probabilities"][name] for name in bundle.manifest.default_head.classes]


def test_it_verifies_and_is_small(bundle: Bundle) -> None:
    verify(bundle)
    assert sum(file.stat().st_size for file in bundle.path.rglob("*") if file.is_file()) <= MAX_BYTES


def test_it_speaks_of_no_machine(bundle: Bundle) -> None:
    for name, data in bundle.files.items():
        assert str(DEFAULT_ROOT.parent.parent).encode() not in data, name
        assert b"/home/" not in data, name
        assert b"site-packages" not in data, name


@pytest.fixture(scope="module")
def answers(client: httpx.Client, test_set: tuple[list[bytes], NDArray[np.int64]]) -> list[dict[str, Any]]:
    """What is served for the test images."""
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        return list(threads.map(lambda image: post(client, image), test_set[0]))


def test_served_accuracy_and_calibration(
    answers: list[dict[str, Any]], bundle: Bundle, test_set: tuple[list[bytes], NDArray[np.int64]]
) -> None:
    found = np.array([probabilities(answer, bundle) for answer in answers])
    scores = score(found, test_set[1])
    metrics = bundle.manifest.default_head.metrics
    print(json.dumps({"served": asdict(scores), **metrics}))
    margin = slack(MIN_ACCURACY, len(answers))
    assert scores.accuracy >= MIN_ACCURACY - margin
    assert scores.accuracy == pytest.approx(metrics["test_accuracy_int8"], abs=max(0.001, margin))  # int8 serves CPUs
    assert scores.ece <= MAX_ECE + margin


def test_what_is_accepted_is_as_often_right_as_is_promised(
    answers: list[dict[str, Any]], bundle: Bundle, test_set: tuple[list[bytes], NDArray[np.int64]]
) -> None:
    classes = bundle.manifest.default_head.classes
    accepted = np.array([answer["decision"] == "accept" for answer in answers])
    hits = np.array([answer["label"] == classes[label] for answer, label in zip(answers, test_set[1], strict=True)])
    precision = float(hits[accepted].mean())
    print(json.dumps({"accepted": float(accepted.mean()), "of which right": precision}))
    assert precision >= TARGET_PRECISION - slack(TARGET_PRECISION, len(answers))
    assert accepted.mean() >= MIN_ACCEPTED - slack(MIN_ACCEPTED, len(answers))


def digits() -> list[NDArray[np.uint8]]:
    """Scikit-learn's, as MNIST has them: 20 pixels high in the middle of 28, light on black."""
    shown = []
    for image in load_digits().images:
        picture = Image.fromarray((image * 255 / 16).astype(np.uint8)).resize((20, 20), Image.Resampling.BILINEAR)
        canvas = Image.new("L", (28, 28))
        canvas.paste(picture, (4, 4))
        shown.append(np.asarray(canvas)[..., None])
    return shown


def noise() -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    even = random.integers(0, 256, (500, 28, 28, 1)).astype(np.uint8)
    normal = random.normal(128, 40, (500, 28, 28, 1)).clip(0, 255).astype(np.uint8)
    return [*even, *normal]


def photographs() -> list[NDArray[np.uint8]]:
    """Squares of scikit-learn's two photographs, of 28 to 400 pixels."""
    random, shown = np.random.default_rng(0), []
    for image in load_sample_images().images:
        picture = Image.fromarray(image).convert("L")
        for _ in range(500):
            side = int(random.integers(28, 400))
            x, y = (int(random.integers(0, length - side)) for length in picture.size)
            part = picture.crop((x, y, x + side, y + side)).resize((28, 28), Image.Resampling.BILINEAR)
            shown.append(np.asarray(part)[..., None])
    return shown


@pytest.mark.parametrize("strangers", [digits, noise, photographs], ids=lambda make: make.__name__)
def test_what_it_was_not_made_for_is_unfamiliar(
    strangers: Callable[[], list[NDArray[np.uint8]]],
    every: int,
    answers: list[dict[str, Any]],
    client: httpx.Client,
    bundle: Bundle,
    test_set: tuple[list[bytes], NDArray[np.int64]],
) -> None:
    """The AUROC is over the distances, the shares are of what is served."""
    images = strangers()[::every]
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        served = list(threads.map(lambda image: post(client, encode_png(image)), images))
    flagged = float(np.mean(["unfamiliar" in answer["reasons"] for answer in served]))
    false_alarms = float(np.mean(["unfamiliar" in answer["reasons"] for answer in answers]))
    novelty = open_outlier_detector(bundle, bundle.manifest.default_head)
    assert novelty is not None
    embedder = place(bundle, "cpu").embedder
    near = novelty(embedder(np.stack([decode(image, bundle.manifest.input) for image in test_set[0]])))
    far = novelty(embedder(np.stack(images)))
    auroc = float(roc_auc_score(np.repeat([0, 1], [len(near), len(far)]), np.concatenate([near, far])))
    print(json.dumps({strangers.__name__: len(images), "AUROC": auroc, "flagged": flagged, "false": false_alarms}))
    assert auroc >= MIN_AUROC
    assert flagged >= MIN_FLAGGED - (slack(MIN_FLAGGED, len(images)) if every > 1 else 0)
    assert false_alarms <= FALSE_ALARMS + 0.005 + slack(FALSE_ALARMS, len(answers))


def test_both_heads_answer_and_say_why(client: httpx.Client, bundle: Bundle) -> None:
    image = bundle.golden_images()[0]
    response = client.post("/v1/predict?heads=category,family&explain=1", content=image, headers=PNG)
    decisions = response.json()["decisions"]
    assert FAMILIES[decisions["category"]["label"]] == decisions["family"]["label"]
    for decision in decisions.values():
        explanation = decision["explanation"]
        assert explanation["baseline"] + explanation["image"] == pytest.approx(decision["confidence"], abs=1e-3)
        assert explanation["neighbours"][0]["label"] == decision["label"]
        assert explanation["neighbours"][0]["thumbnail"].startswith("data:image/webp;base64,")


def test_served_probabilities_are_those_of_the_files(client: httpx.Client, bundle: Bundle) -> None:
    manifest = bundle.manifest
    embedder = place(bundle, "cpu").embedder
    head = Head.checked(
        cpu_session(bundle.head(manifest.default_head)), manifest.default_head, manifest.embedding_width
    )
    images = bundle.golden_images()
    expected = head(embedder(np.stack([decode(image, manifest.input) for image in images])))
    served = [probabilities(post(client, image), bundle) for image in images]
    np.testing.assert_allclose(served, expected, atol=1e-5)


def test_a_batch_of_32_answers_as_one_by_one(client: httpx.Client, bundle: Bundle) -> None:
    images = (bundle.golden_images() * 2)[:32]
    response = client.post("/v1/predict", files=[("image", ("image.png", image, "image/png")) for image in images])
    together = [probabilities(answer, bundle) for answer in response.json()["predictions"]]
    alone = [probabilities(post(client, image), bundle) for image in images]
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_the_store_names_it_champion() -> None:
    store = Store(DEFAULT_ROOT)
    assert store.names() == ["fashion-mnist"]
    assert (Path(DEFAULT_ROOT) / "fashion-mnist" / "champion").read_text() == f"{store.champion('fashion-mnist')}\n"
