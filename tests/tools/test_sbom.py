"""The bill of materials: what pip reports to have chosen, package for package."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[2]
TRAINING = {"torch", "scikit-learn", "skl2onnx", "onnx", "lightning-fabric", "matplotlib"}
DEVELOPMENT = {"pytest", "pip-audit", "cyclonedx-python-lib", "mypy", "locust"}


def wheel(folder: Path, name: str, version: str, *lines: str) -> Path:
    """A package with nothing but metadata."""
    stem = f"{name.replace('-', '_')}-{version}"
    files = {
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
        + "".join(f"{line}\n" for line in lines),
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{file},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},"
        for file, text in files.items()
    ]
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{stem}.dist-info/RECORD", "".join(f"{line}\n" for line in record))
    return path


def report(folder: Path, *requirements: str) -> Path:
    """What the real pip says it would install from the folder's wheels."""
    path = folder / "report.json"
    pip = [sys.executable, "-m", "pip", "--isolated", "install", "--quiet", "--no-index", "--find-links", str(folder)]
    command = [*pip, "--dry-run", "--ignore-installed", "--report", str(path), *requirements]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return path


def bill(*reports: Path) -> dict[str, Any]:
    """The program's output; it must be valid CycloneDX."""
    command = [sys.executable, "tools/sbom.py", "pyproject.toml", *map(str, reports)]
    text = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    return json.loads(text)  # type: ignore[no-any-return]


def by_name(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {component["name"]: component for component in document["components"]}


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """`Dish_Washer` needs `water`, and with the extra `hot` also `heater`."""
    wheel(
        tmp_path,
        "Dish_Washer",
        "1.0",
        "License-Expression: MIT OR Apache-2.0",
        "Requires-Dist: water>=1",
        'Requires-Dist: heater; extra == "hot"',
        "Provides-Extra: hot",
    )
    wheel(tmp_path, "water", "1.2", "Classifier: License :: OSI Approved :: BSD License", "License: BSD, more or less")
    wheel(tmp_path, "heater", "2.0+local.1", "License: Own words")
    return tmp_path


def test_each_package_has_name_version_and_the_hash_of_its_file(wheels: Path) -> None:
    components = by_name(bill(report(wheels, "dish-washer")))
    assert {name: component["version"] for name, component in components.items()} == {
        "Dish_Washer": "1.0",
        "water": "1.2",
    }
    digest = hashlib.sha256((wheels / "water-1.2-py3-none-any.whl").read_bytes()).hexdigest()
    assert components["water"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert components["Dish_Washer"]["purl"] == "pkg:pypi/dish-washer@1.0"


def test_a_licence_is_the_expression_or_the_classifiers_or_the_packages_own_words(wheels: Path) -> None:
    components = by_name(bill(report(wheels, "dish-washer[hot]")))
    assert components["Dish_Washer"]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert components["water"]["licenses"] == [{"license": {"name": "BSD License"}}]
    assert components["heater"]["licenses"] == [{"license": {"name": "Own words"}}]


def test_a_whole_licence_text_is_no_name(tmp_path: Path) -> None:
    wheel(tmp_path, "wordy", "1.0", f"License: {'all rights ' * 50}")
    assert "licenses" not in by_name(bill(report(tmp_path, "wordy")))["wordy"]


@pytest.mark.parametrize(
    ("requirement", "needed"),
    [
        ("dish-washer", ["pkg:pypi/water@1.2"]),
        ("dish-washer[hot]", ["pkg:pypi/heater@2.0%2Blocal.1", "pkg:pypi/water@1.2"]),
    ],
)
def test_what_a_package_needs_is_said_with_the_extras_that_were_asked_for(
    wheels: Path, requirement: str, needed: list[str]
) -> None:
    relations = {
        relation["ref"]: relation["dependsOn"] for relation in bill(report(wheels, requirement))["dependencies"]
    }
    assert relations["pkg:pypi/dish-washer@1.0"] == needed
    assert relations["pkg:pypi/water@1.2"] == []


def test_it_names_the_project_and_no_place_on_the_machine_that_built_it(wheels: Path) -> None:
    document = bill(report(wheels, "dish-washer"))
    assert document["metadata"]["component"]["name"] == "tandem"
    assert str(wheels) not in json.dumps(document)


def test_several_reports_make_one_bill_and_the_same_reports_the_same(wheels: Path, tmp_path: Path) -> None:
    first = report(wheels, "water").rename(tmp_path / "first.json")
    second = report(wheels, "heater").rename(tmp_path / "second.json")
    assert set(by_name(bill(first, second))) == {"water", "heater"}
    assert bill(first, second) == bill(second, first)


@pytest.mark.slow
def test_a_bento_holds_the_bill_of_just_what_serving_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    outcome = subprocess.run(["make", "bento"], cwd=ROOT, check=False, capture_output=True, text=True, timeout=500)
    assert outcome.returncode == 0, outcome.stderr
    (inside,) = tmp_path.glob("bentos/tandem/*/src/build/sbom.json")
    assert inside.read_text() == (ROOT / "build" / "sbom.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(inside.read_text()) is None

    components = json.loads(inside.read_text())["components"]
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / "build" / "requirements.txt").read_text(), re.MULTILINE)
    assert len(pinned) > 50
    assert {component["purl"] for component in components} == {f"pkg:pypi/{name}@{version}" for name, version in pinned}
    assert not {component["purl"].split("@")[0][9:] for component in components} & (TRAINING | DEVELOPMENT)
    assert all(component["hashes"] and component["licenses"] for component in components)
