"""Where a simulated plate puts its treatments, and what it expects of them."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellvote.plates.plate_map import treatments
from cellvote.plates.wells import well_position
from cellvote.synthetic import CLASS_COLUMN, PlateSettings, design_plate
from cellvote.synthetic.compounds import ACTIVE_COMPOUNDS, CLEAR_RESPONSE, TOXIC_COMPOUND, Compound

SEEDS = st.integers(0, 2**32 - 1)
CLASSES = {"vehicle", "PI3K inhibitor", "microtubule stabiliser", "topoisomerase inhibitor"}


def rows_and_columns(wells: pd.Series) -> tuple[int, int]:
    positions = [well_position(well) for well in wells]
    return len({p.row for p in positions}), len({p.column for p in positions})


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_every_class_has_wells_in_several_rows_and_columns(seed: int) -> None:
    plate_map = design_plate(PlateSettings(seed=seed)).plate_map()
    of_class = {name: rows["well"] for name, rows in plate_map.groupby(CLASS_COLUMN) if name}
    assert set(of_class) == CLASSES
    for wells in of_class.values():
        assert len(wells) >= 8
        assert min(rows_and_columns(wells)) >= 3


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_replicates_stand_in_different_rows_and_columns(seed: int) -> None:
    plate_map = design_plate(PlateSettings(seed=seed)).plate_map()
    doses = plate_map[(plate_map["compound"] != "") & (plate_map["control_type"] == "")]
    for _, replicates in doses.groupby(["compound", "concentration"]):
        assert rows_and_columns(replicates["well"]) == (3, 3)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_controls_lie_all_over_the_plate(seed: int) -> None:
    plate_map = design_plate(PlateSettings(seed=seed)).plate_map()
    for control in ("negative", "positive"):
        rows, columns = rows_and_columns(plate_map.loc[plate_map["control_type"] == control, "well"])
        assert rows >= 4
        assert columns >= 6


def test_another_seed_is_another_layout() -> None:
    first, again, other = (design_plate(PlateSettings(seed=seed)).plate_map() for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    assert sorted(first["compound"]) == sorted(other["compound"])


@pytest.mark.parametrize("compound", [*ACTIVE_COMPOUNDS, TOXIC_COMPOUND], ids=lambda c: c.name)
def test_more_of_a_compound_does_more(compound: Compound) -> None:
    series = sorted(compound.series, key=lambda t: t.concentration_um or 0)
    responding = [treatment.responding for treatment in series]
    surviving = [treatment.surviving for treatment in series]
    assert responding == sorted(set(responding))
    assert surviving == sorted(set(surviving), reverse=True)


@pytest.mark.parametrize("compound", ACTIVE_COMPOUNDS, ids=lambda c: c.name)
def test_only_doses_with_a_clear_response_are_named_after_their_mechanism(compound: Compound) -> None:
    for treatment in compound.series:
        assert bool(treatment.moa) == (treatment.responding >= CLEAR_RESPONSE)
    assert compound.series[0].moa == compound.moa
    assert compound.series[-1].moa == ""


def test_half_of_the_cells_respond_at_the_ec50() -> None:
    curve = ACTIVE_COMPOUNDS[0].response
    assert curve.share(curve.ec50_um) == pytest.approx(curve.top / 2)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 3), (3, 4), (4, 6), (16, 24)])
def test_every_well_of_any_plate_is_on_the_map(rows: int, columns: int) -> None:
    plate_map = design_plate(PlateSettings(rows=rows, columns=columns)).plate_map()
    assert plate_map["well"].is_unique
    assert len(plate_map) == rows * columns


def test_a_plate_of_24_wells_has_four_of_each_class() -> None:
    plate_map = design_plate(PlateSettings(rows=4, columns=6)).plate_map()
    counts = plate_map[CLASS_COLUMN].value_counts()
    assert all(counts[name] >= 4 for name in CLASSES)


def test_the_blurred_field_is_of_a_well_with_cells_and_without_a_class() -> None:
    design = design_plate(PlateSettings())
    assert design.blurred is not None
    well, field = design.blurred
    assert design.wells[well].treatment.compound
    assert design.wells[well].treatment.moa == ""
    assert field in (1, 2)


def test_treatments_read_as_compound_dose_and_unit() -> None:
    names = set(treatments(design_plate(PlateSettings()).plate_map()))
    assert {"DMSO", "wortmannin 0.15 uM", "paclitaxel 1 uM", ""} <= names
