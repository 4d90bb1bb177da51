"""pip's installation reports ──▶ a software bill of materials (CycloneDX 1.6, JSON).

A report (`pip install --report FILE`, with `--dry-run` where nothing is to be installed) holds what pip chose: each
package with its version, licence and requirements, and the SHA-256 of the very file. So the list is that of what is
shipped, needs no network of its own, and is the same for the same files. The standard library alone is used: the
container's build runs this file, too.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

Json = dict[str, Any]

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9._-]+)")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")
_LICENCE_TEXT_CHARS = 60  # what is longer is a whole licence text, not its name


def bill_of(name: str, version: str, packages: Iterable[Mapping[str, Any]]) -> Json:
    """The document for an application and the packages that it is shipped with; a later package replaces an earlier."""
    by_name = {_normalized(package["metadata"]["name"]): package for package in packages}
    ordered = sorted(by_name.items())
    references = {key: _purl(package["metadata"]) for key, package in ordered}
    root: Json = {"type": "application", "bom-ref": f"{name}@{version}", "name": name, "version": version}
    relations = [{"ref": root["bom-ref"], "dependsOn": sorted(references.values())}]
    relations += [{"ref": references[key], "dependsOn": _needs(package, references)} for key, package in ordered]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": root},
        "components": [_component(package) for _, package in ordered],
        "dependencies": relations,
    }


def _component(package: Mapping[str, Any]) -> Json:
    metadata = package["metadata"]
    component: Json = {
        "type": "library",
        "bom-ref": _purl(metadata),
        "name": metadata["name"],
        "version": metadata["version"],
        "purl": _purl(metadata),
    }
    if licences := _licences(metadata):
        component["licenses"] = licences
    download = package["download_info"]
    if digest := download.get("archive_info", {}).get("hashes", {}).get("sha256"):
        component["hashes"] = [{"alg": "SHA-256", "content": digest}]
        # the file's name, not its address: that is the index of whoever built
        file = unquote(urlsplit(download["url"]).path).rpartition("/")[2]
        component["properties"] = [{"name": "tandem:file", "value": file}]
    return component


def _licences(metadata: Mapping[str, Any]) -> list[Json]:
    """The SPDX expression where the package gives one (PEP 639), else its classifiers, else its own short words."""
    if expression := metadata.get("license_expression"):
        return [{"expression": expression}]
    classifiers = [text for text in metadata.get("classifier", ()) if text.startswith("License :: ")]
    names = [text.rpartition(" :: ")[2] for text in classifiers if not text.endswith(":: OSI Approved")]
    own = (metadata.get("license") or "").strip()
    if not names and 0 < len(own) <= _LICENCE_TEXT_CHARS and "\n" not in own:
        names = [own]
    return [{"license": {"name": name}} for name in sorted(set(names))]


def _needs(package: Mapping[str, Any], references: Mapping[str, str]) -> list[str]:
    """Which of the packages at hand this one requires, extras counted where they were asked for."""
    wanted = set(package.get("requested_extras", ()))
    found = set()
    for requirement in package["metadata"].get("requires_dist", ()):
        extras = set(_EXTRA.findall(requirement))
        match = _REQUIREMENT.match(requirement)
        if match and (not extras or extras & wanted):
            found.add(references.get(_normalized(match[1])))
    return sorted(reference for reference in found if reference is not None)


def _purl(metadata: Mapping[str, Any]) -> str:
    return f"pkg:pypi/{_normalized(metadata['name'])}@{metadata['version'].replace('+', '%2B')}"


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the bill of a project to stdout."""
    parser = argparse.ArgumentParser(prog="python tools/sbom.py")
    parser.add_argument("project", type=Path, help="pyproject.toml, for name and version")
    parser.add_argument("reports", type=Path, nargs="+", help="of `pip install --report`")
    options = parser.parse_args(arguments)
    project = tomllib.loads(options.project.read_text())["project"]
    packages = [package for path in options.reports for package in json.loads(path.read_text())["install"]]
    print(json.dumps(bill_of(project["name"], project["version"], packages), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
