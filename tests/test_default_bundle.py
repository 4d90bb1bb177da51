"""The committed bundle keeps its promises when it is really served: accuracy, exactness, size."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from loadtests.server import bentoml_command, running
from models.bundle import Bundle
from models.golden import verify
from models.pixels import decode
from models.sessions import Head, cpu_session
from models.store import DEFAULT_ROOT, Store
from service.device import place
from training import fashion_mnist
from training.bundle import encode_png

MAX_BYTES = 5_000_000
MIN_ACCURACY = 0.940
CNN_MARGIN = 0.002
CONNECTIONS = 16


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


@pytest.fixture(scope="module")
def test_set() -> tuple[list[bytes], NDArray[np.int64]]:
    """The 10,000 test images as PNG, and their labels."""
    if not fashion_mnist.DEBIAN_FOLDER.is_dir() and fashion_mnist.FOLDER_VARIABLE not in os.environ:
        pytest.skip("the data set is not installed: Debian's package dataset-fashion-mnist")
    dataset = fashion_mnist.load()
    assert dataset.official_test is not None
    return [encode_png(dataset.images[i]) for i in dataset.official_test], dataset.labels[dataset.official_test]


def post(client: httpx.Client, image: bytes) -> dict[str, Any]:
    response = client.post("/v1/predict", content=image, headers={"content-type": "image/png"})
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


def test_served_accuracy_on_the_whole_test_set(
    client: httpx.Client, bundle: Bundle, test_set: tuple[list[bytes], NDArray[np.int64]]
) -> None:
    images, labels = test_set
    classes = bundle.manifest.default_head.classes
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        answers = list(threads.map(lambda image: post(client, image), images))
    accuracy = float(
        np.mean([answer["label"] == classes[label] for answer, label in zip(answers, labels, strict=True)])
    )
    metrics = bundle.manifest.default_head.metrics
    print(json.dumps({"served accuracy": accuracy, **metrics}))
    assert accuracy >= MIN_ACCURACY
    assert accuracy >= metrics["test_accuracy_cnn_softmax"] - CNN_MARGIN
    assert accuracy == pytest.approx(metrics["test_accuracy"], abs=0.0005)


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
