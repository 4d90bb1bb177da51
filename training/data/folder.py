"""`DIR/<class>/...` or `DIR/train/<class>/...` ──▶ `Dataset`: anyone's images, decoded as the service decodes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.bundle.input_spec import Fit, InputSpec
from training.data.dataset import Dataset
from training.data.file_reading import counted, extensions, one_line, printable, read_all
from training.data.folder_tree import scan
from training.data.images import Encoded, Images, Indices, read_image
from training.data.picture import Picture, notes_of, read_picture
from training.exceptions import DataError
from training.notation.spellings import merge_spellings, refuse_number_forms

MIN_IMAGES_PER_CLASS = 2
_SHOWN = 20
_LISTED = ("damaged", "too large", "unsupported type", "unreadable", "duplicate name", "broken link", "link loop")
"""Files left out for these reasons are listed one by one, not only counted."""


@dataclass(frozen=True)
class Listing:
    """What was found in a folder.

    Attributes:
        folder: DIR.
        pictures: of N files that can be decoded.
        labels: their classes, `[N]`.
        parts: their parts of the split, `[N]`; empty texts if there is no split.
        classes: names of all classes, including those without a readable image.
        skipped: files left out that people should know of, each with the reason.
        not_used: how many are left out for each reason.
        notes: sentences on how the folder was read.
    """

    folder: Path
    pictures: list[Picture]
    labels: list[str]
    parts: list[str]
    classes: tuple[str, ...]
    skipped: tuple[str, ...]
    not_used: dict[str, int]
    notes: tuple[str, ...]

    def checked(self) -> Listing:
        """Checks that a head can be fitted to its classes, and returns it.

        Raises:
            DataError: no classes, only one, some with fewer than 2 readable images (named), or names that are one
                number in several forms.
        """
        refuse_number_forms(self.classes)
        unread = sum(count for reason, count in self.not_used.items() if reason in _LISTED)
        if len(self.classes) < 2:
            raise DataError(
                f"{self.folder} has {len(self.classes)} class folders; at least 2 are needed to tell classes apart"
            )
        counts = Counter(self.labels)
        if few := [
            f"{one_line(each)} ({counts[each]})" for each in self.classes if counts[each] < MIN_IMAGES_PER_CLASS
        ]:
            more = f" and {len(few) - _SHOWN:,} others" if len(few) > _SHOWN else ""
            raise DataError(
                f"classes with fewer than {MIN_IMAGES_PER_CLASS} readable images in {self.folder}: "
                f"{', '.join(few[:_SHOWN])}{more}; add images or remove the folders ({unread} files could not be read)"
            )
        return self

    def part(self, name: str) -> Indices | None:
        """Positions of one part, int64; None if the folder has no such part."""
        positions = np.flatnonzero(np.array(self.parts) == name).astype(np.int64)
        return positions if len(positions) else None

    def dataset(self, name: str, images: Images, spec: InputSpec, *, mirror: bool = False) -> Dataset:
        """The images with their labels."""
        position = {class_: index for index, class_ in enumerate(self.classes)}
        return Dataset(
            name=name,
            images=images,
            labels=np.array([position[label] for label in self.labels], np.int64),
            classes=self.classes,
            input=spec,
            mirror=mirror,
            official_test=self.part("test"),
            official_validation=self.part("validation"),
            keys=tuple(picture.key for picture in self.pictures),
            skipped=self.skipped,
            not_used=self.not_used,
            notes=self.notes,
            files=tuple(printable(picture.path.relative_to(self.folder)) for picture in self.pictures),
        )


def load(
    folder: Path,
    *,
    name: str,
    image_size: int = 64,
    mirror: bool = False,
    fit: Fit = "stretch",
    follow: bool = True,
) -> Dataset:
    """Reads a folder with one sub-folder for each class; files that cannot be decoded are skipped and listed.

    `training.data.folder_tree` says what is a class or a part of a split. If every pixel of every image is grey, the
    data set has one channel, else three. Symbolic links are followed if `follow` is true.

    Raises:
        DataError: no classes, only one, or classes with fewer than 2 readable images (named); and as `tree.scan`.
    """
    spec = InputSpec(height=image_size, width=image_size, channels=3, decoder="fraction", fit=fit)
    found = listing(folder, lambda path: read_picture(path, spec, keep=True), follow=follow).checked()
    images = np.stack([picture.pixels for picture in found.pictures if picture.pixels is not None])
    if (images == images[..., :1]).all():
        images, spec = images[..., :1], spec.model_copy(update={"channels": 1})
    aspects = {picture.key: picture.aspect for picture in found.pictures}
    return replace(found.dataset(name, images, spec, mirror=mirror), aspects=aspects)


def stream(folder: Path, *, name: str, spec: InputSpec, follow: bool = True) -> Dataset:
    """The same for any input; images are decoded once to check them, and again whenever they are needed.

    Raises:
        DataError: as `load`.
    """
    found = listing(folder, lambda path: read_picture(path, spec), follow=follow).checked()
    paths = [picture.path for picture in found.pictures]
    images = Encoded(lambda position: read_image(paths[position]).data, np.arange(len(paths)), spec)
    return found.dataset(name, images, spec)


def listing(folder: Path, read: Callable[[Path], Picture], *, follow: bool) -> Listing:
    """Reads each file of each class, in the order of their paths.

    Raises:
        DataError: as `tree.scan`.
    """
    tree = scan(folder, follow=follow)
    found = read_all([file.path for file in tree.files], read)
    spelt, merged = merge_spellings([file.folder for file in tree.files])
    if not all(spelt):
        raise DataError(f"a folder in {folder} has a name of nothing but spaces; rename it")
    not_used = sorted([*tree.not_used, *found.not_used], key=lambda each: each.name)
    return Listing(
        folder=folder,
        pictures=found.values,
        labels=[spelt[position] for position in found.positions],
        parts=[tree.files[position].part for position in found.positions],
        classes=tuple(sorted(set(spelt))),
        skipped=tuple(str(each) for each in not_used if each.reason in _LISTED),
        not_used=counted(not_used),
        notes=(*tree.notes, *merged, *extensions(not_used), *notes_of(found.values)),
    )
