"""Simulated screens of class probabilities: plates, wells and cells that differ, without any images."""

import numpy as np
import pandas as pd

NAMES = "abcdefgh"


def simulate_screen(
    random: np.random.Generator,
    *,
    plates: int = 4,
    wells: int = 6,
    cells: int = 30,
    classes: int = 3,
    plate_sd: float = 0.0,
    well_sd: float = 0.7,
    sharpness: float = 2.0,
    responding: float = 1.0,
    first_plate: int = 0,
) -> pd.DataFrame:
    """Predict cells whose logits are those of their class, plus effects of plate and well; ``fold`` is the plate.

    Parameters
    ----------
    responding
        Share of the cells that look like their class; the others look like the first one.
    """
    tables = []
    for plate in range(first_plate, first_plate + plates):
        of_plate = random.normal(0, plate_sd, classes)
        for well in range(wells):
            truth, n = well % classes, max(1, int(random.poisson(cells)))
            logits = random.normal(0, 1, (n, classes)) + of_plate + random.normal(0, well_sd, classes)
            looks = np.where(random.random(n) < responding, truth, 0)
            logits[np.arange(n), looks] += sharpness
            raised = np.exp(logits)
            table = pd.DataFrame(
                raised / raised.sum(axis=1, keepdims=True), columns=[f"probability_{c}" for c in NAMES[:classes]]
            )
            place = {"plate": f"P{plate}", "well": f"{chr(65 + well // 12)}{well % 12 + 1:02d}", "truth": NAMES[truth]}
            fields = np.arange(n) % 2 + 1
            tables.append(table.assign(**place, field=fields, label_id=np.arange(1, n + 1), fold=plate - first_plate))
    return pd.concat(tables, ignore_index=True).astype({"plate": "str", "well": "str", "truth": "str"})


def codes(screen: pd.DataFrame) -> np.ndarray:
    """Number the true classes."""
    return screen["truth"].map({name: i for i, name in enumerate(NAMES)}).to_numpy(int)
