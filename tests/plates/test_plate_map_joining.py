"""Plate maps, tables without wells, barcodes and per-plate files, joined to the images."""

from pathlib import Path

import pandas as pd
import pytest
from tests.plates.imaged_wells import WELLS_384, imaged
from tests.tiny_plates import map_of

from cellvote.errors import PlateMapError
from cellvote.plates.plate_map import (
    NO_IMAGES,
    NOT_ON_MAP,
    check_plate_map,
    join_plate_map,
    mismatch_sentences,
    read_map_file,
    read_maps,
)


def text_table(**columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype="str")


DRUGS = map_of(["A01", "A02", "A03"], drug=["x", "y", ""], dose=["0.3", "1", ""])


@pytest.mark.parametrize("order", [1, -1])
def test_a_table_without_wells_is_joined_by_what_both_have(order: int) -> None:
    table = text_table(Metadata_Drug=["y", "x"], moa=["b", "a"])
    joined, problems = join_plate_map(imaged("A01", "A02", "A03"), [DRUGS, table][::order])
    assert joined["moa"].tolist() == ["a", "b", ""]
    assert list(joined) == ["plate", "well", "imaged", "drug", "dose", "moa"]
    assert problems == ()


def test_compound_and_concentration_are_one_key_and_concentrations_are_numbers() -> None:
    plate_map = map_of(
        ["A01", "A02", "A03", "A04"],
        Image_Metadata_Compound=["x", "x", "DMSO", "x"],
        Image_Metadata_Concentration=["0.3", "1", "0", "30"],
    )
    table = text_table(
        compound=["x", "x", "DMSO"], concentration=["0.300000", "1.000000", "0.000000"], moa=["a", "b", "DMSO"]
    )
    joined, problems = join_plate_map(imaged("A01", "A02", "A03", "A04"), [plate_map, table])
    assert joined["moa"].tolist() == ["a", "b", "DMSO", ""]
    assert problems == (
        "1 well has no partner in the plate map, by Image_Metadata_Compound and Image_Metadata_Concentration: x 30.",
    )


def test_a_compound_at_another_concentration_is_no_partner_even_where_it_stands_once() -> None:
    table = text_table(drug=["x", "y"], dose=["0.3", "9"], moa=["a", "b"])
    joined, _ = join_plate_map(imaged("A01", "A02", "A03"), [DRUGS, table])
    assert joined["moa"].tolist() == ["a", "", ""]


def test_concentrations_in_other_units_are_compared_in_um() -> None:
    plate_map = map_of(["A01", "A02"], drug=["x", "x"], conc_nM=["300", "1000"])
    table = text_table(drug=["x", "x"], concentration_um=["0.3", "1"], moa=["a", "b"])
    joined, _ = join_plate_map(imaged("A01", "A02"), [plate_map, table])
    assert joined["moa"].tolist() == ["a", "b"]


def test_tables_may_hang_on_each_other() -> None:
    tables = [text_table(target=["t"], pathway=["p"]), text_table(drug=["x"], target=["t"])]
    joined, _ = join_plate_map(imaged("A01", "A02", "A03"), [*tables, DRUGS])
    assert joined[["target", "pathway"]].to_numpy().tolist() == [["t", "p"], ["", ""], ["", ""]]


def test_identifiers_are_never_compared_as_numbers() -> None:
    plate_map = map_of(["A01", "A02"], sample=["001234", "12E3"])
    table = text_table(sample=["1234", "12000", "001234", "12E3"], name=["no", "no", "yes", "yes"])
    joined, _ = join_plate_map(imaged("A01", "A02"), [plate_map, table])
    assert joined["name"].tolist() == ["yes", "yes"]


def test_a_key_with_two_contents_is_refused() -> None:
    table = text_table(drug=["x", "x"], moa=["a", "b"])
    with pytest.raises(PlateMapError, match="drug 'x' stands in it more than once with different contents"):
        join_plate_map(imaged("A01"), [DRUGS, table])
    joined, _ = join_plate_map(imaged("A01"), [DRUGS, text_table(drug=["x", "x"], moa=["a", "a"])])
    assert joined["moa"].tolist() == ["a", "", ""]


