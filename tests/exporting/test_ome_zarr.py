"""What is exported as OME-Zarr is what the specification asks for, and what is read back."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from tests.exporting.conftest import SETTINGS
from tests.tiny_plates import contents, write_images

from cellvote.errors import CancelledError, ImageReadError, StudyError
from cellvote.exporting import ExportSummary, export_study
from cellvote.exporting.pyramids import halve_by_mean, halve_by_nearest
from cellvote.plates.acquisition import PROJECTION, Acquisition, FieldKey, plane_table
from cellvote.plates.layouts import read_plate
from cellvote.plates.pixels import read_plane
from cellvote.plates.zarr_planes import read_source_label
from cellvote.progress import CancelToken, Progress
from cellvote.study import Study
from cellvote.study.masks import read_label_image, write_label_image
from cellvote.synthetic import CHANNELS

VERSIONS = pytest.mark.parametrize("ngff", ["0.4", "0.5"])
INDEX = ["plate", "well", "field", "channel", "z"]


def export(study: Study, out: Path, ngff: str = "0.5", **options: object) -> ExportSummary:
    return export_study(study, out, "ome-zarr", **{"ngff": ngff, "workers": 1, **options})


@VERSIONS
def test_what_is_read_back_is_what_was_exported(segmented_study: Study, tmp_path: Path, ngff: str) -> None:
    summary = export(segmented_study, tmp_path / "plate.ome.zarr", ngff)
    assert (summary.fields, summary.failed) == (8, [])
    assert summary.cells > 20

    acquisition = read_plate(tmp_path / "plate.ome.zarr")
    assert acquisition.summary() == {
        "layout": "ome-zarr",
        "plates": ["P 7"],
        "wells": 4,
        "fields": 8,
        "channels": list(CHANNELS),
        "planes": 24,
        "pixel_size_um": SETTINGS.pixel_size_um,
        "problems": [],
    }
    pd.testing.assert_frame_equal(acquisition.planes[INDEX], segmented_study.planes[INDEX])

    assert acquisition.positions is not None
    assert segmented_study.positions is not None
    pd.testing.assert_frame_equal(acquisition.positions, segmented_study.positions)

    again = Study.create(tmp_path / "again", acquisition)
    for key in segmented_study.fields:
        image = again.read_field(key)
        assert image.dtype == segmented_study.read_field(key).dtype
        assert np.array_equal(image, segmented_study.read_field(key))


@VERSIONS
def test_label_images_are_read_back_too(segmented_study: Study, tmp_path: Path, ngff: str) -> None:
    export(segmented_study, tmp_path / "plate.ome.zarr", ngff)
    acquisition = read_plate(tmp_path / "plate.ome.zarr")
    labels = acquisition.label_images
    assert labels is not None
    assert len(labels) == 16
    kinds = {"watershed": "masks", "watershed_nuclei": "nuclei"}
    for label in labels.itertuples():
        key = FieldKey(label.plate, label.well, label.field)
        expected = read_label_image(segmented_study.mask_path("watershed", key, kinds[label.name]))
        assert np.array_equal(read_source_label(acquisition.source / label.path, label.page), expected)


@VERSIONS
def test_an_export_is_valid_by_the_specification(
    segmented_study: Study, tmp_path: Path, validate: Callable[[Path, str], int], ngff: str
) -> None:
    export(segmented_study, tmp_path / "plate.ome.zarr", ngff)
    assert validate(tmp_path / "plate.ome.zarr", ngff) == 4


def test_each_level_is_the_mean_of_the_finer_one_and_of_labels_the_nearest(
    segmented_study: Study, tmp_path: Path
) -> None:
    export(segmented_study, tmp_path / "p.zarr")
    image = zarr.open_group(tmp_path / "p.zarr" / "A" / "01" / "1", mode="r")
    fine, coarse = image["0"][:], image["1"][:]
    assert coarse.shape == (3, 150, 150)
    assert all(np.array_equal(c, halve_by_mean(f)) for f, c in zip(fine, coarse, strict=True))
    labels = image["labels"]["watershed"]
    assert np.array_equal(labels["1"][:], halve_by_nearest(labels["0"][:]))
    scales = [level["coordinateTransformations"] for level in image.attrs["ome"]["multiscales"][0]["datasets"]]
    assert [scale[0]["scale"][1:] for scale in scales] == [[0.65, 0.65], [1.3, 1.3]]
    fine, coarse = (np.array(scale[1]["translation"][1:]) for scale in scales)
    assert coarse - fine == pytest.approx([0.325, 0.325])  # a mean lies between the pixels that it is of


def test_channels_are_named_coloured_and_given_a_contrast(segmented_study: Study, tmp_path: Path) -> None:
    export(segmented_study, tmp_path / "p.zarr")
    attributes = json.loads((tmp_path / "p.zarr" / "A" / "01" / "1" / "zarr.json").read_text())["attributes"]
    channels = attributes["ome"]["omero"]["channels"]
    assert [channel["label"] for channel in channels] == list(CHANNELS)
    assert len({channel["color"] for channel in channels}) == 3
    for channel in channels:
        window = channel["window"]
        assert window["min"] <= window["start"] < window["end"] <= window["max"] == 65535


@VERSIONS
def test_a_byte_that_flips_in_an_export_is_noticed(segmented_study: Study, tmp_path: Path, ngff: str) -> None:
    export(segmented_study, tmp_path / "p.zarr", ngff)
    array = tmp_path / "p.zarr" / "A" / "01" / "1" / "0"
    chunk = array / ("0/0/0" if ngff == "0.4" else "c/0/0/0")
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 4
    chunk.write_bytes(content)
    with pytest.raises(ImageReadError, match="a chunk is damaged"):
        read_plane(array)


def test_several_plates_are_several_stores(tmp_path: Path) -> None:
    for plate in ("P/1", "P 2"):
        write_images(tmp_path / "images" / plate.replace("/", "-"), ["A01_c1.tif", "C07_c1.tif"])
    study = Study.create(
        tmp_path / "s", read_plate(tmp_path / "images", pattern=r"(?P<well>\w\d\d)_(?P<channel>c1)\.tif")
    )
    export(study, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["P 2.ome.zarr", "P-1.ome.zarr"]
    assert read_plate(tmp_path / "out").fields == study.fields


def test_the_same_export_has_the_same_bytes_with_any_number_of_workers(segmented_study: Study, tmp_path: Path) -> None:
    export(segmented_study, tmp_path / "one")
    export(segmented_study, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


# Stacks


def stack_study(folder: Path, rows: list[dict[str, object]], channels: tuple[str, ...] = ("a", "b")) -> Study:
    """Make a study of planes of noise."""
    for number, row in enumerate(rows):
        plane = np.random.default_rng(number).integers(1, 999, (8, 6), dtype=np.uint16)
        (folder / "images").mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / "images" / f"{number}.tif", plane)
        row |= {"path": f"{number}.tif", "plate": "P", "well": "B02"}
    return Study.create(folder / "s", Acquisition(folder / "images", "test", plane_table(rows), channels))


def grid(times: int, channels: int, z_planes: int) -> list[dict[str, object]]:
    return [
        {"timepoint": t, "channel": c, "z": z}
        for t in range(1, times + 1)
        for c in range(channels)
        for z in range(1, z_planes + 1)
    ]


@VERSIONS
def test_stacks_and_time_series_are_exported_plane_by_plane(
    tmp_path: Path, validate: Callable[[Path, str], int], ngff: str
) -> None:
    study = stack_study(tmp_path, grid(2, 2, 3))
    export(study, tmp_path / "out.zarr", ngff)
    assert validate(tmp_path / "out.zarr", ngff) == 1
    acquisition = read_plate(tmp_path / "out.zarr")
    columns = [*INDEX, "timepoint"]
    pd.testing.assert_frame_equal(acquisition.planes[columns], study.planes[columns])
    for new, old in zip(acquisition.planes.itertuples(), study.planes.itertuples(), strict=True):
        assert np.array_equal(read_plane(acquisition.source / new.path, new.page), read_plane(study.source / old.path))


def test_a_projection_beside_a_stack_is_left_out(tmp_path: Path) -> None:
    rows = [*grid(1, 2, 3), {"channel": 0, "z": PROJECTION}, {"channel": 1, "z": PROJECTION}]
    summary = export(stack_study(tmp_path, rows), tmp_path / "out.zarr")
    assert list(summary.notes) == ["Projections that the microscope made beside its stacks were left out."]
    assert sorted(read_plate(tmp_path / "out.zarr").planes["z"].unique()) == [1, 2, 3]


def test_a_stack_with_holes_is_exported_as_the_study_reads_it(tmp_path: Path) -> None:
    study = stack_study(tmp_path, grid(1, 2, 3)[:-1])
    [note] = export(study, tmp_path / "out.zarr").notes
    assert "1 field(s) are no full stacks" in note
    again = Study.create(tmp_path / "again", read_plate(tmp_path / "out.zarr"))
    assert np.array_equal(again.read_field(study.fields[0]), study.read_field(study.fields[0]))


def test_a_field_that_lacks_a_channel_is_exported_with_those_that_it_has(tmp_path: Path) -> None:
    rows = [{"field": 1, "channel": 0}, {"field": 1, "channel": 1}, {"field": 2, "channel": 1}]
    study = stack_study(tmp_path, rows)
    assert export(study, tmp_path / "out.zarr").failed == []
    acquisition = read_plate(tmp_path / "out.zarr")
    assert acquisition.channels == study.channels
    pd.testing.assert_frame_equal(acquisition.planes[INDEX], study.planes[INDEX])
    row = acquisition.planes.query("field == 2").iloc[0]
    assert np.array_equal(read_plane(acquisition.source / row["path"], row["page"]), read_plane(study.source / "2.tif"))


def test_stage_positions_survive(tmp_path: Path) -> None:
    write_images(tmp_path / "P1", ["A01_f1_c1.tif", "A01_f2_c1.tif"])
    pattern = r"(?P<well>\w\d\d)_f(?P<field>\d)_(?P<channel>c1)\.tif"
    found = read_plate(tmp_path / "P1", pattern=pattern)
    positions = pd.DataFrame(
        {"plate": "P1", "well": "A01", "field": [1, 2], "x_um": [-500.5, 20.0], "y_um": [3.25, 400.0]}
    )
    acquisition = Acquisition(
        found.source, found.layout, found.planes, found.channels, pixel_size_um=0.5, positions=positions
    )
    export(Study.create(tmp_path / "s", acquisition), tmp_path / "out.zarr")
    again = read_plate(tmp_path / "out.zarr").positions
    assert again is not None
    pd.testing.assert_frame_equal(again, positions, check_dtype=False)


# What goes wrong


def test_a_field_that_cannot_be_read_is_listed_and_left_out(
    own_study: Study, tmp_path: Path, validate: Callable[[Path, str], int]
) -> None:
    for path in own_study.planes.query("well == 'B02' or (well == 'A01' and field == 1)")["path"]:
        (own_study.source / path).write_bytes(b"")
    summary = export(own_study, tmp_path / "out.zarr")
    assert [(record.well, record.field) for record in summary.failed] == [("A01", 1), ("B02", 1), ("B02", 2)]
    assert validate(tmp_path / "out.zarr", "0.5") == 3
    assert [(key.well, key.field) for key in read_plate(tmp_path / "out.zarr").fields] == [
        ("A01", 2), ("A02", 1), ("A02", 2), ("B01", 1), ("B01", 2),
    ]  # fmt: skip
    assert not list((tmp_path / "out.zarr").rglob("*.part"))
    assert not (tmp_path / "out.zarr" / "B" / "02").exists()


def test_masks_of_another_size_fail_their_field(own_study: Study, tmp_path: Path) -> None:
    key = own_study.fields[0]
    write_label_image(own_study.mask_path("watershed", key), np.ones((4, 4), np.int32))
    summary = export(own_study, tmp_path / "out.zarr")
    assert [record.key for record in summary.failed] == [key]
    assert "Segment again" in summary.failed[0].error


def test_where_no_field_can_be_read_nothing_is_written(own_study: Study, tmp_path: Path) -> None:
    for path in own_study.planes["path"]:
        (own_study.source / path).unlink()
    with pytest.raises(StudyError, match="none of its fields can be exported"):
        export(own_study, tmp_path / "exports" / "out.zarr")
    assert contents(tmp_path / "exports") == {}


def test_fields_without_wells_are_refused(tmp_path: Path) -> None:
    study = stack_study(tmp_path, grid(1, 2, 1))
    planes = study.planes.assign(well="")
    bare = Study.create(tmp_path / "bare", Acquisition(study.source, "test", planes, study.channels))
    with pytest.raises(StudyError, match="lie in no wells"):
        export(bare, tmp_path / "out.zarr")


def test_what_is_there_is_replaced_only_on_demand(segmented_study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    export(segmented_study, out, "0.4")
    before = contents(out)
    with pytest.raises(StudyError, match="--overwrite"):
        export(segmented_study, out)
    assert contents(out) == before
    export(segmented_study, out, overwrite=True)
    assert (out / "zarr.json").exists()
    assert not (out / ".zgroup").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out.zarr"]


def test_a_folder_of_something_else_is_never_replaced(segmented_study: Study, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    with pytest.raises(StudyError, match="holds something else"):
        export(segmented_study, tmp_path / "mine", overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "all of it"


def test_a_cancelled_export_goes_on_and_ends_with_the_same_bytes(segmented_study: Study, tmp_path: Path) -> None:
    cancel = CancelToken()

    def stop(progress: Progress) -> None:
        if progress.done == 3:
            cancel.cancel()

    with pytest.raises(CancelledError):
        export(segmented_study, tmp_path / "out.zarr", report=stop, cancel=cancel)
    assert not (tmp_path / "out.zarr").exists()
    told: list[Progress] = []
    export(segmented_study, tmp_path / "out.zarr", report=told.append)
    assert told[-1].total == 5
    export(segmented_study, tmp_path / "whole.zarr")
    assert contents(tmp_path / "out.zarr") == contents(tmp_path / "whole.zarr")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.zarr", "whole.zarr"]


def test_masks_that_changed_since_an_export_was_cancelled_are_written_anew(own_study: Study, tmp_path: Path) -> None:
    cancel = CancelToken()
    with pytest.raises(CancelledError):
        export(own_study, tmp_path / "out.zarr", report=lambda _: cancel.cancel(), cancel=cancel)
    corrected = np.zeros((300, 300), np.int32)
    corrected[5:9, 5:9] = 7
    write_label_image(own_study.mask_path("watershed", own_study.fields[0]), corrected)
    export(own_study, tmp_path / "out.zarr")
    array = tmp_path / "out.zarr" / "A" / "01" / "1" / "labels" / "watershed" / "0"
    assert np.array_equal(read_source_label(array), corrected)


def test_another_export_to_the_same_place_does_not_go_on_with_the_first(own_study: Study, tmp_path: Path) -> None:
    cancel = CancelToken()
    with pytest.raises(CancelledError):
        export(own_study, tmp_path / "out.zarr", "0.4", report=lambda _: cancel.cancel(), cancel=cancel)
    told: list[Progress] = []
    export(own_study, tmp_path / "out.zarr", report=told.append)
    assert told[-1].total == 8
    assert not list((tmp_path / "out.zarr").rglob(".zarray"))


def test_only_the_segmentation_that_is_asked_for_is_exported(own_study: Study, tmp_path: Path) -> None:
    folder = own_study.path / "segmentations"
    shutil.copytree(folder / "watershed", folder / "second")
    export(own_study, tmp_path / "all.zarr")
    export(own_study, tmp_path / "one.zarr", segmentation="second")
    names = [
        sorted(path.name for path in (tmp_path / out / "A/01/1/labels").iterdir() if path.is_dir())
        for out in ("all.zarr", "one.zarr")
    ]
    assert names == [["second", "second_nuclei", "watershed", "watershed_nuclei"], ["second", "second_nuclei"]]
