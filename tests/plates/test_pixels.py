"""Pixels of files that are whole, cut off, damaged, or that lie about themselves."""

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cellvote.errors import ImageReadError
from cellvote.plates import pixels
from cellvote.plates.acquisition import FieldKey, plane_table
from cellvote.plates.fields import read_field
from cellvote.plates.pixels import Pixels, image_hash, read_plane

KEY = FieldKey("P", "A01", 1)
PLANE = np.random.default_rng(0).integers(0, 4096, (24, 31), dtype=np.uint16)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pixels")


def tiff_bytes(plane: Pixels = PLANE, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, plane, metadata=None, **options)
    return file.getvalue()


def png_bytes(plane: Pixels = PLANE) -> bytes:
    file = io.BytesIO()
    Image.fromarray(plane).save(file, "PNG")
    return file.getvalue()


def with_tag(content: bytes, name: str, value: int) -> bytes:
    """Change one number of a TIFF's header."""
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        tag = tiff.pages[0].tags[name]
    changed = bytearray(content)
    form = {3: "<H", 4: "<I"}[int(tag.dtype)]
    changed[tag.valueoffset : tag.valueoffset + struct.calcsize(form)] = struct.pack(form, value)
    return bytes(changed)


WHOLE = {
    "raw": tiff_bytes(),
    "lzw": tiff_bytes(compression="lzw", predictor=True),
    "zlib": tiff_bytes(compression="zlib"),
    "strips": tiff_bytes(rowsperstrip=5),
    "tiles": tiff_bytes(tile=(16, 16), compression="zlib"),
    "bigtiff": tiff_bytes(bigtiff=True),
}


@pytest.mark.parametrize("content", WHOLE.values(), ids=WHOLE)
def test_every_kind_of_tiff_gives_the_same_pixels(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    assert np.array_equal(read_plane(tmp_path / "a.tif"), PLANE)


def test_rows_per_strip_without_a_limit_mean_one_strip(tmp_path: Path) -> None:
    content = with_tag(tiff_bytes(rowsperstrip=2**20), "RowsPerStrip", 2**32 - 1)
    (tmp_path / "a.tif").write_bytes(content)
    assert np.array_equal(read_plane(tmp_path / "a.tif"), PLANE)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_bits_of_a_camera_are_read(tmp_path: Path, bits: int) -> None:
    grey = PLANE % 2**bits
    (tmp_path / "a.tif").write_bytes(tiff_bytes(grey, bitspersample=bits))
    assert np.array_equal(read_plane(tmp_path / "a.tif"), grey)


def test_a_black_and_white_tiff_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff_bytes(PLANE > 2000, photometric="minisblack"))
    assert np.array_equal(read_plane(tmp_path / "a.tif"), PLANE > 2000)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "uint32", "float32"])
def test_a_plane_keeps_the_type_of_its_file(tmp_path: Path, dtype: str) -> None:
    tifffile.imwrite(tmp_path / "a.TIFF", PLANE.astype(dtype))
    assert read_plane(tmp_path / "a.TIFF").dtype == dtype


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_a_png_is_read_like_a_tiff(tmp_path: Path, dtype: str) -> None:
    (tmp_path / "a.png").write_bytes(png_bytes(PLANE.astype(dtype)))
    plane = read_plane(tmp_path / "a.png")
    assert plane.dtype == dtype
    assert np.array_equal(plane, PLANE.astype(dtype))


def test_a_page_of_many_is_read_alone(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([PLANE, PLANE + 1]), photometric="minisblack")
    assert np.array_equal(read_plane(tmp_path / "a.tif", 1), PLANE + 1)
    with pytest.raises(ImageReadError, match="page 3 was expected, but the file has 2"):
        read_plane(tmp_path / "a.tif", 2)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match=r"gone\.tif: cannot be opened"):
        read_plane(tmp_path / "gone.tif")


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_a_folder_called_like_an_image_is_no_image(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ImageReadError, match=rf"{name}: is a folder, neither an image nor a Zarr array"):
        read_plane(tmp_path / name)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_colour_png_is_refused(tmp_path: Path, mode: str) -> None:
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).convert(mode).save(tmp_path / "a.png")
    with pytest.raises(ImageReadError, match="a grey image was expected"):
        read_plane(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P"])
def test_a_png_whose_colours_are_all_alike_is_grey(tmp_path: Path, mode: str) -> None:
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    Image.fromarray(grey).convert(mode).save(tmp_path / "a.png")
    assert np.array_equal(read_plane(tmp_path / "a.png"), grey)


@pytest.mark.parametrize("name", ["a.png", "contig.tif", "separate.tif"])
@pytest.mark.parametrize("sample", [1, 2, 3])
def test_one_colour_of_an_image_is_read_alone(tmp_path: Path, name: str, sample: int) -> None:
    colours = np.random.default_rng(3).integers(0, 255, (4, 3, 3), dtype=np.uint8)
    if name.endswith("png"):
        Image.fromarray(colours).save(tmp_path / name)
    else:
        planar = name.removesuffix(".tif")
        pixels_ = colours if planar == "contig" else np.moveaxis(colours, 2, 0)
        tifffile.imwrite(tmp_path / name, pixels_, photometric="rgb", planarconfig=planar)
    assert np.array_equal(read_plane(tmp_path / name, sample=sample), colours[..., sample - 1])


def test_a_colour_that_an_image_has_not_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 9, 3), np.uint8), photometric="rgb")
    with pytest.raises(ImageReadError, match="has no colour 4"):
        read_plane(tmp_path / "a.tif", sample=4)


