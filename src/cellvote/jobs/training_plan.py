"""The plan of a training: which cells or fields, classes, folds and inputs; decided before anything is computed."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cellvote.errors import ClassesError, SettingsError
from cellvote.jobs.field_measurements import field_feature_names
from cellvote.learning.architectures import find_architecture
from cellvote.learning.classes import ClassSpec, class_of_wells, parse_classes, resolved
from cellvote.learning.groups import group_of_wells
from cellvote.learning.inputs import Inputs, channel_rows
from cellvote.learning.network_training import Stages
from cellvote.learning.settings import TrainSettings
from cellvote.learning.splits import LEARNED_IN, Split, make_split
from cellvote.learning.training import TrainingCells
from cellvote.plates.acquisition import FIELD, place_columns
from cellvote.plates.plate_map import find_column
from cellvote.profiling.measurements import feature_columns
from cellvote.study import Study
from cellvote.study.corrections import refuse_unmeasured_corrections
from cellvote.study.crops import usual_crop_size_px
from cellvote.study.field_flags import FLAGS_COLUMN, has_flag, left_out_note, with_flags
from cellvote.study.illumination import check_cells_are_current


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that is decided before training starts; ``--dry-run`` shows it.

    Attributes
    ----------
    segmentation
        Whose cells are used; empty where whole fields are classified and no cell plays a part.
    cells
        One row per example, so per training cell or field, with ``row`` (its row in the study's table of cells, or
        among its fields), ``class_name``, ``group``, ``fold``.
    wells
        One row per training well: ``plate``, ``well``, ``class_name``, ``group``, ``fold``, ``n_cells``; where images
        have no wells, one row per field, with ``field``.
    fields
        One row per field of these wells, also of those that are left out: ``class_name``, ``group``, ``fold``. A
        field that was not trained on is still of a well that was.
    split
        Which of the wells each fold learns from, and which it holds out.
    left_out
        Which fields are left out for their image quality, in one sentence; empty where none may be.
    """

    spec: ClassSpec
    settings: TrainSettings
    segmentation: str
    classes: tuple[str, ...]
    inputs: Inputs
    cells: pd.DataFrame
    wells: pd.DataFrame
    fields: pd.DataFrame
    split: Split
    left_out: str = ""

    @property
    def n_folds(self) -> int:
        """How many models there will be."""
        return self.split.n_folds

    def training_cells(self) -> TrainingCells:
        """Number the classes and wells."""
        keys = place_columns(self.wells)
        well = pd.MultiIndex.from_frame(self.wells[keys]).get_indexer(pd.MultiIndex.from_frame(self.cells[keys]))
        codes = pd.Index(self.classes).get_indexer(pd.Index(self.cells["class_name"]))
        return TrainingCells(
            codes=codes.astype(np.int64),
            wells=self.wells,
            well=np.asarray(well, np.int64),
            n_classes=len(self.classes),
            split=self.split,
        )

    def stages(self, study: Study) -> Stages:
        """Say which examples each network of the second step is tuned further on.

        Raises
        ------
        PlateMapError
            Where there is no such column.
        """
        if not self.settings.fine_tune_by:
            return Stages()
        column = find_column(study.plate_map, self.settings.fine_tune_by)
        return Stages.of(column, values_of(study, self.cells, column))

    def without(self, fields: pd.DataFrame) -> "TrainingPlan":
        """Leave out fields that turned out not to be readable.

        Parameters
        ----------
        fields
            ``plate``, ``well``, ``field``.
        """
        lost = pd.MultiIndex.from_frame(fields[FIELD])
        cells = self.cells[~pd.MultiIndex.from_frame(self.cells[FIELD]).isin(lost)]
        return replace(self, cells=cells.reset_index(drop=True))


def values_of(study: Study, examples: pd.DataFrame, column: str) -> pd.Series:
    """Give what stands in a plate-map column for the well of each example; empty where nothing does."""
    keys = place_columns(study.plate_map)
    found = examples[keys].merge(study.plate_map[[*keys, column]], on=keys, how="left")[column]
    return found.fillna("").astype("str")


def examples_in(study: Study, unit: str, segmentation: str) -> pd.DataFrame:
    """List all that a study can have classified: one row per measured cell or per field, with ``row``."""
    if unit == "field":
        return pd.DataFrame(study.fields, columns=FIELD).reset_index(names="row")
    return study.read_cells(segmentation).reset_index(names="row")


