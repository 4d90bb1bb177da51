"""The commands of the pages exist and take the options that the pages give them."""

from __future__ import annotations

import argparse
import importlib.util
import re
from collections.abc import Iterator

import pytest

import feedback.__main__ as feedback_command
import loadtests.__main__ as loadtests_command
import models.__main__ as models_command
import scoring.scoring_options
import training.__main__ as training_command
from tests.docs.pages import PAGES, ROOT, identifier, module_commands, shell_lines

COMMANDS = module_commands()
TRAINING_PAGE = PAGES["docs/reference/training-commands.md"]
TARGETS = sorted(
    {target for text in PAGES.values() for target in re.findall(r"(?:^    |`|=\S+ )make ([a-z-]+)", text, re.MULTILINE)}
)
TREES = "deploy|docs|feedback|loadtests|models|scoring|service|tests|tools|training"
NAMED = sorted(
    {
        path
        for text in PAGES.values()
        for path in re.findall(rf"(?<![\w/])((?:{TREES})/[\w/.-]+\.(?:py|md|yml|json|ipynb))", text)
    }
)


def parser(module: str, arguments: tuple[str, ...]) -> argparse.ArgumentParser | None:
    """The parser of a module's command line; None where it has none of its own to be asked for."""
    if module == "training":
        return training_command._parser(arguments)
    parsers = {
        "feedback": feedback_command.parser,
        "loadtests": loadtests_command.parser,
        "models": models_command._parser,
        "scoring": scoring.scoring_options.parser,
    }
    return parsers[module]() if module in parsers else None


def options(program: argparse.ArgumentParser) -> Iterator[str]:
    """Long options of a parser and of the commands below it."""
    for action in program._actions:
        yield from (option for option in action.option_strings if option.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from options(command)


SCORING_PAGE = PAGES["docs/reference/scoring-command.md"]
SCORING_OPTIONS = sorted({*options(scoring.scoring_options.parser())} - {"--help"})
TRAINING_OPTIONS = sorted({*options(training_command._parser(()))} - {"--help"})


@pytest.mark.parametrize(
    ("module", "arguments"), COMMANDS, ids=[identifier(f"{module} {' '.join(words)}") for module, words in COMMANDS]
)
def test_a_command_is_understood(module: str, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert importlib.util.find_spec(module) is not None
    if module == "pytest":
        assert all((ROOT / word).exists() for word in arguments if word.startswith("tests/"))
    program = parser(module, arguments)
    if program is not None and "--help" not in arguments:
        try:
            program.parse_args(arguments)
        except SystemExit:
            pytest.fail(capsys.readouterr().err)


def test_there_are_commands() -> None:
    assert {"loadtests", "models", "training"} <= {module for module, _ in COMMANDS}
    assert any(line.startswith("make serve") for _, line in shell_lines())


@pytest.mark.parametrize("option", TRAINING_OPTIONS)
def test_an_option_of_training_is_on_its_page(option: str) -> None:
    assert re.search(rf"{option}\b(?!-)", TRAINING_PAGE)


def test_the_page_names_no_option_of_training_that_is_not_there() -> None:
    known = {*TRAINING_OPTIONS, "--help"}
    assert set(re.findall(r"--[a-z][a-z-]*", TRAINING_PAGE)) <= known


@pytest.mark.parametrize("option", SCORING_OPTIONS)
def test_an_option_of_scoring_is_on_its_page(option: str) -> None:
    assert re.search(rf"{option}\b(?!-)", SCORING_PAGE)


def test_the_page_names_no_option_of_scoring_that_is_not_there() -> None:
    assert set(re.findall(r"--[a-z][a-z-]*", SCORING_PAGE)) <= {*SCORING_OPTIONS, "--help"}


@pytest.mark.parametrize("target", TARGETS)
def test_a_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", NAMED)
def test_a_file_that_is_named_exists(path: str) -> None:
    assert (ROOT / path).is_file()
