"""Whole plates through one network: the same masks as field by field, whatever happens on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from tests.tiny_cellpose import BlobNetwork, blobs, shrink_sam, use_blob_network, write_small_weights

from cellvote.errors import CancelledError, DeviceError, SettingsError, StudyError, WeightsError
from cellvote.jobs import segment
from cellvote.jobs.pooled import open_finishers
from cellvote.jobs.segment import SegmentField, segment_study
from cellvote.plates.layouts import read_plate
from cellvote.progress import CancelToken, Progress
from cellvote.segmentation import make_segmenter
from cellvote.segmentation.base import TilePixels
from cellvote.segmentation.cellpose import CellposeSegmenter
from cellvote.segmentation.tile_runner import TileRunner
from cellvote.study import Study
from cellvote.study.ledger import FieldRecord, Ledger
from cellvote.study.masks import read_label_image, write_label_image

N_WELLS = 6


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six wells of one field, of different sizes: each takes another number of tiles."""
    folder = tmp_path_factory.mktemp("images")
    for i in range(N_WELLS):
        size = (90 + 60 * i, 120)
        for channel, plane in enumerate(blobs(i, size), start=1):
            tifffile.imwrite(folder / f"r01c{i + 1:02d}f01p01-ch{channel}sk1fk1fl1.tiff", plane)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        shrink_sam(patch)
        yield write_small_weights(tmp_path_factory.mktemp("models") / "small")


