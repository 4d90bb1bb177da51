"""The README tells the truth: its settings are the service's, its answers are what the service answers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtests.load.server_process import bentoml_command, running
from service.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```console\n\$ (.+)\n((?:.+\n)+)```", README)
ADDRESS = "http://127.0.0.1:3000"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(bentoml_command, log=tmp_path_factory.mktemp("server") / "log") as server:
        yield server.url


def rounded(document: Any) -> Any:
    """The document with its probabilities to three digits: other processors add in another order."""
    if isinstance(document, dict):
        return {key: rounded(value) for key, value in document.items()}
    if isinstance(document, list):
        return [rounded(value) for value in document]
    return round(document, 3) if isinstance(document, float) else document


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples are curl commands, and there is no curl")
@pytest.mark.parametrize(("command", "answer"), EXAMPLES, ids=[re.sub(r"\W+", "-", c)[:60] for c, _ in EXAMPLES])
def test_an_example_answers_what_the_readme_shows(address: str, command: str, answer: str) -> None:
    assert ADDRESS in command
    outcome = subprocess.run(
        ["bash", "-c", command.replace(ADDRESS, address)], cwd=ROOT, capture_output=True, check=True, timeout=30
    )
    assert rounded(json.loads(outcome.stdout)) == rounded(json.loads(answer))


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("field", Settings.model_fields)
def test_a_setting_stands_in_the_readme_with_its_default(field: str) -> None:
    row = re.search(rf"^\| `{PREFIX}{field.upper()}` \| (.+?) \|", README, re.MULTILINE)
    assert row, f"{PREFIX}{field.upper()} has no row in the README's table of settings"
    default = Settings.model_fields[field].default
    if field == "workers":
        assert row[1] == "number of cores"
    elif field == "bundle":
        assert row[1] == f"`{default.relative_to(ROOT)}`"
    elif default is None:
        assert row[1] == "none"
    else:
        assert row[1] == f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_readme_names_no_setting_that_is_not_there() -> None:
    named = set(re.findall(rf"{PREFIX}([A-Z_]+)", README))
    assert named <= {field.upper() for field in Settings.model_fields}


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`?make ([a-z-]+)", README))))
def test_a_make_target_of_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
