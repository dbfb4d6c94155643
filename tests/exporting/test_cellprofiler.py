"""Tables as CellProfiler writes them."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.tiny_plates import contents

from cellvote.errors import ImageReadError, SegmentationError, StudyError
from cellvote.exporting import export_study
from cellvote.study import Study
from cellvote.study.atomic import write_json
from cellvote.study.study import StudyInfo


@pytest.fixture(scope="module")
def tables(finished_study: Study, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    out = tmp_path_factory.mktemp("cellprofiler") / "out"
    summary = export_study(finished_study, out, "cellprofiler")
    assert list(summary.files) == ["Image.csv", "Cells.csv", "Nuclei.csv", "Cytoplasm.csv"]
    return {path.stem: pd.read_csv(path) for path in out.iterdir()}


def test_every_field_is_an_image(finished_study: Study, tables: dict[str, pd.DataFrame]) -> None:
    images = tables["Image"]
    assert images["ImageNumber"].tolist() == list(range(1, 33))
    assert images["Metadata_Well"].iloc[:3].tolist() == ["A01", "A01", "A02"]
    assert images["Metadata_Site"].iloc[:3].tolist() == [1, 2, 1]
    assert images["Metadata_compound"].iloc[0] == finished_study.plate_map["compound"].iloc[0]
    path = Path(images["PathName_DNA"].iloc[0], images["FileName_DNA"].iloc[0])
    assert path.is_file()


def test_cells_have_numbers_places_and_measurements(finished_study: Study, tables: dict[str, pd.DataFrame]) -> None:
    cells, ours = tables["Cells"], finished_study.read_cells("watershed")
    assert cells["ObjectNumber"].tolist() == ours["label_id"].tolist()
    assert cells["Number_Object_Number"].tolist() == cells["ObjectNumber"].tolist()
    assert cells["AreaShape_Area"].tolist() == ours["area"].tolist()
    assert cells["Location_Center_X"].tolist() == cells["AreaShape_Center_X"].tolist() == ours["centroid_x"].tolist()
    assert np.allclose(cells["AreaShape_Orientation"], np.degrees(ours["orientation"]))
    assert cells["AreaShape_TouchesBorder"].tolist() == ours["touches_border"].astype(int).tolist()
    assert not cells.columns.duplicated().any()
    field = tables["Image"].set_index("ImageNumber")[["Metadata_Well", "Metadata_Site"]]
    places = field.loc[cells["ImageNumber"]].to_numpy().tolist()
    assert places == ours[["well", "field"]].to_numpy().tolist()


def test_counts_are_those_of_the_tables(tables: dict[str, pd.DataFrame]) -> None:
    for kind in ("Cells", "Nuclei", "Cytoplasm"):
        counted = tables[kind]["ImageNumber"].value_counts().reindex(tables["Image"]["ImageNumber"], fill_value=0)
        assert tables["Image"][f"Count_{kind}"].tolist() == counted.tolist()


def test_intensities_run_from_0_to_1(finished_study: Study, tables: dict[str, pd.DataFrame]) -> None:
    ours = finished_study.read_cells("watershed")
    assert (tables["Image"]["Scaling_DNA"] == 65535).all()
    assert np.allclose(tables["Cells"]["Intensity_MeanIntensity_DNA"] * 65535, ours["intensity_mean_DNA"])
    assert np.allclose(
        tables["Cells"]["Intensity_NucleusRingRatio_DNA"], ours["nucleus_ring_ratio_DNA"], equal_nan=True
    )  # a ratio has no scale


def test_grey_values_stay_on_demand(finished_study: Study, tmp_path: Path) -> None:
    export_study(finished_study, tmp_path / "out", "cellprofiler", grey_values=True)
    cells = pd.read_csv(tmp_path / "out" / "Cells.csv")
    assert np.allclose(
        cells["Intensity_MeanIntensity_DNA"], finished_study.read_cells("watershed")["intensity_mean_DNA"]
    )
    assert (pd.read_csv(tmp_path / "out" / "Image.csv")["Scaling_DNA"] == 1).all()


def test_nucleus_and_cytoplasm_are_objects_of_their_own(finished_study: Study, tables: dict[str, pd.DataFrame]) -> None:
    ours = finished_study.read_cells("watershed")
    nuclei = ours[ours["nucleus_area"] > 0]
    assert tables["Nuclei"]["AreaShape_Area"].tolist() == nuclei["nucleus_area"].tolist()
    assert tables["Nuclei"]["ObjectNumber"].tolist() == nuclei["label_id"].tolist()
    cytoplasm = tables["Cytoplasm"].set_index(["ImageNumber", "ObjectNumber"])
    cells = tables["Cells"].set_index(["ImageNumber", "ObjectNumber"])
    assert (cytoplasm["AreaShape_Area"] < cells.loc[cytoplasm.index, "AreaShape_Area"]).all()
    assert cytoplasm["Parent_Cells"].tolist() == list(cytoplasm.index.get_level_values(1))
    assert set(tables["Cells"]["Parent_Nuclei"]) - set(tables["Cells"]["ObjectNumber"]) <= {0}


def test_columns_that_cellprofiler_has_are_named_as_in_its_own_tables(
    tables: dict[str, pd.DataFrame], real_data: Path
) -> None:
    ours_alone = {"NucleusShare", "ConvexArea", "TouchesBorder", "Degenerate"}  # its ConvexArea came with version 4.1
    for kind in ("Cells", "Nuclei", "Cytoplasm"):
        with (real_data / "cellprofiler_ExampleHuman" / f"{kind}.csv").open(newline="") as file:
            theirs = set(next(csv.reader(file)))
        shape = [c for c in tables[kind] if c.startswith(("AreaShape_", "Location_", "Parent_", "Number_"))]
        assert {c for c in shape if c.split("_")[1] not in ours_alone} <= theirs
        intensities = [c for c in tables[kind] if c.startswith("Intensity_") and c.endswith("_DNA")]
        assert {c for c in intensities if "Nucleus" not in c} <= theirs


def test_without_the_images_their_type_is_not_known_and_grey_values_are_offered(study: Study, tmp_path: Path) -> None:
    info = StudyInfo(**study.info.model_dump() | {"source": str(tmp_path / "gone")})
    write_json(study.path / "study.json", info.model_dump(mode="json"))
    moved = Study.open(study.path)
    with pytest.raises(ImageReadError, match="--grey-values"):
        export_study(moved, tmp_path / "out", "cellprofiler")
    assert not (tmp_path / "out").exists()
    export_study(moved, tmp_path / "out", "cellprofiler", grey_values=True)
    assert len(contents(tmp_path / "out")) == 4


def test_an_earlier_export_is_replaced_on_demand_and_a_folder_of_something_else_never(
    finished_study: Study, tmp_path: Path
) -> None:
    export_study(finished_study, tmp_path / "out", "cellprofiler", grey_values=True)
    before = contents(tmp_path / "out")
    with pytest.raises(StudyError, match="is there already"):
        export_study(finished_study, tmp_path / "out", "cellprofiler")
    export_study(finished_study, tmp_path / "out", "cellprofiler", grey_values=True, overwrite=True)
    assert contents(tmp_path / "out") == before
    (tmp_path / "out" / "mine.csv").write_text("mine")
    with pytest.raises(StudyError, match="holds something else"):
        export_study(finished_study, tmp_path / "out", "cellprofiler", overwrite=True)


def test_a_study_that_is_not_measured_says_so(new_study: Study, study: Study, tmp_path: Path) -> None:
    with pytest.raises(SegmentationError, match="cellvote segment"):
        export_study(new_study, tmp_path / "out", "cellprofiler")
    study.cells_path("watershed").unlink()
    with pytest.raises(SegmentationError, match="cellvote measure"):
        export_study(study, tmp_path / "out", "cellprofiler")
