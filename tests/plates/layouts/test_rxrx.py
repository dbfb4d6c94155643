"""RxRx1, 2, 3 and 19: plates in folders of experiments, and one table that tells of all wells."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.tiny_plates import write_images

from cellvote.errors import LayoutError
from cellvote.plates.fields import read_field
from cellvote.plates.layouts import LAYOUTS, read_plate
from cellvote.plates.layouts.base import open_folder
from cellvote.study import Study

RXRX1 = "site_id,well_id,cell_type,dataset,experiment,plate,well,site,well_type,sirna,sirna_id"
RXRX2 = "site_id,well_id,cell_type,experiment,plate,well,site,treatment,treatment_conc"
RXRX3 = "well_id,experiment_name,plate,address,gene,treatment,SMILES,concentration,perturbation_type,cell_type"
DYES = ["Hoechst", "ConA", "Phalloidin", "Syto14", "MitoTracker", "WGA"]


def write_pictures(folder: Path, names: Iterable[str]) -> Path:
    for i, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), i % 256, np.uint8)).save(path)
    return folder


def names_of(
    plates: Iterable[str], wells: Iterable[str] = ("B02", "C03"), channels: int = 6, sites: int = 2
) -> list[str]:
    wells = list(wells)
    return [
        f"{plate}/{well}_s{site}_w{channel}.png"
        for plate in plates
        for well in wells
        for site in range(1, sites + 1)
        for channel in range(1, channels + 1)
    ]


@pytest.fixture
def rxrx1(tmp_path: Path) -> Path:
    """Return two plates of RxRx1, and a table that speaks of more plates and wells than were imaged."""
    rows = [RXRX1]
    for experiment in ("HEPG2-01", "HUVEC-18"):
        for plate in (1, 2):
            for well, kind in (("B02", "negative_control"), ("C03", "positive_control"), ("D04", "treatment")):
                for site in (1, 2):
                    ids = f"{experiment}_{plate}_{well}_{site},{experiment}_{plate}_{well}"
                    rows.append(f"{ids},{experiment[:5]},train,{experiment},{plate},{well},{site},{kind},s{well},7")
    folder = tmp_path / "rxrx1"
    write_pictures(folder / "images", names_of(["HEPG2-01/Plate1", "HUVEC-18/Plate1"]))
    (folder / "metadata.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder


def test_plates_are_named_after_their_experiments(rxrx1: Path) -> None:
    acquisition = read_plate(rxrx1)
    assert acquisition.summary() == {
        "layout": "rxrx",
        "plates": ["HEPG2-01_Plate1", "HUVEC-18_Plate1"],
        "wells": 4,
        "fields": 8,
        "channels": DYES,
        "planes": 48,
        "pixel_size_um": None,
        "problems": [],
    }
    image = read_field(acquisition.source, acquisition.planes.iloc[:6], acquisition.channels, acquisition.fields[0])
    assert image[:, 0, 0].tolist() == [0, 1, 2, 3, 4, 5]


def test_the_table_tells_of_every_well_of_the_plates_that_are_there(rxrx1: Path) -> None:
    plate_map = read_plate(rxrx1).plate_map
    assert plate_map is not None
    assert plate_map[["plate", "well"]].to_numpy().tolist() == [
        [plate, well] for plate in ("HEPG2-01_Plate1", "HUVEC-18_Plate1") for well in ("B02", "C03", "D04")
    ]
    assert plate_map["control_type"].tolist() == ["negative", "positive", ""] * 2
    assert plate_map["sirna"].tolist() == ["sB02", "sC03", "sD04"] * 2
    assert {"experiment", "cell_type", "well_type", "dataset"} <= set(plate_map)
    assert not {"site", "site_id", "well_id"} & set(plate_map)


@pytest.mark.parametrize(("below", "n_plates"), [("images", 2), ("images/HUVEC-18", 1), ("images/HUVEC-18/Plate1", 1)])
def test_the_table_is_found_above_the_folder_that_is_given(rxrx1: Path, below: str, n_plates: int) -> None:
    acquisition = read_plate(rxrx1 / below)
    assert len(acquisition.plates) == n_plates
    assert acquisition.plates[-1] == "HUVEC-18_Plate1"
    assert acquisition.plate_map is not None
    assert len(acquisition.plate_map) == 3 * n_plates


def test_the_table_may_lie_elsewhere_with_a_root(rxrx1: Path, tmp_path: Path) -> None:
    table = (rxrx1 / "metadata.csv").rename(tmp_path / "metadata.csv")
    acquisition = read_plate(table, root=rxrx1 / "images")
    assert acquisition.source == rxrx1 / "images"
    assert acquisition.plate_map is not None
    assert len(acquisition.planes) == 48


def test_a_study_takes_the_table_as_its_plate_map(rxrx1: Path, tmp_path: Path) -> None:
    study = Study.create(tmp_path / "s", read_plate(rxrx1))
    assert study.plate_map["imaged"].tolist() == [True, True, False] * 2
    assert study.plate_map["well_type"].tolist()[0] == "negative_control"


def test_without_a_table_the_names_are_read_and_that_is_said(tmp_path: Path) -> None:
    acquisition = read_plate(write_pictures(tmp_path, names_of(["HEPG2-01/Plate1"])))
    assert acquisition.plates == ["HEPG2-01_Plate1"]
    assert acquisition.plate_map is None
    assert "metadata.csv" in acquisition.problems[0]


def test_rxrx3_has_its_own_columns(tmp_path: Path) -> None:
    rows = [
        RXRX3,
        "gene-001_3_AA02,gene-001,3,AA02,RPLP2,RPLP2_guide_4,,,CRISPR,HUVEC",
        "gene-001_3_AF48,gene-001,3,AF48,EMPTY_control,EMPTY_control,,,CRISPR,HUVEC",
        "gene-001_3_B02,gene-001,3,B02,,Dequalinium,CC1=[N+],0.25,COMPOUND,HUVEC",
    ]
    write_pictures(tmp_path / "images", names_of(["gene-001/Plate3"], ["AA02", "AF48", "B02"], sites=1))
    (tmp_path / "metadata.csv").write_text("\n".join(rows), encoding="utf-8")
    acquisition = read_plate(tmp_path)
    assert acquisition.wells["well"].tolist() == ["AA02", "AF48", "B02"]
    plate_map = acquisition.plate_map
    assert plate_map is not None
    by_well = plate_map.set_index("well")
    assert by_well.loc["AF48", "control_type"] == "negative"
    assert by_well["concentration_um"].to_dict() == {"AA02": "", "AF48": "", "B02": "0.25"}


def test_the_doses_of_rxrx2_are_not_taken_for_micromolar(tmp_path: Path) -> None:
    row = "HUVEC-1_1_B02_1,HUVEC-1_1_B02,HUVEC,HUVEC-1,1,B02,1,TNF,0.1"
    write_pictures(tmp_path, names_of(["HUVEC-1/Plate1"], ["B02"]))
    (tmp_path / "rxrx2-metadata.csv").write_text(f"{RXRX2}\n{row}\n", encoding="utf-8")
    plate_map = read_plate(tmp_path).plate_map
    assert plate_map is not None
    assert plate_map["treatment_conc"].tolist() == ["0.1"]
    assert "concentration_um" not in plate_map


def test_five_channels_leave_open_what_the_fifth_shows(tmp_path: Path) -> None:
    acquisition = read_plate(write_pictures(tmp_path, names_of(["HRCE-1/Plate1"], channels=5)))
    assert acquisition.channels == ("Hoechst", "ConA", "Phalloidin", "Syto14", "w5")


def test_images_elsewhere_in_the_folder_are_told(rxrx1: Path) -> None:
    write_pictures(rxrx1, ["overview.png", "illumination/B02_s1_w1.png"])
    acquisition = read_plate(rxrx1, layout="rxrx")
    assert len(acquisition.planes) == 48
    assert acquisition.problems[0].startswith("2 image(s) have another kind of name")


def test_names_of_metaxpress_are_left_to_metaxpress(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "Plate1", ["A01_s1_w1.TIF", "A01_s1_w2.TIF"])
    assert LAYOUTS["rxrx"].recognise(open_folder(folder)) == 0


def test_a_well_that_is_none_is_refused(rxrx1: Path) -> None:
    table = rxrx1 / "metadata.csv"
    table.write_text(table.read_text(encoding="utf-8").replace(",D04,", ",banana,"), encoding="utf-8")
    with pytest.raises(LayoutError, match="'banana' is not a well"):
        read_plate(rxrx1)


def test_packed_pictures_of_rxrx3_core_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "compound-001" / "Plate10"
    folder.mkdir(parents=True)
    plane = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for channel in range(1, 7):
        Image.fromarray(plane).save(folder / f"AA15_s1_{channel}.jp2", irreversible=False)
    acquisition = read_plate(tmp_path)
    assert (acquisition.layout, acquisition.plates, acquisition.channels) == (
        "rxrx",
        ["compound-001_Plate10"],
        tuple(DYES),
    )
    image = read_field(tmp_path, acquisition.planes, acquisition.channels, acquisition.fields[0])
    np.testing.assert_array_equal(image[5], plane)


def test_a_table_of_other_experiments_is_told(rxrx1: Path) -> None:
    (rxrx1 / "images/HEPG2-01").rename(rxrx1 / "images/HEPG2-09")
    (rxrx1 / "images/HUVEC-18").rename(rxrx1 / "images/HUVEC-99")
    acquisition = read_plate(rxrx1)
    assert acquisition.plate_map is None
    assert acquisition.problems == ("metadata.csv tells of none of the plates HEPG2-09_Plate1, HUVEC-99_Plate1.",)