def test_a_table_that_contradicts_the_map_is_refused() -> None:
    with pytest.raises(PlateMapError, match="none of its entries is on the plate map"):
        join_plate_map(imaged("A01"), [DRUGS, text_table(drug=["q"], moa=["a"])])
    with pytest.raises(PlateMapError, match="no column in common"):
        join_plate_map(imaged("A01"), [DRUGS, text_table(city=["q"])])
    with pytest.raises(PlateMapError, match="no column names the well"):
        join_plate_map(imaged("A01"), [text_table(city=["q"])])


def test_a_table_fills_the_gaps_of_a_column_that_the_map_has_too() -> None:
    plate_map = map_of(["A01", "A02"], drug=["x", "y"], moa=["", "b"])
    joined, _ = join_plate_map(imaged("A01", "A02"), [plate_map, text_table(drug=["x", "y"], moa=["a", "b"])])
    assert joined["moa"].tolist() == ["a", "b"]


def test_a_table_alone_is_joined_to_the_map_that_the_images_came_with() -> None:
    acquisition = imaged("A01", "A02")
    own = pd.DataFrame({"plate": ["P", "P"], "well": ["A01", "A02"], "drug": ["x", "y"]}, dtype="str")
    acquisition = type(acquisition)(
        acquisition.source, acquisition.layout, acquisition.planes, acquisition.channels, plate_map=own
    )
    joined, _ = join_plate_map(acquisition, [text_table(drug=["x", "y"], moa=["a", "b"])])
    assert joined[["drug", "moa"]].to_numpy().tolist() == [["x", "a"], ["y", "b"]]
    replaced, _ = join_plate_map(acquisition, [map_of(["A01"], gene=["TP53"])])
    assert "drug" not in replaced


# Several plates


