"""The notebook trains on 500 photos, serves and asks; its bundle answers what the pages show of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import nbformat
import pytest
from nbclient import NotebookClient

from loadtests.load.server_process import bentoml_command, running
from tests.docs.pages import ADDRESS, OWN_BUNDLE, PAGES, ROOT, examples, identifier, numbers, without_numbers

NOTEBOOK = ROOT / "docs" / "notebooks" / "first-500-photos.ipynb"
GUIDE = PAGES["docs/guide/own-photos.md"]
BUNDLE = "build/store/washers"
EXAMPLES = [(command, answer) for command, answer in examples() if OWN_BUNDLE in command]
CELL_TIMEOUT_S = 1800


@pytest.fixture(scope="module")
def outputs() -> str:
    """What the notebook prints."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=CELL_TIMEOUT_S, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    printed = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in printed)


@pytest.fixture(scope="module")
def address(outputs: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the bundle that the notebook has trained."""
    log = tmp_path_factory.mktemp("server") / "log"
    with running(bentoml_command, log=log, environ=lambda _: {"TANDEM_BUNDLE": BUNDLE}) as server:
        yield server.url


def test_the_notebook_is_committed_without_outputs() -> None:
    assert not any(cell.get("outputs") for cell in nbformat.read(NOTEBOOK, as_version=4).cells)


@pytest.mark.parametrize(
    "command", re.findall(r"^    .+ -m training (?:table|head) (.+)", GUIDE, re.MULTILINE), ids=identifier
)
def test_the_notebook_trains_as_the_guide_does(command: str) -> None:
    code = "".join(cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells)
    assert ", ".join(f'"{word}"' for word in command.split()) in re.sub(r",\s+", ", ", code)


@pytest.mark.slow
def test_the_notebook_keeps_a_promise_and_sends_what_is_strange_to_review(outputs: str) -> None:
    assert re.search(r"accepts \d+ % of \d+ held-out images; 95 % right among those accepted", outputs)
    accepted, right = re.search(r"accepted: (\d+) of 100; right among those: (\d+)", outputs).groups()  # type: ignore[union-attr]
    assert int(accepted) >= 80
    assert int(right) >= 0.95 * int(accepted)
    assert "review ['unfamiliar']" in outputs
    assert "review ['out_of_range']" in outputs
    assert "ended with status 0" in outputs


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples are curl commands, and there is no curl")
@pytest.mark.parametrize(("command", "answer"), EXAMPLES, ids=[identifier(command) for command, _ in EXAMPLES])
def test_its_bundle_answers_what_the_page_shows(address: str, command: str, answer: str) -> None:
    done = subprocess.run(
        ["bash", "-c", command.replace(ADDRESS, address)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=30,
        text=True,
    )
    assert without_numbers(done.stdout) == without_numbers(answer)
    # A training on another processor rounds otherwise.
    assert numbers(json.loads(done.stdout)) == pytest.approx(numbers(json.loads(answer)), rel=0.1, abs=0.02)
