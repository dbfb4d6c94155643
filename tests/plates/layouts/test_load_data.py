"""Tables of images: whatever the files are called, the table says which plane each of them is."""

import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import pytest
from tests.tiny_plates import operetta_names, write_images

from cellvote.errors import ImageReadError, LayoutError
from cellvote.plates.acquisition import Acquisition
from cellvote.plates.fields import read_field
from cellvote.plates.layouts import read_plate
from cellvote.plates.layouts.source_tables import read_text_table
from cellvote.study import Study

Row = dict[str, str]
WELLS = ("A01", "B02")


def rows_of(wells: Iterable[str] = WELLS, fields: int = 2, channels: Sequence[str] = ("DNA", "ER")) -> list[Row]:
    """Rows as for LoadData: every file has a running number for a name, in a folder called after the plate."""
    rows: list[Row] = []
    for well in wells:
        for field in range(1, fields + 1):
            row = {"Metadata_Plate": "P-7", "Metadata_Well": well, "Metadata_Site": str(field)}
            for channel in channels:
                row[f"FileName_Orig{channel}"] = f"{len(rows)}-{channel}.tif"
                row[f"PathName_Orig{channel}"] = "raw"
            rows.append(row)
    return rows


def write_table(path: Path, rows: Sequence[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def write_named(folder: Path, rows: Sequence[Row], below: str = "raw") -> None:
    names = [entry for row in rows for name, entry in row.items() if "FileName" in name and entry]
    write_images(folder, [f"{below}/{name}" if below else name for name in names])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with ``load_data.csv`` and the images that it names, in ``raw``."""
    write_table(tmp_path / "load_data.csv", rows_of())
    write_named(tmp_path, rows_of())
    return tmp_path


def facts(acquisition: Acquisition) -> tuple[str, list[str], int, int, list[str], int]:
    found = acquisition.summary()
    return tuple(found[name] for name in ("layout", "plates", "wells", "fields", "channels", "planes"))  # type: ignore[return-value]


def test_a_table_beside_its_images_is_read(folder: Path) -> None:
    acquisition = read_plate(folder)
    assert facts(acquisition) == ("load-data", ["P-7"], 2, 4, ["DNA", "ER"], 8)
    assert acquisition.problems == ()
    one = acquisition.planes[(acquisition.planes["well"] == "B02") & (acquisition.planes["field"] == 1)]
    assert one["path"].tolist() == ["raw/2-DNA.tif", "raw/2-ER.tif"]


def test_the_table_alone_can_be_given(folder: Path) -> None:
    assert len(read_plate(folder / "load_data.csv").planes) == 8


def test_the_table_wins_over_names_that_say_less(tmp_path: Path) -> None:
    names = operetta_names([(1, 1)])
    write_images(tmp_path, names)
    row = {"Metadata_Plate": "P", "Metadata_Well": "A01", "FileName_DNA": names[0], "FileName_ER": names[1]}
    write_table(tmp_path / "load_data.csv", [row])
    assert facts(read_plate(tmp_path)) == ("load-data", ["P"], 1, 1, ["DNA", "ER"], 2)


@pytest.mark.parametrize("ending", [".csv.gz", ".parquet", ".tsv"])
def test_other_kinds_of_tables_are_read_alike(tmp_path: Path, ending: str) -> None:
    table = pd.DataFrame(rows_of())
    path = tmp_path / f"load_data{ending}"
    if ending == ".parquet":
        table.assign(Metadata_Site=table["Metadata_Site"].astype(int)).to_parquet(path)
    elif ending == ".tsv":
        table.to_csv(path, index=False, sep="\t", encoding="utf-16")
    else:
        path.write_bytes(gzip.compress(table.to_csv(index=False).encode()))
    write_named(tmp_path, rows_of())
    assert facts(read_plate(tmp_path)) == ("load-data", ["P-7"], 2, 4, ["DNA", "ER"], 8)


def test_any_prefix_and_metadata_of_one_channel(tmp_path: Path) -> None:
    row = {
        "Image_FileName_DAPI": "a.tif",
        "Image_PathName_DAPI": "Week1/Week1_22123",
        "Image_FileName_Actin": "b.tif",
        "Image_PathName_Actin": "Week1/Week1_22123",
        "Image_Metadata_Plate_DAPI": "Week1_22123",
        "Image_Metadata_Well_DAPI": "b2",
        "Replicate": "3",
        "Image_Metadata_Compound": "taxol",
        "ImageNumber": "17",
    }
    write_table(tmp_path / "image.csv", [row])
    write_images(tmp_path, ["Week1_22123/a.tif", "Week1_22123/b.tif"])  # as the archive unpacks, without Week1
    acquisition = read_plate(tmp_path)
    assert facts(acquisition) == ("load-data", ["Week1_22123"], 1, 1, ["DAPI", "Actin"], 2)
    assert acquisition.planes["path"].tolist() == ["Week1_22123/a.tif", "Week1_22123/b.tif"]
    assert acquisition.plate_map is not None
    assert acquisition.plate_map.to_dict("records") == [
        {"plate": "Week1_22123", "well": "B02", "Replicate": "3", "Compound": "taxol"}
    ]


def test_rows_and_columns_stand_in_for_wells(tmp_path: Path) -> None:
    rows = [{**row, "Metadata_Row": "2", "Metadata_Col": "3.0"} for row in rows_of(["A01"], fields=1)]
    write_table(tmp_path / "load_data.csv", [{k: v for k, v in row.items() if k != "Metadata_Well"} for row in rows])
    write_named(tmp_path, rows)
    assert read_plate(tmp_path).wells["well"].tolist() == ["B03"]


def test_fields_are_read_from_names_where_no_column_tells_them(tmp_path: Path) -> None:
    rows = [{"Metadata_Well": "G10", "FileName_DNA": f"G10_s{s}_w1BEDC-{s}.tif"} for s in (4, 2)]
    write_table(tmp_path / "image.csv", rows)
    write_named(tmp_path, rows, "")
    assert read_plate(tmp_path).planes[["field", "path"]].to_numpy().tolist() == [
        [2, "G10_s2_w1BEDC-2.tif"],
        [4, "G10_s4_w1BEDC-4.tif"],
    ]


def test_fields_are_counted_where_nothing_tells_them(tmp_path: Path) -> None:
    rows = [{"Metadata_Well": well, "FileName_DNA": f"{i}.tif"} for i, well in enumerate(["A1", "A2", "A1"])]
    write_table(tmp_path / "image.csv", rows)
    write_named(tmp_path, rows, "")
    fields = read_plate(tmp_path).planes[["well", "field", "path"]].to_numpy().tolist()
    assert fields == [["A01", 1, "0.tif"], ["A01", 2, "2.tif"], ["A02", 1, "1.tif"]]


def test_z_planes_timepoints_and_fields_counted_from_zero(tmp_path: Path) -> None:
    rows = [
        {"Metadata_Well": "A01", "Metadata_Site": "0", "Metadata_Z": str(z), "Metadata_T": str(t), "FileName_X": name}
        for z, t, name in ((0, 0, "a.tif"), (1, 0, "b.tif"), (0, 1, "c.tif"), (1, 1, "d.tif"))
    ]
    write_table(tmp_path / "image.csv", rows)
    write_named(tmp_path, rows, "")
    planes = read_plate(tmp_path).planes
    assert planes[["field", "z", "timepoint", "path"]].to_numpy().tolist() == [
        [1, 1, 0, "a.tif"],
        [1, 2, 0, "b.tif"],
        [1, 1, 1, "c.tif"],
        [1, 2, 1, "d.tif"],
    ]


def test_frames_are_pages_of_one_file(tmp_path: Path) -> None:
    row = {"Metadata_Well": "A01", "FileName_DNA": "s.tif", "Frame_DNA": "0", "FileName_ER": "s.tif", "Frame_ER": "1"}
    write_table(tmp_path / "image.csv", [row])
    write_images(tmp_path, ["s.tif"])
    assert read_plate(tmp_path).planes[["channel", "path", "page"]].to_numpy().tolist() == [
        [0, "s.tif", 0],
        [1, "s.tif", 1],
    ]


def test_what_was_done_to_a_well_becomes_its_plate_map(tmp_path: Path) -> None:
    rows = [
        {**row, "Metadata_broad_sample": f"BRD-{row['Metadata_Well']}", "Metadata_Angle": str(i), "Metadata_Empty": ""}
        for i, row in enumerate(rows_of())
    ]
    write_table(tmp_path / "load_data.csv", rows)
    write_named(tmp_path, rows)
    acquisition = read_plate(tmp_path)
    assert acquisition.plate_map is not None
    assert acquisition.plate_map.to_dict("list") == {
        "plate": ["P-7", "P-7"],
        "well": ["A01", "B02"],
        "broad_sample": ["BRD-A01", "BRD-B02"],
    }


def test_illumination_functions_and_saved_results_are_no_channels(tmp_path: Path) -> None:
    row = {"Metadata_Well": "A01", "FileName_OrigDNA": "a.tif", "Height_OrigDNA": "8"}
    row |= {"FileName_IllumDNA": "illum.npy", "FileName_Overlay": "overlay.png"}
    write_table(tmp_path / "Image.csv", [row])
    write_images(tmp_path, ["a.tif"])
    acquisition = read_plate(tmp_path)
    assert acquisition.channels == ("DNA",)
    assert "FileName_IllumDNA, FileName_Overlay" in acquisition.problems[0]


def test_measurements_in_the_table_are_not_what_was_done_to_a_well(tmp_path: Path) -> None:
    row = {"Metadata_Well": "A01", "Metadata_Dose": "3", "FileName_DNA": "a.tif", "Count_Nuclei": "17", "Mean_X": "2"}
    write_table(tmp_path / "Image.csv", [row])
    write_images(tmp_path, ["a.tif"])
    plate_map = read_plate(tmp_path).plate_map
    assert plate_map is not None
    assert list(plate_map) == ["plate", "well", "Dose"]


def test_a_table_of_cells_is_no_table_of_images(folder: Path) -> None:
    write_table(folder / "Cells.csv", [{"ObjectNumber": "1", "Image_FileName_DNA": "x.tif", "Metadata_Well": "A01"}])
    assert len(read_plate(folder).planes) == 8


def test_a_missing_channel_stays_missing(tmp_path: Path) -> None:
    rows = rows_of(fields=1)
    rows[1]["FileName_OrigER"] = ""
    write_table(tmp_path / "load_data.csv", rows)
    write_named(tmp_path, rows)
    acquisition = read_plate(tmp_path)
    assert acquisition.planes[["well", "channel"]].to_numpy().tolist() == [["A01", 0], ["A01", 1], ["B02", 0]]
    assert [doubt.kind for doubt in acquisition.doubts] == ["ragged channels"]


def test_files_that_are_not_there_are_counted_with_examples(folder: Path) -> None:
    (folder / "raw/2-ER.tif").unlink()
    acquisition = read_plate(folder)
    assert len(acquisition.planes) == 7
    assert acquisition.problems[0].startswith("load_data.csv: 1 of 8 images that it names are not there")
    assert "raw/2-ER.tif" in acquisition.problems[0]


def test_rows_that_stand_twice_count_once(tmp_path: Path) -> None:
    write_table(tmp_path / "load_data.csv", [*rows_of(), rows_of()[0]])
    write_named(tmp_path, rows_of())
    acquisition = read_plate(tmp_path)
    assert len(acquisition.planes) == 8
    assert "2 image plane(s) stand in it twice" in acquisition.problems[0]


def test_rows_that_name_many_files_for_one_plane_are_refused(tmp_path: Path) -> None:
    rows = [{**row, "Metadata_Site": "1"} for row in rows_of()]
    write_table(tmp_path / "load_data.csv", rows)
    write_named(tmp_path, rows)
    with pytest.raises(LayoutError, match=r"different files for the same image plane .*A01 field 1.*Metadata_Site"):
        read_plate(tmp_path)


def test_tables_of_several_plates_are_read_together(tmp_path: Path) -> None:
    for plate in ("P1", "P2"):
        rows = [{**row, "Metadata_Plate": plate} for row in rows_of()]
        write_table(tmp_path / plate / "load_data.csv", rows)
        write_table(tmp_path / plate / "load_data_with_illum.csv", rows)
        write_named(tmp_path / plate, rows)
    acquisition = read_plate(tmp_path)
    assert facts(acquisition) == ("load-data", ["P1", "P2"], 4, 8, ["DNA", "ER"], 16)
    assert acquisition.planes["path"].iloc[0] == "P1/raw/0-DNA.tif"


def test_harmony_columns_give_pixel_size_and_positions(tmp_path: Path) -> None:
    harmony = {"Metadata_ImageResolutionX": "1.2E-06", "Metadata_PositionX": "-0.0001", "Metadata_PositionY": "0.0002"}
    rows = [{**row, **harmony} for row in rows_of(["A01"], fields=1)]
    write_table(tmp_path / "load_data.csv", rows)
    write_named(tmp_path, rows)
    acquisition = read_plate(tmp_path)
    assert acquisition.pixel_size_um == 1.2
    assert acquisition.positions is not None
    assert acquisition.positions.round(6).to_numpy().tolist() == [["P-7", "A01", 1, -100.0, -200.0]]
    assert acquisition.plate_map is None


@pytest.mark.parametrize(
    "path",
    [
        "/data/screen/raw",
        r"D:\screen\raw",
        r"\\server\share\raw",
        "file:/data/raw",
        "s3://bucket/raw",
        "https://x.org/raw",
    ],
)
def test_places_elsewhere_are_refused_with_advice_and_found_below_a_root(tmp_path: Path, path: str) -> None:
    rows = [{k: path if "PathName" in k else v for k, v in row.items()} for row in rows_of()]
    table = write_table(tmp_path / "tables/load_data.csv", rows)
    write_named(tmp_path / "images", rows)
    with pytest.raises(LayoutError, match="--root"):
        read_plate(table)
    acquisition = read_plate(table, root=tmp_path / "images")
    assert facts(acquisition) == ("load-data", ["P-7"], 2, 4, ["DNA", "ER"], 8)
    assert acquisition.source == tmp_path / "images"
    assert read_field(
        acquisition.source, acquisition.planes.iloc[:2], acquisition.channels, acquisition.fields[0]
    ).any()


@pytest.mark.parametrize("path", ["../elsewhere", "raw/../../elsewhere", r"raw\..\..\elsewhere", "file:raw/%2e%2e/x"])
@pytest.mark.parametrize("column", ["FileName_OrigDNA", "PathName_OrigDNA", "URL_OrigDNA"])
def test_a_path_that_climbs_out_is_refused(folder: Path, column: str, path: str) -> None:
    column = "URL_OrigDNA" if path.startswith("file:") else column
    rows = [{**row, column: path if "Path" in column else f"{path}/x.tif"} for row in rows_of()]
    if column == "URL_OrigDNA":
        rows = [{name: entry for name, entry in row.items() if "Name_OrigDNA" not in name} for row in rows]
    table = write_table(folder / "load_data.csv", rows)
    with pytest.raises(LayoutError, match=r"'\.\.'"):
        read_plate(table)
    with pytest.raises(LayoutError, match=r"'\.\.'"):
        read_plate(table, root=folder)


def test_a_table_of_places_elsewhere_is_mentioned_where_names_are_read_instead(tmp_path: Path) -> None:
    names = operetta_names([(1, 1)])
    row = {"Metadata_Well": "A01", "FileName_DNA": names[0], "PathName_DNA": "s3://bucket/raw"}
    write_table(tmp_path / "load_data.csv", [row])
    write_images(tmp_path / "raw", names)
    acquisition = read_plate(tmp_path)
    assert acquisition.layout == "operetta"
    assert "--root" in acquisition.problems[-1]
    assert read_plate(tmp_path, root=tmp_path).layout == "load-data"


def test_absolute_paths_inside_the_folder_are_taken(tmp_path: Path) -> None:
    rows = [{k: str(tmp_path / "raw") if "PathName" in k else v for k, v in row.items()} for row in rows_of()]
    write_table(tmp_path / "load_data.csv", rows)
    write_named(tmp_path, rows)
    assert len(read_plate(tmp_path).planes) == 8


def test_no_file_is_taken_for_two_planes_of_plates_that_are_not_there(tmp_path: Path) -> None:
    rows = [
        {"Metadata_Plate": plate, "Metadata_Well": "A01", "FileName_DNA": "A01.tif", "PathName_DNA": f"/x/{plate}"}
        for plate in ("P1", "P2", "P3")
    ]
    table = write_table(tmp_path / "image.csv", rows)
    acquisition = read_plate(table, root=write_images(tmp_path / "images", ["P2/A01.tif"]))
    assert acquisition.plates == ["P2"]
    assert "2 of 3 images" in acquisition.problems[0]


def test_a_file_found_by_its_name_alone_is_told(tmp_path: Path) -> None:
    row = {"Metadata_Well": "A01", "FileName_DNA": "A01.tif", "PathName_DNA": "/x/P1"}
    table = write_table(tmp_path / "image.csv", [row])
    acquisition = read_plate(table, root=write_images(tmp_path / "images", ["Q9/A01.tif"]))
    assert acquisition.planes["path"].tolist() == ["Q9/A01.tif"]
    assert "by their file names alone" in acquisition.problems[0]


def test_a_table_without_any_image_shows_the_plate_and_says_so_loudly(tmp_path: Path) -> None:
    write_table(tmp_path / "load_data.csv", rows_of())
    acquisition = read_plate(tmp_path)
    assert facts(acquisition) == ("load-data", ["P-7"], 2, 4, ["DNA", "ER"], 8)
    assert acquisition.problems[0].startswith("load_data.csv: none of the 8 images that it names is there")
    key = acquisition.fields[0]
    with pytest.raises(ImageReadError, match="P-7/A01 field 1 channel DNA"):
        read_field(tmp_path, acquisition.planes, acquisition.channels, key)


def test_a_root_without_the_images_is_refused(tmp_path: Path) -> None:
    rows = [{k: "/data/raw" if "PathName" in k else v for k, v in row.items()} for row in rows_of()]
    table = write_table(tmp_path / "load_data.csv", rows)
    with pytest.raises(LayoutError, match=r"none of the 8 images .*/data/raw/0-DNA\.tif"):
        read_plate(table, root=write_images(tmp_path / "images", ["other.tif"]))


def test_a_well_that_is_none_is_named_with_its_row(folder: Path) -> None:
    rows = rows_of()
    rows[2]["Metadata_Well"] = "banana"
    write_table(folder / "load_data.csv", rows)
    with pytest.raises(LayoutError, match=r"row 4: 'banana' is not a well"):
        read_plate(folder)


def test_images_without_wells_stand_without_geometry(tmp_path: Path) -> None:
    rows = [{"FileName_DNA": f"cell {i}.tif"} for i in range(2)]
    table = write_table(tmp_path / "Image.csv", rows)
    write_named(tmp_path, rows, "")
    acquisition = read_plate(table)
    assert acquisition.planes[["well", "field"]].to_numpy().tolist() == [["", 1], ["", 2]]
    assert acquisition.plate_map is not None
    assert acquisition.plate_map["image_name"].tolist() == ["cell 0", "cell 1"]


def test_mechanisms_beside_the_table_are_joined_by_compound_and_dose(tmp_path: Path) -> None:
    rows = [
        {
            "Metadata_Well": well,
            "FileName_DNA": f"{well}.tif",
            "Metadata_Compound": "taxol",
            "Metadata_Concentration": dose,
        }
        for well, dose in (("A01", "0.3"), ("A02", "3"))
    ]
    write_table(tmp_path / "image.csv", rows)
    write_table(tmp_path / "moa.csv", [{"compound": "taxol", "concentration": "0.300000", "moa": "stabiliser"}])
    write_named(tmp_path, rows, "")
    plate_map = read_plate(tmp_path).plate_map
    assert plate_map is not None
    assert plate_map["moa"].tolist() == ["stabiliser", ""]


def test_the_study_of_a_table_keeps_what_was_done(folder: Path, tmp_path: Path) -> None:
    rows = [{**row, "Metadata_Compound": f"c{row['Metadata_Well']}"} for row in rows_of()]
    write_table(folder / "load_data.csv", rows)
    study = Study.create(tmp_path / "s", read_plate(folder))
    assert study.plate_map["Compound"].tolist() == ["cA01", "cB02"]
    assert study.read_field(study.fields[3]).shape == (2, 8, 8)


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02", b'a,b\n"never closed', b"a,b\n1,2,3\n", b"a,a\n1,2\n"])
def test_a_damaged_table_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(LayoutError, match=r"t\.csv"):
        read_plate(tmp_path / "t.csv", layout="load-data")


def test_entries_stay_the_text_that_they_are(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,code,dose\n001234,12E3,NA\n , x ,\n", encoding="utf-8")
    assert read_text_table(tmp_path / "t.csv").to_numpy().tolist() == [["001234", "12E3", "NA"], ["", "x", ""]]


def test_a_packed_table_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv.gz").write_bytes(b"\x1f\x8b\x08\x00damaged")
    with pytest.raises(LayoutError, match=r"t\.csv\.gz"):
        read_text_table(tmp_path / "t.csv.gz")


def test_the_plates_of_bbbc021_are_all_there(real_data: Path) -> None:
    acquisition = read_plate(real_data / "metadata_bbbc021")
    assert acquisition.layout == "load-data"
    assert len(acquisition.plates) == 55
    assert acquisition.plates[0] == "Week10_40111"
    assert acquisition.channels == ("DAPI", "Tubulin", "Actin")
    assert (len(acquisition.wells), len(acquisition.fields), len(acquisition.planes)) == (3300, 13200, 39600)
    assert set(acquisition.planes["field"]) == {1, 2, 3, 4}
    assert acquisition.problems[0].startswith("BBBC021_v1_image.csv: none of the 39,600 images that it names is there")
    plate_map = acquisition.plate_map
    assert plate_map is not None
    assert list(plate_map) == ["plate", "well", "Replicate", "Compound", "Concentration", "moa"]
    assert plate_map["Compound"].nunique() == 113
    counts = plate_map["moa"].value_counts()
    assert len(counts) == 14  # twelve mechanisms, DMSO, and what has none
    assert (counts["Microtubule stabilizers"], counts["DMSO"], counts["Kinase inhibitors"]) == (357, 330, 10)


def test_the_table_of_the_example_human_finds_its_images_below_the_root(real_data: Path) -> None:
    folder = real_data / "cellprofiler_ExampleHuman"
    with pytest.raises(LayoutError, match="--root"):
        read_plate(folder / "Image.csv")
    acquisition = read_plate(folder / "Image.csv", root=folder)
    assert acquisition.channels == ("DNA", "PH3", "cellbody")
    assert acquisition.planes["path"].tolist() == [f"AS_09125_050116030001_D03f00d{i}.tif" for i in range(3)]
