"""Look at every field once for what the audit needs; kept in the study."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from cellvote.errors import ImageReadError
from cellvote.learning.fingerprints import SIZE, Fingerprints, fingerprint
from cellvote.plates.acquisition import FIELD, FieldKey, field_keys
from cellvote.plates.pixels import image_hash
from cellvote.processes import default_workers
from cellvote.progress import CancelToken, Progress, Report, ignore_progress
from cellvote.study import Study
from cellvote.study.atomic import read_table, write_table, writing

_FORMAT: Final = 2
_SAVE_EVERY_S: Final = 60.0


class FieldLooks(NamedTuple):
    """What was seen of some fields.

    Attributes
    ----------
    table
        One row per field: ``plate``, ``well``, ``field``, ``image_hash``.
    fingerprints
        (N, 64, 64) uint8, row by row.
    """

    table: pd.DataFrame
    fingerprints: Fingerprints


def looks_folder(study: Study) -> Path:
    """Where fingerprints are kept."""
    return study.path / "fingerprints"


def look_at_fields(
    study: Study,
    keys: Sequence[FieldKey],
    *,
    report: Report = ignore_progress,
    cancel: CancelToken | None = None,
) -> FieldLooks:
    """Make the fingerprints and hashes of fields, reading only those not looked at yet.

    What was done is kept when it is cancelled, and every minute. Source images do not change; where the channels of
    the study do, all are looked at anew. A field that cannot be read is left out: nothing was learned from it either.

    Raises
    ------
    CancelledError
        Where it was cancelled.
    """
    cancel = cancel or CancelToken()
    there = _read(study)
    todo = [key for key in keys if key not in there]
    saved = started = time.monotonic()
    try:
        with ThreadPoolExecutor(default_workers()) as threads:
            futures = {threads.submit(_look, study, key, cancel): key for key in todo}
            try:
                for done, future in enumerate(as_completed(futures), start=1):
                    seen = future.result()
                    if seen is not None:
                        there[futures[future]] = seen
                    rate = done / max(time.monotonic() - started, 1e-9)
                    report(Progress(done, len(todo), str(futures[future]), f"audit · {rate:,.1f} fields/s"))
                    if time.monotonic() - saved > _SAVE_EVERY_S:
                        _write(study, there)
                        saved = time.monotonic()
            finally:
                for future in futures:
                    future.cancel()
    finally:
        if todo:
            _write(study, there)
    kept = [key for key in keys if key in there]
    table = pd.DataFrame([(*key, there[key][0]) for key in kept], columns=[*FIELD, "image_hash"])
    prints = [there[key][1] for key in kept]
    return FieldLooks(table, np.stack(prints) if prints else np.zeros((0, SIZE, SIZE), np.uint8))


_Seen = tuple[str, Fingerprints]


def _look(study: Study, key: FieldKey, cancel: CancelToken) -> _Seen | None:
    cancel.raise_if_cancelled()
    try:
        image = study.read_raw_field(key)
    except ImageReadError:
        return None
    return image_hash(image), fingerprint(image)


def _paths(study: Study) -> tuple[Path, Path]:
    return looks_folder(study) / "fields.parquet", looks_folder(study) / "fingerprints.npy"


def _mark(study: Study) -> str:
    """Name what the looks are made with, so that those of other channels or of an older CellVote are not taken."""
    return f"{_FORMAT} {' '.join(study.channels)}"


def _read(study: Study) -> dict[FieldKey, _Seen]:
    """Read what is there; nothing where the two files do not belong together (killed between them)."""
    table_path, prints_path = _paths(study)
    if not table_path.exists() or not prints_path.exists():
        return {}
    table = read_table(table_path)
    try:
        prints = np.load(prints_path, allow_pickle=False)
    except (OSError, ValueError):
        return {}
    if len(table) != len(prints) or prints.shape[1:] != (SIZE, SIZE) or set(table["made_with"]) - {_mark(study)}:
        return {}
    sums = prints.reshape(len(prints), -1).sum(axis=1, dtype=np.int64)
    if (sums != table["checksum"]).any():
        return {}
    return {key: (str(own), one) for key, own, one in zip(field_keys(table), table["image_hash"], prints, strict=True)}


def _write(study: Study, seen: dict[FieldKey, _Seen]) -> None:
    if not seen:
        return
    keys = sorted(seen)
    prints = np.stack([seen[key][1] for key in keys])
    table = pd.DataFrame([(*key, seen[key][0]) for key in keys], columns=[*FIELD, "image_hash"])
    table["made_with"] = _mark(study)
    table["checksum"] = prints.reshape(len(prints), -1).sum(axis=1, dtype=np.int64)
    table_path, prints_path = _paths(study)
    with writing(prints_path) as temporary, temporary.open("wb") as file:
        np.save(file, prints, allow_pickle=False)
    write_table(table_path, table.astype({"plate": "str", "well": "str", "field": "int32"}))
