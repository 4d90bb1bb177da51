"""README.md, CONTRIBUTING.md, SECURITY.md and docs/ ──▶ their text, and the commands and answers in it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"
FILES = (
    README,
    CONTRIBUTING,
    ROOT / "SECURITY.md",
    ROOT / "deploy" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
PAGES = {str(file.relative_to(ROOT)): re.sub(r" \\\n +", " ", file.read_text()) for file in FILES}
"""Text of each page, a command on several lines being joined to one."""
ADDRESS = "http://127.0.0.1:3000"
OWN_BUNDLE = "washers"
"""In every example that needs the bundle of `docs/guide/own-photos.md`."""


def examples() -> list[tuple[str, str]]:
    """Each curl command with the answer that the page shows, once."""
    found = [pair for text in PAGES.values() for pair in re.findall(r"```console\n\$ (.*curl.+)\n((?:.+\n)+)```", text)]
    return list(dict.fromkeys(found))


def shell_lines() -> list[tuple[str, str]]:
    """Page and text of each command: indented lines, and code in the text that starts in the virtual environment."""
    start = r"(?:[A-Z_]+=\S+ )*(?:make|\.venv/bin/\S+|docker|prometheus|pip) "
    indented, inline = rf"^    ({start}[^\n]+)$", rf"`({start}[^`]+)`"
    pattern = re.compile(f"{indented}|{inline}", re.MULTILINE)
    return [(page, first or second) for page, text in PAGES.items() for first, second in pattern.findall(text)]


def module_commands() -> list[tuple[str, tuple[str, ...]]]:
    """Module and arguments of each `python -m` command, and of what `make` passes on with ARGS, once."""
    passed = {"bench": ("loadtests", "bench"), "loadtest": ("loadtests", "run"), "train": ("training", "fashion-mnist")}
    found = []
    for _, line in shell_lines():
        words = shlex.split(line, comments=True)
        if ".venv/bin/python" in words and "-m" in words:
            module, *arguments = words[words.index("-m") + 1 :]
            found.append((module, tuple(arguments)))
        elif "make" in words and (given := [word for word in words if word.startswith("ARGS=")]):
            module, command = passed[words[words.index("make") + 1]]
            found.append((module, (command, *shlex.split(given[0].removeprefix("ARGS=")))))
    return list(dict.fromkeys(found))


def identifier(command: str) -> str:
    """The command as the id of a test."""
    return re.sub(r"\W+", "-", command)[:80].strip("-")


def rounded(document: Any) -> Any:
    """The document with its probabilities to three digits: other processors add in another order."""
    if isinstance(document, dict):
        return {key: rounded(value) for key, value in document.items()}
    if isinstance(document, list):
        return [rounded(value) for value in document]
    return round(document, 3) if isinstance(document, float) else document


def numbers(document: Any) -> list[float]:
    """Its numbers with fractions, in order."""
    if isinstance(document, dict):
        return [number for value in document.values() for number in numbers(value)]
    if isinstance(document, list):
        return [number for value in document for number in numbers(value)]
    return [document] if isinstance(document, float) else []


def without_numbers(document: str) -> Any:
    """The JSON text with 0 in the place of each number with a fraction, and keys sorted."""
    return json.loads(document, parse_float=lambda _: 0)
