"""How fast a million cells become profiles: ``python benchmarks/profiles.py [--cells N] [--columns N]``."""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from cellvote.exporting import export_study
from cellvote.jobs.profile import profile_study
from cellvote.study import Study
from cellvote.study.atomic import write_json, write_table
from cellvote.study.study import StudyInfo

N_PLATES = 4
WELLS = [f"{chr(65 + row)}{column:02d}" for row in range(16) for column in range(1, 25)]


def simulated_study(folder: Path, n_cells: int, n_columns: int) -> Study:
    """Write a study of four 384-well plates whose cells table holds random numbers; written column by column."""
    path = folder / "large.cellvote"
    path.mkdir()
    wells = pd.DataFrame([(f"P{i}", well) for i in range(N_PLATES) for well in WELLS], columns=["plate", "well"])
    map_ = wells.assign(imaged=True, control_type=np.where(wells["well"].str[1:].isin(["01", "24"]), "negative", ""))
    write_table(path / "platemap.parquet", map_.astype({"plate": "str", "well": "str", "control_type": "str"}))
    planes = wells.assign(field=1, channel=0, z=1, timepoint=1, path="none.tif", page=0, sample=0)
    write_table(path / "images.parquet", planes.astype({"plate": "str", "well": "str", "path": "str"}))
    info = StudyInfo(source=str(folder), layout="simulated", channels=("DNA", "GFP"))
    write_json(path / "study.json", info.model_dump(mode="json"))
    rng = np.random.default_rng(0)
    well = np.sort(rng.integers(0, len(wells), n_cells))
    label = np.arange(n_cells, dtype=np.int32)
    columns: dict[str, object] = {
        "plate": wells["plate"].to_numpy()[well],
        "well": wells["well"].to_numpy()[well],
        "field": np.ones(n_cells, np.int32),
        "label_id": label,
        "touches_border": rng.random(n_cells) < 0.05,
    }
    columns |= {f"granularity_{i:02d}_DNA": rng.normal(size=n_cells) for i in range(n_columns)}
    segmentation = path / "segmentations" / "simulated"
    segmentation.mkdir(parents=True)
    write_json(segmentation / "segmentation.json", {})
    pq.write_table(pa.table(columns), segmentation / "cells.parquet", compression="zstd")
    return Study.open(path)


def main() -> None:
    """Profile, and export, and print how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=60)
    parser.add_argument("--export", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        study = simulated_study(Path(folder), chosen.cells, chosen.columns)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
        for statistics in (("median",), ("median", "mad")):
            started, cpu = time.perf_counter(), time.process_time()
            profile_study(study, settings={"statistics": statistics})
            seconds, used = time.perf_counter() - started, time.process_time() - cpu
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
            print(
                f"{chosen.cells:,} cells x {chosen.columns} columns, {' and '.join(statistics)}: {seconds:.1f} s "
                f"({used:.1f} s of processor time); peak {peak:.0f} MiB, {before:.0f} of these before"
            )
        for format_, options in (("csv", {}), ("anndata", {"level": "cell"})) if chosen.export else ():
            started, cpu = time.perf_counter(), time.process_time()
            export_study(study, Path(folder, f"out-{format_}.h5ad"), format_, **options)
            seconds, used = time.perf_counter() - started, time.process_time() - cpu
            print(f"export as {format_}: {seconds:.1f} s ({used:.1f} s of processor time)")


if __name__ == "__main__":
    main()
