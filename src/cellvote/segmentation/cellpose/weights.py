"""Weights of Cellpose: where they lie, which are there, and what to do where they are not.

Cellpose itself takes another model where one is missing, and tries to download it in the middle of a run. Here the
file is found and checked first, and whatever is wrong is said with the way out.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from cellvote.errors import WeightsError
from cellvote.segmentation.cellpose.weights_format import WeightsFormat, read_format

FOLDER_VARIABLE: Final = "CELLPOSE_LOCAL_MODELS_PATH"
"""Names the folder of models; Cellpose reads the same variable."""

BASE_URL: Final = "https://huggingface.co/mouseland/cellpose-sam/resolve/main/"
"""Where Cellpose's authors publish their models."""

LICENCE_NOTE: Final = (
    "Cellpose's weights were trained on images under CC BY-NC 4.0: commercial use is not covered by Cellpose's own BSD "
    "licence. Ask its authors, or choose another method."
)


@dataclass(frozen=True)
class BuiltIn:
    """A model that Cellpose's authors publish."""

    name: str
    says: str
    about_mib: int
    """About how large its file is; parameters in 32 bits."""


BUILT_IN: Final = {
    model.name: model
    for model in (
        BuiltIn("cpsam_v2", "Cellpose-SAM, second version: the usual choice", 1165),
        BuiltIn("cpsam", "Cellpose-SAM, first version", 1165),
        BuiltIn("cpdino", "Cellpose on DINOv3 ViT-L; needs the dinov3 package", 1160),
        BuiltIn("cpdino-vitb", "Cellpose on DINOv3 ViT-B: about twice as fast; needs the dinov3 package", 335),
    )
}
"""Every model of Cellpose 4.2."""


@dataclass(frozen=True)
class WeightsFile:
    """A model file: what was found where it should be.

    Attributes
    ----------
    status
        ``ok``, ``missing`` or ``damaged``.
    says
        What kind of model it is, or what is wrong with the file.
    """

    name: str
    path: Path
    status: Literal["ok", "missing", "damaged"]
    says: str
    n_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """Give the plain values, with the address of built-in models."""
        url = f"{BASE_URL}{self.name}" if self.name in BUILT_IN else None
        return {
            "name": self.name,
            "path": str(self.path),
            "status": self.status,
            "says": self.says,
            "bytes": self.n_bytes,
            "url": url,
        }


def models_folder() -> Path:
    """The folder of models: `FOLDER_VARIABLE`, or ``.cellpose/models`` in the user's home."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser() if named else Path.home() / ".cellpose" / "models"


def user_models() -> list[str]:
    """Names of the models that were trained or added in Cellpose: the lines of its own list."""
    listed = models_folder() / "gui_models.txt"
    try:
        lines = listed.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return list(dict.fromkeys(line.strip() for line in lines if line.strip()))


def find_weights(model: str) -> tuple[Path, WeightsFormat]:
    """Find the file of a model, and check it.

    Parameters
    ----------
    model
        One of `BUILT_IN`, the name of a user's model, or the path of a model file. A path is one that has a
        separator or that is there; names are looked for in `models_folder`.

    Raises
    ------
    WeightsError
        Where there is no such file, with what to do on this machine and on one without a network; where it is
        truncated, a web page, or of Cellpose 3 and older.
    """
    path = _place_of(model)
    if not path.is_file():
        raise WeightsError(_missing(model, path))
    return path, read_format(path)


def _place_of(model: str) -> Path:
    path = Path(model).expanduser()
    if model in BUILT_IN or (len(path.parts) == 1 and not path.is_file()):
        return models_folder() / model
    return path.absolute()


def _missing(model: str, path: Path) -> str:
    if model in BUILT_IN:
        mib = BUILT_IN[model].about_mib
        return (
            f"{path}: the weights of Cellpose's {model} are not there. With a network, run: cellvote weights {model} "
            f"--download (about {mib:,} MiB). Without one: fetch {BASE_URL}{model} elsewhere, copy the file to {path}, "
            f"or to another folder that {FOLDER_VARIABLE} names."
        )
    own = user_models()
    if len(Path(model).parts) > 1:
        return f"{path}: there is no such model file. Give its path, or one of: {', '.join([*BUILT_IN, *own])}."
    place = f"copy its file to {path}" if model in own else "give the path of its file"
    return f"there is no Cellpose model {model!r}; there are: {', '.join([*BUILT_IN, *own])}. Or {place}."


def iter_weights() -> Iterator[WeightsFile]:
    """Look at the built-in models, the user's own, and whatever else lies in the folder of models."""
    folder = models_folder()
    own = [name for name in user_models() if name not in BUILT_IN]
    there = sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    others = [name for name in there if "." not in name and name not in {*BUILT_IN, *own}]
    for name in [*BUILT_IN, *own, *others]:
        yield describe_weights(name)


def describe_weights(model: str) -> WeightsFile:
    """Say what is there of one model, never raising."""
    path = _place_of(model)
    says = BUILT_IN[model].says if model in BUILT_IN else "a model of your own"
    if not path.is_file():
        return WeightsFile(model, path, "missing", says)
    n_bytes = path.stat().st_size
    try:
        found = read_format(path)
    except WeightsError as error:
        return WeightsFile(model, path, "damaged", str(error).removeprefix(f"{path}: "), n_bytes)
    return WeightsFile(model, path, "ok", says if model in BUILT_IN else found.says, n_bytes)
