"""The service answers what the pages show."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from loadtests.load.server_process import bentoml_command, running
from tests.docs.pages import ADDRESS, OWN_BUNDLE, PAGES, README, ROOT, examples, identifier, rounded

EXAMPLES = [(command, answer) for command, answer in examples() if OWN_BUNDLE not in command]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(bentoml_command, log=tmp_path_factory.mktemp("server") / "log") as server:
        yield server.url


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples are curl commands, and there is no curl")
@pytest.mark.parametrize(("command", "answer"), EXAMPLES, ids=[identifier(command) for command, _ in EXAMPLES])
def test_an_example_answers_what_the_page_shows(address: str, command: str, answer: str) -> None:
    assert ADDRESS in command
    done = subprocess.run(
        ["bash", "-c", command.replace(ADDRESS, address)], cwd=ROOT, capture_output=True, check=True, timeout=30
    )
    assert rounded(json.loads(done.stdout)) == rounded(json.loads(answer))


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("one image", '"label"'),
        ("several images", '"predictions"'),
        ("a bad image", "bad_image"),
        ("a number", '"value"'),
    ],
    ids=["one image", "several images with columns", "a bad image", "a number"],
)
def test_the_readme_shows_each_kind_of_answer(kind: str, field: str) -> None:
    answers = [answer for command, answer in examples() if command in README.read_text()]
    assert any(field in answer for answer in answers), kind


@pytest.mark.parametrize(
    "text",
    [block for page in PAGES.values() for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)],
    ids=identifier,
)
def test_a_block_of_json_is_json(text: str) -> None:
    json.loads(text)
