"""Flags of fields: rules over figures, and the plate as the yardstick of focus."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from cellvote.quality.figures import FIGURES
from cellvote.quality.flags import flag_fields
from cellvote.quality.settings import QualitySettings

CHANNELS = ("DNA", "Actin")
USUAL = dict.fromkeys(FIGURES, 0.0) | {
    "maximum": 4000.0,
    "median": 300.0,
    "power_slope": -1.5,
    "structure_percent": 20.0,
}


def figures(n: int = 20, plate: str = "P") -> pd.DataFrame:
    """Make a plate of good fields whose slopes differ a little."""
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for i in range(n):
        row: dict[str, Any] = {"plate": plate, "well": f"A{i + 1:02d}", "field": 1}
        for channel in CHANNELS:
            row |= {f"{name}_{channel}": value for name, value in USUAL.items()}
            row[f"power_slope_{channel}"] += 0.05 * rng.standard_normal()
        rows.append(row)
    return pd.DataFrame(rows)


def flagged(table: pd.DataFrame, **settings: Any) -> pd.DataFrame:
    return flag_fields(table, CHANNELS, QualitySettings(**settings))


def wells(table: pd.DataFrame, flag: str) -> list[str]:
    return table.loc[table[flag], "well"].tolist()


def test_good_fields_have_no_flag_and_no_reason() -> None:
    found = flagged(figures())
    assert not found[["empty", "out_of_focus", "saturated", "uneven"]].any(axis=None)
    assert (found["reason"] == "").all()


def test_one_blurred_channel_makes_a_field_out_of_focus_and_is_named() -> None:
    table = figures()
    table.loc[3, "power_slope_Actin"] = -2.6
    found = flagged(table)
    assert wells(found, "out_of_focus") == ["A04"]
    assert found.loc[3, "reason"].startswith("out of focus in Actin: power slope -2.60")


def test_a_sharper_field_than_usual_is_not_out_of_focus() -> None:
    table = figures()
    table.loc[3, "power_slope_Actin"] = -0.2
    assert wells(flagged(table), "out_of_focus") == []


def test_a_plate_is_held_against_itself_only() -> None:
    other = figures(plate="Q")
    other[["power_slope_DNA", "power_slope_Actin"]] -= 1.5  # another stain, another exposure
    found = flagged(pd.concat([figures(), other], ignore_index=True))
    assert wells(found, "out_of_focus") == []


def test_fields_of_a_small_plate_are_only_held_against_a_slope_that_was_given() -> None:
    table = figures(5)
    table.loc[1, "power_slope_DNA"] = -3.5
    assert wells(flagged(table), "out_of_focus") == []
    assert flagged(table)["focus_z_DNA"].isna().all()
    assert wells(flagged(table, lowest_slope=-3), "out_of_focus") == ["A02"]


def test_empty_fields_say_nothing_of_the_usual_focus_and_are_not_out_of_focus() -> None:
    table = figures()
    table.loc[:8, ["structure_percent_DNA", "structure_percent_Actin"]] = 0.1
    table.loc[:8, ["power_slope_DNA", "power_slope_Actin"]] = -9.0
    found = flagged(table)
    assert len(wells(found, "empty")) == 9
    assert wells(found, "out_of_focus") == []


def test_a_field_with_structure_in_one_channel_is_not_empty() -> None:
    table = figures()
    table.loc[2, "structure_percent_DNA"] = 0.0
    assert wells(flagged(table), "empty") == []
    table.loc[2, "structure_percent_Actin"] = 0.3
    found = flagged(table)
    assert wells(found, "empty") == ["A03"]
    assert found.loc[2, "reason"] == "empty: 0.3 % of the area stands out"


def test_only_the_channels_that_are_looked_at_flag() -> None:
    table = figures()
    table.loc[1, "saturated_percent_Actin"] = 3.0
    assert wells(flagged(table), "saturated") == ["A02"]
    assert wells(flag_fields(table, ("DNA",), QualitySettings()), "saturated") == []


def test_reasons_of_several_flags_stand_side_by_side() -> None:
    table = figures()
    table.loc[1, ["saturated_percent_DNA", "maximum_DNA"]] = [3.0, 4095.0]
    table.loc[1, ["trend_percent_Actin", "trend_fit_Actin"]] = [60.0, 0.9]
    reason = flagged(table).loc[1, "reason"]
    assert reason == "saturated in DNA: 3.0 % of pixels at 4095; uneven in Actin: illumination differs by 60 %"


def test_cells_that_crowd_on_one_side_are_no_uneven_illumination() -> None:
    table = figures()
    table.loc[1, ["trend_percent_Actin", "trend_fit_Actin"]] = [80.0, 0.2]
    assert wells(flagged(table), "uneven") == []


def test_figures_stay_as_they_are_beside_the_flags() -> None:
    table = figures()
    found = flagged(table)
    pd.testing.assert_frame_equal(found[list(table)], table)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="focus"):
        QualitySettings(focuss=3)
