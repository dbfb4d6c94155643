"""What is known of a plate: read from the study's tables once, then asked for by well and field; no window here."""

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from cellvote.errors import CellVoteError
from cellvote.gui.predicted import Predicted, Well, read_predicted
from cellvote.plates.acquisition import FIELD, WELL, FieldKey
from cellvote.profiling.aggregate import read_measurement_names
from cellvote.quality.wells import read_quality_of_wells
from cellvote.study import Study
from cellvote.study.ledger import Ledger


@dataclass(frozen=True)
class PlateFacts:
    """What the plate view and its tooltips tell.

    Attributes
    ----------
    wells
        What the plate map says of each well: column to text.
    imaged
        The wells that have images.
    columns
        The text columns of the plate map.
    treatments
        The treatment of each well that has one.
    n_fields
        Imaged fields of each well.
    n_cells
        Segmented cells of each well; a well that is not segmented is not in it.
    segmented
        Fields of each well that were segmented.
    failed
        Why fields failed.
    segmentation
        The masks that cells and failures were counted in.
    measurements
        What was measured of their cells.
    cells_version
        Changes when the cells are measured anew.
    problem
        Why the predictions cannot be shown, where they cannot.
    images
        Where images have no wells: what the plate map says of each of them.
    quality
        What image quality says of each well, by column of `quality.wells.read_quality_of_wells`; empty where it was
        not assessed.
    """

    wells: dict[Well, dict[str, str]]
    imaged: frozenset[Well] = frozenset()
    columns: tuple[str, ...] = ()
    treatments: dict[Well, str] = field(default_factory=dict)
    n_fields: dict[Well, int] = field(default_factory=dict)
    n_cells: dict[Well, int] = field(default_factory=dict)
    segmented: dict[Well, int] = field(default_factory=dict)
    failed: dict[FieldKey, str] = field(default_factory=dict)
    segmentation: str = ""
    measurements: tuple[str, ...] = ()
    cells_version: tuple[int, int] = (0, 0)
    predicted: Predicted | None = None
    problem: str = ""
    images: dict[FieldKey, dict[str, str]] = field(default_factory=dict)
    quality: dict[str, dict[Well, float]] = field(default_factory=dict)

    @cached_property
    def failed_wells(self) -> dict[Well, list[str]]:
        """What went wrong in each well where something did."""
        wells: dict[Well, list[str]] = {}
        for key, error in sorted(self.failed.items()):
            wells.setdefault((key.plate, key.well), []).append(error)
        return wells

    @cached_property
    def wells_of(self) -> dict[str, list[Well]]:
        """The wells of each plate, imaged or only on the plate map; places without a well are none."""
        plates: dict[str, list[Well]] = {}
        for well in self.wells:
            if well[1]:
                plates.setdefault(well[0], []).append(well)
        return plates

    @cached_property
    def control_column(self) -> str:
        """The column of the plate map that says which wells are controls; empty where there is none."""
        if CONTROL_TYPE in self.columns:
            return CONTROL_TYPE
        return next((name for name in self.columns if _letters(name) in _CONTROL_NAMES), "")

    def wholly_failed(self, well: Well) -> bool:
        """Whether every field of a well that was tried failed."""
        return well in self.failed_wells and well not in self.n_cells


CONTROL_TYPE: Final = "control_type"
_CONTROL_NAMES: Final = frozenset({"controltype", "metadatacontroltype"})


def _letters(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalpha())


def read_facts(study: Study, segmentation: str = "", model: str = "") -> PlateFacts:
    """Read what is known of the wells of a study.

    Parameters
    ----------
    segmentation, model
        Names in the study; left out where nothing is segmented or predicted yet.
    """
    rows = study.plate_map.to_dict("records")
    columns = tuple(str(c) for c in study.plate_map.columns if c not in {*FIELD, "imaged"})
    images = read_images(study)
    wells = {
        (str(row["plate"]), str(row["well"])): {name: str(row[name]) for name in columns if row["well"] or not images}
        for row in rows
    }
    imaged = frozenset((str(row["plate"]), str(row["well"])) for row in rows if row["imaged"])
    treated = study.treatments.to_dict("records")
    predicted, problem = None, ""
    if model:
        try:
            predicted = read_predicted(study, model)
        except CellVoteError as error:
            problem = str(error)
    facts = PlateFacts(
        wells=wells,
        images=images,
        imaged=imaged,
        columns=columns,
        treatments={(str(r["plate"]), str(r["well"])): str(r["treatment"]) for r in treated if not images or r["well"]},
        n_fields=dict(Counter((key.plate, key.well) for key in study.fields)),
        predicted=predicted,
        problem=problem,
        quality=read_quality(study),
    )
    return with_counts(facts, study, segmentation) if segmentation else facts


def read_quality(study: Study) -> dict[str, dict[Well, float]]:
    """Read what image quality says of each well; nothing where it was not assessed, or the table is damaged."""
    try:
        table = read_quality_of_wells(study, study.channels)
    except CellVoteError:
        return {}
    wells = list(zip(table["plate"].tolist(), table["well"].tolist(), strict=True))
    columns = [str(name) for name in table if name not in WELL] if wells else []
    return {name: dict(zip(wells, table[name].tolist(), strict=True)) for name in columns}


def read_images(study: Study) -> dict[FieldKey, dict[str, str]]:
    """Tell what the plate map says of each image that has no well; nothing where all have one."""
    table = study.plate_map
    if "field" not in table:
        return {}
    table = table[(table["well"] == "").to_numpy() & table["imaged"].to_numpy()]
    columns = [str(column) for column in table.columns if column not in {*FIELD, "imaged"}]
    keys = zip(table["plate"].tolist(), table["field"].tolist(), strict=True)
    texts = zip(*(table[column].astype("str").tolist() for column in columns), strict=True) if columns else None
    rows = [dict(zip(columns, row, strict=True)) for row in texts] if texts else [{} for _ in range(len(table))]
    return {FieldKey(str(plate), "", int(number)): row for (plate, number), row in zip(keys, rows, strict=True)}


def with_counts(facts: PlateFacts, study: Study, segmentation: str) -> PlateFacts:
    """Count cells and failures anew while fields are being segmented; all else stays."""
    folder = study.segmentation_folder(segmentation)
    segmented, measured = (Ledger(folder / name) for name in ("fields.parquet", "measured.parquet"))
    n_cells: Counter[Well] = Counter()
    n_segmented: Counter[Well] = Counter()
    for record in segmented.done().values():
        n_cells[record.plate, record.well] += record.n_cells
        n_segmented[record.plate, record.well] += 1
    failed = {record.key: record.error for ledger in (segmented, measured) for record in ledger.failed()}
    return replace(
        facts,
        n_cells=dict(n_cells),
        segmented=dict(n_segmented),
        failed=failed,
        segmentation=segmentation,
        measurements=read_measurement_names(study, segmentation),
        cells_version=_version(study.cells_path(segmentation)),
    )


def _version(path: Path) -> tuple[int, int]:
    """Tell a table from the one that another run wrote: when it was written, and its size."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (state.st_mtime_ns, state.st_size)
