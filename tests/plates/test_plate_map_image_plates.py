"""Plates of images that a table names one by one."""

from pathlib import Path

import pandas as pd
import pytest
from tests.tiny_plates import write_images

from cellvote.plates.layouts import read_plate
from cellvote.study import Study

IMAGES = [f"{kind}/{kind}{i}.tif" for kind in ("calm", "dividing") for i in range(6)]


def table(column: str = "image_name", written: str = "{}") -> pd.DataFrame:
    names = [Path(image).stem for image in IMAGES]
    plates = [f"SCR{i % 3}" for i in range(len(names))]
    return pd.DataFrame({column: [written.format(name) for name in names], "plate": plates, "batch": "b1"})


@pytest.mark.parametrize(
    ("column", "written"),
    [("image_name", "{}"), ("file", "{}.tif"), ("Path", "somewhere/{}.tif"), ("FileName", "{}.TIF")],
)
def test_a_table_of_images_says_which_plate_each_is_of(tmp_path: Path, column: str, written: str) -> None:
    folder = write_images(tmp_path / "crops", IMAGES)
    table(column, written).to_csv(tmp_path / "images.csv", index=False)
    study = Study.create(tmp_path / "s", read_plate(folder), tmp_path / "images.csv")
    assert study.plates == ["SCR0", "SCR1", "SCR2"]
    assert [key.field for key in study.fields] == [1, 2, 3, 4] * 3
    told = study.plate_map
    expected = dict(zip(table()["image_name"], table()["plate"], strict=True))
    assert all(expected[name] == plate for name, plate in zip(told["image_name"], told["plate"], strict=True))
    assert set(told["batch"]) == {"b1"}
    assert told.groupby("class_name").size().to_dict() == {"calm": 6, "dividing": 6}
    for key, name in zip(study.fields, told["image_name"], strict=True):
        assert Path(study.planes_of(key)["path"].iloc[0]).stem == name
    assert any("The plates are those that images.csv names" in problem for problem in study.info.problems)


def test_a_table_that_does_not_speak_of_every_image_moves_none(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "crops", IMAGES)
    study = Study.create(tmp_path / "s", read_plate(folder), table().drop(columns="plate").iloc[:8])
    assert study.plates == ["crops"]
    assert (study.plate_map["batch"] == "b1").sum() == 8
