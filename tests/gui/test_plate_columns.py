"""What a plate can be coloured by, and what each well has of it."""

import pytest
from tests.gui.conftest import write_masks

from cellvote.gui.facts import PlateFacts, read_facts
from cellvote.gui.plate_columns import (
    ACCURACY,
    CELLS,
    CELLS_PER_FIELD,
    FAILED_FIELDS,
    FAILED_SHARE,
    MAP,
    MEASURED,
    QUALITY,
    TREATMENT,
    Measured,
    colourings,
    natural,
    numbers_of,
    plate_column,
)
from cellvote.gui.predicted import Predicted, Vote, Well
from cellvote.jobs.quality import assess_quality
from cellvote.plates.acquisition import FieldKey
from cellvote.study import Study
from cellvote.study.atomic import read_table, write_table
from cellvote.study.field_flags import quality_path

A01, A02, A03, B01 = (("P", well) for well in ("A01", "A02", "A03", "B01"))


def facts_of(column: dict[Well, str], name: str = "dose", **known: object) -> PlateFacts:
    wells = {well: {name: text} for well, text in column.items()}
    return PlateFacts(wells, frozenset(wells), (name,), **known)


def predicted(*votes: Vote, truth: dict[Well, str]) -> Predicted:
    import pandas as pd

    wells = dict(zip((A01, A02, A03), votes, strict=False))
    return Predicted("m", ("DMSO", "taxol"), "drug", "watershed", pd.DataFrame(), wells, {}, truth)


def test_choices_are_grouped_votes_first_measurements_last(small_study: Study) -> None:
    path = small_study.cells_path("watershed")
    write_table(path, read_table(path).assign(area=7.0))
    groups = [choice.group for choice in colourings(read_facts(small_study, "watershed")).values()]
    assert list(dict.fromkeys(groups)) == ["Cells", "Plate map", "Measurements"]
    assert colourings(read_facts(small_study, "watershed"))[f"{MEASURED}area"].title == "area"


def test_the_treatment_is_offered_where_no_column_names_it_alone() -> None:
    one = facts_of({A01: "taxol", A02: ""}, "compound", treatments={A01: "taxol"})
    assert TREATMENT not in colourings(one)
    both = facts_of({A01: "taxol", A02: ""}, "compound", treatments={A01: "taxol 10"})
    assert TREATMENT in colourings(both)
    assert plate_column(both, TREATMENT).texts == {A01: "taxol 10"}


@pytest.mark.parametrize(
    ("entries", "numbers"),
    [
        (("1", "2.5", "-3e-05"), {"1": 1.0, "2.5": 2.5, "-3e-05": -3e-5}),
        (("1", "2", "3", "NA"), {"1": 1.0, "2": 2.0, "3": 3.0}),
        (("001234", "001235", "2000"), None),
        (("12E3", "12E4", "12E5"), None),
        (("1", "2", "taxol"), None),
        (("1", "2", "inf"), None),
        (("1_0", "2", "3"), None),
        (("0", "1"), None),
    ],
)
def test_numbers_are_told_from_identifiers(entries: tuple[str, ...], numbers: dict[str, float] | None) -> None:
    assert numbers_of(entries) == numbers


def test_many_numbers_are_a_range_and_few_are_names_in_order() -> None:
    many = plate_column(facts_of({("P", f"A{i:02d}"): str(i / 2) for i in range(1, 25)}), f"{MAP}dose")
    assert many.is_number
    assert many.numbers["P", "A03"] == 1.5
    few = plate_column(facts_of({A01: "10", A02: "2", A03: "0.5"}), f"{MAP}dose")
    assert not few.is_number
    assert few.order == ("0.5", "2", "10")


def test_names_with_numbers_are_in_the_order_of_the_numbers() -> None:
    assert sorted(["drug 10", "Drug 2", "drug 1", "DMSO"], key=natural) == ["DMSO", "drug 1", "Drug 2", "drug 10"]


def test_a_measurement_gives_wells_a_number_with_its_unit_and_others_none() -> None:
    column = plate_column(facts_of({A01: "", A02: ""}), f"{MEASURED}area", Measured("area", "median", {A01: 812.0}))
    assert column.words(A01) == "812 px²"
    assert column.words(A02) == ""
    assert A02 not in column.numbers
    assert column.of_cells


