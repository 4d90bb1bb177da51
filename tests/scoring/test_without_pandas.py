"""`scoring.without_pandas`: pyarrow works without loading pandas."""

from __future__ import annotations

import subprocess
import sys

from tests.docs.pages import ROOT

PROGRAM = """
import sys
from scoring.without_pandas import forbid_pandas
forbid_pandas()
import pyarrow
assert pyarrow.array(["a", None]).to_pylist() == ["a", None]
assert "pandas" not in sys.modules
"""


def test_an_array_is_made_and_pandas_is_not_loaded() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, check=True, timeout=60)
