"""Real plate maps, with what the files themselves say written down."""

import time
from pathlib import Path

import pytest
from tests.plates.imaged_wells import WELLS_384, imaged, imaged_as

from cellvote.plates.plate_map import (
    compound_column,
    dose_column,
    join_plate_map,
    read_map_file,
    read_maps,
    read_plate_map,
    treatments,
)


@pytest.mark.parametrize(
    ("kind", "negative", "none", "first", "problems"),
    [
        ("1_compound", 64, 260, "gabapentin-enacarbil", 1),
        ("2_compound", 64, 260, "1-octanol", 1),
        ("1_crispr", 60, 264, "HIF1A", 0),
        ("1_orf", 60, 264, "KCNN1", 0),
    ],
)
def test_the_target_plates_of_jump(
    real_data: Path, kind: str, negative: int, none: int, first: str, problems: int
) -> None:
    folder = real_data / "metadata_jump_target"
    paths = [folder / f"JUMP-Target-{kind}_{what}.tsv" for what in ("metadata", "platemap")]
    table, told = join_plate_map(imaged(*WELLS_384), read_maps(paths, ["P"]))
    assert len(table) == 384
    assert table["control_type"].value_counts().to_dict() == {"": none, "negative": negative, "positive": 60}
    assert compound_column(table) == ("pert_iname" if "compound" in kind else "gene")
    assert treatments(table).iloc[0] == first
    assert len(told) == problems
    sources = table.groupby("control_type_source")["control_type"].unique().map(list).to_dict()
    assert {name: sources[name] for name in sources if name.startswith("poscon")} == {
        name: ["positive"] for name in ("poscon_cp", "poscon_diverse", "poscon_orf")
    }
    assert sources["negcon"] == ["negative"]


def test_wells_with_dmso_alone_are_controls_without_the_metadata_too(real_data: Path) -> None:
    path = real_data / "metadata_jump_target" / "JUMP-Target-1_compound_platemap.tsv"
    table, problems = join_plate_map(imaged(*WELLS_384), read_map_file(path))
    assert problems == ()
    assert table["control_type"].value_counts().to_dict() == {"": 320, "negative": 64}
    assert table.loc[table["control_type"] == "negative", "broad_sample"].unique().tolist() == [""]
    assert (treatments(table) == "DMSO").sum() == 64


def test_the_images_of_bbbc021_and_their_mechanisms(real_data: Path) -> None:
    folder = real_data / "metadata_bbbc021"
    started = time.process_time()
    images, moa = (read_map_file(folder / f"BBBC021_v1_{name}.csv")[0] for name in ("image", "moa"))
    acquisition = imaged_as(images.table)
    table, problems = join_plate_map(acquisition, [moa, images])
    assert time.process_time() - started < 3
    assert len(table) == 3300
    assert table["plate"].nunique() == 55
    assert images.notes[0].endswith(": ImageNumber, Image_FileName_DAPI, Image_FileName_Tubulin, Image_FileName_Actin.")
    with_moa = table[table["moa"] != ""]
    assert len(with_moa) == 962
    assert with_moa["plate"].nunique() == 55
    counts = with_moa["moa"].value_counts()
    assert counts[["Microtubule stabilizers", "DMSO", "Microtubule destabilizers", "Kinase inhibitors"]].to_list() == [
        *(357, 330, 42, 10)
    ]
    assert table.loc[table["Image_Metadata_Compound"] == "DMSO", "control_type"].unique().tolist() == ["negative"]
    assert (table["control_type"] == "negative").sum() == 330
    assert dose_column(table) == "Image_Metadata_Concentration"
    assert treatments(table).nunique() == 906
    assert any(problem.startswith("2,338 wells have no partner in BBBC021_v1_moa.csv") for problem in problems)


def test_the_plate_of_the_sbs_assay(real_data: Path) -> None:
    plate_map = read_plate_map(real_data / "sbs_bbbc013" / "plate_metadata.csv")
    assert plate_map["well"].tolist()[:13] == [f"A{i:02d}" for i in range(1, 13)] + ["B01"]
    table, _ = join_plate_map(imaged(*plate_map["well"]), [plate_map])
    of_control = {name: set(rows["well"].str[1:]) for name, rows in table.groupby("control_type")}
    assert of_control["negative"] == {"01", "02"}
    assert of_control["positive"] == {"12"}
    assert dose_column(table) == "SBS_Doses"
    assert "concentration_um" not in table


def test_the_maps_of_an_operetta_screen(real_data: Path) -> None:
    folder = real_data / "operetta_harmony" / "fixtures"
    german, _ = join_plate_map(imaged("C03"), read_map_file(folder / "drug_layout.csv"))
    assert german[["drug", "concentration", "unit", "control_type"]].to_numpy().tolist() == [
        ["DMSO", "0.125", "%", "negative"]
    ]
    assert "concentration_um" not in german
    marked, _ = join_plate_map(imaged("B03"), read_map_file(folder / "drug_layout_utf8-dom.csv"))
    assert marked[["drug", "concentration_um", "my_metadata"]].to_numpy().tolist() == [["my_drug", "0.1", "example"]]
    assert "control_type" not in marked


def test_a_map_of_genotypes(real_data: Path) -> None:
    table = read_plate_map(real_data / "platemaps_nf1" / "platemap_NF1_plate1.csv")
    assert table["well"].tolist() == ["C06", "C07", "D06", "D07", "E06", "E07", "F06", "F07"]
    assert table["genotype"].tolist() == ["WT", "Null"] * 4
