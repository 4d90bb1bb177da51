"""pinned requirements ──▶ known vulnerabilities: pip-audit, left out with a warning only where its database is far.

Exit status 0: none is known, or the database cannot be reached (stderr says that nothing was checked); 1: some are
known, or pip-audit failed in another way.
"""

from __future__ import annotations

import argparse
import os
import ssl
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

DATABASE = "https://api.osv.dev/v1/query"
CONNECT_TIMEOUT_S = 5
AUDIT_TIMEOUT_S = 300  # one query for each package


def why_unreachable(url: str, *, timeout_s: float = CONNECT_TIMEOUT_S) -> str | None:
    """None where the database's host answers, be it with an error, else the reason; within seconds.

    A certificate that is not trusted counts as an answer: pip-audit will fail on it, and so should the check.
    """
    os.environ.setdefault("RES_OPTIONS", "timeout:2 attempts:1")  # of the resolver, which waits up to 30 s by default
    try:
        urlopen(Request(url, method="HEAD"), timeout=timeout_s).close()  # noqa: S310 (http or https, our own)
    except HTTPError:
        return None
    except URLError as error:
        return None if isinstance(error.reason, ssl.SSLError) else str(error.reason)
    except OSError as error:
        return str(error) or type(error).__name__
    return None


def audit(requirements: Path, database: str) -> int:
    """Exit status of pip-audit, which prints what it finds."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(requirements), "--no-deps", "--disable-pip"]
    options = ["--vulnerability-service", "osv", "--osv-url", database, "--progress-spinner", "off", "--desc", "off"]
    environment = {**os.environ, "PIP_AUDIT_LOGLEVEL": "ERROR"}
    return subprocess.run([*command, *options], env=environment, check=False, timeout=AUDIT_TIMEOUT_S).returncode


def main(arguments: Sequence[str] | None = None) -> int:
    """Audits one file of pinned requirements."""
    parser = argparse.ArgumentParser(prog="python -m tools.audit")
    parser.add_argument("requirements", type=Path)
    parser.add_argument("--database", default=DATABASE, metavar="URL", help="of the OSV protocol; default %(default)s")
    options = parser.parse_args(arguments)
    reason = why_unreachable(options.database)
    if reason is None:
        return audit(options.requirements, options.database)
    print(
        f"WARNING: {options.requirements} was NOT checked for known vulnerabilities:"
        f" {options.database} cannot be reached ({reason})",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
