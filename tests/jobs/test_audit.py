"""The audit of a study: before training, and whenever somebody asks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from cellvote.errors import LeakError
from cellvote.jobs.audit import audit_study, audit_training
from cellvote.jobs.fingerprints import look_at_fields, looks_folder
from cellvote.learning.classifier import load_classifier
from cellvote.learning.splits import make_split
from cellvote.plates.layouts import read_plate
from cellvote.study import Study


@pytest.fixture
def pictures(tmp_path: Path) -> Study:
    """Return a study of eight pictures of cells in two classes, each of its own random cells."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:96, :96]
    for i in range(8):
        image = random.normal(200, 10, (96, 96))
        for _ in range(12):
            at = random.uniform(0, 96, 2)
            image += random.uniform(200, 900) * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / 18)
        folder = tmp_path / "images" / ("a" if i % 2 else "b")
        folder.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / f"picture{i}.tif", image.clip(0).astype(np.uint16))
    return Study.create(tmp_path / "pictures", read_plate(tmp_path / "images"))


def audited(study: Study, *, stop: bool = True) -> list[str]:
    wells = study.plate_map[["plate", "well", "field", "class_name"]]
    split = make_split(wells, study.plate_map, "well", folds=4, leave_one_out=True, seed=0)
    return audit_training(study, wells, split, wells, "well", stop=stop)


def test_pictures_of_their_own_pass_and_are_looked_at_once(pictures: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    assert audited(pictures) == []
    table = pd.read_parquet(looks_folder(pictures) / "fields.parquet")
    assert len(table) == 8
    assert table.filter(like="image_texture").notna().all(axis=None)
    monkeypatch.setattr(Study, "read_raw_field", lambda *_: pytest.fail("looked at a field again"))
    assert audited(pictures) == []


def test_a_turned_and_brighter_copy_of_a_picture_stops_the_training_and_both_are_named(pictures: Study) -> None:
    planes = pictures.planes.sort_values("field")
    first, last = (pictures.source / planes["path"].iloc[i] for i in (0, -1))
    tifffile.imwrite(last, np.rot90(tifffile.imread(first) * 2 + 30, 1)[2:, 3:].copy())
    with pytest.raises(LeakError, match=r"shows the same image \(similarity 0\.\d+\)") as caught:
        audited(pictures)
    assert "field 1" in str(caught.value)
    assert "field 8" in str(caught.value)
    (found,) = audited(pictures, stop=False)
    assert found == str(caught.value)


def test_damaged_looks_are_made_anew(pictures: Study) -> None:
    before = look_at_fields(pictures, pictures.fields)
    prints = looks_folder(pictures) / "fingerprints.npy"
    content = bytearray(prints.read_bytes())
    content[-1] ^= 1
    prints.write_bytes(content)
    again = look_at_fields(pictures, pictures.fields)
    assert np.array_equal(before.fingerprints, again.fingerprints)
    assert before.table["image_hash"].tolist() == again.table["image_hash"].tolist()


def test_a_classifier_that_was_trained_here_has_a_split_that_does_not_leak(finished_study: Study) -> None:
    classifier = load_classifier(finished_study.model_folder("forest"))
    found = audit_study(finished_study, classifier)
    assert found.leaks == ()
    assert found.fields == len(classifier.split)
    assert found.to_json()["leaks"] == []


def test_in_another_study_the_images_that_were_learned_from_are_found(finished_study: Study, new_study: Study) -> None:
    classifier = load_classifier(finished_study.model_folder("forest"))
    found = audit_study(new_study, classifier)
    assert {leak.kind for leak in found.leaks} == {"same pixels"}
    assert len(found.leaks) == len(classifier.split)
