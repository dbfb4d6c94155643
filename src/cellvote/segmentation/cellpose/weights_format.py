"""Whether a file holds weights of Cellpose 4, and of which network: seen from its index, without loading it."""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from cellvote.errors import WeightsError

Backbone = Literal["sam_vitl", "dino_vitl", "dino_vitb"]

_SAYS: Final[dict[Backbone, str]] = {
    "sam_vitl": "Cellpose-SAM",
    "dino_vitl": "Cellpose on DINOv3 ViT-L",
    "dino_vitb": "Cellpose on DINOv3 ViT-B",
}
_DINO_WIDTHS: Final[dict[int, Backbone]] = {1024: "dino_vitl", 768: "dino_vitb"}
_LEGACY_TORCH: Final = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_GET_ANEW: Final = "Delete it and get it again: cellvote weights NAME --download, or a copy from elsewhere."
_PARALLEL: Final = "module."


@dataclass(frozen=True)
class WeightsFormat:
    """What a model file holds.

    Attributes
    ----------
    backbone
        The network that it is of.
    n_parameters
        How many numbers there are.
    fingerprint
        Of the contents (sizes and CRC-32 of every member of the archive).
    """

    backbone: Backbone
    n_parameters: int
    fingerprint: str

    @property
    def says(self) -> str:
        """The network in words."""
        return f"{_SAYS[self.backbone]}, {self.n_parameters / 1e6:,.0f} million parameters"


def read_format(path: Path) -> WeightsFormat:
    """Check a model file; its numbers are not read.

    Raises
    ------
    WeightsError
        Where it is no model file, is truncated, or is of Cellpose 3 and older.
    """
    _check_archive(path)
    state = read_state(path)
    if "W2" not in state:
        raise WeightsError(f"{path}: {_what_instead(state)}")
    if "encoder.cls_token" in state:
        width = int(state["encoder.patch_embed.proj.weight"].shape[0])
        if width not in _DINO_WIDTHS:
            raise WeightsError(f"{path}: a DINOv3 of width {width}, which this version of Cellpose does not know.")
        backbone = _DINO_WIDTHS[width]
    elif "encoder.patch_embed.proj.weight" in state:
        backbone = "sam_vitl"
    else:
        raise WeightsError(f"{path}: has no encoder: these are no weights of Cellpose. {_GET_ANEW}")
    return WeightsFormat(backbone, sum(tensor.numel() for tensor in state.values()), _fingerprint(path))


def read_state(path: Path) -> dict[str, Any]:
    """Read a model file as tensors that stay on disk until they are used, by name; no code in it is ever run.

    Raises
    ------
    WeightsError
        Where it cannot be read, or holds something else than tensors by name.
    """
    import pickle

    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, KeyError, AttributeError) as error:
        first = str(error).partition("\n")[0]
        raise WeightsError(f"{path}: cannot be read as weights ({first}). {_GET_ANEW}") from error
    except OSError as error:
        raise WeightsError(f"{path}: cannot be opened ({error.strerror or error}).") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsError(f"{path}: holds something else than weights. {_GET_ANEW}")
    return {str(name).removeprefix(_PARALLEL): tensor for name, tensor in state.items()}


def _check_archive(path: Path) -> None:
    """See that it is a whole zip archive, as torch writes them, and say what it is where it is not."""
    try:
        n_bytes = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be opened ({error.strerror or error}).") from error
    if not start:
        raise WeightsError(f"{path}: is empty. {_GET_ANEW}")
    text = start.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise WeightsError(f"{path}: is a web page, not weights: the download went astray. {_GET_ANEW}")
    if text.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path}: is a pointer of Git LFS, not the weights themselves. Run: git lfs pull")
    if start.startswith(_LEGACY_TORCH):
        raise WeightsError(f"{path}: {_old_model()}")
    if not start.startswith(b"PK"):
        raise WeightsError(f"{path}: is no model file of Cellpose 4 (a zip archive of torch). {_GET_ANEW}")
    if not zipfile.is_zipfile(path):
        raise WeightsError(f"{path}: is truncated ({n_bytes:,} bytes, its index is missing). {_GET_ANEW}")


def _what_instead(state: dict[str, Any]) -> str:
    if any(name.startswith(("downsample.", "upsample.", "output.", "diam_mean")) for name in state):
        return _old_model()
    return f"holds tensors, but not those of Cellpose 4 (it has no 'W2'). {_GET_ANEW}"


def _old_model() -> str:
    return (
        "is a model of Cellpose 3 or older, which Cellpose 4 cannot run. Choose cpsam_v2, or train your images anew in "
        "Cellpose 4."
    )


def _fingerprint(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        members = sorted((entry.filename.partition("/")[2], entry.file_size, entry.CRC) for entry in archive.infolist())
    return hashlib.blake2b(repr(members).encode(), digest_size=16).hexdigest()
