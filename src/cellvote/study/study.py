"""The study: the folder that CellVote writes, one sub-folder a step; source images are only read."""

import shutil
import tempfile
from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from cellvote.errors import SegmentationError, StudyError
from cellvote.plates.acquisition import FIELD, LABEL_COLUMNS, POSITION_COLUMNS, Acquisition, FieldKey, place_columns
from cellvote.plates.fields import FieldReading, read_field
from cellvote.plates.pixels import Pixels
from cellvote.plates.plate_map import checked_plate_map, read_and_join, treatments
from cellvote.study.atomic import read_table, write_json, write_table
from cellvote.study.field_choice import choose_fields
from cellvote.study.flows import Flows, read_flows
from cellvote.study.illumination import corrected
from cellvote.study.info import RESTORE, SCHEMA_VERSION, StudyInfo, read_info
from cellvote.study.places import SUFFIX, checked_name, field_file, study_path

__all__ = ["SCHEMA_VERSION", "SUFFIX", "Study", "StudyInfo", "checked_name", "field_file", "study_path"]


class Study:
    """A study on disk.

    Open one with `Study.open`, make one with `Study.create`. Tables are read when first asked for.
    """

    def __init__(self, path: Path, info: StudyInfo) -> None:
        self.path = path
        self.info = info

    def __repr__(self) -> str:
        return f"Study({str(self.path)!r})"

    @classmethod
    def create(
        cls,
        path: str | PathLike[str],
        acquisition: Acquisition,
        plate_map: str | PathLike[str] | pd.DataFrame | Sequence[str | PathLike[str] | pd.DataFrame] = (),
        *,
        reading: FieldReading | None = None,
    ) -> Self:
        """Make a study of an acquisition; nothing is written unless everything fits.

        Parameters
        ----------
        path
            Where; ``.cellvote`` is appended where it is missing.
        plate_map
            Files (CSV, TSV, XLSX) or tables with a ``well`` column, one or several; and tables without wells, to be
            joined to them by what they have in common.
        reading
            What becomes of z-stacks, and which channels are combined.

        Raises
        ------
        StudyError
            Where something is there already, or the folder cannot be written.
        ChannelError
            Where a combined channel is made of channels that are not there.
        PlateMapError
            Where a plate map cannot be read or fits no image.
        """
        path = study_path(path)
        if path.exists():
            raise StudyError(f"{path}: is there already. Open it, or choose another name.")
        reading = reading or FieldReading()
        reading.check(acquisition.channels, acquisition.planes["z"].unique().tolist())
        given = [plate_map] if isinstance(plate_map, str | PathLike | pd.DataFrame) else list(plate_map)
        acquisition, table, problems = read_and_join(acquisition, given)
        info = StudyInfo(
            source=acquisition.source.absolute().as_posix(),
            layout=acquisition.layout,
            channels=acquisition.channels,
            pixel_size_um=acquisition.pixel_size_um,
            reading=reading,
            problems=(*acquisition.problems, *map(str, acquisition.doubts), *problems),
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as temporary:
                draft = Path(temporary) / "study"
                write_table(draft / "images.parquet", acquisition.planes)
                write_table(draft / "platemap.parquet", table)
                if acquisition.positions is not None:
                    write_table(draft / "positions.parquet", acquisition.positions.astype(POSITION_COLUMNS))
                if acquisition.label_images is not None:
                    write_table(draft / "labels.parquet", acquisition.label_images.astype(LABEL_COLUMNS))
                write_json(draft / "study.json", info.model_dump(mode="json"))
                draft.replace(path)
        except OSError as error:
            raise StudyError(f"{path}: the study cannot be written ({error.strerror}).") from error
        return cls(path, info)

    @classmethod
    def open(cls, path: str | PathLike[str]) -> Self:
        """Open a study.

        Raises
        ------
        StudyError
            Where there is none, or it was written by a newer CellVote.
        """
        path = study_path(path)
        if not (path / "study.json").is_file():
            raise StudyError(f"{path}: there is no study here. Make one with: cellvote create {path} IMAGES")
        return cls(path, read_info(path / "study.json"))

    # What was imaged

    @property
    def channels(self) -> tuple[str, ...]:
        """Channel names, in order: those on disk, then the combined ones."""
        return self.info.reading.channels(self.info.channels)

    @property
    def source(self) -> Path:
        """The folder of the images."""
        return Path(self.info.source)

    @cached_property
    def planes(self) -> pd.DataFrame:
        """One row per image plane.

        Raises
        ------
        StudyError
            Where a path leaves the folder of the images: nothing is read from elsewhere.
        """
        table = read_table(self.path / "images.parquet", remedy=RESTORE)
        if "sample" not in table:
            table["sample"] = np.int8(0)
        self._refuse_strays(table)
        wells = pd.Series(table["well"].unique(), dtype="str")
        wrong = wells[~wells.str.fullmatch(r"(?:[A-Z]{1,2}\d\d)?")]
        if len(wrong):
            raise StudyError(f"{self.path}: names the well {wrong.iloc[0]!r}: images.parquet is damaged.")
        return table

    def _refuse_strays(self, table: pd.DataFrame) -> None:
        strays = table["path"].str.contains(r"(?:^|[/\\])\.\.(?:[/\\]|$)|^[/\\]|^[A-Za-z]:", regex=True)
        if strays.any():
            stray = table.loc[strays, "path"].iloc[0]
            raise StudyError(f"{self.path}: names the image {stray!r}, outside its source folder: refused.")

    @cached_property
    def _planes_of(self) -> dict[FieldKey, slice]:
        """Where the planes of each field lie in the table, which is sorted by field."""
        if not len(self.planes):
            return {}
        codes = np.stack([pd.factorize(self.planes[name])[0] for name in FIELD])
        starts = np.flatnonzero(np.r_[True, (np.diff(codes) != 0).any(axis=0)])
        ends = np.r_[starts[1:], len(self.planes)]
        names = self.planes[FIELD].iloc[starts].itertuples(index=False, name=None)
        return {
            FieldKey(str(p), str(w), int(f)): slice(start, end)
            for (p, w, f), start, end in zip(names, starts.tolist(), ends.tolist(), strict=True)
        }

    @cached_property
    def positions(self) -> pd.DataFrame | None:
        """Stage positions of the fields: ``plate``, ``well``, ``field``, ``x_um``, ``y_um``; None where not known."""
        path = self.path / "positions.parquet"
        return read_table(path, remedy=RESTORE) if path.exists() else None

    @cached_property
    def source_labels(self) -> pd.DataFrame | None:
        """Label images that lie beside the source images: the columns of `LABEL_COLUMNS`; None where there are none.

        Raises
        ------
        StudyError
            Where a path leaves the folder of the images.
        """
        path = self.path / "labels.parquet"
        if not path.exists():
            return None
        table = read_table(path, remedy=RESTORE)
        self._refuse_strays(table)
        return table

    @cached_property
    def plate_map(self) -> pd.DataFrame:
        """One row per well: ``plate``, ``well``, ``imaged``, then the columns of the plate maps as text."""
        return read_table(self.path / "platemap.parquet", remedy=RESTORE)

    def write_plate_map(self, table: pd.DataFrame) -> None:
        """Replace the plate map by an edited one, of the same wells; the old one stays where it cannot be written.

        Parameters
        ----------
        table
            ``plate``, ``well``, then any columns; entries become text. ``imaged`` stays as it was.

        Raises
        ------
        PlateMapError
            Where a well is missing, new or there twice, or an entry cannot be saved.
        StudyError
            Where the file cannot be written.
        """
        write_table(self.path / "platemap.parquet", checked_plate_map(table, self.plate_map))
        self.__dict__.pop("plate_map", None)
        self.__dict__.pop("treatments", None)

    @cached_property
    def treatments(self) -> pd.DataFrame:
        """``plate``, ``well``, ``treatment`` of every well that has one; ``field`` too where images have no wells."""
        table = self.plate_map[place_columns(self.plate_map)].assign(treatment=treatments(self.plate_map))
        return table[table["treatment"] != ""]

    @property
    def plates(self) -> list[str]:
        """Plate names, sorted."""
        return sorted(self.planes["plate"].unique())

    @cached_property
    def fields(self) -> list[FieldKey]:
        """Every imaged field, sorted."""
        return sorted(self._planes_of)

    def select_fields(self, wells: str = "") -> list[FieldKey]:
        """Choose fields by their wells; all of them where nothing is given.

        Parameters
        ----------
        wells
            Parts with commas between them, ``*`` and ``?`` standing for any letters: ``A01``, ``B*``; a well of one
            plate, ``PLATE/A01``; a whole plate, ``PLATE/*``. A part with a comma in it stands in double quotes.

        Raises
        ------
        SettingsError
            Where a part of the choice fits no imaged well.
        """
        return choose_fields(self.fields, wells)

    def planes_of(self, key: FieldKey) -> pd.DataFrame:
        """The image planes of one field.

        Raises
        ------
        StudyError
            Where it was not imaged.
        """
        try:
            return self.planes.iloc[self._planes_of[key]]
        except KeyError:
            raise StudyError(f"{key}: was not imaged.") from None

    def read_field(self, key: FieldKey) -> Pixels:
        """Read all channels of one field as CYX, corrected for illumination where the study is set to that.

        Raises
        ------
        ImageReadError
            Where a file is missing or damaged.
        StudyError
            Where the study is set to correct, and the correction is not there or does not fit.
        """
        return corrected(self, key, self.read_raw_field(key))

    def read_raw_field(self, key: FieldKey) -> Pixels:
        """Read all channels of one field as CYX, as the camera saw them.

        Raises
        ------
        ImageReadError
            Where a file is missing or damaged.
        """
        return read_field(self.source, self.planes_of(key), self.info.channels, key, self.info.reading)

    # Where each step keeps its results

    def segmentation_folder(self, segmentation: str) -> Path:
        """The folder of one segmentation."""
        return self.path / "segmentations" / checked_name(segmentation)

    def mask_path(self, segmentation: str, key: FieldKey, kind: str = "masks") -> Path:
        """The label image of a field; ``kind`` is ``masks``, ``nuclei`` or ``flows``."""
        return self.segmentation_folder(segmentation) / kind / field_file(key, ".tif")

    def read_flows(self, segmentation: str, key: FieldKey) -> Flows:
        """Read the flows of a field: 3YX float32 (dY, dX, cell probability).

        Raises
        ------
        SegmentationError
            Where its segmentation kept none.
        ImageReadError
            Where the file is damaged.
        """
        return read_flows(self.mask_path(segmentation, key, "flows"))

    def cells_path(self, segmentation: str) -> Path:
        """The table with one row per cell."""
        return self.segmentation_folder(segmentation) / "cells.parquet"

    def read_cells(self, segmentation: str, columns: list[str] | None = None) -> pd.DataFrame:
        """Read the measurements of a segmentation.

        Raises
        ------
        SegmentationError
            Where nothing has been measured yet.
        """
        path = self.cells_path(segmentation)
        if not path.exists():
            raise SegmentationError(
                f"{self.path}: nothing is measured for the segmentation {segmentation!r}. "
                f"Run: cellvote measure {self.path}"
            )
        return read_table(path, columns)

    def model_folder(self, model: str) -> Path:
        """The classifier folder of a model of this study."""
        return self.path / "models" / checked_name(model)

    def predictions_folder(self, model: str) -> Path:
        """The predictions and votes of a model."""
        return self.path / "predictions" / checked_name(model)

    def _names_in(self, folder: str, marker: str) -> list[str]:
        root = self.path / folder
        return sorted(p.parent.name for p in root.glob(f"*/{marker}")) if root.is_dir() else []

    @property
    def segmentations(self) -> list[str]:
        """Names of the segmentations, sorted."""
        return self._names_in("segmentations", "segmentation.json")

    @property
    def models(self) -> list[str]:
        """Names of the trained classifiers, sorted."""
        return self._names_in("models", "model.json")

    @property
    def predictions(self) -> list[str]:
        """Names of the models that predicted this study, sorted."""
        return self._names_in("predictions", "cells.parquet")

    def one_segmentation(self, name: str = "") -> str:
        """Take the segmentation asked for, or the only one that there is.

        Raises
        ------
        SegmentationError
            Where it is not there, there is none, or there are several and none was named.
        """
        there = self.segmentations
        if not there:
            raise SegmentationError(f"{self.path}: is not segmented. Run: cellvote segment {self.path}")
        if name and name not in there:
            raise SegmentationError(f"there is no segmentation {name!r}; there are: {', '.join(there)}.")
        if not name and len(there) > 1:
            raise SegmentationError(
                f"there are several segmentations ({', '.join(there)}): name one with --segmentation."
            )
        return name or there[0]

    def remove(self, folder: Path) -> None:
        """Delete one result of this study.

        Raises
        ------
        StudyError
            Where the folder is not inside the study.
        """
        if self.path.resolve() not in folder.resolve().parents:
            raise StudyError(f"{folder}: is not inside {self.path}: not deleted.")
        shutil.rmtree(folder)
