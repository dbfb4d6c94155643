"""AnnData: the file is as its specification has it, and anndata reads what was written."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from cellvote.errors import SettingsError, StudyError
from cellvote.exporting import export_study
from cellvote.exporting.h5ad import AnnotatedMatrix, Matrix, is_h5ad, write_h5ad
from cellvote.jobs.profile import profile_study, read_profiles
from cellvote.profiling.profiles import profile_columns
from cellvote.study import Study
from cellvote.study.atomic import write_table


def read(node: h5py.Group | h5py.Dataset) -> Any:
    """Read an element as the specification says, checking that each says what it is."""
    kind = node.attrs["encoding-type"]
    assert node.attrs["encoding-version"]
    if kind in {"string-array", "string"}:
        return node.asstr()[()].tolist() if kind == "string-array" else node.asstr()[()]
    if kind == "categorical":
        return pd.Categorical.from_codes(read(node["codes"]), read(node["categories"]), ordered=node.attrs["ordered"])
    if kind == "dataframe":
        columns = {name: read(node[name]) for name in node.attrs["column-order"]}
        return pd.DataFrame(columns, index=read(node[node.attrs["_index"]]))
    if kind in {"dict", "anndata"}:
        return {name: read(part) for name, part in node.items()}
    assert kind in {"array", "numeric-scalar"}
    return node[()]


def export(study: Study, out: Path, **options: Any) -> dict[str, Any]:
    export_study(study, out, "anndata", **options)
    with h5py.File(out, "r") as file:
        assert dict(file.attrs) == {"encoding-type": "anndata", "encoding-version": "0.1.0"}
        content: dict[str, Any] = read(file)
    assert set(content) == {"X", "layers", "obs", "obsm", "obsp", "uns", "var", "varm", "varp"}
    assert content["X"].shape == (len(content["obs"]), len(content["var"]))
    return content


def test_wells_have_their_normalised_profiles_and_raw_ones_as_a_layer(profiled_study: Study, tmp_path: Path) -> None:
    found = export(profiled_study, tmp_path / "wells.h5ad")
    profiles = read_profiles(profiled_study)
    assert profiles.normalised is not None
    columns = profile_columns(profiles.normalised)
    assert found["var"].index.tolist() == columns
    assert np.array_equal(found["X"], profiles.normalised[columns], equal_nan=True)
    assert np.array_equal(found["layers"]["raw"], profiles.raw[columns], equal_nan=True)
    assert found["obs"].index[0] == "P-1/A01"
    assert found["obs"]["n_cells"].tolist() == profiles.raw["n_cells"].tolist()
    assert found["uns"]["cellvote"]["profiles"]["statistics"] == ["median", "mad"]


def test_what_the_plate_map_says_is_there_as_categories_and_concentrations_as_numbers(
    profiled_study: Study, tmp_path: Path
) -> None:
    obs = export(profiled_study, tmp_path / "wells.h5ad")["obs"]
    table = profiled_study.plate_map
    assert obs["compound"].tolist() == table["compound"].tolist()
    assert isinstance(obs["compound"].dtype, pd.CategoricalDtype)
    assert obs["concentration_um"].dropna().max() == 50
    assert obs["concentration_um"].isna().sum() == (table["concentration_um"] == "").sum()


def test_each_column_says_what_it_measures(profiled_study: Study, tmp_path: Path) -> None:
    var = export(profiled_study, tmp_path / "wells.h5ad")["var"]
    assert var.loc["median_intensity_mean_nucleus_DNA"].to_dict() == {
        "statistic": "median", "measurement": "intensity_mean_nucleus_DNA", "compartment": "nuclei", "channel": "DNA",
        "unit": "grey values", "cytomining": "Nuclei_Intensity_MeanIntensity_DNA",
    }  # fmt: skip


def test_in_cytomining_style_the_columns_have_these_names(profiled_study: Study, tmp_path: Path) -> None:
    var = export(profiled_study, tmp_path / "wells.h5ad", style="cytomining")["var"]
    assert var.loc["Cells_AreaShape_Area", "cellvote"] == "median_area"


def test_cells_have_their_measurements_and_their_place(finished_study: Study, tmp_path: Path) -> None:
    found = export(finished_study, tmp_path / "cells.h5ad", level="cell")
    cells = finished_study.read_cells("watershed")
    names = found["var"].index.tolist()
    assert "area" in names
    assert not {"label_id", "touches_border", "centroid_x"} & set(names)
    assert found["X"].dtype == np.float32
    assert np.array_equal(found["X"], cells[names].to_numpy(np.float32), equal_nan=True)
    assert np.array_equal(found["obsm"]["spatial"], cells[["centroid_x", "centroid_y"]])
    obs = found["obs"]
    assert obs["label_id"].tolist() == cells["label_id"].tolist()
    assert obs["touches_border"].tolist() == cells["touches_border"].tolist()
    assert obs.index.is_unique
    wells = finished_study.plate_map.set_index("well")["compound"]
    assert obs["compound"].tolist() == wells.loc[cells["well"]].tolist()


def test_anndata_reads_it_and_writes_it_again(profiled_study: Study, tmp_path: Path) -> None:
    anndata = pytest.importorskip("anndata", reason="anndata for pandas 3 needs Python 3.12")
    for level in ("well", "cell"):
        path = tmp_path / f"{level}.h5ad"
        content = export(profiled_study, path, level=level)
        found = anndata.read_h5ad(path)
        assert np.array_equal(found.X, content["X"], equal_nan=True)
        assert found.obs["compound"].astype("str").tolist() == content["obs"]["compound"].astype("str").tolist()
        found.write_h5ad(tmp_path / "again.h5ad")


def test_the_same_study_gives_the_same_bytes(profiled_study: Study, tmp_path: Path) -> None:
    export(profiled_study, tmp_path / "one.h5ad")
    export(profiled_study, tmp_path / "two.h5ad")
    assert (tmp_path / "one.h5ad").read_bytes() == (tmp_path / "two.h5ad").read_bytes()


def test_the_suffix_is_appended_and_only_anndata_is_replaced(profiled_study: Study, tmp_path: Path) -> None:
    assert export_study(profiled_study, tmp_path / "wells", "anndata").out == tmp_path / "wells.h5ad"
    with pytest.raises(StudyError, match="is there already"):
        export_study(profiled_study, tmp_path / "wells", "anndata")
    export_study(profiled_study, tmp_path / "wells", "anndata", overwrite=True)
    (tmp_path / "mine.h5ad").write_bytes(b"mine")
    with pytest.raises(StudyError, match="holds something else"):
        export_study(profiled_study, tmp_path / "mine.h5ad", "anndata", overwrite=True)
    (tmp_path / "folder.h5ad").mkdir()
    with pytest.raises(StudyError, match="is a folder"):
        export_study(profiled_study, tmp_path / "folder.h5ad", "anndata")


def test_wells_without_profiles_say_what_to_run(finished_study: Study, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="has no profiles. Run: cellvote profile"):
        export_study(finished_study, tmp_path / "wells.h5ad", "anndata")
    with pytest.raises(SettingsError, match="--level field: it can be well or cell"):
        export_study(finished_study, tmp_path / "wells.h5ad", "anndata", level="field")
    assert list(tmp_path.glob("*.h5ad")) == []


def test_components_of_a_sphering_have_no_raw_layer(study: Study, tmp_path: Path) -> None:
    settings = {"normalisation": "sphering", "sphering": "PCA-cor", "min_controls": 3, "exclude": "none"}
    profile_study(study, settings=settings)
    found = export(study, tmp_path / "wells.h5ad")
    assert found["layers"] == {}
    assert found["var"].index[0] == "pc_1"


def test_other_cells_are_noticed(profiled_study: Study, tmp_path: Path) -> None:
    cells = profiled_study.read_cells("watershed")
    write_table(profiled_study.cells_path("watershed"), cells.assign(area=1.0))
    summary = export_study(profiled_study, tmp_path / "wells.h5ad", "anndata")
    assert "profiles were made again" in summary.notes[0]


def test_names_that_hdf5_does_not_take_are_written_otherwise(tmp_path: Path) -> None:
    obs = pd.DataFrame({"a/b": pd.Categorical(["x", "y/z\0"]), "a|b": [1, 2], "flag": [True, False]}, index=["1", "2"])
    content = AnnotatedMatrix(
        obs, pd.DataFrame(index=["v"]), {"X": Matrix(1, np.float64, [np.ones((2, 1))])}, {"k/": 1}
    )
    write_h5ad(tmp_path / "odd.h5ad", content)
    assert is_h5ad(tmp_path / "odd.h5ad")
    with h5py.File(tmp_path / "odd.h5ad", "r") as file:
        found = read(file)
    assert found["obs"]["a|b"].tolist() == ["x", "y/z "]
    assert found["obs"]["a|b_2"].tolist() == [1, 2]
    assert found["uns"] == {"k|": 1}


def test_an_empty_matrix_is_written(tmp_path: Path) -> None:
    content = AnnotatedMatrix(pd.DataFrame(index=[]), pd.DataFrame(index=[]), {"X": Matrix(0, np.float64, [])}, {})
    write_h5ad(tmp_path / "empty.h5ad", content)
    with h5py.File(tmp_path / "empty.h5ad", "r") as file:
        assert read(file)["X"].shape == (0, 0)
