"""Label images on disk come back as they were, and other programs can open them."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cellvote.errors import ImageReadError, SegmentationError
from cellvote.study.masks import LabelImage, read_label_image, write_label_image

label_images = hnp.arrays(
    np.int32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.one_of(st.integers(0, 5), st.integers(2**16 - 2, 2**16 + 2), st.integers(0, 2**31 - 1)),
)


@settings(max_examples=40)
@given(label_images)
def test_any_label_image_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, label_image: LabelImage
) -> None:
    path = tmp_path_factory.getbasetemp() / "masks" / "A01_f1.tif"
    write_label_image(path, label_image)
    again = read_label_image(path)
    assert again.dtype == np.int32
    assert np.array_equal(again, label_image)


@pytest.mark.parametrize(("largest", "dtype"), [(0, "uint16"), (65535, "uint16"), (65536, "int32")])
def test_masks_are_as_small_as_their_label_ids_allow(tmp_path: Path, largest: int, dtype: str) -> None:
    write_label_image(tmp_path / "a.tif", np.full((3, 4), largest, np.int32))
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert len(tiff.pages) == 1
        assert tiff.pages[0].dtype == dtype


def test_the_same_masks_are_the_same_bytes(tmp_path: Path) -> None:
    label_image = np.arange(12, dtype=np.int32).reshape(3, 4)
    for name in ("a.tif", "b.tif"):
        write_label_image(tmp_path / name, label_image)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


def test_a_field_without_masks_is_told_to_be_segmented(tmp_path: Path) -> None:
    with pytest.raises(SegmentationError, match="Segment it first"):
        read_label_image(tmp_path / "a.tif")


def test_cut_off_masks_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_label_image(path, np.random.default_rng(0).integers(0, 99, (20, 20), dtype=np.int32))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ImageReadError):
        read_label_image(path)
