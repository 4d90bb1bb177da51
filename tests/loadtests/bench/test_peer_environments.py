"""Environments of the peers."""

import re
from pathlib import Path

import pytest

from loadtests.bench.peer_environments import CONSTRAINTS, REQUIREMENTS, EnvironmentBuildError, peer_python, versions
from loadtests.bench.systems import PEERS, Peer

SHARED = {"numpy", "onnxruntime", "pillow", "pydantic", "simplejpeg"}  # what the work behind each peer needs


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)(?:\[\w+\])?(?:==(\S+))?$", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_a_peer_has_exactly_the_services_versions_of_what_they_share(peer: Peer) -> None:
    wanted, ours = pins(REQUIREMENTS / f"{peer.requirements}.txt"), pins(CONSTRAINTS)
    assert set(wanted) >= SHARED
    for package, version in wanted.items():
        assert bool(version) != (package in ours), f"{package} is pinned nowhere, or in two places"


@pytest.mark.slow
def test_an_environment_is_built_once_and_kept(tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("")
    python = peer_python("none", folder=tmp_path / "peers", requirements=tmp_path)
    built_ns = python.lstat().st_mtime_ns
    assert peer_python("none", folder=tmp_path / "peers", requirements=tmp_path) == python
    assert python.lstat().st_mtime_ns == built_ns
    assert set(versions(python, ["pip"])) == {"pip"}


@pytest.mark.slow
def test_a_peer_that_cannot_be_installed_is_an_error_with_pips_last_words(tmp_path: Path) -> None:
    (tmp_path / "broken.txt").write_text("./no-such-folder\n")
    with pytest.raises(EnvironmentBuildError, match=r"broken cannot be installed(?s:.*)no-such-folder"):
        peer_python("broken", folder=tmp_path / "peers", requirements=tmp_path)
