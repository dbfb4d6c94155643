"""Sample data: a small simulated plate as a study, ready to segment and train on."""

import os
import shutil
from pathlib import Path
from typing import Any, Final

from cellvote.gui.readers import LayerData, offer_plate_dock, study_layers
from cellvote.study import Study

_NAME: Final = "simulated plate"


def simulated_plate() -> list[LayerData]:
    """Give the layers of the first field of a simulated plate; the Plate dock opens beside.

    The plate is made once, in the cache folder, in a few seconds: 24 wells, two fields each, three channels,
    four classes in the plate-map column ``moa``.
    """
    study = sample_study(cache_folder())
    offer_plate_dock()
    return study_layers(study)


def cache_folder() -> Path:
    """Where samples are kept: ``$XDG_CACHE_HOME/cellvote``, or ``~/.cache/cellvote``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cellvote"


def sample_study(folder: Path, **settings: Any) -> Study:
    """Open the sample study in a folder, made where it is not there whole.

    Parameters
    ----------
    settings
        Of the simulated plate, in place of the usual ones.
    """
    path = folder / f"{_NAME}.cellvote"
    if (path / "study.json").is_file():
        return Study.open(path)
    from cellvote.plates.layouts import read_plate
    from cellvote.synthetic import PlateSettings, write_plate

    shutil.rmtree(path, ignore_errors=True)
    usual: dict[str, Any] = {"rows": 4, "columns": 6, "fields_per_well": 2, "field_size_px": 360}
    plate = write_plate(folder / _NAME, PlateSettings(**{**usual, **settings}))
    return Study.create(path, read_plate(plate.folder), plate.plate_map_path)
