"""Flags of fields: what the image-quality step wrote, and which fields a rule leaves out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, get_args

import pandas as pd

from cellvote.errors import StudyError
from cellvote.plates.acquisition import FIELD
from cellvote.study.atomic import file_checksum, read_table
from cellvote.study.study import Study

Flag = Literal["empty", "out_of_focus", "saturated", "uneven"]
"""What can be wrong with a field."""

FLAGS: Final[tuple[Flag, ...]] = get_args(Flag)

FLAGS_COLUMN: Final = "flags"
"""The column that names the flags of a row's field, such as ``empty, saturated``; empty where it has none."""


def quality_path(study: Study) -> Path:
    """The table with one row per field: its figures, flags and reasons."""
    return study.path / "quality" / "fields.parquet"


def read_quality(study: Study, columns: list[str] | None = None) -> pd.DataFrame:
    """Read the image quality of the fields.

    Raises
    ------
    StudyError
        Where it was not assessed yet.
    """
    path = quality_path(study)
    if not path.exists():
        raise StudyError(f"{study.path}: image quality was not assessed. Run: cellvote quality {study.path}")
    return read_table(path, columns)


def quality_checksum(study: Study, flags: Sequence[str]) -> str:
    """Name the table that a rule looked at; empty where it looked at none."""
    return file_checksum(quality_path(study)) if flags else ""


def with_flags(study: Study, table: pd.DataFrame, flags: Sequence[str]) -> pd.DataFrame:
    """Add the column ``flags`` where a rule needs it; the order of the rows stays.

    Parameters
    ----------
    table
        ``plate``, ``well``, ``field``.
    flags
        The rule: flags that leave a field out. With none the table is given back as it is.

    Raises
    ------
    StudyError
        Where image quality was not assessed, or some of these fields were not.
    """
    if not flags:
        return table
    quality = read_quality(study, [*FIELD, *FLAGS])
    names = [", ".join(flag for flag in FLAGS if row[flag]) for row in quality[list(FLAGS)].to_dict("records")]
    known = quality[FIELD].assign(**{FLAGS_COLUMN: pd.Series(names, dtype="str", index=quality.index)})
    joined = table.drop(columns=FLAGS_COLUMN, errors="ignore").merge(known, on=FIELD, how="left")
    missing = joined[FLAGS_COLUMN].isna()
    if missing.any():
        plate, well, field = joined.loc[missing, FIELD].iloc[0]
        raise StudyError(
            f"{plate}/{well} field {field}: its image quality was not assessed. Run: cellvote quality {study.path}"
        )
    return joined.set_axis(table.index)


def has_flag(flags: pd.Series, wanted: Sequence[str]) -> pd.Series:
    """Say which rows have one of some flags."""
    return flags.map(lambda text: not set(wanted).isdisjoint(text.split(", "))).astype(bool)


def left_out_note(flagged: pd.DataFrame, wanted: Sequence[str], what: str) -> str:
    """Say how many fields a rule leaves out, and why; empty where there is no rule.

    Parameters
    ----------
    flagged
        Rows with ``plate``, ``well``, ``field`` and ``flags``, before any is left out.
    what
        What they are left out of, such as ``training``.
    """
    if not wanted:
        return ""
    fields = flagged.drop_duplicates(FIELD)[[*FIELD, FLAGS_COLUMN]]
    out = fields[has_flag(fields[FLAGS_COLUMN], wanted)]
    rule = " or ".join(name.replace("_", " ") for name in wanted)
    if out.empty:
        return f"no field is left out of {what}: of {len(fields)} none is {rule}."
    counts = {name: int(has_flag(out[FLAGS_COLUMN], [name]).sum()) for name in wanted}
    listed = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in counts.items() if n)
    return f"{len(out)} of {len(fields)} fields are left out of {what} for their image quality: {listed}."
