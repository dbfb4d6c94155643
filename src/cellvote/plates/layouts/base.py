"""What every on-disk layout offers, and how a folder is listed once for all of them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from operator import not_
from pathlib import Path
from typing import Final, Protocol

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition
from cellvote.plates.pixels import IMAGE_SUFFIXES

MAX_DEPTH: Final = 8
MAX_FILES: Final = 5_000_000

_ZARR_MARKERS: Final = frozenset({".zgroup", ".zarray", ".zattrs", "zarr.json"})


@dataclass(frozen=True)
class Folder:
    """A folder of images, listed once.

    Attributes
    ----------
    path
        The folder.
    only
        Name of the one file in it that was asked for; empty for the whole folder.
    root
        Where the images are that tables speak of, if elsewhere than in this folder.
    """

    path: Path
    only: str = ""
    root: Path | None = None

    @cached_property
    def _listed(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        if self.only:
            return (self.only,), (), ()
        files, stores = _list_files(self.path)
        files, odd = _without_odd_names(files)
        return tuple(sorted(files)), tuple(sorted(stores)), tuple(odd)

    def holding(self, files: Sequence[str]) -> "Folder":
        """Give this folder as if it held only these of its files."""
        held = Folder(self.path, root=self.root)
        held.__dict__["_listed"] = (tuple(files), (), ())
        return held

    @property
    def files(self) -> tuple[str, ...]:
        """Every file below the folder, as sorted POSIX paths relative to it; what is inside a Zarr store is not."""
        return self._listed[0]

    @property
    def stores(self) -> tuple[str, ...]:
        """Every outermost Zarr store, as a sorted POSIX path; ``"."`` where the folder itself is one."""
        return self._listed[1]

    @property
    def problems(self) -> tuple[str, ...]:
        """What a person should know of the listing itself."""
        odd = self._listed[2]
        if not odd:
            return ()
        example = odd[0].encode(errors="surrogateescape").decode(errors="replace")
        return (
            f"{len(odd)} file(s) have names that are no UTF-8 text and were left out, such as {example}: rename them.",
        )

    @cached_property
    def _by_ending(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        endings = [path[path.rfind(".") :] for path in self.files]
        known = {ending: ending.lower() in IMAGE_SUFFIXES for ending in set(endings)}
        if len(known) == 1 and all(known.values()):
            return self.files, ()
        are = [known[ending] for ending in endings]
        return tuple(compress(self.files, are)), tuple(compress(self.files, map(not_, are)))

    @property
    def images(self) -> tuple[str, ...]:
        """Those of the files that end like an image."""
        return self._by_ending[0]

    @property
    def companions(self) -> tuple[str, ...]:
        """All other files: among them are indexes and tables; few where there are many images."""
        return self._by_ending[1]

    def sample(self, n: int = 200) -> Sequence[str]:
        """Take ``n`` of the images, evenly spread: enough to recognise a layout by."""
        step = -(-len(self.images) // n) or 1
        return self.images[::step]


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


def open_folder(path: Path, root: Path | None = None) -> Folder:
    """Open a folder, or one file of a folder, or say what is wrong with it.

    Parameters
    ----------
    root
        Where the images are that tables speak of, if elsewhere.

    Raises
    ------
    LayoutError
        Where there is no such folder or file.
    """
    if root is not None and not root.is_dir():
        raise LayoutError(f"{root}: there is no such folder (given as the root of the images).")
    root = root.absolute() if root is not None else None
    path = path.absolute()
    if path.is_dir():
        return Folder(path, root=root)
    if path.is_file():
        return Folder(path.parent, path.name, root)
    raise LayoutError(f"{path}: there is no such folder.")


def _list_files(root: Path) -> tuple[list[str], list[str]]:
    """Walk without following links to folders: a cycle cannot trap it."""
    files: list[str] = []
    stores: list[str] = []
    waiting: list[tuple[str, str, int]] = [(os.fspath(root), "", 0)]
    while waiting:
        folder, prefix, depth = waiting.pop()
        try:
            with os.scandir(folder) as scan:
                entries = list(scan)
        except OSError as error:
            raise LayoutError(f"{folder}: cannot be listed ({error.strerror}). Check your rights.") from error
        names = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
        if not _ZARR_MARKERS.isdisjoint(names):
            stores.append(prefix.rstrip("/") or ".")
            continue
        names.sort()
        files += [prefix + name for name in names if name[0] != "."]
        if len(names) == len(entries) or depth >= MAX_DEPTH:
            continue
        for entry in entries:
            name = entry.name
            if name[0] != "." and not name.endswith(".cellvote") and entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, f"{prefix}{name}/", depth + 1))
        if len(files) > MAX_FILES:
            raise LayoutError(f"{root}: more than {MAX_FILES} files. Give the plate's own folder.")
    return files, stores


def _without_odd_names(files: list[str]) -> tuple[list[str], list[str]]:
    """Set apart names that are no text: tables cannot hold them."""
    try:
        "".join(files).encode()
    except UnicodeEncodeError:
        odd = {name for name in files if not name.isascii() and _is_odd(name)}
        return [name for name in files if name not in odd], sorted(odd)
    return files, []


def _is_odd(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return True
    return False
