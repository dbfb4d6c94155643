"""What grey values can reach at most: that by which CellProfiler divides them."""

import numpy as np

from cellvote.errors import ImageReadError
from cellvote.plates.pixels import read_plane
from cellvote.study import Study


def full_scales(study: Study) -> dict[str, float]:
    """Give for each channel the greatest value that its type of image can hold; 1 of floats.

    One plane of each channel is opened. A combined channel has the greatest scale of those that it is made of.

    Raises
    ------
    ImageReadError
        Where a plane cannot be read.
    """
    scales: dict[str, float] = {}
    for number, channel in enumerate(study.info.channels):
        planes = study.planes[study.planes["channel"] == number]
        if planes.empty:
            scales[channel] = 1.0
            continue
        row = planes.iloc[0]
        try:
            dtype = read_plane(study.source / row["path"], int(row["page"]), int(row["sample"])).dtype
        except ImageReadError as error:
            raise ImageReadError(
                f"{error} Its type says by what intensities are divided; --grey-values exports them as they are."
            ) from error
        scales[channel] = float(np.iinfo(dtype.name).max) if np.issubdtype(dtype, np.integer) else 1.0
    for combined in study.info.reading.combine:
        scales[combined.name] = max(scales[name] for name in combined.of)
    return scales
