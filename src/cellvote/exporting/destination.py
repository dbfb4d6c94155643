"""Where an export goes: written beside its place, and put there whole."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cellvote.errors import StudyError


def draft_of(out: Path) -> Path:
    """Where an export is written until it is whole; it stays there when it was cancelled."""
    return out.with_name(f".{out.name}.part")


def check_free(out: Path, is_ours: Callable[[Path], bool], *, overwrite: bool) -> None:
    """Raise a `StudyError` where something is there already that may not be replaced."""
    if not out.exists() and not out.is_symlink():
        return
    if out.is_dir() and not out.is_symlink() and not any(out.iterdir()):
        return
    if not overwrite:
        raise StudyError(f"{out}: is there already. Choose another place, or replace it with --overwrite.")
    if out.is_symlink() or not is_ours(out):
        raise StudyError(f"{out}: holds something else than an export: not replaced. Choose another place.")


def put_in_place(written: Path, out: Path) -> None:
    """Move a written file or folder to its place; what an earlier export left there goes only then."""
    with telling(out):
        old = out.with_name(f".{out.name}.old")
        if old.exists():
            shutil.rmtree(old)
        if out.exists():
            out.rename(old)
        written.rename(out)
        if old.exists():
            shutil.rmtree(old)


@contextmanager
def telling(out: Path) -> Iterator[None]:
    """Say in one sentence why an export cannot be written.

    Raises
    ------
    StudyError
        In place of an error of the system.
    """
    try:
        yield
    except StudyError:
        raise
    except OSError as error:
        where = os.fspath(error.filename) if error.filename else out
        raise StudyError(
            f"{where}: cannot be written ({error.strerror or error}). Free some disk space or check your rights, "
            "then run the same command again."
        ) from error
