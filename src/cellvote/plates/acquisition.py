"""An acquisition: every image plane of one or more plates, as found on disk."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

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
}
"""Columns and dtypes of an image-plane table; ``channel`` is an index into the channel names."""

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
    """

    source: Path
    layout: str
    planes: pd.DataFrame
    channels: tuple[str, ...]
    pixel_size_um: float | None = None
    plate_map: pd.DataFrame | None = None
    problems: tuple[str, ...] = ()

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
            "wells": len(self.wells),
            "fields": len(self.fields),
            "channels": list(self.channels),
            "planes": len(self.planes),
            "pixel_size_um": self.pixel_size_um,
            "problems": list(self.problems),
        }


def field_keys(table: pd.DataFrame) -> list[FieldKey]:
    """Every field named in a table with the columns of `FIELD`, each once, sorted."""
    unique = table[FIELD].drop_duplicates().sort_values(FIELD)
    return [FieldKey(str(p), str(w), int(f)) for p, w, f in unique.itertuples(index=False, name=None)]


def plane_table(rows: Sequence[dict[str, Any]] | pd.DataFrame) -> pd.DataFrame:
    """Make an image-plane table: fill what is missing with one plate, field 1, first z and time, sort."""
    table = pd.DataFrame(rows)
    defaults: dict[str, str | int] = {"plate": "plate", "field": 1, "channel": 0, "z": 1, "timepoint": 1, "page": 0}
    for column, value in defaults.items():
        table[column] = value if column not in table else table[column].where(table[column].notna(), value)
    order = ["plate", "well", "field", "timepoint", "z", "channel"]
    return table[list(PLANE_COLUMNS)].astype(PLANE_COLUMNS).sort_values(order, ignore_index=True)


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
    """Put the plates of several folders into one acquisition.

    Raises
    ------
    LayoutError
        Where their channels differ, or two folders hold the same plate and well.
    """
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    for part in parts[1:]:
        if part.channels != first.channels:
            raise LayoutError(
                f"{part.source} has the channels {', '.join(part.channels)}, but {first.source} has "
                f"{', '.join(first.channels)}. Create one study for each."
            )
    source = Path(_common_folder([part.source for part in parts]))
    tables = []
    for part in parts:
        below = part.source.relative_to(source).as_posix()
        prefix = "" if below == "." else f"{below}/"
        tables.append(part.planes.assign(path=prefix + part.planes["path"]))
    planes = plane_table(pd.concat(tables, ignore_index=True))
    twice = planes.duplicated(["plate", "well", "field", "channel", "z", "timepoint"])
    if twice.any():
        row = planes[twice].iloc[0]
        raise LayoutError(
            f"plate {row['plate']!r} well {row['well']} is in more than one of the folders. "
            "Give the plates different folder names, or create one study for each."
        )
    maps = [part.plate_map for part in parts if part.plate_map is not None]
    return replace(
        first,
        source=source,
        planes=planes,
        plate_map=pd.concat(maps, ignore_index=True) if maps else None,
        problems=tuple(problem for part in parts for problem in part.problems),
    )


def _common_folder(folders: Sequence[Path]) -> Path:
    common = folders[0]
    for folder in folders[1:]:
        while common not in (folder, *folder.parents):
            common = common.parent
    return common
