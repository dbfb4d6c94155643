"""Flows are kept as TIFF that other software opens."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from cellvote.errors import ImageReadError, SegmentationError
from cellvote.plates.acquisition import FieldKey
from cellvote.study import Study
from cellvote.study.flows import read_flows, write_flows


def flows(shape: tuple[int, int] = (33, 47)) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 4, (3, *shape)).astype(np.float32)


def test_flows_are_three_pages_of_compressed_float32_without_a_predictor(tmp_path: Path) -> None:
    write_flows(tmp_path / "P" / "A01_f1.tif", flows())
    with tifffile.TiffFile(tmp_path / "P" / "A01_f1.tif") as tiff:
        assert len(tiff.pages) == 3
        page = tiff.pages.first
        assert (page.dtype, page.shape) == (np.float32, (33, 47))
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert page.predictor == 1  # ImageJ reads no floats with one, and no 16-bit floats
    assert (tmp_path / "P" / "A01_f1.tif").stat().st_size < 0.6 * flows().nbytes + 1000


@settings(max_examples=30)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**99), max_value=2.0**99))
def test_what_is_kept_is_right_to_a_part_in_five_hundred(
    tmp_path_factory: pytest.TempPathFactory, value: float
) -> None:
    path = tmp_path_factory.mktemp("f") / "f.tif"
    write_flows(path, np.full((3, 2, 2), value, np.float32))
    found = read_flows(path)
    assert np.allclose(found, value, rtol=1 / 512, atol=1e-37)


def test_reading_and_writing_again_changes_nothing(tmp_path: Path) -> None:
    write_flows(tmp_path / "a.tif", flows())
    write_flows(tmp_path / "b.tif", read_flows(tmp_path / "a.tif"))
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_flows_that_are_missing_or_damaged_are_said(tmp_path: Path) -> None:
    with pytest.raises(SegmentationError, match="--flows"):
        read_flows(tmp_path / "none.tif")
    write_flows(tmp_path / "f.tif", flows((200, 200)))
    whole = (tmp_path / "f.tif").read_bytes()
    (tmp_path / "f.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageReadError):
        read_flows(tmp_path / "f.tif")


def test_a_study_reads_its_flows(new_study: Study) -> None:
    key = FieldKey("P-1", "A01", 1)
    write_flows(new_study.mask_path("cellpose", key, "flows"), flows())
    assert np.allclose(new_study.read_flows("cellpose", key), flows(), rtol=1 / 512)
