"""`Dataset` ──▶ sentences on what to expect: images that are the same, and the precision that the data can show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from training.clean.copies.duplicates import Group, find_copies
from training.data.dataset import Dataset
from training.data.split import Split, split, tie
from training.instances.photo_copies import instance_copies
from training.policy.exact_bounds import fewest
from training.policy.policies import PolicyTargets


def copies_of(dataset: Dataset) -> tuple[Dataset, list[Group]]:
    """The data set with copies in one group, and these groups, found in small pictures in memory."""
    found, photos = find_copies(dataset.of_photos().images), dataset.photos
    groups = (found if photos is None else instance_copies(found, photos)).groups
    return tie(dataset, [group.positions for group in groups]), groups


def words_on_copies(dataset: Dataset, groups: Sequence[Group]) -> Iterator[str]:
    """How many images are the same in small pictures; `clean` compares them in full and lists them."""
    if dataset.groups is not None:
        yield f"the rows are of {len(set(dataset.groups.tolist())):,} groups, which a split keeps together"
    if not groups:
        yield "no two images look the same"
        return
    exact = [group for group in groups if group.exact]
    count = sum(len(group.positions) for group in groups)
    yield (
        f"{count:,} images look the same as others, in {len(groups):,} groups, {len(exact):,} of them without any "
        "difference; a split keeps them together"
    )
    contradicting = sum(len({float(dataset.labels[position]) for position in group.positions}) > 1 for group in groups)
    if contradicting:
        yield f"{contradicting:,} of the groups have contradicting labels; `python -m training clean` lists them"


def words_on_promises(dataset: Dataset, seed: int = 0) -> Iterator[str]:
    """The precision that the held-out images could show if all of the surest answers were right.

    Args:
        dataset: with copies in one group, as in a training.
        seed: of the split.
    """
    parts = split(dataset, seed)
    yield _split_words(dataset, parts)
    if not dataset.classes:
        return
    targets, held_out = PolicyTargets(), len(parts.known)
    asked = f"{held_out:,} held-out images validate a head; {_asked(targets)}"
    if _accepted(targets) <= held_out:
        yield asked
        return
    lower = next((easier for easier in targets.easier if _accepted(easier) <= held_out), None)
    instead = f"--target-precision {lower.target_precision:g} takes {_accepted(lower):,}" if lower else "add images"
    yield f"{asked}, which are more than there are: {instead}"


def _asked(targets: PolicyTargets) -> str:
    return (
        f"to show that {100 * targets.target_precision:g} % of what is accepted is right, "
        f"at {100 * targets.confidence:g} % confidence, takes at least {_accepted(targets):,} accepted ones without a "
        "mistake"
    )


def _accepted(targets: PolicyTargets) -> int:
    return int(fewest(0, 1 - targets.target_precision, targets.level))


def _split_words(dataset: Dataset, parts: Split) -> str:
    counts = f"{len(parts.train):,} train, {len(parts.validation):,} validation, {len(parts.test):,} test"
    how = "a training splits the images at random" if dataset.official_test is None else "the test images are given"
    copied = (
        f", of which {len(parts.copied):,} do not count, having a copy in another part" if len(parts.copied) else ""
    )
    return f"{how}: {counts}{copied}"
