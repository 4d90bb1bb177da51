"""`python -m tools.mutation_score`: small changes to the code ──▶ the share that a test notices.

mutmut makes the changes (mutants) that `[tool.mutmut]` in pyproject.toml asks for, and finds the tests that reach each.
This tool tries a random sample of them, since all would take too long, and prints those that no test noticed.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

MUTANTS = Path("mutants")
KILLED = {1, 3}
"""Exit codes of pytest: a test failed, or pytest did."""
TIMED_OUT = {-24, 24, 36, 152, 255}
"""mutmut's codes for a mutant whose tests took too long."""
NO_MUTANT = "none"
"""A name that no mutant has. mutmut then makes the mutants and finds their tests, and stops."""


def results() -> dict[str, int | None]:
    """The exit code of the tests of each mutant by its name, None where they did not run."""
    found: dict[str, int | None] = {}
    for file in sorted(MUTANTS.rglob("*.meta")):
        found |= json.loads(file.read_text())["exit_code_by_key"]
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Print the score and the mutants of the sample that survived; return 1 if mutmut fails."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sample", type=int, default=150, help="number of mutants to try (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the sample (default: %(default)s)")
    asked = parser.parse_args(words)
    mutmut = [sys.executable, "-m", "mutmut", "run"]
    made = subprocess.run([*mutmut, NO_MUTANT], check=False, capture_output=True, text=True)
    names = sorted(results())
    if not names:
        print(f"mutmut made no mutants: {made.stdout}{made.stderr}", file=sys.stderr)
        return 1
    sample = random.Random(asked.seed).sample(names, min(asked.sample, len(names)))  # noqa: S311 - not secret
    tried = subprocess.run([*mutmut, *sample], check=False).returncode
    codes = {name: code for name, code in results().items() if name in set(sample)}
    if tried or None in codes.values():
        print(f"mutmut ended with status {tried} before it tried all mutants; see its output above", file=sys.stderr)
        return 1
    survived = [name for name, code in codes.items() if code not in KILLED | TIMED_OUT]
    print(*survived, sep="\n")
    print(f"mutation score: {1 - len(survived) / len(codes):.1%} of {len(codes)} mutants of {len(names)} were noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
