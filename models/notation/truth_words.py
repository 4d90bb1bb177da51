"""a word ──▶ whether it says yes or no."""

from __future__ import annotations

TRUTHS = {"true": True, "yes": True, "t": True, "y": True, "false": False, "no": False, "f": False, "n": False}
