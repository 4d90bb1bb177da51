"""`python -m scoring INPUT OUTPUT`: images at rest become decisions at rest."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Sequence

from scoring.without_pandas import forbid_pandas

TOO_MANY_ERRORS = 3
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def main(argv: Sequence[str] | None = None) -> int:
    """Scores images.

    Returns:
        0; 1 after one line on stderr that says why not; 3 if more than `--max-errors` failed; 130 if interrupted.
    """
    # Imported late: processes that score import this module as well, and need none of it
    from models.errors import TandemError  # noqa: PLC0415
    from scoring.scoring_options import parse  # noqa: PLC0415

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files are any text
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a kill leaves by the same door as Ctrl-C
        options = parse(argv)
        from scoring.scoring_run import score_all  # noqa: PLC0415

        return score_all(options)
    except (TandemError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    forbid_pandas()
    sys.exit(main())
