"""Hold segmented cells against the simulator's truth."""

from collections.abc import Callable

import pandas as pd

from cellvote.plates.acquisition import FIELD, FieldKey, field_keys
from cellvote.study.masks import LabelImage


def match_truth(
    cells: pd.DataFrame, truth: pd.DataFrame, label_image_of: Callable[[FieldKey], LabelImage]
) -> pd.Series:
    """Find the true phenotype of each segmented cell: that of the one simulated nucleus whose centre it covers.

    Parameters
    ----------
    cells
        ``plate``, ``well``, ``field``, ``label_id``.
    truth
        As `write_plate` gives it: ``well``, ``field``, ``y``, ``x`` (px), ``phenotype``.
    label_image_of
        The masks that the cells were measured on, YX, by field.

    Returns
    -------
    Series of str
        Aligned with the cells; empty where a cell covers no simulated nucleus (debris, a wrong split), or several
        (a merger).
    """
    of_field = dict(iter(truth.groupby(["well", "field"])))
    parts = []
    for key in field_keys(cells):
        known = of_field.get((key.well, key.field))
        if known is None:
            continue
        label_image = label_image_of(key)
        height, width = label_image.shape
        y = known["y"].round().astype(int).clip(0, height - 1)
        x = known["x"].round().astype(int).clip(0, width - 1)
        hit = pd.DataFrame({"label_id": label_image[y, x], "phenotype": known["phenotype"].to_numpy()})
        alone = ~hit["label_id"].duplicated(keep=False) & (hit["label_id"] > 0)
        place = pd.DataFrame([key] * int(alone.sum()), columns=FIELD, index=hit.index[alone])
        parts.append(pd.concat([place, hit[alone]], axis=1))
    if not parts:
        return pd.Series("", index=cells.index, dtype="str")
    found = cells[[*FIELD, "label_id"]].merge(pd.concat(parts), on=[*FIELD, "label_id"], how="left")["phenotype"]
    return pd.Series(found.fillna("").to_numpy(), index=cells.index, dtype="str")
