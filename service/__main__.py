"""`python -m service serve` and `python -m service keys`: what an operator does."""

from __future__ import annotations

import sys

from service.process import keys_command, launcher

COMMANDS = {"serve": launcher.main, "keys": keys_command.main}


def main(arguments: list[str]) -> int:
    """Runs one command; 2 where there is none of that name."""
    if not arguments or arguments[0] not in COMMANDS:
        print(f"usage: python -m service {{{','.join(COMMANDS)}}} ...", file=sys.stderr)
        return 2
    return COMMANDS[arguments[0]](arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
