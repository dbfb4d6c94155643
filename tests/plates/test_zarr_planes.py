"""Planes of Zarr arrays: what is damaged, missing or hostile is said, and never read as black."""

import bz2
import gzip
import json
import lzma
import os
import pickle
import shutil
import threading
import tracemalloc
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.zarr_stores import (
    halved,
    image_attributes,
    noise,
    write_array,
    write_attributes,
    write_image,
    write_label,
    write_plate,
)
from zarr.codecs import BloscCodec, Crc32cCodec, GzipCodec, ZstdCodec

from cellvote.errors import ImageReadError, LayoutError
from cellvote.plates.layouts import read_plate
from cellvote.plates.pixels import read_plane
from cellvote.plates.zarr_planes import read_source_label, read_zarr_plane

CRC = {"compressors": [ZstdCodec(), Crc32cCodec()]}


ZSTD_BOMB = bytes.fromhex("28b52ffd") + bytes([0b1110_0000]) + (2**40).to_bytes(8, "little") + bytes(32)
"""A frame that says that it holds a tebibyte."""


def change_metadata(array: Path, **changes: Any) -> None:
    path = next(array / name for name in ("zarr.json", ".zarray") if (array / name).exists())
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# What is there


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (2, 3, 5)},
        {"chunks": (1, 1, 40)},
        {"compressors": None},
        {"compressors": [BloscCodec()]},
        {"compressors": [GzipCodec()]},
        CRC,
        {"chunks": (1, 4, 4), "shards": (2, 8, 8)},
        {"chunk_key_encoding": {"name": "default", "separator": "."}},
        {"chunk_key_encoding": {"name": "v2", "separator": "."}},
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_plane_is_what_was_written(tmp_path: Path, options: dict[str, Any], dtype: str) -> None:
    pixels = noise(4, 11, 13).astype(dtype)
    array = write_array(tmp_path / "a.zarr", pixels, "0.5", **options)
    for page in range(4):
        plane = read_plane(array, page)
        assert plane.dtype == pixels.dtype
        assert np.array_equal(plane, pixels[page])


@pytest.mark.parametrize("separator", ["/", "."])
def test_format_2_is_read_with_either_separator_and_byte_order(tmp_path: Path, separator: str) -> None:
    pixels = noise(3, 9, 9)
    encoding = {"name": "v2", "separator": separator}
    array = write_array(tmp_path / "a.zarr", pixels.astype(">u2"), chunk_key_encoding=encoding)
    plane = read_zarr_plane(array, 2)
    assert np.array_equal(plane, pixels[2])
    assert plane.dtype.isnative


@settings(max_examples=30)
@given(
    shape=st.lists(st.integers(1, 4), max_size=3),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    chunk=st.integers(1, 5),
    ngff=st.sampled_from(["0.4", "0.5"]),
)
def test_the_page_counts_planes_in_the_order_of_the_array(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], size: tuple[int, int], chunk: int, ngff: str
) -> None:
    pixels = noise(*shape, *size)
    chunks = tuple(min(chunk, n) for n in pixels.shape)
    array = write_array(tmp_path_factory.mktemp("array") / "a.zarr", pixels, ngff, chunks=chunks)
    for page, plane in enumerate(pixels.reshape(-1, *size)):
        assert np.array_equal(read_zarr_plane(array, page), plane)


def test_planes_are_read_by_many_threads_at_once(tmp_path: Path) -> None:
    pixels = noise(16, 64, 64)
    array = write_array(tmp_path / "a.zarr", pixels)
    together = threading.Barrier(8)

    def read(page: int) -> bool:
        if page < 8:
            together.wait()
        return np.array_equal(read_zarr_plane(array, page), pixels[page])

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(read, range(16)))


def test_an_array_that_was_written_anew_is_read_anew(tmp_path: Path) -> None:
    array = write_array(tmp_path / "a.zarr", noise(1, 8, 8))
    read_zarr_plane(array)
    shutil.rmtree(array)
    write_array(array, noise(1, 4, 4))
    os.utime(array / ".zarray", ns=(1, 1))
    assert read_zarr_plane(array).shape == (4, 4)


def test_a_plane_beyond_the_last_is_refused(tmp_path: Path) -> None:
    array = write_array(tmp_path / "a.zarr", noise(2, 8, 8))
    with pytest.raises(ImageReadError, match="plane 3 was expected, but the array has 2"):
        read_zarr_plane(array, 2)


def test_a_folder_without_an_array_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="no Zarr array here"):
        read_zarr_plane(tmp_path)


# What is missing


