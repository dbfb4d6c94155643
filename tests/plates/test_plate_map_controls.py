"""Controls are recognised, with the reason, and nothing that the map says is lost."""

import pytest
from tests.plates.imaged_wells import imaged
from tests.tiny_plates import map_of

from cellvote.plates.plate_map import join_plate_map, recognise_controls, treatments


def control_of(**entries: str) -> str:
    found = recognise_controls(map_of(["A01", "A02"], **{name: [entry, "other"] for name, entry in entries.items()}))
    return str(found["control_type"].iloc[0])


@pytest.mark.parametrize(
    "compound",
    [
        *(
            "DMSO",
            "dmso",
            "DMSO 0.1%",
            "0.1% DMSO",
            "DMSO (0.5 %)",
            "DMSO_control",
            "vehicle",
            "Vehicle control",
            "Untreated",
        ),
        *(
            "untreated cells",
            "non-treated",
            "No treatment",
            "mock",
            "Mock transfected",
            "PBS",
            "water",
            "H2O",
            "media only",
        ),
        *(
            "non-targeting",
            "Non-Targeting Control",
            "siNonTargeting",
            "non targeting siRNA pool",
            "scramble",
            "scrambled",
        ),
        *("siScramble", "shScr", "NTC", "siCtrl", "sgNT", "negative control", "neg_ctrl 3", "control", "negcon"),
    ],
)
def test_a_compound_that_is_none_makes_a_negative_control(compound: str) -> None:
    assert control_of(compound=compound) == "negative"


@pytest.mark.parametrize(
    "compound",
    [
        *(
            "",
            "taxol",
            "NA",
            "dmsox",
            "DMSO-d6 analog 3",
            "watermelon extract",
            "medium",
            "ntcp inhibitor",
            "mockingjay",
        ),
        *("controlled release x", "MG-132", "PBSA", "untreatable", "TP53"),
    ],
)
def test_other_compounds_make_no_control(compound: str) -> None:
    assert control_of(compound=compound) == ""


@pytest.mark.parametrize(
    ("column", "entry", "expected"),
    [
        *(
            ("control_type", "negcon", "negative"),
            ("control_type", "neg", "negative"),
            ("Control Type", "NEGATIVE", "negative"),
        ),
        *(("control_type", "poscon", "positive"), ("control_type", "poscon_diverse", "positive")),
        *(("control_type", "poscon_cp", "positive"), ("Metadata_control_type", "poscon_orf", "positive")),
        *(("control_type", "NA", ""), ("control_type", "trt", ""), ("pert_type", "ctl_vehicle", "negative")),
        *(("pert_type", "trt", ""), ("pert_type", "control", ""), ("role", "positive control", "positive")),
        *(("well_type", "sample", ""), ("control", "DMSO", "negative"), ("control", "y", ""), ("control", "n", "")),
    ],
)
def test_roles_are_read_in_many_words(column: str, entry: str, expected: str) -> None:
    assert control_of(**{column: entry}) == expected


def test_the_codes_of_the_assay_of_the_sbs_are_read() -> None:
    table = map_of(["A01", "A02", "A03"], SBS_Controls=["-1", "0", "1"])
    found = recognise_controls(table)
    assert found["control_type"].tolist() == ["negative", "", "positive"]
    assert found["reason"].tolist() == ["SBS_Controls is '-1'", "", "SBS_Controls is '1'"]
    assert recognise_controls(map_of(["A01", "A02"], control=["0", "1"]))["control_type"].tolist() == ["", ""]
    assert recognise_controls(map_of(["A01", "A02"], negative_control=["0", "1"]))["control_type"].tolist() == [
        "",
        "negative",
    ]
    assert recognise_controls(map_of(["A01", "A02"], is_pos_control=["TRUE", "FALSE"]))["control_type"].tolist() == [
        "positive",
        "",
    ]
    assert recognise_controls(map_of(["A01", "A02"], dose=["-1", "1"]))["control_type"].tolist() == ["", ""]


