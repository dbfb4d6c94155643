"""CZI, ND2 and LIF files: the scenes of each are wells where they are called so, else numbered fields."""

from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from cellvote.errors import LayoutError
from cellvote.plates.acquisition import Acquisition, plane_table
from cellvote.plates.layouts.base import Folder
from cellvote.plates.layouts.file_stacks import stacked_planes
from cellvote.plates.layouts.image_folder import field_names
from cellvote.plates.layouts.named_groups import check_unique, natural, plate_of
from cellvote.plates.pixels import CONTAINER_SUFFIXES

_ENDINGS = tuple(CONTAINER_SUFFIXES)
_SCORE = 0.55


class Containers:
    """Proprietary files that hold many planes, read through bioio (extra ``containers``).

    Files whose own names tell a well are of the layout ``well-names``.
    """

    name = "containers"
    example = "plate1.czi"

    def recognise(self, folder: Folder) -> float:
        """Say which share of the images are such files; less than layouts that know the names."""
        sample = folder.sample()
        share = sum(path.lower().endswith(_ENDINGS) for path in sample) / len(sample) if sample else 0.0
        return share * _SCORE if not folder.only else share

    def read(self, folder: Folder) -> Acquisition:
        """Index every plane of every file; each file with wells is a plate of its own."""
        paths = sorted((path for path in folder.images if path.lower().endswith(_ENDINGS)), key=natural)
        if not paths:
            raise LayoutError(f"{folder.path}: holds no CZI, ND2 or LIF files.")
        files = pd.DataFrame({"path": pd.array(paths, dtype="str"), "well": "", "field": np.arange(1, len(paths) + 1)})
        files["plate"] = [PurePosixPath(path).stem for path in paths]
        held = stacked_planes(folder.path, files)
        table = held.planes
        no_well = table["well"] == ""
        if no_well.any() and len(paths) > 1:
            of_folder = [plate_of(folder, path.rpartition("/")[0]) for path in table["path"]]
            table = table.assign(plate=table["plate"].where(~no_well, pd.Series(of_folder, dtype="str")))
            keys = table["path"] + "\n" + table["field"].astype("str")
            numbers = pd.factorize(keys)[0] + 1
            table["field"] = table["field"].where(~no_well, pd.Series(numbers))
        planes = plane_table(table)
        check_unique(folder, planes)
        return Acquisition(
            folder.path,
            self.name,
            planes,
            held.channels,
            held.pixel_size_um,
            plate_map=field_names(table) if no_well.any() else None,
            problems=held.problems,
            doubts=held.doubts,
        )