# Stacks


def imagej_stack(path: Path, stack: Pixels, byteorder: str = ">") -> None:
    """Write planes one behind the other with one single header, as ImageJ does."""
    tifffile.imwrite(path, stack, imagej=True, truncate=True, byteorder=byteorder)
    with tifffile.TiffFile(path) as tiff:
        assert len(tiff.pages) == 1


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_an_imagej_stack_with_one_header_is_read_plane_by_plane(tmp_path: Path, byteorder: str) -> None:
    stack = np.random.default_rng(4).integers(0, 4096, (5, 6, 7), dtype=np.uint16)
    imagej_stack(tmp_path / "a.tif", stack, byteorder)
    read = [read_plane(tmp_path / "a.tif", page) for page in range(5)]
    assert np.array_equal(read, stack)
    assert {plane.dtype for plane in read} == {np.dtype("uint16")}
    with pytest.raises(ImageReadError, match="page 6 was expected, but the file has 5"):
        read_plane(tmp_path / "a.tif", 5)


def test_a_cut_off_imagej_stack_is_never_read_as_zeros(tmp_path: Path) -> None:
    imagej_stack(tmp_path / "a.tif", np.ones((5, 6, 7), np.uint16))
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) - 50])
    assert read_plane(tmp_path / "a.tif", 3).min() == 1
    with pytest.raises(ImageReadError, match="truncated"):
        read_plane(tmp_path / "a.tif", 4)


def test_an_imagej_stack_that_claims_billions_of_planes_is_refused(tmp_path: Path) -> None:
    description = "ImageJ=1.53t\nimages=4000000000\nslices=4000000000\n"
    tifffile.imwrite(tmp_path / "a.tif", PLANE, description=description, metadata=None)
    with pytest.raises(ImageReadError, match="claims 4000000000 planes: refused"):
        read_plane(tmp_path / "a.tif", 1)


@pytest.mark.parametrize("back_to", [0, 1, 2])
def test_a_chain_of_pages_that_runs_in_a_circle_ends(tmp_path: Path, back_to: int) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for page in range(3):
            writer.write(PLANE + page, metadata=None, contiguous=False)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    places = [struct.unpack_from("<I", content, 4)[0]]
    for _ in range(2):
        n_tags = struct.unpack_from("<H", content, places[-1])[0]
        places.append(struct.unpack_from("<I", content, places[-1] + 2 + 12 * n_tags)[0])
    n_tags = struct.unpack_from("<H", content, places[-1])[0]
    struct.pack_into("<I", content, places[-1] + 2 + 12 * n_tags, places[back_to])
    (tmp_path / "a.tif").write_bytes(content)
    assert np.array_equal(read_plane(tmp_path / "a.tif", 0), PLANE)
    with pytest.raises(ImageReadError, match="page 4 was expected, but the file has"):
        read_plane(tmp_path / "a.tif", 3)