@pytest.fixture
def settings(weights: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings of Cellpose with a network that finds blobs."""
    use_blob_network(monkeypatch)
    return {"model": str(weights), "bfloat16": False}


def create(path: Path, images: Path) -> Study:
    return Study.create(path, read_plate(images))


def results(study: Study, name: str = "cellpose") -> dict[str, bytes]:
    folder = study.segmentation_folder(name)
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.glob("*/**/*.tif"))}


class InBatches(TileRunner):
    """Takes tiles as a GPU does, many at once."""

    sizes: list[int] = []  # noqa: RUF012 (set anew where it is used)

    @property
    def tiles_at_once(self) -> int:
        return self._batch_size

    def __call__(self, tiles: TilePixels) -> TilePixels:
        self.sizes.append(len(tiles))
        return super().__call__(tiles)


def in_batches(patch: pytest.MonkeyPatch, kind: type[InBatches] = InBatches) -> list[int]:
    """Let networks take tiles as a GPU does; gives the sizes of the batches to come."""
    kind.sizes = []

    def open_network(segmenter: CellposeSegmenter, device: str = "auto") -> InBatches:
        del device
        size = segmenter.settings.batch_size
        return kind(BlobNetwork(), torch.device("cpu"), batch_size=size, dtype=torch.float32)

    patch.setattr(CellposeSegmenter, "open_network", open_network)
    return kind.sizes


def test_masks_of_a_plate_are_those_of_each_field_alone(
    tmp_path: Path, images: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = create(tmp_path / "s", images)
    sizes = in_batches(monkeypatch)
    told: list[Progress] = []
    summary = segment_study(study, "cellpose", {**settings, "batch_size": 5}, workers=1, report=told.append)
    assert (summary.fields, summary.failed, summary.device, summary.notes) == (N_WELLS, [], "cpu", ())
    assert set(sizes[:-1]) == {5}  # batches are full, of tiles of several fields
    assert {progress.done for progress in told} >= set(range(1, N_WELLS + 1))
    assert "cells/s" in told[-1].message
    segmenter = make_segmenter("cellpose", settings, study.channels, [])
    for key in study.fields:
        alone = segmenter.segment(study.read_field(key))
        assert np.array_equal(read_label_image(study.mask_path("cellpose", key)), alone.label_image)
        assert alone.flows is not None
        assert np.allclose(study.read_flows("cellpose", key), alone.flows, rtol=1 / 256, atol=1e-6)
        record = Ledger(study.segmentation_folder("cellpose") / "fields.parquet").records[key]
        assert (record.n_cells, record.device) == (alone.n_cells, "cpu")
        assert record.seconds > 0


def test_batch_size_and_company_change_no_byte(
    tmp_path: Path, images: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = create(tmp_path / "plain", images)
    segment_study(plain, "cellpose", settings)
    pooled = create(tmp_path / "pooled", images)
    in_batches(monkeypatch)
    segment_study(pooled, "cellpose", {**settings, "batch_size": 3}, wells="A04,A02")
    segment_study(pooled, "cellpose", {**settings, "batch_size": 7})  # goes on: it says how fast, not what
    assert len(results(plain)) == 2 * N_WELLS
    assert results(pooled) == results(plain)


def test_one_field_at_a_time_as_on_a_cluster_gives_the_same_bytes(
    tmp_path: Path, images: Path, settings: dict[str, Any]
) -> None:
    study = create(tmp_path / "s", images)
    segment_study(study, "cellpose", settings)
    note = json.loads((study.segmentation_folder("cellpose") / "segmentation.json").read_text())
    step = SegmentField(study.path, "again", "cellpose", json.dumps(note["settings"]), "cpu", True)
    assert [step(key).device for key in study.fields] == ["cpu"] * N_WELLS
    assert results(study, "again") == results(study)


@pytest.mark.slow
def test_masks_made_in_processes_or_threads_are_the_same(
    tmp_path: Path, images: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, processes = create(tmp_path / "t", images), create(tmp_path / "p", images)
    segment_study(threads, "cellpose", settings, workers=2)
    monkeypatch.setattr(segment, "open_finishers", partial(open_finishers, processes=True))
    segment_study(processes, "cellpose", settings, workers=2)
    assert results(threads) == results(processes)


def test_a_bad_field_stops_no_other_and_is_done_when_mended(
    tmp_path: Path, images: Path, settings: dict[str, Any]
) -> None:
    own = shutil.copytree(images, tmp_path / "images")
    study = create(tmp_path / "s", own)
    bad = own / "r01c03f01p01-ch1sk1fk1fl1.tiff"
    whole = bad.read_bytes()
    bad.write_bytes(whole[: len(whole) // 2])
    summary = segment_study(study, "cellpose", settings)
    (failed,) = summary.failed
    assert failed.well == "A03"
    assert "truncated" in failed.error
    assert len(results(study)) == 2 * (N_WELLS - 1)
    bad.write_bytes(whole)
    assert segment_study(study, "cellpose", settings).skipped == N_WELLS - 1
    assert len(results(study)) == 2 * N_WELLS


def test_a_field_that_cannot_be_written_fails_alone(
    tmp_path: Path, images: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = SegmentField._write

    def fail_at_a02(step: SegmentField, key: Any, *rest: Any) -> FieldRecord:
        if key.well == "A02":
            raise OSError(28, "No space left on device")
        return write(step, key, *rest)

    monkeypatch.setattr(SegmentField, "_write", fail_at_a02)
    summary = segment_study(create(tmp_path / "s", images), "cellpose", settings)
    assert [record.well for record in summary.failed] == ["A02"]
    assert "A02 field 1" in summary.failed[0].error


def test_a_cancelled_run_stops_within_a_field_and_goes_on_to_the_same_bytes(
    tmp_path: Path, images: Path, settings: dict[str, Any]
) -> None:
    unbroken = create(tmp_path / "u", images)
    segment_study(unbroken, "cellpose", settings)
    study, token = create(tmp_path / "s", images), CancelToken()

    def cancel_at_the_second(progress: Progress) -> None:
        if progress.done == 2:
            token.cancel()

    with pytest.raises(CancelledError, match="Run the same command again"):
        segment_study(study, "cellpose", settings, report=cancel_at_the_second, cancel=token)
    done = Ledger(study.segmentation_folder("cellpose") / "fields.parquet").done()
    assert 2 <= len(done) < N_WELLS
    assert segment_study(study, "cellpose", settings).skipped == len(done)
    assert results(study) == results(unbroken)


class Shrinking(InBatches):
    """Its memory is full at the fourth batch, and again: the CPU goes on."""

    @property
    def device(self) -> str:
        return "cuda" if len(self.sizes) < 4 else "cpu"

    def __call__(self, tiles: TilePixels) -> TilePixels:
        outputs = super().__call__(tiles)
        if len(self.sizes) == 4:
            self.notices.append("the memory of cuda is too small for one tile: the CPU goes on, slowly")
        return outputs


def test_a_gpu_whose_memory_is_full_is_told_of_and_each_field_says_where_it_was_computed(
    tmp_path: Path, images: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = create(tmp_path / "s", images)
    in_batches(monkeypatch, Shrinking)
    monkeypatch.setattr("cellvote.segmentation.cellpose.segmenter.find_masks", masks_on_cpu())
    told: list[Progress] = []
    summary = segment_study(study, "cellpose", {**settings, "batch_size": 1}, report=told.append)
    assert summary.device == "cuda+cpu"
    assert summary.to_json()["device"] == "cuda+cpu"
    assert "the CPU goes on" in summary.notes[0]
    assert summary.to_json()["notes"] == list(summary.notes)
    assert any("the CPU goes on" in progress.message for progress in told)
    records = Ledger(study.segmentation_folder("cellpose") / "fields.parquet").records
    assert {record.device for record in records.values()} >= {"cuda", "cpu"}


def masks_on_cpu() -> Any:
    from cellvote.segmentation.cellpose.masks import find_masks

    return lambda flows, shape, settings, device: find_masks(flows, shape, settings, "cpu")


class Broken(InBatches):
    def __call__(self, tiles: TilePixels) -> TilePixels:
        if len(self.sizes) == 2:
            raise DeviceError("the network failed on cuda: illegal memory access")
        return super().__call__(tiles)


def test_a_device_that_breaks_ends_the_run_and_what_was_done_is_kept(
    tmp_path: Path, images: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = create(tmp_path / "s", images)
    with monkeypatch.context() as patch:
        in_batches(patch, Broken)
        with pytest.raises(DeviceError, match="illegal memory access"):
            segment_study(study, "cellpose", {**settings, "batch_size": 2})
    assert segment_study(study, "cellpose", settings).failed == []


# What is there already


def test_flows_are_kept_unless_it_is_said_otherwise(tmp_path: Path, images: Path, settings: dict[str, Any]) -> None:
    study = create(tmp_path / "s", images)
    segment_study(study, "cellpose", settings, keep_flows=False, wells="A01")
    assert [path.partition("/")[0] for path in results(study)] == ["masks"]
    assert segment_study(study, "cellpose", settings, wells="A01").skipped == 1
    with pytest.raises(StudyError, match="flows False → True"):
        segment_study(study, "cellpose", settings, keep_flows=True)
    segment_study(study, "cellpose", settings, keep_flows=True, overwrite=True, wells="A01")
    assert len(results(study)) == 2
    with pytest.raises(SettingsError, match="gives no flows"):
        segment_study(study, "watershed", {}, keep_flows=True)


def test_lost_flows_are_made_again_but_never_over_corrected_masks(
    tmp_path: Path, images: Path, settings: dict[str, Any]
) -> None:
    study = create(tmp_path / "s", images)
    segment_study(study, "cellpose", settings, wells="A01,A02")
    before = results(study)
    corrected = study.mask_path("cellpose", study.fields[1])
    labels = read_label_image(corrected)
    labels[labels == 1] = 0
    write_label_image(corrected, labels)
    for key in study.fields[:2]:
        study.mask_path("cellpose", key, "flows").unlink()
    segment_study(study, "cellpose", settings, wells="A01,A02")
    after = results(study)
    assert np.array_equal(read_label_image(corrected), labels)
    assert [name for name in before if name not in after] == [f"flows/{study.fields[1].plate}/A02_f1.tif"]


def test_other_weights_of_the_same_name_are_refused(
    tmp_path: Path, images: Path, settings: dict[str, Any], weights: Path
) -> None:
    own = Path(shutil.copy(weights, tmp_path / "own"))
    study = create(tmp_path / "s", images)
    segment_study(study, "cellpose", {**settings, "model": str(own)}, wells="A01")
    state = torch.load(own, weights_only=True)
    torch.save({**state, "out.bias": state["out.bias"] + 1}, own)
    with pytest.raises(StudyError, match="other weights of the same name"):
        segment_study(study, "cellpose", {**settings, "model": str(own)})
    segment_study(study, "cellpose", {**settings, "model": str(own)}, overwrite=True, wells="A01")


def test_nothing_is_written_without_weights_or_without_the_gpu_asked_for(
    tmp_path: Path, images: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELLPOSE_LOCAL_MODELS_PATH", str(tmp_path / "none"))
    study = create(tmp_path / "s", images)
    with pytest.raises(WeightsError, match="--download"):
        segment_study(study, "cellpose")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="'cuda' is not there"):
            segment_study(study, "cellpose", settings, device="cuda")
    with pytest.raises(DeviceError, match="watershed runs on the CPU"):
        segment_study(study, "watershed", device="cuda")
    assert not (study.path / "segmentations").exists()


KILLED = """
import sys
from pathlib import Path
import pytest
from tests.tiny_cellpose import shrink_sam, use_blob_network
from cellvote.jobs.segment import segment_study
from cellvote.study import Study

patch = pytest.MonkeyPatch()
shrink_sam(patch)
use_blob_network(patch)
settings = {"model": sys.argv[2], "bfloat16": False}
segment_study(Study.open(sys.argv[1]), "cellpose", settings, report=lambda progress: print(progress.done, flush=True))
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes(
    tmp_path: Path, images: Path, settings: dict[str, Any], repository: Path
) -> None:
    unbroken, study = create(tmp_path / "u", images), create(tmp_path / "s", images)
    segment_study(unbroken, "cellpose", settings)
    command = [sys.executable, "-c", KILLED, str(study.path), settings["model"]]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(repository), *sys.path])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert any(line == "1\n" for line in iter(process.stdout.readline, ""))
        os.kill(process.pid, signal.SIGKILL)
    assert 1 <= segment_study(study, "cellpose", settings).skipped < N_WELLS
    assert results(study) == results(unbroken)
