"""Sections → ``docs/benchmarks.md``: each run replaces its own section and leaves the others."""

import re
from collections.abc import Sequence
from pathlib import Path

HEADING = """# Benchmarks

Written by the commands that each section names; do not edit. Every figure is the median of interleaved rounds, with the
least and the greatest of them. Load generator and server share the machine's cores, over loopback.
"""


def publish(page: Path, key: str, section: str) -> None:
    """Put a section into a page, in place of the one with the same key, or at the end.

    Args:
        page: Markdown file; written anew where there is none.
        key: Name of the section, kept in comments around it.
        section: Markdown that begins with a heading of the second level.
    """
    text = page.read_text() if page.is_file() else HEADING
    begin, end = f"<!-- {key} -->", f"<!-- end of {key} -->"
    block = f"{begin}\n{section.strip()}\n{end}"
    pattern = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    text, replaced = pattern.subn(lambda _: block, text)
    if not replaced:
        text = f"{text.rstrip()}\n\n{block}\n"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay a table out as Markdown, its first column to the left and all others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
