"""The plan of a training: which cells or fields, classes, folds and inputs; decided before anything is computed."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from cellvote.errors import ClassesError, SettingsError
from cellvote.jobs.training_inputs import choose_inputs, parts_of
from cellvote.learning.architectures import is_network
from cellvote.learning.classes import ClassSpec, class_of_wells, parse_classes, resolved
from cellvote.learning.groups import group_of_wells
from cellvote.learning.inputs import Inputs
from cellvote.learning.network_training import Stages
from cellvote.learning.settings import TrainSettings
from cellvote.learning.splits import LEARNED_IN, Split, check_each_fold_can_learn, make_split
from cellvote.learning.training import TrainingCells
from cellvote.plates.acquisition import FIELD, place_columns
from cellvote.plates.plate_map import find_column
from cellvote.study import Study
from cellvote.study.corrections import refuse_unmeasured_corrections
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
        """Leave out fields that turned out not to be readable, and wells of which none is left.

        Parameters
        ----------
        fields
            ``plate``, ``well``, ``field``.

        Raises
        ------
        ClassesError
            Where the classes cannot be told apart by what is left.
        """
        lost = pd.MultiIndex.from_frame(fields[FIELD])
        cells = self.cells[~pd.MultiIndex.from_frame(self.cells[FIELD]).isin(lost)]
        keys = place_columns(self.wells)
        there = pd.MultiIndex.from_frame(self.wells[keys]).isin(pd.MultiIndex.from_frame(cells[keys]))
        split = self.split.take(np.asarray(there, bool))
        plain = self.wells.loc[there].drop(columns=["n_cells", "fold", LEARNED_IN], errors="ignore")
        wells = _with_folds(_with_counts(plain, cells), split)
        missing = [name for name in self.classes if name not in set(wells["class_name"])]
        if missing:
            raise ClassesError(f"no field of the class {missing[0]!r} can be read. Copy its images again.")
        check_each_fold_can_learn(wells, split, self.settings.split_by)
        return replace(
            self,
            cells=_in_folds(cells, wells).sort_values("row").reset_index(drop=True),
            wells=wells,
            fields=_in_folds(self.fields, wells),
            split=split,
        )


def values_of(study: Study, examples: pd.DataFrame, column: str) -> pd.Series:
    """Give what stands in a plate-map column for the well of each example; empty where nothing does."""
    keys = place_columns(study.plate_map)
    if column in keys:
        return examples[column].astype("str")
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
    known = examples_in(study, settings.unit, segmentation).merge(wells, on=place_columns(wells), how="inner")
    cells, left_out = _usable(study, known, settings)
    wells = _with_counts(wells, cells)
    present = spec.class_names or tuple(sorted(wells["class_name"].unique()))
    empty = [name for name in present if name not in set(wells["class_name"])]
    if empty or len(present) < 2:
        what = "cell was measured" if settings.unit == "cell" else "field is there"
        raise ClassesError(f"no {what} in the wells of class {(empty or ['?'])[0]!r}. Segment more wells.")
    _check_settings(study, settings, present)
    wells["group"] = group_of_wells(wells, study.plate_map, settings.split_by)
    split = make_split(
        wells,
        study.plate_map,
        settings.split_by,
        folds=settings.folds,
        leave_one_out=settings.leave_one_out,
        seed=settings.seed,
    )
    wells = _with_folds(wells, split)
    return TrainingPlan(
        spec,
        settings,
        segmentation,
        present,
        choose_inputs(study, segmentation, settings),
        _in_folds(cells, wells).sort_values("row").reset_index(drop=True),
        wells,
        _in_folds(known[[*FIELD, "class_name"]].drop_duplicates(), wells),
        split,
        left_out,
    )


def _usable(study: Study, examples: pd.DataFrame, settings: TrainSettings) -> tuple[pd.DataFrame, str]:
    """Leave out what the settings say, and say which fields these are for their image quality."""
    if settings.exclude_border and settings.unit == "cell":
        examples = examples[~examples["touches_border"]]
    examples = with_flags(study, examples, settings.exclude_flags)
    left_out = left_out_note(examples, settings.exclude_flags, "training")
    if settings.exclude_flags:
        examples = examples[~has_flag(examples[FLAGS_COLUMN], settings.exclude_flags)]
    return examples, left_out


def _check_settings(study: Study, settings: TrainSettings, classes: tuple[str, ...]) -> None:
    """See that what networks are trained by goes with the study, before anything is computed."""
    if not is_network(settings.architecture):
        return
    if settings.loss == "binary" and len(classes) != 2:
        raise SettingsError(f"loss=binary is for two classes, and there are {len(classes)}: choose another loss.")
    if settings.fine_tune_by:
        find_column(study.plate_map, settings.fine_tune_by)


def _with_counts(wells: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Count the examples of each well; wells without any are left out."""
    keys = place_columns(wells)
    return wells.merge(cells.groupby(keys).size().rename("n_cells").reset_index(), on=keys, how="inner")


def _with_folds(wells: pd.DataFrame, split: Split) -> pd.DataFrame:
    """Say in which fold each well is held out, and by which it is learned from where these are not all others."""
    wells = wells.assign(fold=split.held_out)
    return wells if split.learns_from_all_others else wells.assign(**{LEARNED_IN: split.learned_in()})


def _in_folds(examples: pd.DataFrame, wells: pd.DataFrame) -> pd.DataFrame:
    """Give examples the group and fold of their well; those of other wells are left out."""
    keys = place_columns(wells)
    told = ["group", "fold", *wells.columns.intersection([LEARNED_IN])]
    plain = examples.drop(columns=[name for name in told if name in examples])
    return plain.merge(wells[[*keys, *told]], on=keys)


def _segmentation(study: Study, settings: TrainSettings) -> str:
    """Name the segmentation whose cells are used; empty where whole fields are classified without any."""
    asked = bool(settings.segmentation) or bool({"mask", "flows"}.intersection(parts_of(settings)))
    if settings.unit == "field" and not asked:
        return ""
    name = study.one_segmentation(settings.segmentation)
    check_cells_are_current(study, name)
    refuse_unmeasured_corrections(study, name)
    return name
