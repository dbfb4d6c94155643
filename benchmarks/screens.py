"""Simulated screens: what control scaling is worth on other plates, and whether a tied layout is noticed.

    python benchmarks/screens.py [--plates 4] [--seeds 4]

Every plate is simulated anew, then recorded with a gain, an offset and a background of its own in each channel, and
with a mix of wells of its own. Logistic regression on measurements is held to account on plates that it never saw,
with brightness as it is, relative to the plate, and relative to the plate's negative controls. Then the classes are
laid out on a plate in columns or at random, with and without a phenotype, and the position warning is counted.
"""

import argparse

import numpy as np
import pandas as pd

from cellvote.learning.baselines import measurement_probabilities, position_votes
from cellvote.learning.inputs import Inputs, feature_matrix
from cellvote.learning.splits import Split, make_split
from cellvote.profiling import measure_cells
from cellvote.profiling.measurements import feature_columns
from cellvote.synthetic import CHANNELS, CLASS_COLUMN, PlateSettings, design_plate, simulate_field
from cellvote.voting.metrics import score
from cellvote.voting.position import compare_with_position

GAIN_LOG_SD, OFFSET, BACKGROUND_LOG_SD = 0.45, 250.0, 0.5
"""How far plates differ: log gain, grey values added, log of the light that lies over everything."""


def record_plate(name: str, seed: int, *, effects: bool = True, share: float = 0.7) -> pd.DataFrame:
    """Simulate the wells of a plate that have a class, record them, and measure every cell by its true mask."""
    settings = PlateSettings(
        name=name, rows=6, columns=8, fields_per_well=1, field_size_px=160, cells_per_field=14, seed=seed
    )
    plate_map = design_plate(settings).plate_map()
    random = np.random.default_rng(1000 + seed)
    named = plate_map[plate_map[CLASS_COLUMN] != ""]
    control = named["control_type"] == "negative"
    plate_map = named[control | (random.random(len(named)) < share)]
    gain = np.exp(random.normal(0, GAIN_LOG_SD, (len(CHANNELS), 1, 1)))
    offset = random.uniform(0, OFFSET, (len(CHANNELS), 1, 1)) * np.exp(random.normal(0, BACKGROUND_LOG_SD))
    tables = []
    for row in plate_map.itertuples():
        field = simulate_field(settings, row.well)
        image = field.image if not effects else np.clip(field.image * gain + offset, 0, 65535).astype(np.uint16)
        table = measure_cells(image, field.label_image, list(CHANNELS))
        place = {"plate": name, "well": row.well, "class_name": getattr(row, CLASS_COLUMN)}
        tables.append(table.assign(**place, control=row.control_type == "negative"))
    return pd.concat(tables, ignore_index=True)


def wells_of(cells: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Give one row for each well, and the row of each cell."""
    wells = cells[["plate", "well", "class_name"]].drop_duplicates(["plate", "well"]).reset_index(drop=True)
    keys = ["plate", "well"]
    return wells, pd.MultiIndex.from_frame(wells[keys]).get_indexer(pd.MultiIndex.from_frame(cells[keys]))


def not_same_plate(n_plates: int) -> None:
    """Print how often cells of plates that were held out are told right."""
    cells = pd.concat([record_plate(f"P{i}", i) for i in range(n_plates)], ignore_index=True)
    wells, well = wells_of(cells)
    names = sorted(wells["class_name"].unique())
    codes = pd.Index(names).get_indexer(cells["class_name"]).astype(np.int64)
    columns = tuple(feature_columns(cells.drop(columns="control")))
    print(f"{n_plates} plates, {len(wells)} wells, {len(cells)} cells, {len(names)} classes")
    splits = {"same plates (wells held out)": "well", "other plates (plates held out)": "plate"}
    for title, split_by in splits.items():
        split = make_split(wells, wells, split_by, folds=5, seed=0)
        print(f"  {title}: balanced accuracy of cells")
        for scale in ("none", "plate", "control"):
            inputs = Inputs(parts=("measurements",), columns=columns, channels=tuple(CHANNELS), scale=scale)
            features = feature_matrix(cells, inputs, cells["control"].to_numpy(bool))
            said = measurement_probabilities(features, codes, split, well, len(names), 0).argmax(axis=1)
            found = score(codes, said, len(names), well)
            low, high = found["ci95_balanced"]
            print(f"    scale={scale}: {found['balanced_accuracy']:.3f} ({low:.2f}–{high:.2f} over wells)")


def placed(wells: pd.DataFrame, codes: np.ndarray, *, tied: bool, seed: int) -> pd.DataFrame:
    """Put wells on a plate: class by class down the columns, or at random."""
    order = np.argsort(codes, kind="stable") if tied else np.random.default_rng(seed).permutation(len(wells))
    names = [f"{chr(65 + i % 4)}{i // 4 + 1:02d}" for i in range(len(wells))]
    result = wells.copy()
    result.loc[order, "well"] = names
    return result


def position_warnings(n_seeds: int) -> None:
    """Count the warnings with classes in columns and at random, with and without a phenotype."""
    counts = {(phenotype, tied): 0 for phenotype in (True, False) for tied in (True, False)}
    for seed in range(n_seeds):
        cells = record_plate("P", 100 + seed, effects=False, share=1.0)
        columns = tuple(feature_columns(cells.drop(columns="control")))
        for phenotype in (True, False):
            # Without a phenotype, one half of the very same control wells is called a drug.
            own = cells if phenotype else cells[cells["control"]].reset_index(drop=True)
            wells, well = wells_of(own)
            codes = (wells["class_name"] != "vehicle").to_numpy(np.int64)
            if not phenotype:
                codes = np.random.default_rng(seed).permutation(np.arange(len(wells)) % 2)
            wells["class_name"] = np.where(codes == 1, "drug", "control")
            inputs = Inputs(parts=("measurements",), columns=columns, channels=tuple(CHANNELS))
            features = feature_matrix(own, inputs)
            for tied in (True, False):
                layout = placed(wells, codes, tied=tied, seed=seed)
                split: Split = make_split(layout, layout, "well", folds=5, seed=seed)
                said = measurement_probabilities(features, codes[well], split, well, 2, seed)[:, 1]
                votes = (np.bincount(well, weights=said > 0.5) / np.bincount(well) > 0.5).astype(np.int64)
                by_place = position_votes(layout, codes, split, seed)
                groups = layout["plate"] + "/" + layout["well"]
                counts[phenotype, tied] += int(compare_with_position(votes, by_place, codes, groups)["tied"])
    print(f"position warnings of {n_seeds} screens each")
    for (phenotype, tied), n in counts.items():
        print(f"  {'phenotype' if phenotype else 'no phenotype'}, {'in columns' if tied else 'scattered'}: {n}")


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plates", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=4)
    chosen = parser.parse_args()
    not_same_plate(chosen.plates)
    position_warnings(chosen.seeds)


if __name__ == "__main__":
    main()