@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
def test_a_plane_without_chunks_is_empty_where_the_coarser_level_is_empty_too(tmp_path: Path, ngff: str) -> None:
    pixels = noise(2, 16, 16)
    pixels[1] = 0
    image = write_image(tmp_path / "a.zarr", pixels, ngff=ngff, n_levels=2)
    assert not list(image.glob("0/1/*")) + list(image.glob("0/c/1/*"))  # zarr leaves empty chunks out
    assert not read_zarr_plane(image / "0", 1).any()


@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
def test_a_lost_chunk_is_no_empty_one(tmp_path: Path, ngff: str) -> None:
    image = write_image(tmp_path / "a.zarr", noise(2, 16, 16), ngff=ngff, n_levels=2)
    shutil.rmtree(image / "0" / ("1" if ngff == "0.4" else "c/1"))
    assert read_zarr_plane(image / "0", 0).all()
    with pytest.raises(ImageReadError, match=r"is missing, but the coarser level 1 holds pixels there"):
        read_zarr_plane(image / "0", 1)


def test_an_empty_corner_is_believed_and_a_lost_corner_is_not(tmp_path: Path) -> None:
    pixels = noise(1, 32, 32)
    pixels[:, :16, :16] = 0
    image = write_attributes(tmp_path / "a.zarr", image_attributes(n_levels=2))
    write_array(image / "0", pixels, chunks=(1, 16, 16))
    write_array(image / "1", halved(pixels), chunks=(1, 16, 16))
    assert np.array_equal(read_zarr_plane(image / "0"), pixels[0])
    (image / "0" / "0" / "1" / "1").unlink()
    with pytest.raises(ImageReadError, match="0/1/1 is missing"):
        read_zarr_plane(image / "0")


def test_a_level_that_lost_the_same_chunk_says_nothing_and_the_next_is_asked(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.zarr", noise(2, 32, 32), n_levels=3)
    for level in ("0", "1"):
        shutil.rmtree(image / level / "1")
    with pytest.raises(ImageReadError, match="the coarser level 2 holds pixels"):
        read_zarr_plane(image / "0", 1)


def test_an_array_without_any_chunk_holds_no_pixels(tmp_path: Path) -> None:
    array = write_array(tmp_path / "a.zarr", np.zeros((1, 8, 8), np.uint16))
    with pytest.raises(ImageReadError, match="all of its chunks are missing"):
        read_zarr_plane(array)


def test_a_label_image_without_any_chunk_is_a_field_without_cells(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.zarr", noise(1, 8, 8))
    label = write_label(image, "cells", np.zeros((8, 8), np.int32))
    assert not read_source_label(label / "0").any()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full((4, 4), 2**31, np.uint32), "beyond 2147483647"),
        (np.full((4, 4), -1, np.int16), "below 0"),
        (np.ones((4, 4), np.float32), "whole numbers"),
    ],
)
def test_label_ids_that_no_cell_has_are_refused(tmp_path: Path, labels: np.ndarray, message: str) -> None:
    with pytest.raises(ImageReadError, match=message):
        read_source_label(write_array(tmp_path / "a.zarr", labels))


# What is damaged


def test_a_flipped_byte_is_noticed_where_there_is_a_checksum(tmp_path: Path) -> None:
    array = write_array(tmp_path / "a.zarr", noise(1, 64, 64), "0.5", **CRC)
    chunk = array / "c" / "0" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(ImageReadError, match="a chunk is damaged"):
        read_zarr_plane(array)


@pytest.mark.parametrize("codec", [None, [ZstdCodec()], [BloscCodec()], [GzipCodec()]])
@pytest.mark.parametrize("kept", [0, 3, 100])
def test_a_truncated_chunk_is_noticed(tmp_path: Path, codec: Any, kept: int) -> None:
    array = write_array(tmp_path / "a.zarr", noise(1, 64, 64), "0.5", compressors=codec)
    chunk = array / "c" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:kept])
    with pytest.raises(ImageReadError, match="a chunk is damaged"):
        read_zarr_plane(array)


@given(content=st.binary(max_size=200))
def test_nothing_that_stands_in_a_chunk_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    array = write_array(tmp_path_factory.mktemp("array") / "a.zarr", noise(1, 8, 8))
    (array / "0" / "0" / "0").write_bytes(content)
    with suppress(ImageReadError):
        assert read_zarr_plane(array).shape == (8, 8)


_KEYS = ("zarr_format", "shape", "chunks", "dtype", "multiscales", "axes", "datasets", "path", "plate", "wells")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(content=_JSON)
def test_metadata_of_any_kind_raise_nothing_but_our_own_errors(
    tmp_path_factory: pytest.TempPathFactory, content: Any
) -> None:
    store = tmp_path_factory.mktemp("store") / "a.zarr"
    write_image(store, noise(1, 4, 4))
    for name in (".zattrs", "0/.zarray"):
        before = (store / name).read_text()
        (store / name).write_text(json.dumps(content))
        with pytest.raises((LayoutError, ImageReadError)):
            read_plane(store / "0", 10**6)
        with suppress(LayoutError):
            read_plate(store)
        (store / name).write_text(before)


