"""Download weights where somebody asked for it: cancelled and gone on with, checked, whole or not at all.

The connection is checked as any browser does (Cellpose's own download switches that off).
"""

import json
import os
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, Final

from cellvote.errors import WeightsError
from cellvote.progress import CancelToken, Progress, Report, ignore_progress
from cellvote.segmentation.cellpose.weights import BASE_URL, BUILT_IN, models_folder
from cellvote.segmentation.cellpose.weights_format import read_format

MIB: Final = 2**20
_CHUNK: Final = MIB
_TIMEOUT_S: Final = 30.0
_MAX_BYTES: Final = 8 * 2**30


def download_weights(
    model: str,
    folder: Path | None = None,
    *,
    url: str = "",
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> Path:
    """Download a built-in model of Cellpose, and check it.

    What was fetched of it stays beside it as ``NAME.part``: the next call goes on from there, where the server still
    has the same file.

    Parameters
    ----------
    folder
        Where to; the folder of models where it is not given.
    url
        The address of the file, of a mirror; that of Cellpose's authors where it is not given.
    report
        Told of in MiB.

    Returns
    -------
    Path
        The model file.

    Raises
    ------
    WeightsError
        Where there is no such model, the server cannot be reached or breaks off, the disk is full, or what came is
        not what was asked for (a web page, a truncated or an old model): nothing is put into place then.
    CancelledError
        Where it was cancelled.
    """
    if model not in BUILT_IN:
        raise WeightsError(f"{model!r} cannot be downloaded; these can: {', '.join(BUILT_IN)}.")
    path = (folder or models_folder()) / model
    source = url or f"{BASE_URL}{model}"
    if urllib.parse.urlsplit(source).scheme not in {"http", "https"}:
        raise WeightsError(f"{source}: an address that begins with https:// was expected.")
    part = _Part(path.with_name(f"{model}.part"), source)
    with _told(source, path, part):
        path.parent.mkdir(parents=True, exist_ok=True)
        _fetch(part, lambda done, total: report(_progress(model, done, total)), cancel or CancelToken())
        try:
            read_format(part.path)
        except WeightsError as error:
            part.drop()
            raise WeightsError(f"{source}: what came is not {model}: {str(error).partition(': ')[2]}") from error
        part.path.replace(path)
        part.drop()
    return path


@dataclass(frozen=True)
class _Part:
    """The part of a file that is there, and of which version of it on the server."""

    path: Path
    source: str

    @property
    def _note_path(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    @property
    def n_bytes(self) -> int:
        """How much is there."""
        return self.path.stat().st_size if self.path.exists() else 0

    def version(self) -> str:
        """What the server called the version of which this is a part; empty where that is not known."""
        try:
            note = json.loads(self._note_path.read_text(encoding="utf-8"))
            return str(note["version"]) if note["source"] == self.source else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def begin(self, version: str) -> None:
        """Begin anew."""
        self._note_path.write_text(json.dumps({"source": self.source, "version": version}), encoding="utf-8")
        self.path.write_bytes(b"")

    def drop(self) -> None:
        """Remove it, and what was noted of it."""
        self.path.unlink(missing_ok=True)
        self._note_path.unlink(missing_ok=True)


def _fetch(part: _Part, tell: Callable[[int, int], None], cancel: CancelToken) -> None:
    """Fetch what is missing of a file."""
    version, have = part.version(), part.n_bytes
    headers = {"User-Agent": "cellvote", "Accept-Encoding": "identity"}
    if version and have:
        headers |= {"Range": f"bytes={have}-", "If-Range": version}
    request = urllib.request.Request(part.source, headers=headers)  # noqa: S310 (http and https only, see above)
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        error.close()  # the part is as long as the file on the server, or longer
        part.drop()
        _fetch(part, tell, cancel)
        return
    with answer:
        going_on = answer.status == HTTPStatus.PARTIAL_CONTENT
        done = have if going_on else 0
        total = done + int(answer.headers.get("Content-Length") or 0)
        _check_size(part.source, total, done, part.path.parent)
        if not going_on:
            part.begin(answer.headers.get("ETag") or answer.headers.get("Last-Modified") or "")
        with part.path.open("ab") as file:
            done = _copy(answer, file, done, total, tell, cancel)
    if total and done != total:
        raise WeightsError(
            f"{part.source}: broke off at {done:,} of {total:,} bytes. Run it again: it goes on from there."
        )


def _copy(
    answer: Any, file: IO[bytes], done: int, total: int, tell: Callable[[int, int], None], cancel: CancelToken
) -> int:
    tell(done, total)
    while chunk := answer.read(_CHUNK):
        file.write(chunk)
        done += len(chunk)
        tell(done, total)
        cancel.raise_if_cancelled()
    file.flush()
    os.fsync(file.fileno())
    return done


def _check_size(source: str, total: int, done: int, folder: Path) -> None:
    if total > _MAX_BYTES:
        raise WeightsError(f"{source}: {total:,} bytes are more than any model of Cellpose has. Check the address.")
    free = shutil.disk_usage(folder).free
    if total - done > free:
        raise WeightsError(f"{folder}: {(total - done) // MIB:,} MiB are needed, {free // MIB:,} MiB are free.")


def _progress(model: str, done: int, total: int) -> Progress:
    of = f" of {total // MIB:,}" if total else ""
    return Progress(done // MIB, max(total, done) // MIB, model, f"{done // MIB:,}{of} MiB")


@contextmanager
def _told(source: str, path: Path, part: _Part) -> Iterator[None]:
    """Turn what goes wrong on the way into a sentence with the way out."""
    way_out = f"Without a network: fetch {source} elsewhere and copy it to {path}"
    try:
        yield
    except WeightsError:
        raise
    except urllib.error.HTTPError as error:
        error.close()
        raise WeightsError(f"{source}: the server answered {error.code} ({error.reason}). {way_out}.") from error
    except (urllib.error.URLError, TimeoutError, HTTPException, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        kept = f" {part.n_bytes // MIB:,} MiB are kept: run it again to go on." if part.n_bytes else ""
        raise WeightsError(f"{source}: cannot be reached ({reason}).{kept} {way_out}.") from error
    except OSError as error:
        raise WeightsError(f"{path}: cannot be written ({error.strerror or error}).") from error
