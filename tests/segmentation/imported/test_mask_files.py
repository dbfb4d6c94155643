"""One file of masks: label ids are kept as they are, and what is no label image is refused with the way out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellvote.errors import ImageReadError, SegmentationError
from cellvote.segmentation.imported.mask_files import read_mask


def labels(dtype: Any = np.uint16, ids: tuple[int, ...] = (1, 2, 7)) -> np.ndarray:
    """Squares of 8 × 8 px, one for each label id."""
    image = np.zeros((12 * len(ids), 20), dtype)
    for number, label_id in enumerate(ids):
        image[2 + 12 * number : 10 + 12 * number, 4:12] = label_id
    return image


def tiff(path: Path, image: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, image, metadata=None, **options)
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int32", "int64", "float32", "float64", "float16"])
def test_label_ids_of_every_kind_of_number_are_kept(tmp_path: Path, dtype: str) -> None:
    read = read_mask(tiff(tmp_path / "m.tif", labels(dtype)))
    assert read.dtype == np.int32
    assert np.array_equal(read, labels(np.int32))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_masks_as_png_are_read(tmp_path: Path, dtype: str) -> None:
    Image.fromarray(labels(dtype)).save(tmp_path / "m_cp_masks.png")
    assert np.array_equal(read_mask(tmp_path / "m_cp_masks.png"), labels())


def test_the_numbers_behind_the_colours_of_a_palette_are_label_ids(tmp_path: Path) -> None:
    image = Image.new("P", labels().shape[::-1])
    image.putdata(labels(np.uint8).ravel().tolist())
    image.putpalette([value for i in range(256) for value in (i * 7 % 256, i * 11 % 256, i * 13 % 256)])
    image.save(tmp_path / "m.png")
    assert np.array_equal(read_mask(tmp_path / "m.png"), labels())


def test_label_ids_with_gaps_and_high_ones_are_kept(tmp_path: Path) -> None:
    ids = (3, 70_000, 2**31 - 1)
    read = read_mask(tiff(tmp_path / "m.tif", labels(np.uint32, ids)))
    assert set(np.unique(read)) == {0, *ids}


def test_a_field_without_cells_is_read_as_one(tmp_path: Path) -> None:
    assert not read_mask(tiff(tmp_path / "m.tif", np.zeros((20, 20), np.uint16))).any()


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (labels(np.uint32, (1, 2**31)), "up to 2,147,483,648"),
        (labels(np.int32, (1, -1)), "below 0"),
        (labels(np.float32) / 65535, "fractions from 0 to 1.*ConvertObjectsToImage"),
        (labels(np.float32) * 1.5, "fractions such as"),
        (np.full((20, 20), np.nan, np.float32), "NaN"),
        (np.stack([labels(np.uint8)] * 2), "has 2 planes"),
    ],
    ids=["too high", "negative", "CellProfiler's grayscale", "fractions", "not a number", "a stack"],
)
def test_what_is_no_label_image_is_refused_with_the_reason(tmp_path: Path, image: np.ndarray, says: str) -> None:
    with pytest.raises(SegmentationError, match=says):
        read_mask(tiff(tmp_path / "m.tif", image))


@pytest.mark.parametrize("ending", ["tif", "png"])
def test_an_overlay_in_colours_is_refused(tmp_path: Path, ending: str) -> None:
    colours = np.zeros((40, 40, 3), np.uint8)
    colours[5:20, 5:20] = (255, 0, 0)
    path = tmp_path / f"overlay.{ending}"
    if ending == "tif":
        tifffile.imwrite(path, colours, photometric="rgb")
    else:
        Image.fromarray(colours).save(path)
    with pytest.raises(SegmentationError, match="coloured picture.*ConvertObjectsToImage with the format uint16"):
        read_mask(path)


def test_grey_masks_saved_with_three_equal_colours_are_read(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "m.tif", np.repeat(labels(np.uint8)[..., None], 3, axis=2), photometric="rgb")
    assert np.array_equal(read_mask(tmp_path / "m.tif"), labels())


def test_a_photograph_is_no_mask(tmp_path: Path) -> None:
    photograph = np.random.default_rng(0).normal(1000, 50, (64, 64)).astype(np.uint16)
    with pytest.raises(SegmentationError, match="looks like an image of cells"):
        read_mask(tiff(tmp_path / "m.tif", photograph))


def test_jpeg_does_not_keep_label_ids(tmp_path: Path) -> None:
    Image.fromarray(labels(np.uint8)).save(tmp_path / "m.jpg")
    with pytest.raises(SegmentationError, match="JPEG does not keep label ids"):
        read_mask(tmp_path / "m.jpg")


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    np.save(tmp_path / "a_seg.npy", {"masks": Trap()}, allow_pickle=True)
    with pytest.raises(SegmentationError, match="a pickle.*File > Save masks as PNG/tif"):
        read_mask(tmp_path / "a_seg.npy")
    assert not (tmp_path / "sprung").exists()


def test_a_truncated_mask_is_told_as_damaged(tmp_path: Path) -> None:
    path = tiff(tmp_path / "m.tif", labels())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ImageReadError, match="truncated|damaged"):
        read_mask(path)


# Masks of one value


@pytest.mark.parametrize("value", [1, 255])
def test_a_binary_mask_of_several_pieces_is_refused_unless_the_user_says_what_it_is(tmp_path: Path, value: int) -> None:
    path = tiff(tmp_path / "m.tif", labels(np.uint8, (value, value, value)))
    with pytest.raises(SegmentationError, match="in 3 separate pieces: a binary mask.*binary=split"):
        read_mask(path)
    assert list(np.unique(read_mask(path, binary="split"))) == [0, 1, 2, 3]
    assert list(np.unique(read_mask(path, binary="keep"))) == [0, value]


def test_one_cell_alone_is_no_binary_mask(tmp_path: Path) -> None:
    assert list(np.unique(read_mask(tiff(tmp_path / "m.tif", labels(np.uint16, (7,)))))) == [0, 7]


def test_splitting_leaves_masks_of_several_label_ids_as_they_are(tmp_path: Path) -> None:
    assert np.array_equal(read_mask(tiff(tmp_path / "m.tif", labels()), binary="split"), labels())