@pytest.mark.parametrize("content", [png_bytes(), b"well,compound\nA01,DMSO\n" * 9, b""], ids=["png", "text", "empty"])
def test_a_file_called_tif_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(ImageReadError, match=r"a\.tif: the file is damaged"):
        read_plane(tmp_path / "a.tif")


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_a_colour_tiff_is_refused_with_its_shape(tmp_path: Path, planar: str) -> None:
    shape = (8, 9, 3) if planar == "contig" else (3, 8, 9)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), photometric="rgb", planarconfig=planar)
    with pytest.raises(ImageReadError, match=r"grey image was expected.*\(\d, \d, \d\)"):
        read_plane(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", [*WHOLE, "png"])
def test_a_file_cut_off_anywhere_is_never_read_as_less(scratch: Path, kind: str) -> None:
    suffix = "png" if kind == "png" else "tif"
    path, content = scratch / f"{kind}.{suffix}", WHOLE.get(kind) or png_bytes()
    step = max(1, len(content) // 80)
    for length in [*range(0, len(content), step), len(content) - 1]:
        path.write_bytes(content[:length])
        try:
            plane = read_plane(path)
        except ImageReadError:
            continue
        assert np.array_equal(plane, PLANE), f"cut after {length} bytes"


def test_a_cut_off_tiff_says_how_much_is_there(tmp_path: Path) -> None:
    content = WHOLE["raw"]
    (tmp_path / "a.tif").write_bytes(content[:-100])
    with pytest.raises(ImageReadError, match=rf"truncated \({len(content) - 100} of {len(content)} bytes\).*exclude"):
        read_plane(tmp_path / "a.tif")


@given(
    kind=st.sampled_from(sorted(WHOLE)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=4),
)
def test_a_tiff_with_flipped_bytes_is_an_image_or_refused(
    scratch: Path, kind: str, flips: list[tuple[float, int]]
) -> None:
    content = bytearray(WHOLE[kind])
    for place, bits in flips:
        content[int(place * len(content))] ^= bits
    (scratch / "flipped.tif").write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pixels, "MAX_PLANE_BYTES", 2**24)  # what is allowed is read, and takes its time
        try:
            plane = read_plane(scratch / "flipped.tif")
        except ImageReadError:
            return
    assert plane.ndim == 2
    assert plane.size


def test_a_file_called_png_that_is_of_another_format_is_refused(tmp_path: Path) -> None:
    Image.fromarray(PLANE).save(tmp_path / "a.png", "TIFF")  # what opens any format opens PostScript too
    with pytest.raises(ImageReadError):
        read_plane(tmp_path / "a.png")


@given(st.binary(max_size=200), st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"\x89PNG\r\n\x1a\n"]))
def test_no_bytes_at_all_break_the_reader(scratch: Path, content: bytes, magic: bytes) -> None:
    for suffix in (".tif", ".png"):
        (scratch / f"any{suffix}").write_bytes(magic + content)
        with pytest.raises(ImageReadError):
            read_plane(scratch / f"any{suffix}")


def lying_tiff(width: int, height: int) -> bytes:
    """Write a TIFF of eight bytes of pixels whose header claims any size."""
    tags = {256: (4, width), 257: (4, height), 258: (3, 16), 259: (3, 1), 262: (3, 1), 273: (4, 8), 277: (3, 1)}
    tags |= {278: (4, height), 279: (4, 8)}
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in sorted(tags.items()))
    return struct.pack("<2sHI", b"II", 42, 16) + bytes(8) + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_a_header_that_claims_terabytes_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(lying_tiff(2**20, 2**20))
    with pytest.raises(ImageReadError, match=r"claims an image of 1048576 × 1048576 \(2048.0 GiB\): refused"):
        read_plane(tmp_path / "a.tif")


@pytest.mark.parametrize("kind", WHOLE)
def test_rows_that_the_file_does_not_hold_are_never_made_up(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a.tif").write_bytes(with_tag(WHOLE[kind], "ImageLength", 3 * len(PLANE)))
    with pytest.raises(ImageReadError):
        read_plane(tmp_path / "a.tif")


def test_tiles_that_claim_more_than_there_is_memory_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(with_tag(WHOLE["tiles"], "TileWidth", 2**32 - 16))
    with pytest.raises(ImageReadError, match="refused|damaged"):
        read_plane(tmp_path / "a.tif")


@pytest.mark.parametrize("size", [0, 1, 10_000, 30_000, 2**31 - 1])
def test_a_png_that_claims_a_size_it_has_not_is_refused_without_a_warning(tmp_path: Path, size: int) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", size, size, 16, 0, 0, 0, 0)
    parts = (b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(b"")), chunk(b"IEND", b""))
    (tmp_path / "a.png").write_bytes(b"".join(parts))
    with pytest.raises(ImageReadError):
        read_plane(tmp_path / "a.png")


def test_an_image_of_no_pixels_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(lying_tiff(0, 4))
    with pytest.raises(ImageReadError):
        read_plane(tmp_path / "a.tif")


# Fields


def write_planes(folder: Path, planes: dict[str, Pixels]) -> None:
    for name, plane in planes.items():
        tifffile.imwrite(folder / name, plane)


