"""The overview of a plate: seconds to the first wells, to all of them, and when it is opened again.

    python benchmarks/overview.py [--wells 384] [--workers 2]

384 wells of five channels of 1080 × 1080 pixels of 16 bits, LZW; a few simulated fields, under a name for each well.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import tifffile

from cellvote.jobs.overview import fill_overview, open_overview
from cellvote.plates.layouts import read_plate
from cellvote.study import Study
from cellvote.synthetic import PlateSettings, design_plate, simulate_field

N_FIELDS = 8
COLUMNS = 24
LIMITS = {"first_wells_s": 1.0, "all_wells_s": 60.0, "cached_s": 0.5}


def main() -> None:
    """Build one overview, and print one JSON value."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wells", type=int, default=384)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        images = write_images(Path(folder) / "plate", arguments.wells)
        n_bytes = sum(path.stat().st_size for path in images.iterdir())
        study = Study.create(Path(folder) / "bench", read_plate(images))
        result = {
            "wells": len(study.fields),
            "channels": len(study.channels),
            "gigabytes": round(n_bytes / 1e9, 2),
            "workers": arguments.workers,
            **build(study, arguments.workers),
            "decoding_one_after_the_other_s": decode_s(images),
            "limits": LIMITS,
        }
    print(json.dumps(result, indent=2))


def write_images(folder: Path, n_wells: int) -> Path:
    """Write a few fields of five channels, and link them under the names of all wells."""
    folder.mkdir()
    settings = PlateSettings(field_size_px=1080, cells_per_field=250)
    wells = list(design_plate(settings).wells)[:N_FIELDS]
    for number, well in enumerate(wells):
        image = simulate_field(settings, well).image
        for channel in range(5):
            tifffile.imwrite(
                folder.parent / f"{number}-{channel}.tif",
                image[channel % len(image)],
                compression="lzw",
                predictor=True,
                metadata=None,
            )
    for number in range(n_wells):
        row, column = divmod(number, COLUMNS)
        for channel in range(5):
            os.link(
                folder.parent / f"{number % N_FIELDS}-{channel}.tif",
                folder / f"r{row + 1:02d}c{column + 1:02d}f01p01-ch{channel + 1}sk1fk1fl1.tiff",
            )
    return folder


def build(study: Study, workers: int) -> dict[str, float]:
    """Make the overview from nothing, then open it again."""
    plate = study.plates[0]
    started = time.perf_counter()
    overview = open_overview(study, plate)
    seconds = {}
    for progress in fill_overview(study, overview, workers=workers):
        if progress.done == 4:
            seconds["first_wells_s"] = round(time.perf_counter() - started, 2)
    seconds["all_wells_s"] = round(time.perf_counter() - started, 2)
    started = time.perf_counter()
    again = open_overview(Study.open(study.path), plate)
    assert again.complete
    again.levels[1][:].max()  # what a screen shows
    seconds["cached_s"] = round(time.perf_counter() - started, 2)
    return seconds


def decode_s(images: Path) -> float:
    """Decode a tenth of the images, and say how long all would take on one core."""
    paths = sorted(images.iterdir())[::10]
    started = time.perf_counter()
    for path in paths:
        tifffile.imread(path)
    return round((time.perf_counter() - started) * 10, 1)


if __name__ == "__main__":
    main()
