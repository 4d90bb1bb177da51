"""The parts of a split, and the words that people use for them."""

from __future__ import annotations

PARTS = ("train", "validation", "test")
"""In order of precedence: if copies of an image are in two parts, the copy in the later part is kept."""
PART_OF = {"train": "train", "training": "train", "validation": "validation", "valid": "validation",
           "val": "validation", "dev": "validation", "test": "test"}  # fmt: skip
"""The part that a word in lower case stands for: the name of a folder, or a cell of a split column."""