# What is hostile


def refused(array: Path, message: str) -> None:
    """Expect that an array is refused at once, before memory is taken for it."""
    tracemalloc.start()
    try:
        with pytest.raises(ImageReadError, match=message):
            read_zarr_plane(array)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ngff", ["0.4", "0.5"])
def test_terabytes_are_refused_with_their_size(tmp_path: Path, ngff: str) -> None:
    array = write_array(tmp_path / "a.zarr", noise(1, 8, 8), ngff)
    change_metadata(array, shape=[1, 2**20, 2**20])
    refused(array, r"planes of 1048576 × 1048576 \(2048\.0 GiB\): refused")


def test_chunks_that_claim_terabytes_are_refused(tmp_path: Path) -> None:
    array = write_array(tmp_path / "a.zarr", noise(1, 8, 8))
    change_metadata(array, chunks=[2**20, 2**10, 2**10])
    refused(array, r"chunks of 1048576 × 1024 × 1024 \(2048\.0 GiB\): refused")


@pytest.mark.parametrize("shape", [[2**30, 8, 8], [1, 2**14, 2**14]])
def test_millions_of_planes_or_chunks_are_refused(tmp_path: Path, shape: list[int]) -> None:
    array = write_array(tmp_path / "a.zarr", noise(1, 8, 8))
    change_metadata(array, shape=shape)
    refused(array, "chunks each: refused")


@pytest.mark.parametrize("dtype", ["|O", [["a", "<u2"]], "<c8", "<U4", "|V8", "<M8[ns]"])
def test_what_are_no_numbers_is_refused(tmp_path: Path, dtype: Any) -> None:
    array = write_array(tmp_path / "a.zarr", noise(1, 8, 8))
    change_metadata(array, dtype=dtype)
    refused(array, "not the numbers of an image")


class Evil:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (os.environ["CELLVOTE_EVIL"],)


@pytest.mark.parametrize("place", ["compressor", "filters"])
def test_a_codec_that_runs_what_it_reads_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("CELLVOTE_EVIL", str(tmp_path / "was here"))
    array = write_array(tmp_path / "a.zarr", noise(1, 8, 8))
    codec = {"id": "pickle", "protocol": 5}
    change_metadata(array, **{place: codec if place == "compressor" else [codec]})
    (array / "0" / "0" / "0").write_bytes(pickle.dumps(Evil()))
    refused(array, "compressed with 'pickle', which is not allowed")
    assert not (tmp_path / "was here").exists()


def test_a_codec_within_shards_is_held_to_the_same(tmp_path: Path) -> None:
    array = write_array(tmp_path / "a.zarr", noise(2, 8, 8), "0.5", chunks=(1, 4, 4), shards=(2, 8, 8))
    codecs = json.loads((array / "zarr.json").read_text())["codecs"]
    codecs[0]["configuration"]["codecs"].append({"name": "numcodecs.pickle", "configuration": {}})
    change_metadata(array, codecs=codecs)
    refused(array, "compressed with 'pickle'")


@pytest.mark.parametrize(
    ("codec", "compress"),
    [
        ("gzip", gzip.compress),
        ("zlib", zlib.compress),
        ("bz2", bz2.compress),
        ("lzma", lzma.compress),
        ("zstd", lambda _: ZSTD_BOMB),
    ],
    ids=["gzip", "zlib", "bz2", "lzma", "zstd"],
)
def test_a_chunk_that_would_swell_is_refused(tmp_path: Path, codec: str, compress: Callable[[bytes], bytes]) -> None:
    array = write_array(tmp_path / "a.zarr", noise(1, 512, 512))
    change_metadata(array, compressor={"id": codec})
    (array / "0" / "0" / "0").write_bytes(compress(bytes(2**24)) + bytes(2**21 if codec in {"gzip", "zlib"} else 0))
    with pytest.raises(ImageReadError, match="its chunk has 0.5 MiB: refused"):
        read_zarr_plane(array)


def test_a_frame_that_claims_a_tebibyte_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    array = write_array(tmp_path / "a.zarr", noise(1, 8, 8), "0.5", compressors=[ZstdCodec()])
    (array / "c" / "0" / "0" / "0").write_bytes(ZSTD_BOMB)
    refused(array, r"would become 1048576\.0 MiB or more")


