"""What the weights file itself says of the classes and inputs, so that ``model.json`` can be held against it.

Weights know classes and channels by their order only. A note inside of the file says which order was meant: in the
metadata of a safetensors file, and as one more entry of a skops file (a zip archive).
"""

import json
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cellvote.errors import ClassifierError
from cellvote.study.atomic import write_bytes, writing

if TYPE_CHECKING:
    from cellvote.learning.classifier import ClassifierInfo

_ENTRY: Final = "cellvote.json"
_KEY: Final = "cellvote"
_MOST_BYTES: Final = 100_000_000
"""Headers longer than this are refused (as safetensors does)."""

_DATE: Final = (1980, 1, 1, 0, 0, 0)


def note_of(info: "ClassifierInfo") -> dict[str, Any]:
    """Give what has to be the same in ``model.json`` and in the weights."""
    return {
        "architecture": info.architecture,
        "classes": list(info.classes),
        "inputs": info.inputs.model_dump(mode="json"),
    }


def write_note(path: Path, info: "ClassifierInfo") -> None:
    """Write into a weights file what its weights are of; the file is replaced as a whole, other notes in it stay."""
    text = json.dumps(note_of(info), ensure_ascii=False, sort_keys=True)
    if path.suffix == ".safetensors":
        header, rest = _split_safetensors(path)
        header["__metadata__"] = {**header.get("__metadata__", {}), _KEY: text}
        encoded = json.dumps(header, ensure_ascii=False).encode()
        encoded += b" " * (-len(encoded) % 8)
        write_bytes(path, struct.pack("<Q", len(encoded)) + encoded + rest)
        return
    with writing(path) as temporary, zipfile.ZipFile(path) as old, zipfile.ZipFile(temporary, "w") as new:
        for entry in old.infolist():
            if entry.filename != _ENTRY:
                new.writestr(entry, old.read(entry))
        new.writestr(zipfile.ZipInfo(_ENTRY, _DATE), text)


def check_note(path: Path, info: "ClassifierInfo") -> None:
    """See that the weights are those that ``model.json`` speaks of.

    Raises
    ------
    ClassifierError
        Where they are not; both sides are shown.
    """
    found = _read_note(path)
    for name, wanted in note_of(info).items():
        there = found.get(name)
        if name == "inputs" and isinstance(there, dict):
            for one, value in wanted.items():
                _compare(path, one, value, there.get(one))
        else:
            _compare(path, name, wanted, there)


def _compare(path: Path, name: str, in_json: Any, in_weights: Any) -> None:
    if in_json != in_weights:
        raise ClassifierError(
            f"{path.parent}: model.json and the weights do not belong together: {name.replace('_px', '')} is "
            f"{_said(in_json)} in model.json and {_said(in_weights)} in {path.name}. Copy the whole folder again, or "
            "train again."
        )


def _said(value: Any) -> str:
    if isinstance(value, list) and len(value) > 12:
        return f"{', '.join(map(str, value[:12]))} … ({len(value)})"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _read_note(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".safetensors":
            text = _split_safetensors(path, with_weights=False)[0].get("__metadata__", {}).get(_KEY)
        else:
            with zipfile.ZipFile(path) as file:
                text = _read_entry(file)
        note = json.loads(text) if text else None
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError) as error:
        if isinstance(error, ClassifierError):
            raise
        raise ClassifierError(f"{path}: is damaged ({error}). Copy the whole folder again, or train again.") from error
    if not isinstance(note, dict):
        raise ClassifierError(
            f"{path}: does not say which classes it tells apart, and in which order. Train again with this CellVote."
        )
    return note


def _read_entry(file: zipfile.ZipFile) -> str | None:
    if _ENTRY not in file.namelist():
        return None
    if file.getinfo(_ENTRY).file_size > _MOST_BYTES:
        raise ValueError("its note is too long")
    return file.read(_ENTRY).decode()


def _split_safetensors(path: Path, *, with_weights: bool = True) -> tuple[dict[str, Any], bytes]:
    """Take a safetensors file apart: the header, and the weights as they are."""
    with path.open("rb") as file:
        start = file.read(8)
        n_bytes = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < n_bytes <= _MOST_BYTES:
            raise ValueError("its header is not that of a safetensors file")
        header = json.loads(file.read(n_bytes))
        if not isinstance(header, dict):
            raise ValueError("its header is not that of a safetensors file")  # noqa: TRY004 - damage, as above
        return header, file.read() if with_weights else b""
