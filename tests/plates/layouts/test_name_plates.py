"""Plates that names of images begin with: read where that is convincing, and never by accident."""

from pathlib import Path

import pytest

from cellvote.plates.layouts import read_plate
from cellvote.plates.layouts.name_plates import read_name_plates

CLASSES = {"yes": "yes", "no": "no"}


def names(stem: str, n_plates: int = 4, n_each: int = 6) -> list[str]:
    folders = list(CLASSES)
    return [
        f"{folders[i % 2]}/{stem.format(plate=plate + 7, image=i, number=plate * n_each + i)}.png"
        for plate in range(n_plates)
        for i in range(n_each)
    ]


def test_the_real_crops_are_of_45_plates_with_a_position_each(real_data: Path) -> None:
    acquisition = read_plate(real_data / "mitocheck_crops")
    assert len(acquisition.plates) == 45
    assert "PLLT0043_48" in acquisition.plates
    assert acquisition.plate_map is not None
    names = acquisition.plate_map["image_name"]
    assert (acquisition.plate_map["plate"] == names.str.partition("--")[0]).all()
    assert (acquisition.plate_map["position"] == "P" + names.str.extract(r"___P(\d+)_")[0]).all()
    assert {doubt.kind for doubt in acquisition.doubts} == {"plates in names"}
    assert "45 plates" in acquisition.doubts[0].question


def test_beginnings_of_one_form_in_several_classes_are_plates() -> None:
    found = read_name_plates(names("SCR{plate:03d}__W{image:04d}_cell"), CLASSES)
    assert found is not None
    assert sorted(set(found.plates)) == ["SCR007", "SCR008", "SCR009", "SCR010"]
    assert found.positions is not None
    assert set(found.positions) == {f"W{i:04d}" for i in range(6)}


@pytest.mark.parametrize(
    "stem",
    [
        "image_{number:03d}",  # no double separator
        "IMG{number:04d}--crop",  # a number of its own for each image
        "cell--P{plate:05d}_01--{image}",  # no number in the beginning
        "{plate:08d}__{image}",  # numbers alone may be anything
        "A{plate:02d}_{image}",  # a well, and one separator
    ],
)
def test_ordinary_names_tell_no_plates(stem: str) -> None:
    assert read_name_plates(names(stem), CLASSES) is None


def test_beginnings_that_stand_for_the_classes_are_no_plates() -> None:
    told = [f"{name}/K{i}--{image:03d}.png" for i, name in enumerate(CLASSES) for image in range(20)]
    assert read_name_plates(told, CLASSES) is None


def test_beginnings_of_two_forms_are_no_plates() -> None:
    mixed = names("PL{plate:03d}--{image}") + names("day{plate}_b--{image}")
    assert read_name_plates(mixed, CLASSES) is None


def test_a_few_images_are_not_convincing() -> None:
    assert read_name_plates(names("PL{plate:03d}--{image}", n_plates=2, n_each=3), CLASSES) is None