def test_a_chunk_within_a_shard_is_held_to_its_size_too(tmp_path: Path) -> None:
    options = {"chunks": (1, 32, 32), "shards": (1, 64, 64), "compressors": [ZstdCodec()]}
    array = write_array(tmp_path / "a.zarr", noise(1, 64, 64), "0.5", **options)
    assert np.array_equal(read_zarr_plane(array), noise(1, 64, 64)[0])
    shard = array / "c" / "0" / "0" / "0"
    content = bytearray(shard.read_bytes())
    at = content.index(ZSTD_BOMB[:4])
    content[at : at + len(ZSTD_BOMB)] = ZSTD_BOMB
    shard.write_bytes(content)
    refused(array, "its chunk has 0.0 MiB: refused")


def test_a_huge_chunk_file_is_refused(tmp_path: Path) -> None:
    array = write_array(tmp_path / "a.zarr", noise(1, 8, 8))
    with (array / "0" / "0" / "0").open("wb") as file:
        file.truncate(2**33)
    refused(array, "would become 8192.0 MiB")


def test_a_link_out_of_the_store_is_refused(tmp_path: Path) -> None:
    outside = write_array(tmp_path / "elsewhere" / "secret", noise(1, 8, 8))
    image = write_image(tmp_path / "a.zarr", noise(1, 8, 8))
    shutil.rmtree(image / "0")
    (image / "0").symlink_to(outside, target_is_directory=True)
    with pytest.raises(ImageReadError, match="leads out of the store"):
        read_zarr_plane(image / "0")
    with pytest.raises(LayoutError, match="leads out of the store"):
        read_plate(image)


def test_a_chunk_that_is_a_link_out_of_the_store_is_refused(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.zarr", noise(1, 8, 8))
    chunk = image / "0" / "0" / "0" / "0"
    chunk.rename(tmp_path / "secret")
    chunk.symlink_to(tmp_path / "secret")
    with pytest.raises(ImageReadError, match="leads out of the store"):
        read_zarr_plane(image / "0")


def test_a_store_that_is_itself_a_link_is_read(tmp_path: Path) -> None:
    image = write_image(tmp_path / "real" / "a.zarr", noise(1, 8, 8))
    (tmp_path / "link.zarr").symlink_to(image, target_is_directory=True)
    assert np.array_equal(read_zarr_plane(tmp_path / "link.zarr" / "0"), noise(1, 8, 8)[0])


def test_metadata_that_are_no_plain_file_are_refused(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.zarr", noise(1, 8, 8))
    (image / ".zattrs").unlink()
    os.mkfifo(image / ".zattrs")  # opening it would wait for ever
    with pytest.raises(LayoutError):
        read_plate(image)


@pytest.mark.parametrize("path", ["../../secret", "/etc", "A/../../secret", "C:/secret", "."])
@pytest.mark.parametrize("where", ["well", "image", "level", "label"])
def test_paths_that_leave_the_store_are_refused(tmp_path: Path, path: str, where: str) -> None:
    plate = write_plate(tmp_path / "p.zarr", {"A/01": ["0"]})
    image = plate / "A" / "01" / "0"
    if where == "well":
        write_attributes(plate, {"plate": {"wells": [{"path": path}]}})
    elif where == "image":
        write_attributes(plate / "A" / "01", {"well": {"images": [{"path": path}]}})
    elif where == "level":
        attributes = image_attributes()
        attributes["multiscales"][0]["datasets"][0]["path"] = path
        write_attributes(image, attributes)
    else:
        write_attributes(image / "labels", {"labels": [path]})
    with pytest.raises(LayoutError, match="outside its folder: refused"):
        read_plate(plate)


def test_labels_within_labels_are_not_followed(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.zarr", noise(1, 8, 8))
    label = write_label(image, "cells", np.ones((8, 8), np.int32))
    (label / "labels").symlink_to(image / "labels", target_is_directory=True)
    labels = read_plate(image).label_images
    assert labels is not None
    assert labels["path"].tolist() == ["labels/cells/0"]


def test_a_plate_of_a_million_wells_is_refused(tmp_path: Path) -> None:
    wells = [{"path": f"A/{i}", "rowIndex": 0, "columnIndex": i} for i in range(2000)]
    store = write_attributes(tmp_path / "p.zarr", {"plate": {"wells": wells}})
    few, listed = (store / ".zattrs").read_text(), json.dumps(wells)[1:-1]
    (store / ".zattrs").write_text(few.replace(listed, ", ".join([listed] * 500)))
    assert (store / ".zattrs").stat().st_size > 500 * len(listed)
    with pytest.raises(LayoutError):
        read_plate(store)
    (store / ".zattrs").write_text(few)
    with pytest.raises(LayoutError, match=r"plate.*wells"):
        read_plate(store)


def test_deeply_nested_metadata_are_refused(tmp_path: Path) -> None:
    store = tmp_path / "a.zarr"
    store.mkdir()
    (store / ".zattrs").write_text("[" * 10**5)
    with pytest.raises(LayoutError):
        read_plate(store)
