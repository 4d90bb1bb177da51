"""The parts of a split, and the words that people call them by."""

from __future__ import annotations

PARTS = ("train", "validation", "test")
"""From the one that gives way to the one that stays: of an image in two parts, the copy in the later one is kept."""
PART_OF = {"train": "train", "training": "train", "validation": "validation", "valid": "validation",
           "val": "validation", "dev": "validation", "test": "test"}  # fmt: skip
"""The part that a word names, in lower case: of a folder, or of a cell in a split column."""
