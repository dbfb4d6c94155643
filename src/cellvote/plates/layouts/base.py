"""What every on-disk layout offers, and how a folder is listed once for all of them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition
from cellvote.plates.pixels import IMAGE_SUFFIXES

MAX_DEPTH: Final = 8
MAX_FILES: Final = 5_000_000


@dataclass(frozen=True)
class Folder:
    """A folder of images, listed once."""

    path: Path

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Every file below the folder, as sorted POSIX paths relative to it."""
        return tuple(sorted(_list_files(self.path)))

    @cached_property
    def images(self) -> tuple[str, ...]:
        """Those of the files that end like an image."""
        return tuple(f for f in self.files if os.path.splitext(f)[1].lower() in IMAGE_SUFFIXES)  # noqa: PTH122


class Layout(Protocol):
    """A way in which plates lie on disk; nothing else knows file names."""

    @property
    def name(self) -> str:
        """What ``--layout`` calls it."""
        ...

    @property
    def example(self) -> str:
        """What a file is called in this layout, for messages."""
        ...

    def recognise(self, folder: Folder) -> float:
        """Say how sure one may be that the folder is of this layout: 0 (no) to 1 (yes)."""
        ...

    def read(self, folder: Folder) -> Acquisition:
        """Index every image plane.

        Raises
        ------
        LayoutError
            Where the folder is not of this layout after all.
        """
        ...


def open_folder(path: Path) -> Folder:
    """List a folder, or say what is wrong with it.

    Raises
    ------
    LayoutError
        Where there is no such folder.
    """
    if not path.is_dir():
        reason = "is a file: give the folder that holds it" if path.exists() else "there is no such folder"
        raise LayoutError(f"{path}: {reason}.")
    return Folder(path.absolute())


def _list_files(root: Path) -> Iterator[str]:
    """Walk without following links to folders: a cycle cannot trap it."""
    waiting: list[tuple[str, str, int]] = [(os.fspath(root), "", 0)]
    seen = 0
    while waiting:
        folder, prefix, depth = waiting.pop()
        try:
            entries = os.scandir(folder)
        except OSError as error:
            raise LayoutError(f"{folder}: cannot be listed ({error.strerror}). Check your rights.") from error
        with entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if depth < MAX_DEPTH and not entry.name.endswith(".cellvote"):
                        waiting.append((entry.path, f"{prefix}{entry.name}/", depth + 1))
                else:
                    seen += 1
                    if seen > MAX_FILES:
                        raise LayoutError(f"{root}: more than {MAX_FILES} files. Give the plate's own folder.")
                    yield prefix + entry.name
