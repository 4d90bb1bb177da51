"""`python -m tools.render_chart`: deploy/helm with its defaults ──▶ deploy/kubernetes.yaml, for use without Helm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CHART = ROOT / "deploy" / "helm"
MANIFEST = ROOT / "deploy" / "kubernetes.yaml"
_HEADER = "# Written by `python -m tools.render_chart` from deploy/helm with its default values.\n"


def render(chart: Path = CHART, values: dict[str, Any] | None = None, namespace: str = "default") -> str:
    """The chart's objects as YAML, without its notes.

    Args:
        chart: its directory.
        values: in the place of defaults.
        namespace: of the release, which is named `tandem`.
    """
    from helm_python.chart import Chart  # noqa: PLC0415 (a hundred megabytes of Helm)

    with Chart.load(chart) as loaded:
        rendered = loaded.render(values, name="tandem", namespace=namespace)
    texts = [text.strip() for name, text in sorted(rendered.items()) if name.endswith(".yaml")]
    return _HEADER + "".join(f"---\n{text.removeprefix('---').strip()}\n" for text in texts if text)


if __name__ == "__main__":
    MANIFEST.write_text(render())
