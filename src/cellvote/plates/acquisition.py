"""An acquisition: every image plane of one or more plates, as found on disk."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from cellvote.errors import ChannelError, LayoutError

PLANE_COLUMNS: Final = {
    "plate": "str",
    "well": "str",
    "field": "int32",
    "channel": "int16",
    "z": "int32",
    "timepoint": "int32",
    "path": "str",
    "page": "int32",
    "sample": "int8",
}
"""Columns and dtypes of an image-plane table.

``channel`` is an index into the channel names; ``z`` is counted from 1, and `PROJECTION` where the microscope
made a projection itself; ``page`` counts the 2-D planes of a file (of a Zarr array, those of its leading axes),
from 0; ``sample`` is 0 for a grey image, else which colour of a coloured one (1 red, 2 green, 3 blue).
"""

PROJECTION: Final = -1
"""The ``z`` of a projection that the microscope made, beside a z-stack or in place of one."""

POSITION_COLUMNS: Final = {"plate": "str", "well": "str", "field": "int32", "x_um": "float64", "y_um": "float64"}
"""Columns and dtypes of a table of stage positions: centres of fields, y growing downwards as in images."""

LABEL_COLUMNS: Final = {"plate": "str", "well": "str", "field": "int32", "name": "str", "path": "str", "page": "int32"}
"""Columns and dtypes of a table of label images that lie in the source, beside the images."""

WELL: Final = ["plate", "well"]
"""The columns that name a well."""

PLANE: Final = ["plate", "well", "field", "channel", "z", "timepoint"]
"""The columns that name an image plane."""

FIELD: Final = ["plate", "well", "field"]
"""The columns that name a field."""

MAX_NUMBER: Final = 10**6
"""Fields, z-planes and timepoints beyond this are misread names."""

NUCLEAR_DYES: Final = ("dna", "dapi", "hoechst", "draq", "nuc", "h2b", "syto")
"""Parts of channel names that say that nuclei are bright in it."""


class FieldKey(NamedTuple):
    """One position imaged in a well."""

    plate: str
    well: str
    field: int

    def __str__(self) -> str:
        well = f"{self.plate}/{self.well}" if self.well else self.plate
        return f"{well} field {self.field}"


class Doubt(NamedTuple):
    """A reading of which a person should be asked.

    Attributes
    ----------
    kind
        What is doubtful, in one word or two: ``one well``, ``many channels``, …
    question
        One or two sentences: what was read, what else it could be, what to do.
    examples
        A few file names, each with what was read from it.
    """

    kind: str
    question: str
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.question} For example: {'; '.join(self.examples)}." if self.examples else self.question


@dataclass(frozen=True)
class Acquisition:
    """Every image plane of one or more plates, and what is known of them.

    Attributes
    ----------
    source
        The folder that all plane paths are relative to.
    layout
        Name of the layout that read it.
    planes
        One row per 2-D image on disk, columns and dtypes as in `PLANE_COLUMNS`.
    channels
        Channel names, in order.
    pixel_size_um
        Width of a pixel in micrometres, where the source says so.
    plate_map
        What the source itself says of its wells (``plate``, ``well``, then text columns).
    problems
        What a person should know before trusting this reading, one sentence each.
    doubts
        What a person should be asked before trusting it.
    positions
        Stage positions of the fields, as `POSITION_COLUMNS`, where the source tells them.
    label_images
        Label images that lie in the source, as `LABEL_COLUMNS`.
    """

    source: Path
    layout: str
    planes: pd.DataFrame
    channels: tuple[str, ...]
    pixel_size_um: float | None = None
    plate_map: pd.DataFrame | None = None
    problems: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    positions: pd.DataFrame | None = None
    label_images: pd.DataFrame | None = None

    @property
    def plates(self) -> list[str]:
        """Plate names, sorted."""
        return sorted(self.planes["plate"].unique())

    @property
    def wells(self) -> pd.DataFrame:
        """One row per imaged well: ``plate``, ``well``."""
        return self.planes[["plate", "well"]].drop_duplicates(ignore_index=True)

    @property
    def fields(self) -> list[FieldKey]:
        """Every imaged field, sorted by plate, well and number."""
        return field_keys(self.planes)

    def summary(self) -> dict[str, Any]:
        """What ``cellvote inspect --json`` prints."""
        return {
            "layout": self.layout,
            "plates": self.plates,
            "wells": int((self.wells["well"] != "").sum()),
            "fields": len(self.fields),
            "channels": list(self.channels),
            "planes": len(self.planes),
            "pixel_size_um": self.pixel_size_um,
            "problems": [*self.problems, *map(str, self.doubts)],
        }


def place_columns(table: pd.DataFrame) -> list[str]:
    """Name the columns that say what one row of a plate map speaks of: a well.

    Where images have no wells (a plain folder of images, a folder for each class), it is a field.
    """
    return FIELD if "field" in table else WELL


def field_keys(table: pd.DataFrame) -> list[FieldKey]:
    """Every field named in a table with the columns of `FIELD`, each once, sorted."""
    unique = table[FIELD].drop_duplicates().sort_values(FIELD)
    return [FieldKey(str(p), str(w), int(f)) for p, w, f in unique.itertuples(index=False, name=None)]


def plane_table(rows: Sequence[dict[str, Any]] | pd.DataFrame) -> pd.DataFrame:
    """Make an image-plane table: fill what is missing with one plate, field 1, first z and time, sort."""
    table = pd.DataFrame(rows)
    defaults: dict[str, str | int] = {
        "plate": "plate",
        "field": 1,
        "channel": 0,
        "z": 1,
        "timepoint": 1,
        "page": 0,
        "sample": 0,
    }
    for column, value in defaults.items():
        if column not in table:
            table[column] = value
        elif table[column].hasnans:
            table[column] = table[column].where(table[column].notna(), value)
    table = table[list(PLANE_COLUMNS)].astype(PLANE_COLUMNS)
    order = ["plate", "well", "field", "timepoint", "z", "channel"]
    return table.iloc[np.lexsort([_sortable(table[column]) for column in reversed(order)])].reset_index(drop=True)


def _sortable(column: pd.Series) -> npt.NDArray[np.integer[Any]]:
    """Give numbers that sort as the column does: few texts, many rows."""
    if column.dtype != "str":
        return column.to_numpy()
    return pd.factorize(column, sort=True)[0]


def plane_number(text: str) -> int:
    """Read the number of a field, z-plane or timepoint.

    Raises
    ------
    ValueError
        Where it is no number, or one beyond any microscope.
    """
    number = int(text)
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"{text!r} cannot be the number of a field, z-plane or timepoint")
    return number


def safe_relative(name: str) -> str:
    """Check a path taken from an index file: relative, and staying inside its folder.

    Raises
    ------
    LayoutError
        Where it is absolute, has a drive, or climbs out with ``..``.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise LayoutError(
            f"the index names the file {name!r}, which lies outside its folder: refused. "
            "If the images are elsewhere, put them beside the index."
        )
    return str(path)