def plan_training(study: Study, classes: str | ClassSpec, settings: TrainSettings) -> TrainingPlan:
    """Choose cells or fields, classes, folds and inputs; nothing is written.

    Raises
    ------
    ClassesError
        Where the classes cannot be told apart honestly.
    """
    spec = resolved(study.plate_map, parse_classes(classes) if isinstance(classes, str) else classes)
    segmentation = _segmentation(study, settings)
    wells = class_of_wells(study.plate_map, spec)
    table = examples_in(study, settings.unit, segmentation)
    keys = place_columns(wells)
    cells = table.merge(wells, on=keys, how="inner")
    fields = cells[[*FIELD, "class_name"]].drop_duplicates()
    if settings.exclude_border and settings.unit == "cell":
        cells = cells[~cells["touches_border"]]
    cells = with_flags(study, cells, settings.exclude_flags)
    left_out = left_out_note(cells, settings.exclude_flags, "training")
    if settings.exclude_flags:
        cells = cells[~has_flag(cells[FLAGS_COLUMN], settings.exclude_flags)]
    counts = cells.groupby(keys).size().rename("n_cells").reset_index()
    wells = wells.merge(counts, on=keys, how="inner")
    present = spec.class_names or tuple(sorted(wells["class_name"].unique()))
    empty = [name for name in present if name not in set(wells["class_name"])]
    if empty or len(present) < 2:
        what = "cell was measured" if settings.unit == "cell" else "field is there"
        raise ClassesError(f"no {what} in the wells of class {(empty or ['?'])[0]!r}. Segment more wells.")
    wells["group"] = group_of_wells(wells, study.plate_map, settings.split_by)
    split = make_split(
        wells,
        study.plate_map,
        settings.split_by,
        folds=settings.folds,
        leave_one_out=settings.leave_one_out,
        seed=settings.seed,
    )
    wells["fold"] = split.held_out
    if not split.learns_from_all_others:
        wells[LEARNED_IN] = split.learned_in()
    cells = cells.merge(wells[[*keys, "group", "fold"]], on=keys).sort_values("row")
    return TrainingPlan(
        spec,
        settings,
        segmentation,
        present,
        choose_inputs(study, segmentation, settings),
        cells.reset_index(drop=True),
        wells,
        fields.merge(wells[[*keys, "group", "fold", *wells.columns.intersection([LEARNED_IN])]], on=keys),
        split,
        left_out,
    )


def _segmentation(study: Study, settings: TrainSettings) -> str:
    """Name the segmentation whose cells are used; empty where whole fields are classified without any."""
    asked = bool(settings.segmentation) or bool({"mask", "flows"}.intersection(_parts(settings)))
    if settings.unit == "field" and not asked:
        return ""
    name = study.one_segmentation(settings.segmentation)
    check_cells_are_current(study, name)
    refuse_unmeasured_corrections(study, name)
    return name


def _parts(settings: TrainSettings) -> tuple[str, ...]:
    return settings.parts or find_architecture(settings.architecture).parts


def choose_inputs(study: Study, segmentation: str, settings: TrainSettings) -> Inputs:
    """Say what an architecture is fed on this study.

    Raises
    ------
    SettingsError
        Where the architecture cannot be fed that.
    ChannelError
        Where a channel is not there.
    """
    architecture = find_architecture(settings.architecture)
    parts = settings.parts or architecture.parts
    has_images = any(part != "measurements" for part in parts)
    if architecture.kind == "classic" and has_images:
        raise SettingsError(f"{architecture.name} is fed measurements only: leave parts out.")
    if architecture.kind != "classic" and not has_images:
        raise SettingsError(f"{architecture.name} is fed images: parts must have pixels, mask or flows among them.")
    columns: tuple[str, ...] = ()
    if "measurements" in parts:
        columns = settings.measurements or measured_columns(study, settings.unit, segmentation)
    wanted = Inputs(parts=("pixels",), channels=settings.channels or study.channels)
    channels = tuple(study.channels[i] for i in channel_rows(study.channels, wanted))
    return Inputs(
        unit=settings.unit,
        parts=parts,
        separate=architecture.name == "fusion",
        columns=columns,
        channels=channels if "pixels" in parts else study.channels,
        size_px=_size_px(study, segmentation, settings) if has_images else None,
        cut="rescale" if settings.unit == "field" and settings.field_size_px else settings.cut,
        background=settings.background,
        scale=settings.scale,
    )


def measured_columns(study: Study, unit: str, segmentation: str) -> tuple[str, ...]:
    """Name the measurements that there are: of cells, or, where fields have none, of whole images."""
    if unit == "field" and not segmentation:
        return field_feature_names(study)
    return tuple(feature_columns(study.read_cells(segmentation)))


def _size_px(study: Study, segmentation: str, settings: TrainSettings) -> tuple[int, int]:
    """Choose the size of images: as asked, else what shows the cells, and the architecture can take."""
    architecture = find_architecture(settings.architecture)
    if settings.unit == "field":
        if settings.field_size_px:
            return settings.field_size_px
        height, width = study.read_field(study.fields[0]).shape[-2:]
        return height, width
    if settings.crop_size_px:
        return settings.crop_size_px, settings.crop_size_px
    usual = max(usual_crop_size_px(study.read_cells(segmentation)), architecture.least_px)
    side = -(-usual // architecture.multiple_px) * architecture.multiple_px
    return side, side
