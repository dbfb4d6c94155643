"""How well blurred, empty, saturated and unevenly lit fields are found, on simulated plates; and how fast.

Every field of a plate is simulated in focus; one in eight is then simulated again as the microscope would see it out
of focus, at one blur after another, and the plate is flagged as `cellvote quality` does it.

    python benchmarks/image_quality.py [--pixel-size-um 0.65] [--field-size-px 360] [--wells 96]
    python benchmarks/image_quality.py --images FOLDER

With a folder of images: processor time of decoding every field, and of measuring its quality, in one run.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd

from cellvote.errors import ImageReadError
from cellvote.plates.layouts import read_plate
from cellvote.quality.figures import measure_field
from cellvote.quality.flags import flag_fields
from cellvote.quality.settings import QualitySettings
from cellvote.study import Study
from cellvote.synthetic import CHANNELS, PlateSettings, design_plate, optics, simulate_field
from cellvote.synthetic import field as simulated_field

BLURS_UM = (1.0, 1.5, 2.0, 3.0, 6.0)
ONE_IN = 8


def figures_of(settings: PlateSettings, well: str, blur_um: float | None = None) -> dict[str, object]:
    """Simulate and measure one field: in focus, or blurred as said."""

    def focus(light: np.ndarray, rng: np.random.Generator, pixel_size_um: float, *, in_focus: bool) -> np.ndarray:
        del in_focus
        return optics.focus(light, rng, pixel_size_um, in_focus=blur_um is None)

    scope = replace(optics.MICROSCOPE, out_of_focus_sigma_um=blur_um or 1.0)
    with mock.patch.object(simulated_field, "focus", focus), mock.patch.object(optics, "MICROSCOPE", scope):
        image = simulate_field(settings, well, 1).image
    return {"plate": settings.name, "well": well, "field": 1, **measure_field(image, CHANNELS)}


def time_images(folder: Path) -> dict[str, object]:
    """Measure decoding and measuring of every field of a folder, in processor seconds, the better of two rounds."""
    acquisition = read_plate(folder)
    best = {"decode_s": float("inf"), "measure_s": float("inf")}
    with tempfile.TemporaryDirectory() as temporary:
        study = Study.create(Path(temporary) / "study", acquisition)
        for _ in range(2):
            decode = measure = 0.0
            n_pixels = 0
            for key in study.fields:
                started = time.process_time()
                try:
                    image = study.read_raw_field(key)
                except ImageReadError:
                    continue
                read = time.process_time()
                measure_field(image, study.channels)
                decode, measure = decode + read - started, measure + time.process_time() - read
                n_pixels += image.size
            best = {"decode_s": min(best["decode_s"], decode), "measure_s": min(best["measure_s"], measure)}
    ratio = round(best["measure_s"] / best["decode_s"], 2)
    return {"images": folder.name, "megapixels": round(n_pixels / 1e6, 1), **best, "measure_over_decode": ratio}


def main() -> None:
    """Print one line of JSON for each blur, and one for the plate in focus."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixel-size-um", type=float, default=0.65)
    parser.add_argument("--field-size-px", type=int, default=360)
    parser.add_argument("--cells-per-field", type=float, default=30.0)
    parser.add_argument("--wells", type=int, default=96)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--images", type=Path, nargs="+")
    asked = parser.parse_args()
    if asked.images:
        for folder in asked.images:
            print(json.dumps(time_images(folder)), flush=True)
        return
    settings = PlateSettings(
        fields_per_well=1,
        field_size_px=asked.field_size_px,
        pixel_size_um=asked.pixel_size_um,
        cells_per_field=asked.cells_per_field,
        seed=asked.seed,
    )
    design = design_plate(settings)
    wells = list(design.wells)[:: max(1, len(design.wells) // asked.wells)]
    started = time.perf_counter()
    sharp = {well: figures_of(settings, well) for well in wells}
    seconds = time.perf_counter() - started
    rules = QualitySettings()
    flagged = flag_fields(pd.DataFrame(list(sharp.values())), CHANNELS, rules)
    no_cells = {well for well, plan in design.wells.items() if not plan.treatment.compound}
    said = {
        flag: sorted(flagged.loc[flagged[flag], "well"]) for flag in ("empty", "out_of_focus", "saturated", "uneven")
    }
    print(
        json.dumps({"in_focus": said, "without_cells": sorted(no_cells & set(wells)), "simulated_s": round(seconds, 1)})
    )
    chosen = [well for well in wells[::ONE_IN] if well not in no_cells]
    for blur_um in BLURS_UM:
        rows = sharp | {well: figures_of(settings, well, blur_um) for well in chosen}
        found = flag_fields(pd.DataFrame(list(rows.values())), CHANNELS, rules)
        hits = set(found.loc[found["out_of_focus"], "well"])
        print(
            json.dumps(
                {
                    "blur_um": blur_um,
                    "recall": round(len(hits & set(chosen)) / len(chosen), 3),
                    "precision": round(len(hits & set(chosen)) / len(hits), 3) if hits else None,
                    "n_blurred": len(chosen),
                    "n": len(rows),
                    "taken_for_empty": int(found["empty"].sum()),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
