"""`python -m service keys`: what an operator does beside serving."""

from __future__ import annotations

import sys

from service.process import keys_command


def main(arguments: list[str]) -> int:
    """Runs one command; 2 where there is none of that name."""
    if arguments[:1] != ["keys"]:
        print("usage: python -m service keys {new,list,remove} ...", file=sys.stderr)
        return 2
    return keys_command.main(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