def write(folder: Path, **files: str) -> list[Path]:
    paths = [folder / f"{name}.csv" for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def test_a_file_called_like_a_plate_is_of_that_plate(tmp_path: Path) -> None:
    paths = write(tmp_path, P1="well,drug\nA1,x\n", P2="well,drug\nA1,y\n", shared="well,row_type\nA1,edge\n")
    acquisition = imaged("A01", plates=("P1", "P2", "P3"))
    joined, problems = join_plate_map(acquisition, read_maps(paths, acquisition.plates))
    assert joined[["drug", "row_type"]].to_numpy().tolist() == [["x", "edge"], ["y", "edge"], ["", "edge"]]
    assert problems == ()


def test_a_barcode_table_gives_each_plate_its_map(tmp_path: Path) -> None:
    paths = write(
        tmp_path,
        barcode_platemap="Assay_Plate_Barcode,Plate_Map_Name,Cell\nBR1,compounds,U2OS\nBR2,genes,A549\nBR3,compounds,A549\n",
        compounds="well,drug\nA1,x\n",
        genes="well,gene\nA1,TP53\n",
    )
    acquisition = imaged("A01", plates=("BR1", "BR2", "BR3"))
    joined, problems = join_plate_map(acquisition, read_maps(paths, acquisition.plates))
    assert joined[["plate", "drug", "gene", "Cell"]].to_numpy().tolist() == [
        ["BR1", "x", "", "U2OS"],
        ["BR2", "", "TP53", "A549"],
        ["BR3", "x", "", "A549"],
    ]
    assert problems == ()
    _, problems = join_plate_map(acquisition, read_maps(paths[:2], acquisition.plates))
    assert problems == (
        "barcode_platemap.csv: names plate maps that were not given: genes.",
        "1 imaged well is not on the plate map: A01.",
    )


def test_barcodes_find_plates_whose_folders_have_longer_names() -> None:
    acquisition = imaged("A01", plates=("BR1__2020-11-08T18", "BR2__2020-11-08T19"))
    table = text_table(Assay_Plate_Barcode=["BR1", "BR2"], cell_line=["U2OS", "A549"])
    joined, _ = join_plate_map(acquisition, [map_of(["A01"], drug=["x"]), table])
    assert joined["cell_line"].tolist() == ["U2OS", "A549"]


def test_plates_that_are_called_otherwise_are_matched_and_said() -> None:
    acquisition = imaged("A01", plates=("BR1__2020-11-08T18", "BR10__2020-11-08T19", "Week4/W4_1"))
    plate_map = map_of(["A01"] * 3, plate=["BR1", "br10", "W4_1"], drug=["x", "y", "z"])
    joined, problems = join_plate_map(acquisition, [plate_map])
    assert dict(zip(joined["plate"].str[:4], joined["drug"], strict=True)) == {"BR1_": "x", "BR10": "y", "Week": "z"}
    assert "BR1 for BR1__2020-11-08T18" in problems[0]


def test_two_maps_that_agree_are_no_contradiction() -> None:
    maps = [map_of(["A01", "A02"], drug=["x", ""]), map_of(["A01", "A02"], drug=["x", "y"])]
    joined, _ = join_plate_map(imaged("A01", "A02"), maps)
    assert joined["drug"].tolist() == ["x", "y"]


# Mismatches


def test_every_mismatch_is_listed() -> None:
    acquisition = imaged(*WELLS_384[:20], plates=("P1", "P2"))
    wells = [*WELLS_384[8:20], "P24"]
    found = check_plate_map(acquisition, map_of(wells, drug=["x"] * len(wells)))
    assert found[found["mismatch"] == NO_IMAGES][["plate", "well"]].to_numpy().tolist() == [
        ["P1", "P24"],
        ["P2", "P24"],
    ]
    assert found[found["mismatch"] == NOT_ON_MAP]["well"].tolist() == WELLS_384[:8] * 2
    assert mismatch_sentences(found) == [
        "2 wells of the plate map have no images: P1/P24, P2/P24.",
        "16 imaged wells are not on the plate map: P1/A01, P1/A02, P1/A03, P1/A04, P1/A05 ….",
    ]


def test_the_mismatches_of_a_joined_map_are_those_of_its_source() -> None:
    acquisition = imaged("A01", "A02", "A03")
    plate_map = map_of(["A02", "A03", "B01"], drug=["x", "y", "z"])
    joined, _ = join_plate_map(acquisition, [plate_map])
    pd.testing.assert_frame_equal(check_plate_map(acquisition, joined), check_plate_map(acquisition, plate_map))


def test_what_was_left_out_in_reading_is_told(tmp_path: Path) -> None:
    (path,) = write(tmp_path, images="site,well,drug\n1,A1,x\n2,A1,x\n")
    _, problems = join_plate_map(imaged("A01"), read_map_file(path))
    assert problems == ("images.csv: has several rows for a well; what differs between them is left out: site.",)


@pytest.mark.parametrize(
    ("on_map", "plates"),
    [
        (["1234", "1235"], ["001234", "001235"]),
        (["1", "2"], ["Plate1", "Plate2"]),
        (["Plate 01", "Plate 02"], ["Plate1", "Plate2"]),
        (["Plate 1", "Plate 10"], ["plate_01", "plate_10"]),
    ],
)
def test_zeros_and_the_word_plate_make_no_other_plate(on_map: list[str], plates: list[str]) -> None:
    table, problems = join_plate_map(imaged("A01", plates=plates), [map_of(["A01"] * 2, plate=on_map, drug=["x", "y"])])
    assert table[["plate", "drug"]].to_numpy().tolist() == [[plates[0], "x"], [plates[1], "y"]]
    assert f"{on_map[0]} for {plates[0]}" in problems[0]


def test_a_number_that_may_be_two_plates_is_none_of_them() -> None:
    with pytest.raises(PlateMapError, match="fits no image"):
        join_plate_map(imaged("A01", plates=["001234", "01234"]), [map_of(["A01"], plate=["1234"], drug=["x"])])


@pytest.mark.parametrize(("on_map", "plate"), [("BR00117010", "BR00117006"), ("Plate 2", "Plate 1"), ("2", "1")])
def test_the_map_of_another_plate_of_the_series_fits_no_image(on_map: str, plate: str) -> None:
    with pytest.raises(PlateMapError, match=f"of plate {on_map}, and the images are of A01 of plate {plate}"):
        join_plate_map(imaged("A01", plates=[plate]), [map_of(["A01"], plate=[on_map], drug=["x"])])
