"""Measuring cells: our core measurements against scikit-image's ``regionprops_table``, in one run on one core.

    python benchmarks/measurements.py

Both measure the same fields of the simulated plate, the same properties, in all channels.
"""

import json
import time
from collections.abc import Callable

import numpy as np
from skimage.measure import regionprops_table

from cellvote.profiling import measure_cells
from cellvote.synthetic import CHANNELS, PlateSettings, design_plate, simulate_field

PROPERTIES = (
    "label",
    "area",
    "area_convex",
    "perimeter",
    "eccentricity",
    "axis_major_length",
    "axis_minor_length",
    "orientation",
    "solidity",
    "extent",
    "centroid",
    "bbox",
    "intensity_mean",
    "intensity_min",
    "intensity_max",
    "intensity_std",
)


def main() -> None:
    """Measure both, alternating, and print one JSON value."""
    settings = PlateSettings(field_size_px=1080, cells_per_field=250)
    wells = [well for well, plan in design_plate(settings).wells.items() if plan.treatment.compound == "DMSO"][:3]
    fields = [simulate_field(settings, well) for well in wells]
    n_cells = sum(int(field.label_image.max()) for field in fields)
    ours, theirs = [], []
    for field in fields:
        ours.append(seconds(lambda f=field: measure_cells(f.image, f.label_image, CHANNELS)))
        theirs.append(
            seconds(
                lambda f=field: regionprops_table(f.label_image, np.moveaxis(f.image, 0, -1), properties=PROPERTIES)
            )
        )
    result = {
        "cells": n_cells,
        "channels": len(CHANNELS),
        "ours_cells_per_s": round(n_cells / sum(ours)),
        "regionprops_cells_per_s": round(n_cells / sum(theirs)),
        "times_faster": round(sum(theirs) / sum(ours), 2),
    }
    print(json.dumps(result, indent=2))


def seconds(call: Callable[[], object]) -> float:
    """Take the best of three."""
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - started)
    return best


if __name__ == "__main__":
    main()