def channel_index(channels: Sequence[str], channel: str | int) -> int:
    """Find a channel by name (any case) or by its number counted from 1.

    Raises
    ------
    ChannelError
        Where there is no such channel; the message lists those that there are.
    """
    text = str(channel).strip()
    folded = [name.casefold() for name in channels]
    if text.casefold() in folded:
        return folded.index(text.casefold())
    if text.isdecimal() and 1 <= int(text) <= len(channels):
        return int(text) - 1
    raise ChannelError(f"there is no channel {text!r}; the images have: {', '.join(channels)}")


def looks_nuclear(channel: str) -> bool:
    """Whether a channel's name says that it shows nuclei (DNA, DAPI, Hoechst, …)."""
    return any(dye in channel.casefold() for dye in NUCLEAR_DYES)


def join_acquisitions(parts: Sequence[Acquisition]) -> Acquisition:
    """Put the plates of several folders into one acquisition; channels are joined by their names.

    Raises
    ------
    LayoutError
        Where two folders hold the same image plane, or no channel of one is in another.
    """
    if len(parts) == 1:
        return parts[0]
    channels = tuple(dict.fromkeys(name for part in parts for name in part.channels))
    source = Path(_common_folder([part.source for part in parts]))
    problems = [problem for part in parts for problem in part.problems]
    planes, labels = [], []
    for part in parts:
        lacking = [name for name in channels if name not in part.channels]
        if not set(part.channels) & set(parts[0].channels):
            raise LayoutError(
                f"{part.source} has the channels {', '.join(part.channels)}, but {parts[0].source} has "
                f"{', '.join(parts[0].channels)}. Create one study for each."
            )
        if lacking:
            problems.append(f"{', '.join(part.plates)} has no channel {', '.join(lacking)}, which other plates have.")
        below = part.source.relative_to(source).as_posix()
        prefix = "" if below == "." else f"{below}/"
        numbers = np.array([channels.index(name) for name in part.channels], np.int16)
        planes.append(part.planes.assign(path=prefix + part.planes["path"], channel=numbers[part.planes["channel"]]))
        if part.label_images is not None:
            labels.append(part.label_images.assign(path=prefix + part.label_images["path"]))
    table = plane_table(pd.concat(planes, ignore_index=True))
    twice = table.duplicated(PLANE)
    if twice.any():
        row = table[twice].iloc[0]
        raise LayoutError(
            f"plate {row['plate']!r} well {row['well']} is in more than one of the folders. "
            "Give the plates different folder names, or create one study for each."
        )
    return replace(
        parts[0],
        source=source,
        planes=table,
        channels=channels,
        plate_map=_stacked([part.plate_map for part in parts]),
        positions=_stacked([part.positions for part in parts]),
        label_images=_stacked(labels),
        problems=tuple(dict.fromkeys(problems)),
        doubts=tuple(dict.fromkeys(doubt for part in parts for doubt in part.doubts)),
    )


def _stacked(tables: Sequence[pd.DataFrame | None]) -> pd.DataFrame | None:
    there = [table for table in tables if table is not None]
    return pd.concat(there, ignore_index=True) if there else None


def _common_folder(folders: Sequence[Path]) -> Path:
    common = folders[0]
    for folder in folders[1:]:
        while common not in (folder, *folder.parents):
            common = common.parent
    return common
