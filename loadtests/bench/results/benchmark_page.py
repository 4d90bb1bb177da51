"""Sections ──▶ ``docs/benchmarks.md``: each run replaces its own section and leaves the others."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

HEADING = """# Benchmarks

Written by the commands that each section names; do not edit. Every figure is the median of interleaved rounds, with the
least and the greatest of them. Load generator and server share the machine's cores, over loopback.
"""


def publish(page: Path, key: str, text: str) -> None:
    """Put a section into a page, in place of the one with the same key, or at the end.

    Args:
        page: Markdown file; it is created where there is none.
        key: Name of the section, kept in comments around it.
        text: The section.
    """
    content = page.read_text() if page.is_file() else HEADING
    begin, end = f"<!-- {key} -->", f"<!-- end of {key} -->"
    block = f"{begin}\n{text.strip()}\n{end}"
    pattern = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    content, replaced = pattern.subn(lambda _: block, content)
    if not replaced:
        content = f"{content.rstrip()}\n\n{block}\n"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(content)


def section(title: str, conditions: Mapping[str, str], parts: Sequence[str]) -> str:
    """Write a section: its conditions as a list, and then its parts."""
    facts = "\n".join(f"- {name[0].upper()}{name[1:]}: {fact}" for name, fact in conditions.items())
    return "\n\n".join([f"## {title}", facts, *parts])


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table with its first column to the left and all others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
