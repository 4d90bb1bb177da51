"""Text of an option ──▶ its value, or the error that argparse prints."""

import argparse
from collections.abc import Callable, Collection
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # it has no public name


def positive(text: str) -> int:
    """Read an integer of at least 1."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return number


def integers(text: str) -> list[int]:
    """Read integers of at least 1, separated by commas; they are returned ascending, each once."""
    return sorted({positive(word) for word in text.split(",")})


def names_of(known: Collection[str]) -> Callable[[str], list[str]]:
    """Return a reader of known names, separated by commas."""

    def read(text: str) -> list[str]:
        names = [name for name in text.split(",") if name]
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return names

    return read
