"""DIR ──▶ `Tree`: the image files of each class and part of a split, and what else lies there and why it is not used.

A folder in DIR is a class, and everything below it belongs to it. If all folders in DIR are called as the parts of a
split are (`train`, `val`, `test` and the like), the classes are the folders in those. Only names and types are looked
at here: whether a file can be decoded is found out when it is read.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from training.errors import DataError
from training.reading import NotUsed, kind_of, one_line, printable
from training.table import PARTS

SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp",
    ".tif", ".tiff", ".bmp", ".gif", ".avif", ".heic", ".heif",
})  # fmt: skip
_SYSTEM = frozenset({"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin"})
"""Made by systems beside the user's files; lower case. Names that begin with a dot are hidden, too."""
_SHOWN = 5

_Identity = tuple[int, int]  # device and inode, which are the same by whatever way a file is reached


@dataclass(frozen=True)
class ImageFile:
    """A file that seems to be an image.

    Attributes:
        path: below DIR.
        folder: name of the class's folder.
        part: train, validation or test; empty where DIR is not split.
    """

    path: Path
    folder: str
    part: str


@dataclass
class Tree:
    """What lies in DIR.

    Attributes:
        files: of all classes, in the order of their paths.
        not_used: everything else.
        parts: by name of a folder in DIR, the part that it is; none where folders are classes.
        notes: sentences on what names were taken for.
    """

    root: Path
    files: list[ImageFile] = field(default_factory=list)
    not_used: list[NotUsed] = field(default_factory=list)
    parts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def folders(self) -> list[str]:
        """Names of classes' folders, sorted; none without a file that seems to be an image."""
        return sorted({file.folder for file in self.files})


def scan(root: Path, *, follow: bool = True) -> Tree:
    """Goes through a folder and all that is in it.

    Args:
        root: DIR.
        follow: whether symbolic links below it are followed, wherever they lead. One that leads to a folder above
            itself is not entered, and no folder or file is read twice for one class.

    Raises:
        DataError: it is no folder; some of its folders are called like parts of a split, but the others are not, or
            training images or held-out ones are missing; the name of a class is not UTF-8.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a directory; name one that holds a sub-folder of images for each class")
    tree, real = Tree(root), root.resolve()
    walker = _Walker(tree, follow, {identity for up in (real, *real.parents) if (identity := _identity(up))})
    folders = walker.folders_of(root)
    tree.parts = _parts(tree, walker, folders)
    for folder in folders:
        if part := tree.parts.get(folder.name):
            inside = _Walker(tree, follow, walker.above | {_identity(folder)})
            for class_ in inside.folders_of(folder):
                inside.take(class_, part)
        else:
            walker.take(folder, "")
    tree.files.sort(key=lambda file: file.path)
    return tree


@dataclass
class _Walker:
    """Goes through folders below some that it is in, and notes what it finds in a tree.

    Attributes:
        tree: what was found.
        follow: whether symbolic links are followed.
        above: the folders above; a link to one of them leads round in a circle.
    """

    tree: Tree
    follow: bool
    above: set[_Identity | None]

    def folders_of(self, parent: Path) -> list[Path]:
        """Folders right in another one, which have something in them; what else is there has no class."""
        found = []
        for path, status in self._entries(parent):
            if not stat.S_ISDIR(status.st_mode):
                self._leave_out(path, "no class" if _is_image(path) else "extension")
            elif (status.st_dev, status.st_ino) in self.above:
                self._leave_out(path, "link loop", "it leads to a folder that it is in")
            elif not self._has_files(path):
                self._leave_out(path, "empty folder")
            else:
                found.append(path)
        return found

    def take(self, folder: Path, part: str) -> None:
        """Notes the images in a class's folder and in all folders below it."""
        if printable(folder.name) != folder.name:
            raise DataError(
                f"the name of the folder {printable(folder.name)!r} in {printable(folder.parent)} is not UTF-8; "
                "rename it"
            )
        before = len(self.tree.files)
        seen: set[_Identity | None] = {_identity(folder)}
        plain, linked = [folder], []
        while plain or linked:  # links last, so that what they lead to has its own name where it has one in the class
            at = plain.pop() if plain else linked.pop()
            names: set[str] = set()
            is_empty = True
            for path, status in self._entries(at):
                is_empty = False
                identity = status.st_dev, status.st_ino
                if identity in self.above or (stat.S_ISDIR(status.st_mode) and self._is_round(path, identity)):
                    self._leave_out(path, "link loop", "it leads to a folder that it is in")
                elif stat.S_ISDIR(status.st_mode):
                    if identity in seen:
                        self._leave_out(path, "duplicate name", "the same folder is read under another name")
                    else:
                        (linked if path.is_symlink() else plain).append(path)
                elif not _is_image(path):
                    self._leave_out(path, "extension")
                elif identity in seen:
                    self._leave_out(path, "duplicate name", "the same file is read under another name")
                    continue
                elif (name := _folded(path.name)) in names:
                    detail = "its name differs from another one's in case or Unicode form only; rename one of them"
                    self._leave_out(path, "duplicate name", detail)
                    continue
                else:
                    names.add(name)
                    self.tree.files.append(ImageFile(path, folder.name, part))
                seen.add(identity)
            if is_empty and at != folder:
                self._leave_out(at, "empty folder")
        if len(self.tree.files) == before:
            self.tree.notes.append(f"{one_line(folder.relative_to(self.tree.root))} holds no image, so it is no class")

    def _is_round(self, path: Path, identity: _Identity) -> bool:
        """Whether a folder is one of those that it is in, within its class."""
        return path.is_symlink() and any(_identity(up) == identity for up in path.parents)

    def _entries(self, folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
        """Files and folders that count, each with what it is, links after all others; notes what does not count."""
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: (entry.is_symlink(), entry.name))
        except OSError as error:
            self._leave_out(folder, "unreadable", f"the folder cannot be read: {error.strerror}")
            return
        for entry in entries:
            path = folder / entry.name
            if entry.name.startswith(".") or entry.name.lower() in _SYSTEM:
                self._leave_out(path, "hidden", count=_count_files(path))
            elif entry.is_symlink() and not self.follow:
                self._leave_out(path, "symbolic link", "symbolic links are not followed, as --no-links says")
            elif (status := self._status(path)) is not None:
                yield path, status

    def _status(self, path: Path) -> os.stat_result | None:
        try:
            status = path.stat()
        except OSError as error:
            is_broken = path.is_symlink()
            self._leave_out(path, "broken link" if is_broken else "unreadable", error.strerror or str(error))
            return None
        if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
            return status
        self._leave_out(path, "no file", f"it is {kind_of(status.st_mode)}")
        return None

    def _has_files(self, folder: Path) -> bool:
        """Whether anything but empty folders and what is hidden lies in a folder; notes nothing."""
        quiet = _Walker(Tree(self.tree.root), self.follow, self.above)
        left = [folder]
        while left:
            for path, status in quiet._entries(left.pop()):
                if not stat.S_ISDIR(status.st_mode) or path.is_symlink():
                    return True
                left.append(path)
        return bool(quiet.tree.not_used)

    def _leave_out(self, path: Path, reason: str, detail: str = "", count: int = 1) -> None:
        name = printable(path.relative_to(self.tree.root))
        self.tree.not_used.append(NotUsed(name, reason, printable(detail), count))


