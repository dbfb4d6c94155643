"""From cells to wells."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvote.errors import SegmentationError, StudyError
from cellvote.profiling.aggregate import (
    aggregate_wells,
    read_measurement_names,
    read_measurement_of_wells,
    summarise_wells,
)
from cellvote.study import Study
from cellvote.study.atomic import write_table


def cells(**wells: list[float]) -> pd.DataFrame:
    rows = [
        {"plate": "P", "well": well, "field": 1, "area": value} for well, values in wells.items() for value in values
    ]
    return pd.DataFrame(rows).astype({"plate": "str", "well": "str"})


def test_a_well_has_the_median_or_the_mean_of_its_cells() -> None:
    table = cells(A01=[1, 2, 9], B02=[5])
    assert aggregate_wells(table, "area").to_dict("list") == {
        "plate": ["P", "P"],
        "well": ["A01", "B02"],
        "value": [2.0, 5.0],
        "n_cells": [3, 1],
    }
    assert aggregate_wells(table, "area", "mean")["value"].tolist() == [4.0, 5.0]


def test_cells_without_a_number_do_not_count_and_a_well_of_such_has_no_value() -> None:
    table = aggregate_wells(cells(A01=[1.0, math.nan, 3.0, math.inf], A02=[math.nan]), "area", "mean")
    assert table["n_cells"].tolist() == [2, 0]
    assert table["value"].iloc[0] == 2.0
    assert math.isnan(table["value"].iloc[1])


@given(st.dictionaries(st.sampled_from(["A01", "B07", "P24"]), st.lists(st.floats(-1e6, 1e6), min_size=1), min_size=1))
def test_every_well_is_aggregated_by_itself(wells: dict[str, list[float]]) -> None:
    table = aggregate_wells(cells(**wells), "area").set_index("well")["value"]
    assert {well: np.median(values) for well, values in wells.items()} == pytest.approx(table.to_dict())


def test_measurements_are_named_without_keys_and_places(study: Study) -> None:
    assert read_measurement_names(study, "otsu") == ()
    table = cells(A01=[1.0]).assign(label_id=1, centroid_y=0.5, orientation=0.1, comment="x", solidity=0.9)
    write_table(study.cells_path("otsu"), table)
    assert read_measurement_names(study, "otsu") == ("area", "solidity")


def test_one_measurement_is_read_from_the_study(study: Study) -> None:
    write_table(study.cells_path("otsu"), cells(A01=[1.0, 3.0]).assign(solidity=[0.5, 0.7]))
    assert read_measurement_of_wells(study, "otsu", "solidity", "mean")["value"].tolist() == pytest.approx([0.6])
    with pytest.raises(SegmentationError, match="no measurement 'granularity'"):
        read_measurement_of_wells(study, "otsu", "granularity")


def test_a_damaged_table_says_so(study: Study) -> None:
    study.cells_path("otsu").parent.mkdir(parents=True)
    study.cells_path("otsu").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(StudyError, match="cannot be read"):
        read_measurement_names(study, "otsu")


def test_wells_are_summarised_each_counting_once() -> None:
    summary = summarise_wells([1.0, 3.0, math.nan])
    assert (summary.n, summary.mean) == (2, 2.0)
    assert summary.sd == pytest.approx(math.sqrt(2))
    assert math.isnan(summarise_wells([4.0]).sd)
    assert summarise_wells([]).n == 0
