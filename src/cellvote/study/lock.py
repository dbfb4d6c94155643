"""One run writes a study at a time: a file in the study says which process on which machine that is."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import psutil

from cellvote.errors import BusyError
from cellvote.study.atomic import storage_error

LOCK: Final = ".running.json"

_WRITTEN_WITHIN_S: Final = 10.0
"""A lock that holds nothing yet is being written; after this long, whoever began it was killed."""

_SAME_START_S: Final = 2.0
"""Start times of one process may differ by this much between two ways of asking."""


@dataclass(frozen=True)
class Run:
    """What holds a lock.

    Attributes
    ----------
    what
        Such as ``segment``.
    started
        When the process began, in seconds since 1970: process ids are used again.
    """

    what: str
    pid: int
    host: str
    started: float

    @property
    def is_over(self) -> bool:
        """Whether this process is known to have ended; of another machine nothing is known."""
        if self.host != socket.gethostname():
            return False
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) > _SAME_START_S
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False


@contextmanager
def run_alone(study_path: Path, what: str, lock: str = LOCK) -> Iterator[None]:
    """Keep every other run from writing a study while the block runs.

    A lock whose process was killed on this machine is taken over without a word.

    Parameters
    ----------
    what
        What the others are told, such as ``segment``.
    lock
        Name of the file in the study.

    Raises
    ------
    BusyError
        Where another run holds it; the message says which, and what to do where that one is gone after all.
    StorageError
        Where the study cannot be written.
    """
    path = study_path / lock
    own = Run(what, os.getpid(), socket.gethostname(), psutil.Process().create_time())
    while not _created(path, own):
        seen = _content(path)
        holder = _holder(seen)
        if holder is not None and not holder.is_over:
            raise BusyError(
                f"{study_path}: {holder.what} is running on it (process {holder.pid} on {holder.host}). Wait for it, "
                f"or cancel it. Where it no longer runs, delete {path}."
            )
        if holder is None and not _is_old(path):
            time.sleep(0.05)
            continue
        _remove_if_unchanged(path, seen)
    try:
        yield
    finally:
        if _holder(_content(path)) == own:
            path.unlink(missing_ok=True)


def _created(path: Path, own: Run) -> bool:
    """Create the lock; False where there is one."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(asdict(own)))
    except FileExistsError:
        return False
    except OSError as error:
        with contextlib.suppress(OSError):
            path.unlink()
        raise storage_error(path, error) from error
    return True


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _holder(content: str) -> Run | None:
    try:
        said = json.loads(content)
        return Run(str(said["what"]), int(said["pid"]), str(said["host"]), float(said["started"]))
    except (ValueError, TypeError, KeyError):
        return None


def _is_old(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime > _WRITTEN_WITHIN_S
    except OSError:
        return False  # it is gone: try again to create it


def _remove_if_unchanged(path: Path, seen: str) -> None:
    """Remove a stale lock, unless another run has just taken it over: then that one's lock is put back."""
    aside = path.with_name(f"{path.name}.{uuid4().hex}")
    try:
        path.rename(aside)
    except OSError:
        return  # another run was faster
    if _content(aside) != seen:
        with contextlib.suppress(OSError):
            os.link(aside, path)
    aside.unlink(missing_ok=True)
