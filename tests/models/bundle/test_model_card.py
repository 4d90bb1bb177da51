"""`models.bundle.model_card`: what a stranger has to know of a bundle, readable for people and for model hubs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from models.bundle.loading import Bundle
from models.bundle.manifest import Manifest
from models.bundle.model_card import CARD, model_card
from models.bundle.store import Store
from tests.tiny_bundle import tiny_bundle


@pytest.fixture(scope="module")
def manifest() -> Manifest:
    """The default bundle's, which has all that trainings write."""
    return Bundle.open(Store().path("fashion-mnist")).manifest


def header(card: str) -> dict[str, Any]:
    _, text, _ = card.split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def test_every_bundle_that_is_written_has_its_card(tiny_path: Path) -> None:
    bundle = Bundle.open(tiny_path)
    assert bundle.files[CARD].decode() == model_card(bundle.manifest)


def test_the_header_is_what_model_hubs_read(manifest: Manifest) -> None:
    found = header(model_card(manifest))
    assert (found["license"], found["library_name"]) == ("unknown", "onnx")
    assert found["pipeline_tag"] == "image-classification"
    (model,) = found["model-index"]
    figures = {each["type"]: each["value"] for each in model["results"][0]["metrics"]}
    assert figures["test_accuracy"] == manifest.default_head.metrics["test_accuracy"]
    assert [result["task"]["name"] for result in model["results"]] == ["category", "family"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("54,000", id="size of the training data"),
        pytest.param("| test_accuracy | 0.950367 |", id="figures"),
        pytest.param("accepts 85 % of 5,992 held-out images", id="the promise"),
        pytest.param("Intended: decisions on images like those", id="intended use"),
        pytest.param("## Limits", id="limits"),
        pytest.param("## Licence", id="licence"),
        pytest.param("`T-shirt/top`", id="classes"),
    ],
)
def test_the_card_says(manifest: Manifest, text: str) -> None:
    assert text in model_card(manifest)


def test_a_bundle_of_numbers_and_columns_has_a_card(tmp_path: Path, priced_path: Path) -> None:
    assert "`price`" in Bundle.open(tiny_bundle(tmp_path, regressions=["price"])).files[CARD].decode()
    assert "Columns beside the image: `shift`, `force`, `invert`." in Bundle.open(priced_path).files[CARD].decode()


@pytest.mark.parametrize("name", ["a: b", "--- \n# c", "`d`", "é|f", "<script>"])
def test_no_class_breaks_the_page(tmp_path: Path, name: str) -> None:
    card = Bundle.open(tiny_bundle(tmp_path, classes=(name, "other"))).files[CARD].decode()
    assert header(card)["license"] == "unknown"
    (line,) = (line for line in card.splitlines() if line.startswith("Classes: "))
    assert " ".join(name.split()).replace("|", "\\|") in line
    assert line.endswith("`other`.")


def test_many_classes_are_cut(tmp_path: Path) -> None:
    card = Bundle.open(tiny_bundle(tmp_path, classes=tuple(f"c{index}" for index in range(40)))).files[CARD].decode()
    assert "`c29` and 10 more." in card