def _parts(tree: Tree, walker: _Walker, folders: list[Path]) -> dict[str, str]:
    """The part that each folder is, or none, where they are classes."""
    named = {path: PARTS[path.name.casefold()] for path in folders if path.name.casefold() in PARTS}
    quiet = _Walker(Tree(tree.root), walker.follow, walker.above)
    holding = [path for path in named if quiet.folders_of(path)]
    others = [path.name for path in folders if path not in named]
    listed = ", ".join(one_line(path.name) for path in named)
    if not named:
        return {}
    if others:
        if len({named[path] for path in holding}) > 1:
            raise DataError(
                f"{listed} in {tree.root} are called like parts of a split, but {_some(others)} beside them "
                f"{'is' if len(others) == 1 else 'are'} not; move one or the other out of {tree.root}, or rename it"
            )
        tree.notes.append(f"{listed} is taken for a class, as {_some(others)} stands beside it")
        return {}
    if not holding:
        raise DataError(
            f"{tree.root} holds only {listed}, and no folders of classes in them; put images into "
            f"{one_line(folders[0].name)}/<class>/, or rename the folders if they are classes"
        )
    if not {"train"} < set(named.values()):
        missing = "train" if "train" not in named.values() else "test or validation"
        fix = f"name {tree.root / folders[0].name} to split its images at random" if len(folders) == 1 else "add it"
        raise DataError(f"{tree.root} holds {listed}, which is a part of a split, but no {missing}; {fix}")
    said = ", ".join(f"{one_line(path.name)} is {part}" for path, part in named.items())
    tree.notes.append(f"the folders are parts of a split: {said}")
    if "test" not in named.values():
        tree.notes.append("there is no test folder, so test images are taken from train at random")
    return {path.name: part for path, part in named.items()}


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} others" if len(names) > _SHOWN else ""
    return ", ".join(map(one_line, names[:_SHOWN])) + more


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _identity(path: Path) -> _Identity | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _count_files(path: Path) -> int:
    """Files in a hidden folder, no link being followed; 1 for a file."""
    if path.is_symlink() or not path.is_dir():
        return 1
    return max(1, sum(len(files) for _, _, files in os.walk(path)))