def test_what_the_map_says_of_a_well_comes_before_what_is_in_it() -> None:
    table = map_of(["A01", "A02", "A03"], compound=["DMSO", "DMSO", "x"], control=["-1", "0", "1"])
    assert recognise_controls(table)["control_type"].tolist() == ["negative", "", "positive"]


def test_a_well_with_nothing_but_the_solvent_is_a_negative_control() -> None:
    table = map_of(["A01", "A02"], broad_sample=["BRD-1", ""], solvent=["DMSO", "DMSO"])
    found = recognise_controls(table)
    assert found["control_type"].tolist() == ["", "negative"]
    assert found["reason"].iloc[1] == "no broad_sample, and solvent is 'DMSO'"
    joined, _ = join_plate_map(imaged("A01", "A02"), [table])
    assert treatments(joined).tolist() == ["BRD-1", "DMSO"]


def test_an_empty_well_without_solvent_is_no_control() -> None:
    assert recognise_controls(map_of(["A01", "A02"], broad_sample=["BRD-1", ""]))["control_type"].tolist() == ["", ""]


# The column of a study's plate map


def joined_columns(**columns: list[str]) -> dict[str, list[str]]:
    wells = ["A01", "A02", "A03"]
    table, _ = join_plate_map(imaged(*wells), [map_of(wells, **columns)])
    return {name: entries for name, entries in table.to_dict("list").items() if "control" in name.casefold()}


def test_the_column_is_added_only_where_a_control_is_recognised() -> None:
    assert joined_columns(drug=["DMSO", "x", "y"]) == {"control_type": ["negative", "", ""]}
    assert joined_columns(drug=["z", "x", "y"]) == {}


def test_a_column_with_other_words_is_kept_under_another_name() -> None:
    assert joined_columns(control_type=["negcon", "poscon_cp", "NA"]) == {
        "control_type_source": ["negcon", "poscon_cp", "NA"],
        "control_type": ["negative", "positive", ""],
    }


def test_what_somebody_has_decided_is_left_alone() -> None:
    assert joined_columns(drug=["DMSO", "DMSO", "x"], control_type=["negative", "", "positive"]) == {
        "control_type": ["negative", "", "positive"]
    }
    assert joined_columns(drug=["x", "y", "z"], control_type=["a", "b", "c"]) == {"control_type": ["a", "b", "c"]}


def test_an_empty_column_is_filled() -> None:
    assert joined_columns(drug=["DMSO", "y", "z"], control_type=["", "", ""]) == {"control_type": ["negative", "", ""]}


def controls_of(**columns: list[str]) -> list[str]:
    wells = [f"A{i + 1:02d}" for i in range(len(next(iter(columns.values()))))]
    return recognise_controls(map_of(wells, **columns))["control_type"].tolist()


def test_dmso_beside_a_second_compound_is_no_control() -> None:
    found = controls_of(compound_1=["x", "DMSO", "DMSO", "DMSO"], compound_2=["y", "y", "DMSO", ""])
    assert found == ["", "", "negative", "negative"]


def test_dmso_on_a_knocked_down_gene_is_no_control() -> None:
    found = controls_of(drug=["DMSO", "taxol", "DMSO", "DMSO"], sirna=["KIF11", "NTC", "NTC", ""])
    assert found == ["", "", "negative", "negative"]


@pytest.mark.parametrize("header", ["Sample Name", "Fluid name", "Substanz"])
def test_dmso_is_found_in_what_dispensers_write(header: str) -> None:
    assert controls_of(**{header: ["taxol", "DMSO", "DMSO normalization"]}) == ["", "negative", "negative"]


def test_codes_of_controls_that_say_too_little_are_told() -> None:
    plate_map = map_of(["A01", "A02"], compound=["x", "y"], control=["0", "1"])
    _, problems = join_plate_map(imaged("A01", "A02"), [plate_map])
    assert problems[0].startswith("The column 'control' (0, 1) does not say which wells are negative")
    _, problems = join_plate_map(imaged("A01", "A02"), [plate_map.assign(compound=["x", "DMSO"])])
    assert problems == ()
