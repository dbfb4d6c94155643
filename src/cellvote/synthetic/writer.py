"""A simulated plate on disk, as an Operetta or Opera Phenix would leave it."""

from collections.abc import Callable, Generator
from concurrent.futures import BrokenExecutor, Executor, as_completed
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Final

import pandas as pd
import tifffile

from cellvote.errors import WorkerError
from cellvote.synthetic.field import SimulationError, simulate_field
from cellvote.synthetic.harmony_index import INDEX_NAME, harmony_index, image_name
from cellvote.synthetic.painting import CHANNELS
from cellvote.synthetic.plate_design import design_plate
from cellvote.synthetic.settings import PlateSettings

IMAGES_FOLDER: Final = "Images"
PLATE_MAP_NAME: Final = "platemap.csv"
TRUTH_NAME: Final = "truth.csv"

_DECIMALS: Final = 2


@dataclass(frozen=True)
class SimulatedPlate:
    """A plate that was written.

    Attributes
    ----------
    folder
        Holds all of it; give it to `cellvote.plates.layouts.read_plate`.
    settings
        What it was made from.
    plate_map
        One row per well, all text; also in ``plate_map_path``.
    truth
        One row per cell; also in ``truth_path``.
    """

    folder: Path
    settings: PlateSettings
    plate_map: pd.DataFrame
    truth: pd.DataFrame

    @property
    def images_folder(self) -> Path:
        """The folder of the images and their index."""
        return self.folder / IMAGES_FOLDER

    @property
    def plate_map_path(self) -> Path:
        """The plate map as CSV."""
        return self.folder / PLATE_MAP_NAME

    @property
    def truth_path(self) -> Path:
        """The truth as CSV."""
        return self.folder / TRUTH_NAME


def write_plate(
    folder: str | PathLike[str],
    settings: PlateSettings | None = None,
    *,
    executor: Executor | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> SimulatedPlate:
    """Simulate a plate and write its images, index, plate map and truth.

    The index is written last: a folder without one is of a run that was stopped. Running again writes the
    same bytes.

    Parameters
    ----------
    folder
        Made where it is not there.
    settings
        The plate; the usual 96 wells where they are not given.
    executor
        Where fields are simulated; in this process where none is given.
    on_progress
        Called with the fields done and all fields, after each field.

    Raises
    ------
    SimulationError
        Where the folder holds other images, or cannot be written.
    WorkerError
        Where a worker process died.
    """
    settings = settings or PlateSettings()
    folder = Path(folder).absolute()
    images = folder / IMAGES_FOLDER
    try:
        images.mkdir(parents=True, exist_ok=True)
        _check_free(images, settings)
        (images / INDEX_NAME).unlink(missing_ok=True)
        fields = _field_numbers(settings)
        truths: dict[tuple[str, int], pd.DataFrame] = {}
        with closing(_write_fields(images, settings, fields, executor)) as written:
            for place, cells in written:
                truths[place] = cells
                if on_progress:
                    on_progress(len(truths), len(fields))
        truth = pd.concat([truths[place] for place in fields], ignore_index=True)
        return _write_tables(SimulatedPlate(folder, settings, design_plate(settings).plate_map(), truth))
    except OSError as error:
        raise SimulationError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}). "
            "Free some disk space, or choose another folder."
        ) from error


def write_field(images: Path, settings: PlateSettings, well: str, field: int) -> pd.DataFrame:
    """Simulate one field, write one TIFF per channel, and give the truth of its cells."""
    plan = design_plate(settings).wells[well]
    simulated = simulate_field(settings, well, field)
    for channel, plane in enumerate(simulated.image, start=1):
        tifffile.imwrite(
            images / image_name(plan.row, plan.column, field, channel),
            plane,
            compression="lzw",
            predictor=True,
            metadata=None,
            software=False,
            maxworkers=1,
        )
    return simulated.cells.round({"y": _DECIMALS, "x": _DECIMALS})


def _field_numbers(settings: PlateSettings) -> list[tuple[str, int]]:
    wells = design_plate(settings).wells
    return [(well, field) for well in wells for field in range(1, settings.fields_per_well + 1)]


def _check_free(images: Path, settings: PlateSettings) -> None:
    """Let a plate be written over itself, never among other files."""
    own = {
        image_name(plan.row, plan.column, field, channel)
        for plan in design_plate(settings).wells.values()
        for field in range(1, settings.fields_per_well + 1)
        for channel in range(1, len(CHANNELS) + 1)
    }
    there = {path.name for path in images.iterdir() if not path.name.startswith(".")}
    others = sorted(there - own - {INDEX_NAME})
    if others:
        raise SimulationError(f"{images}: holds files of something else, such as {others[0]}. Choose another folder.")


def _write_fields(
    images: Path, settings: PlateSettings, fields: list[tuple[str, int]], executor: Executor | None
) -> Generator[tuple[tuple[str, int], pd.DataFrame], None, None]:
    """Give each field with its truth, in the order in which they are done."""
    write = partial(write_field, images, settings)
    if executor is None:
        yield from ((place, write(*place)) for place in fields)
        return
    futures = {executor.submit(write, *place): place for place in fields}
    try:
        yield from ((futures[future], future.result()) for future in as_completed(futures))
    except BrokenExecutor as error:
        raise WorkerError(
            "a worker process died while the plate was simulated, perhaps for lack of memory. "
            "Run it again with fewer workers."
        ) from error
    finally:
        for future in futures:
            future.cancel()


def _write_tables(plate: SimulatedPlate) -> SimulatedPlate:
    plate.plate_map.to_csv(plate.plate_map_path, index=False, lineterminator="\n")
    plate.truth.to_csv(plate.truth_path, index=False, lineterminator="\n")
    index = harmony_index(plate.settings, design_plate(plate.settings))
    (plate.images_folder / INDEX_NAME).write_bytes(index)
    return plate