def test_another_measurement_than_the_one_asked_for_is_not_shown() -> None:
    column = plate_column(facts_of({A01: ""}), f"{MEASURED}area", Measured("perimeter", "median", {A01: 812.0}))
    assert not column.numbers


def test_a_value_that_is_no_number_is_no_value() -> None:
    measured = Measured("area", "median", {A01: float("nan"), A02: 3.0})
    assert plate_column(facts_of({A01: "", A02: ""}), f"{MEASURED}area", measured).numbers == {A02: 3.0}


def test_failed_fields_are_counted_of_those_that_were_tried() -> None:
    facts = facts_of(
        {A01: "", A02: "", A03: ""},
        n_fields={A01: 4, A02: 4, A03: 4},
        n_cells={A01: 30},
        segmented={A01: 3},
        failed={FieldKey("P", "A01", 2): "truncated", FieldKey("P", "A02", 1): "truncated"},
    )
    assert plate_column(facts, FAILED_FIELDS).numbers == {A01: 1, A02: 1}
    assert plate_column(facts, FAILED_SHARE).numbers == {A01: 0.25, A02: 1.0}
    assert plate_column(facts, CELLS_PER_FIELD).numbers == {A01: 10.0}
    assert plate_column(facts, CELLS).numbers == {A01: 30}, "a well whose every field failed has no count, not zero"
    assert facts.wholly_failed(A02)
    assert not facts.wholly_failed(A01)


def test_a_field_that_was_segmented_and_could_not_be_measured_is_counted_once() -> None:
    facts = facts_of(
        {A01: ""}, n_fields={A01: 1}, n_cells={A01: 3}, segmented={A01: 1}, failed={FieldKey("P", "A01", 1): "gone"}
    )
    assert plate_column(facts, FAILED_SHARE).numbers == {A01: 1.0}


def test_accuracy_is_the_share_of_cells_that_are_right() -> None:
    right = Vote("taxol", 0.75, 0.5, 4, {"DMSO": 0.25, "taxol": 0.75})
    wrong = Vote("DMSO", 0.75, 0.5, 4, {"DMSO": 0.75, "taxol": 0.25})
    known = predicted(right, wrong, right, truth={A01: "taxol", A02: "taxol"})
    facts = facts_of({A01: "", A02: "", A03: ""}, predicted=known)
    assert plate_column(facts, ACCURACY).numbers == {A01: 0.75, A02: 0.25}
    assert plate_column(facts, ACCURACY).words(A01) == "75 %"


def test_the_column_of_controls_is_found(bare_study: Study) -> None:
    write_masks(bare_study, failed={})
    assert facts_of({A01: "negative"}, "control_type").control_column == "control_type"
    assert facts_of({A01: "negative"}, "Control Type").control_column == "Control Type"
    assert facts_of({A01: "x"}, "compound").control_column == ""


def test_image_quality_colours_the_plate_by_the_share_of_fields_flagged() -> None:
    quality = {"flagged": {A01: 0.5, A02: 0.0}, "power_slope_DNA": {A01: -2.5, A02: float("nan")}}
    facts = facts_of({A01: "", A02: "", A03: ""}, quality=quality)
    choices = {key: one for key, one in colourings(facts).items() if one.group == "Image quality"}
    titles = {key: one.title for key, one in choices.items()}
    assert titles == {
        f"{QUALITY}flagged": "Share of fields flagged",
        f"{QUALITY}power_slope_DNA": "Power slope (focus) · DNA",
    }
    share = plate_column(facts, f"{QUALITY}flagged")
    assert (share.words(A01), share.words(A02), share.words(A03)) == ("50 %", "0 %", "")
    slope = plate_column(facts, f"{QUALITY}power_slope_DNA")
    assert slope.numbers == {A01: -2.5}
    assert slope.no_value == "nothing to be seen"


def test_image_quality_is_read_with_the_other_facts(small_study: Study) -> None:
    assert read_facts(small_study).quality == {}
    assess_quality(small_study, workers=1)
    quality = read_facts(small_study).quality
    assert set(quality["flagged"]) == {(key.plate, key.well) for key in small_study.fields}
    assert f"{QUALITY}flagged" in colourings(read_facts(small_study))


def test_a_damaged_table_of_image_quality_leaves_the_other_facts(small_study: Study) -> None:
    assess_quality(small_study, workers=1)
    quality_path(small_study).write_bytes(b"no table")
    assert read_facts(small_study).quality == {}