def test_a_field_is_its_channels_in_order(tmp_path: Path) -> None:
    write_planes(tmp_path, {"b.tif": PLANE + 1, "a.tif": PLANE})
    planes = plane_table([{"well": "A01", "channel": c, "path": name} for c, name in ((1, "b.tif"), (0, "a.tif"))])
    assert np.array_equal(read_field(tmp_path, planes, ("DNA", "GFP"), KEY), [PLANE, PLANE + 1])


def test_a_z_stack_becomes_its_brightest_projection(tmp_path: Path) -> None:
    stack = np.random.default_rng(1).integers(0, 99, (3, 6, 5), dtype=np.uint8)
    write_planes(tmp_path, {f"{z}.tif": plane for z, plane in enumerate(stack)})
    planes = plane_table([{"well": "A01", "z": z, "path": f"{z}.tif"} for z in range(3)])
    assert np.array_equal(read_field(tmp_path, planes, ("DNA",), KEY), stack.max(axis=0)[None])


def test_of_a_time_series_the_start_is_taken(tmp_path: Path) -> None:
    write_planes(tmp_path, {"2.tif": PLANE, "3.tif": PLANE + 1})
    planes = plane_table([{"well": "A01", "timepoint": t, "path": f"{t}.tif"} for t in (3, 2)])
    assert np.array_equal(read_field(tmp_path, planes, ("DNA",), KEY), PLANE[None])


def test_a_missing_channel_is_named_with_its_field(tmp_path: Path) -> None:
    write_planes(tmp_path, {"a.tif": PLANE})
    planes = plane_table([{"well": "A01", "path": "a.tif"}])
    with pytest.raises(ImageReadError, match="P/A01 field 1: channel GFP is missing"):
        read_field(tmp_path, planes, ("DNA", "GFP"), KEY)


def test_a_channel_that_cannot_be_read_is_named_with_field_and_file(tmp_path: Path) -> None:
    write_planes(tmp_path, {"a.tif": PLANE})
    planes = plane_table([{"well": "A01", "channel": c, "path": name} for c, name in enumerate(("a.tif", "b.tif"))])
    with pytest.raises(ImageReadError, match=r"P/A01 field 1 channel GFP: .*b\.tif: cannot be opened"):
        read_field(tmp_path, planes, ("DNA", "GFP"), KEY)


def test_channels_of_different_sizes_are_refused(tmp_path: Path) -> None:
    write_planes(tmp_path, {"a.tif": PLANE, "b.tif": PLANE[:-1]})
    planes = plane_table([{"well": "A01", "channel": c, "path": name} for c, name in enumerate(("a.tif", "b.tif"))])
    with pytest.raises(ImageReadError, match="the channels differ in size"):
        read_field(tmp_path, planes, ("DNA", "GFP"), KEY)


@pytest.mark.parametrize("other", [PLANE[:-1], PLANE[:1], PLANE[:, :1]], ids=["a row less", "one row", "one column"])
def test_z_planes_of_different_sizes_are_refused(tmp_path: Path, other: Pixels) -> None:
    write_planes(tmp_path, {"1.tif": PLANE, "2.tif": other})
    planes = plane_table([{"well": "A01", "z": z, "path": f"{z}.tif"} for z in (1, 2)])
    with pytest.raises(ImageReadError, match="z-planes differ in size"):
        read_field(tmp_path, planes, ("DNA",), KEY)


def test_the_hash_of_an_image_is_of_its_pixels_not_of_their_order_in_memory() -> None:
    image = np.stack([PLANE, PLANE + 1])
    assert image_hash(image) == image_hash(np.asfortranarray(image))


@pytest.mark.parametrize(
    "other",
    [PLANE[None] + 1, PLANE[None].astype(np.int32), PLANE.reshape(1, 31, 24), np.stack([PLANE, PLANE])],
    ids=["brighter", "another type", "another shape", "a channel more"],
)
def test_another_image_has_another_hash(other: Pixels) -> None:
    assert image_hash(PLANE[None]) != image_hash(other)


def test_reading_pictures_in_several_threads_leaves_warnings_alone(scratch: Path) -> None:
    """Warning filters are those of the whole process: a window whose warnings became errors fell over."""
    path = scratch / "threads.png"
    path.write_bytes(png_bytes(np.zeros((400, 400), np.uint8)))
    before = list(warnings.filters)
    seen: list[bool] = []
    with ThreadPoolExecutor(4) as threads:
        reads = [threads.submit(read_plane, path) for _ in range(200)]
        while not all(read.done() for read in reads):
            seen.append(list(warnings.filters) == before)
    assert all(seen)
    assert list(warnings.filters) == before
