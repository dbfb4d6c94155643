"""Tables are exported as they are, and what is text stays text."""

import csv
from pathlib import Path

import pandas as pd
import pytest

from cellvote.errors import SettingsError, StudyError
from cellvote.exporting import export_study
from cellvote.study import Study
from cellvote.study.atomic import write_table

NAMES = {
    "wells", "cells-watershed", "predictions-forest", "votes-fields-forest", "votes-wells-forest",
    "votes-treatments-forest",
}  # fmt: skip


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_every_table_of_a_study_is_exported(finished_study: Study, tmp_path: Path, file_format: str) -> None:
    summary = export_study(finished_study, tmp_path / "out", file_format)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{name}.{file_format}" for name in NAMES}
    assert set(summary.files) == {f"{name}.{file_format}" for name in NAMES}
    assert summary.cells == len(finished_study.read_cells("watershed"))


def test_parquet_holds_the_very_tables(finished_study: Study, tmp_path: Path) -> None:
    export_study(finished_study, tmp_path / "out", "parquet")
    cells = pd.read_parquet(tmp_path / "out" / "cells-watershed.parquet")
    pd.testing.assert_frame_equal(cells, finished_study.read_cells("watershed"))


def test_csv_holds_the_same_numbers(finished_study: Study, tmp_path: Path) -> None:
    export_study(finished_study, tmp_path / "out", "csv")
    cells = pd.read_csv(tmp_path / "out" / "cells-watershed.csv")
    pd.testing.assert_frame_equal(cells, finished_study.read_cells("watershed"), check_dtype=False)


def test_identifiers_stay_text(study: Study, tmp_path: Path) -> None:
    names = ["001234", "12E3", "NA", "=1+1", 'a "b", c', "µ"]
    table = study.plate_map.head(6).assign(compound=pd.Series(names, dtype="str"))
    write_table(study.path / "platemap.parquet", table)
    export_study(study, tmp_path / "out", "csv")
    with (tmp_path / "out" / "wells.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["compound"] for row in rows] == names
    assert ',"001234",' in (tmp_path / "out" / "wells.csv").read_text(encoding="utf-8")  # quoted: no number


def test_a_study_without_cells_has_its_wells(new_study: Study, tmp_path: Path) -> None:
    assert list(export_study(new_study, tmp_path / "out", "csv").files) == ["wells.csv"]


def test_an_earlier_export_is_replaced_on_demand_and_nothing_of_it_stays(study: Study, tmp_path: Path) -> None:
    export_study(study, tmp_path / "out", "csv")
    with pytest.raises(StudyError, match="--overwrite"):
        export_study(study, tmp_path / "out", "parquet")
    export_study(study, tmp_path / "out", "parquet", overwrite=True)
    assert not list((tmp_path / "out").glob("*.csv"))


def test_a_folder_of_something_else_is_never_written_into(study: Study, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "table.csv").write_text("mine")
    with pytest.raises(StudyError, match="holds something else"):
        export_study(study, tmp_path / "mine", "csv", overwrite=True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["table.csv"]


@pytest.mark.parametrize("file_format", ["xls", "CSV"])
def test_formats_that_there_are_not_are_refused_with_those_that_there_are(
    new_study: Study, tmp_path: Path, file_format: str
) -> None:
    with pytest.raises(SettingsError, match=f"{file_format}: a study can be exported as csv, parquet, anndata, "):
        export_study(new_study, tmp_path / "out", file_format)
    assert not (tmp_path / "out").exists()
