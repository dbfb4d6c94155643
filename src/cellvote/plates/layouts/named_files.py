"""Files that a table names: found below a folder by the parts of their paths, never outside of it."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote

from cellvote.errors import LayoutError

_SCHEME: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):(?P<rest>.*)", re.DOTALL)
_DRIVE: Final = re.compile(r"(?:[A-Za-z]:)?/.*|[A-Za-z]:.*|~.*", re.DOTALL)


@dataclass(frozen=True)
class FoundFiles:
    """Which file below a folder each named path is.

    Attributes
    ----------
    paths
        By the named path, the file as a POSIX path below the folder; those that are not there are missing.
    missing
        The named paths that are not there, or could be several files.
    by_name_only
        Named paths that were found by the file's name alone, in a folder of another name.
    """

    paths: dict[str, str]
    missing: tuple[str, ...]
    by_name_only: tuple[str, ...]


def named_path(folder: str, name: str) -> str:
    """Join what a table says of a file's folder and name; separators of Windows become ``/``.

    Raises
    ------
    LayoutError
        Where it climbs out with ``..``.
    """
    path = f"{_local(folder)}/{name}" if folder else _local(name)
    path = re.sub(r"(?<!:)/(?:\./)*/*", "/", path.replace("\\", "/")).removeprefix("./")
    if ".." in path.split("/"):
        raise LayoutError(
            f"the table names the file {path!r}, which climbs out of its folder with '..': refused. "
            "Write paths below the folder of the images, and give that folder with --root."
        )
    return path


def _local(address: str) -> str:
    """Take the path out of a ``file:`` address; other addresses stay as they are."""
    match = _SCHEME.fullmatch(address)
    if match and match["scheme"].casefold() == "file":
        rest = match["rest"]
        return unquote(rest.removeprefix("//")).removeprefix("localhost")
    return address


def is_remote(path: str) -> bool:
    """Whether a named path is an address somewhere else, such as ``s3://…``."""
    match = _SCHEME.fullmatch(path)
    return match is not None and match["rest"].startswith("/")


def is_absolute(path: str) -> bool:
    """Whether a named path starts at a drive, a share or the top of a disk, here or on another machine."""
    return is_remote(path) or bool(_DRIVE.fullmatch(path))


def find_files(named: Iterable[str], files: Sequence[str], starts: Sequence[str], within: str) -> FoundFiles:
    """Find named paths among the files that there are.

    A path is taken as it stands below one of the starts; else the file is the one that shares the most
    trailing parts with it, where there is just one. No file is taken for two different paths.

    Parameters
    ----------
    named
        Paths from a table, as of `named_path`.
    files
        The files below the folder, as POSIX paths relative to it.
    starts
        Folders, relative to that folder, that the paths may be relative to; ``""`` for itself.
    within
        The folder itself: absolute paths inside of it are taken as they stand.
    """
    present = set(files)
    inside = within.rstrip("/") + "/"
    by_name: dict[str, list[str]] = {}
    for file in files:
        by_name.setdefault(file[file.rfind("/") + 1 :].casefold(), []).append(file)
    paths: dict[str, str] = {}
    matched: dict[str, tuple[str, int]] = {}
    for path in dict.fromkeys(named):
        exact = _as_it_stands(path, present, starts, inside)
        if exact is not None:
            paths[path] = exact
            continue
        best = _most_alike(path, by_name.get(path[path.rfind("/") + 1 :].casefold(), ()))
        if best is not None:
            matched[path] = best
    taken = set(paths.values())
    most: dict[str, int] = {}
    for file, n_parts in matched.values():
        most[file] = max(most.get(file, 0), n_parts)
    claims = Counter((file, n) for file, n in matched.values())
    for path, (file, n_parts) in matched.items():
        if file not in taken and n_parts == most[file] and claims[file, n_parts] == 1:
            paths[path] = file
    alone = tuple(p for p, (f, n) in matched.items() if p in paths and n == 1 and "/" in f and "/" in p)
    missing = tuple(path for path in dict.fromkeys(named) if path not in paths)
    return FoundFiles(paths, missing, alone)


def _as_it_stands(path: str, present: set[str], starts: Sequence[str], inside: str) -> str | None:
    if is_absolute(path):
        below = path.removeprefix(inside)
        return below if path.startswith(inside) and below in present else None
    for start in starts:
        whole = f"{start}/{path}" if start else path
        if whole in present:
            return whole
    return None


def _most_alike(path: str, candidates: Sequence[str]) -> tuple[str, int] | None:
    """The candidate with the most trailing parts in common, and how many; None where two have as many."""
    if len(candidates) == 1 and "/" not in candidates[0]:
        return candidates[0], 1
    parts = _parts(path)
    scored = sorted(((_n_common(parts, _parts(one)), one) for one in candidates), reverse=True)
    if not scored or (len(scored) > 1 and scored[0][0] == scored[1][0]):
        return None
    return scored[0][1], scored[0][0]


def _parts(path: str) -> list[str]:
    return [part for part in PurePosixPath(path.casefold()).parts if part != "/"][::-1]


def _n_common(one: Sequence[str], other: Sequence[str]) -> int:
    n = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        n += 1
    return n
