"""copies among photos ──▶ copies among instances: those that share a photo, or copies of one."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from training.clean.copies.duplicates import Copies, Group
from training.clean.copies.perceptual_hash import PerceptualHashes
from training.data.images import Indices
from training.data.split import linked
from training.instances.instance_photos import Photos


def instance_copies(found: Copies, photos: Photos) -> Copies:
    """The copies among N instances, with the hashes of their first photos.

    Args:
        found: among all photos of the instances.
        photos: the same photos.
    """
    hashes = PerceptualHashes(
        **{field.name: getattr(found.hashes, field.name)[photos.first] for field in fields(PerceptualHashes)}
    )
    return Copies(hashes, _groups(found.groups, photos.instance))


def _groups(found: list[Group], instance: Indices) -> list[Group]:
    """Groups of instances; copies among the photos of one instance are none."""
    shared = [(np.unique(instance[list(group.positions)]), group.exact) for group in found]
    shared = [(members, exact) for members, exact in shared if len(members) > 1]
    if not shared:
        return []
    links = np.array([(members[0], member) for members, _ in shared for member in members[1:].tolist()], np.int64)
    component = linked(links, int(instance[-1]) + 1)
    inexact = {int(component[members[0]]) for members, exact in shared if not exact}
    several = np.flatnonzero(np.isin(component, component[links[:, 0]]))
    groups: dict[int, list[int]] = {}
    for position in several.tolist():
        groups.setdefault(int(component[position]), []).append(position)
    return [Group(tuple(members), number not in inexact) for number, members in groups.items()]
