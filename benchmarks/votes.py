"""How fast a million cells vote: ``python benchmarks/votes.py [--cells N] [--classes N] [--float64]``.

Each way to vote is timed against pandas' ``groupby().mean()`` of the same table in the same run (which votes by mean
probability and nothing more). Peak memory is that of the process, the table included; it is measured before pandas
runs, as that takes far more.
"""

import argparse
import resource
import time

import numpy as np
import pandas as pd

from cellvote.voting import VoteSettings, vote
from cellvote.voting.calibrating import fit_conformal
from cellvote.voting.settings import LEVELS, METHODS, PREFIX

N_PLATES, N_WELLS, N_FIELDS = 8, 96, 4


def simulated_predictions(n_cells: int, n_classes: int, dtype: type) -> pd.DataFrame:
    """Predict cells of eight plates; made column by column, so that making them takes no more than they do."""
    random = np.random.default_rng(0)
    place = np.sort(random.integers(0, N_PLATES * N_WELLS * N_FIELDS, n_cells))
    well, field = place // N_FIELDS, (place % N_FIELDS + 1).astype(np.int32)
    truth = well % n_classes
    block = np.empty((n_classes, n_cells), dtype)
    total = np.zeros(n_cells)
    for i in range(n_classes):
        block[i] = random.standard_exponential(n_cells, np.float32)
        block[i, truth == i] += n_classes / 8
        total += block[i]
    block /= total.astype(dtype)
    table = pd.DataFrame(block.T, columns=[f"{PREFIX}c{i:03d}" for i in range(n_classes)], copy=False)
    names = np.array([f"{chr(65 + w // 12)}{w % 12 + 1:02d}" for w in range(N_WELLS)])
    table.insert(0, "field", field)
    table.insert(0, "well", pd.Series(pd.Categorical.from_codes(well % N_WELLS, names)).astype("str"))
    table.insert(
        0,
        "plate",
        pd.Series(pd.Categorical.from_codes(well // N_WELLS, [f"P{i}" for i in range(N_PLATES)])).astype("str"),
    )
    table["label_id"] = np.arange(n_cells, dtype=np.int32)
    return table


def peak_gib() -> float:
    """Most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def timed(what: str, act: object, repeats: int) -> float:
    """Say the least wall time and processor time of several runs."""
    walls, processors = [], []
    for _ in range(repeats):
        wall, processor = time.perf_counter(), time.process_time()
        act()  # type: ignore[operator]
        walls.append(time.perf_counter() - wall)
        processors.append(time.process_time() - processor)
    print(
        f"{what:<28} {min(walls):6.2f} s  ({min(processors):.2f} s of processor time)   peak {peak_gib():.2f} GiB",
        flush=True,
    )
    return min(processors)


def main() -> None:
    """Vote, and print how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--classes", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--float64", action="store_true", help="as predictions on disk are; half as much otherwise")
    chosen = parser.parse_args()
    small = simulated_predictions(5_000, chosen.classes, np.float64)
    small["truth"] = [f"c{w:03d}" for w in (small.groupby(["plate", "well"], sort=False).ngroup() % chosen.classes)]
    calibration = fit_conformal(small.assign(fold=np.arange(len(small)) * 5 // len(small)))
    predictions = simulated_predictions(chosen.cells, chosen.classes, np.float64 if chosen.float64 else np.float32)
    size = predictions.memory_usage(deep=False).sum() / 2**30
    print(f"{len(predictions):,} cells, {chosen.classes} classes, {size:.2f} GiB; peak so far {peak_gib():.2f} GiB")
    least = {}
    for method in METHODS:
        settings = VoteSettings(method=method, min_cells=1)  # so that the small table calibrates sets of wells, too
        least[method] = timed(
            f"vote {method}", lambda s=settings: vote(predictions, LEVELS["well"], s, calibration), chosen.repeats
        )
    timed("sets of every cell", lambda: calibration.cell_sets(predictions, VoteSettings()), 1)
    columns = [c for c in predictions if str(c).startswith(PREFIX)]
    keys = [predictions["plate"], predictions["well"]]
    pandas_s = timed("pandas groupby().mean()", lambda: predictions[columns].groupby(keys).mean(), chosen.repeats)
    for method, seconds in least.items():
        print(f"{method}: {seconds / pandas_s:.2f} × the processor time of pandas")


if __name__ == "__main__":
    main()
