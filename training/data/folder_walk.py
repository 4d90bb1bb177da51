"""a folder ──▶ the images below it, each once, including those behind symbolic links; and what else is there."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from training.data.file_reading import NotUsed, kind_of, one_line, printable
from training.data.images import SUFFIXES
from training.exceptions import DataError

_SYSTEM = frozenset({"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "$recycle.bin"})
"""Files that operating systems make, in lower case. Names that begin with a dot are hidden as well."""
_LOOP = "link loop", "it leads to a folder that it is in"

Identity = tuple[int, int] | None  # device and inode, the same by every path to a file; None if there is no file


@dataclass(frozen=True)
class ImageFile:
    """A file that seems to be an image.

    Attributes:
        path: of the file.
        folder: name of the class's folder.
        part: train, validation or test; empty if there is no split.
    """

    path: Path
    folder: str
    part: str


@dataclass
class Walker:
    """Walks through folders, and collects what it finds.

    Attributes:
        root: names are relative to it.
        follow: whether symbolic links are followed.
        above: `root` and the folders that it is in; a link to one of them would be a loop.
        files: that seem to be images.
        not_used: all others.
        notes: sentences on folders.
    """

    root: Path
    follow: bool
    above: set[Identity]
    files: list[ImageFile] = field(default_factory=list)
    not_used: list[NotUsed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def folders_of(self, parent: Path) -> list[Path]:
        """The folders directly in another one that are not empty; everything else in it has no class."""
        found = []
        for path, status in self.entries(parent):
            if not stat.S_ISDIR(status.st_mode):
                self.leave_out(path, "no class" if is_image(path) else "extension")
            elif self.is_loop(path, status):
                self.leave_out(path, *_LOOP)
            elif self._is_empty(path):
                self.leave_out(path, "empty folder")
            else:
                found.append(path)
        return found

    def take_all(self, folders: Iterable[Path], part: str) -> None:
        """Collects the images in the folders of classes, and in all folders below them.

        Raises:
            DataError: the name of a class is not UTF-8.
        """
        for folder in folders:
            if printable(folder.name) != folder.name:
                raise DataError(
                    f"the name of the folder {printable(folder.name)!r} in {printable(folder.parent)} is not UTF-8; "
                    "rename it"
                )
            before = len(self.files)
            _Class(self, folder, part).take()
            if len(self.files) == before:
                self.notes.append(f"{one_line(folder.relative_to(self.root))} holds no image, so it is no class")

    def entries(self, folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
        """Files and folders that count, each with its status, links last; records what does not count."""
        try:
            with os.scandir(folder) as listed:
                found = sorted(listed, key=lambda entry: (entry.is_symlink(), entry.name))
        except OSError as error:
            self.leave_out(folder, "unreadable", f"the folder cannot be read: {error.strerror}")
            return
        for entry in found:
            path = folder / entry.name
            if entry.name.startswith(".") or entry.name.lower() in _SYSTEM:
                self.leave_out(path, "hidden", count=_count_files(path))
            elif entry.is_symlink() and not self.follow:
                self.leave_out(path, "symbolic link", "symbolic links are not followed, as --no-links says")
            elif (status := self._status(path)) is not None:
                yield path, status

    def leave_out(self, path: Path, reason: str, detail: str = "", count: int = 1) -> None:
        """Records the name of a file or folder, and why it is not used."""
        self.not_used.append(NotUsed(printable(path), reason, printable(detail), count))

    def is_loop(self, path: Path, status: os.stat_result) -> bool:
        """Whether a folder is a link to one that it is in."""
        identity = status.st_dev, status.st_ino
        return path.is_symlink() and (identity in self.above or any(identity_of(up) == identity for up in path.parents))

    def _status(self, path: Path) -> os.stat_result | None:
        try:
            status = path.stat()
        except OSError as error:
            self.leave_out(path, "broken link" if path.is_symlink() else "unreadable", error.strerror or str(error))
            return None
        if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
            return status
        self.leave_out(path, "no file", f"it is {kind_of(status.st_mode)}")
        return None

    def _is_empty(self, folder: Path) -> bool:
        """Whether there are only empty folders in a folder."""
        walker, left = Walker(self.root, self.follow, self.above), [folder]
        while left:
            for path, status in walker.entries(left.pop()):
                if path.is_symlink() or not stat.S_ISDIR(status.st_mode):
                    return False
                left.append(path)
        return not walker.not_used


class _Class:
    """The folder of a class, and what was already seen of it.

    Linked folders come last, so that a file that is also in the class itself keeps its own name.
    """

    def __init__(self, walker: Walker, folder: Path, part: str) -> None:
        self.walker = walker
        self.folder = folder
        self.part = part
        self.seen = {identity_of(folder)}
        self.plain = [folder]
        self.linked: list[Path] = []

    def take(self) -> None:
        """Walks through the folder and everything below it."""
        while self.plain or self.linked:
            at = self.plain.pop() if self.plain else self.linked.pop()
            left_out, names, is_empty = len(self.walker.not_used), set[str](), True
            for path, status in self.walker.entries(at):
                is_empty = False
                self._meet(path, status, names)
            if is_empty and len(self.walker.not_used) == left_out:
                self.walker.leave_out(at, "empty folder")

    def _meet(self, path: Path, status: os.stat_result, names: set[str]) -> None:
        is_folder, identity = stat.S_ISDIR(status.st_mode), (status.st_dev, status.st_ino)
        if is_folder and self.walker.is_loop(path, status):
            self.walker.leave_out(path, *_LOOP)
        elif not is_folder and not is_image(path):
            self.walker.leave_out(path, "extension")
        elif identity in self.seen:
            what = "folder" if is_folder else "file"
            self.walker.leave_out(path, "duplicate name", f"the same {what} is read under another name")
        elif is_folder:
            (self.linked if path.is_symlink() else self.plain).append(path)
        elif (name := _folded(path.name)) in names:
            detail = "its name differs from another one's in case or Unicode form only; rename one of them"
            self.walker.leave_out(path, "duplicate name", detail)
        else:
            names.add(name)
            self.walker.files.append(ImageFile(path, self.folder.name, self.part))
        self.seen.add(identity)


def is_image(path: Path) -> bool:
    """Whether the name has the extension of an image."""
    return path.suffix.lower() in SUFFIXES


def identity_of(path: Path) -> Identity:
    """Identifies a file or folder, whatever path leads to it."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _folded(name: str) -> str:
    """The form in which names of one file on Windows or macOS are equal; spaces count, unlike in `models.text.key`."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _count_files(path: Path) -> int:
    """The number of files in a hidden folder, without following links; 1 for a file or an empty folder."""
    if path.is_symlink() or not path.is_dir():
        return 1
    return max(1, sum(len(files) for _, _, files in os.walk(path)))
