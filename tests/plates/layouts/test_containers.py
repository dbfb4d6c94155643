"""CZI, ND2 and LIF files: a stand-in for bioio's readers, and a real CZI file where the extra is installed."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
import pytest

from cellvote.errors import ImageReadError
from cellvote.plates import container_planes
from cellvote.plates.acquisition import FieldKey
from cellvote.plates.fields import read_field
from cellvote.plates.file_planes import file_planes
from cellvote.plates.layouts import read_plate
from cellvote.plates.pixels import Pixels, read_plane

IMAGES = np.random.default_rng(0).integers(0, 4096, (3, 2, 2, 3, 6, 7), dtype=np.uint16)
"""Scene, then TCZYX."""


class StandIn:
    """What this project uses of a bioio reader."""

    opened = 0
    scenes: Sequence[str] = ()
    images: Pixels = IMAGES
    channel_names: Sequence[str] | None = ("DAPI", "GFP")
    physical_pixel_sizes = SimpleNamespace(X=0.325)

    def __init__(self, path: Path) -> None:
        if path.read_bytes() == b"damaged":
            raise ValueError("nonsense at byte 12")
        type(self).opened += 1
        self.at = 0

    def set_scene(self, scene: int) -> None:
        self.at = scene

    @property
    def dims(self) -> SimpleNamespace:
        n_t, n_c, n_z = self.images[self.at].shape[:3]
        return SimpleNamespace(order="TCZYXS" if self.images.ndim == 7 else "TCZYX", T=n_t, C=n_c, Z=n_z)

    def get_image_dask_data(self, axes: str, **place: int) -> Any:
        assert axes == ("YXS" if self.images.ndim == 7 else "YX")
        return da.from_array(self.images[self.at][place["T"], place["C"], place["Z"]])


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[StandIn]]:
    """Put a reader of one's own in the place of bioio's."""
    reader = type("Reader", (StandIn,), {"scenes": ("A01", "P1-B2", "TileScan 1/C/3/R1")})
    module = ModuleType("bioio_czi")
    module.Reader = reader  # type: ignore[attr-defined]
    for name in container_planes.READERS.values():
        monkeypatch.setitem(sys.modules, name, module)
    container_planes._OPEN.clear()
    yield reader
    container_planes._OPEN.clear()


@pytest.mark.parametrize("suffix", [".czi", ".nd2", ".LIF"])
def test_scenes_that_are_called_like_wells_are_wells(tmp_path: Path, stand_in: type[StandIn], suffix: str) -> None:
    (tmp_path / f"plate7{suffix}").write_bytes(b"x")
    acquisition = read_plate(tmp_path)
    assert acquisition.layout == "containers"
    assert acquisition.fields == [FieldKey("plate7", well, 1) for well in ("A01", "B02", "C03")]
    assert (acquisition.channels, acquisition.pixel_size_um) == (("DAPI", "GFP"), 0.325)
    assert (len(acquisition.planes), acquisition.plate_map) == (3 * 2 * 2 * 3, None)
    for plane in acquisition.planes.itertuples():
        scene = ["A01", "B02", "C03"].index(str(plane.well))
        expected = IMAGES[scene][int(str(plane.timepoint)) - 1, int(str(plane.channel)), int(str(plane.z)) - 1]
        assert np.array_equal(read_plane(tmp_path / str(plane.path), int(str(plane.page))), expected)
    assert stand_in.opened == 1


def test_scenes_of_any_other_name_are_numbered_fields(tmp_path: Path, stand_in: type[StandIn]) -> None:
    stand_in.scenes = ("Scene:0", "Scene:1", "Scene:2")
    (tmp_path / "cells.czi").write_bytes(b"x")
    acquisition = read_plate(tmp_path)
    assert acquisition.fields == [FieldKey("cells", "", n) for n in (1, 2, 3)]
    assert acquisition.plate_map is not None
    assert acquisition.plate_map["scene_name"].tolist() == ["Scene:0", "Scene:1", "Scene:2"]


def test_several_positions_of_one_well_are_its_fields(tmp_path: Path, stand_in: type[StandIn]) -> None:
    stand_in.scenes = ("P1-A1", "P2-A1", "P1-B1")
    (tmp_path / "cells.czi").write_bytes(b"x")
    assert [tuple(key[1:]) for key in read_plate(tmp_path).fields] == [("A01", 1), ("A01", 2), ("B01", 1)]


def test_a_container_for_each_well_is_of_that_well(tmp_path: Path, stand_in: type[StandIn]) -> None:
    stand_in.scenes = ("XYPos:0",)
    stand_in.images = IMAGES[:1]
    for name in ("WellA01_ChannelDAPI,GFP_Seq0000.nd2", "WellB02_ChannelDAPI,GFP_Seq0001.nd2"):
        (tmp_path / name).write_bytes(b"x")
    acquisition = read_plate(tmp_path)
    assert [key.well for key in acquisition.fields] == ["A01", "B02"]
    assert (acquisition.channels, len(acquisition.planes)) == (("DAPI", "GFP"), 2 * 2 * 2 * 3)
    assert stand_in.opened == 1  # one header tells what all of them hold


def test_coloured_scenes_have_three_channels(tmp_path: Path, stand_in: type[StandIn]) -> None:
    stand_in.images = np.random.default_rng(1).integers(0, 255, (1, 1, 1, 1, 6, 7, 3), dtype=np.uint8)
    stand_in.scenes, stand_in.channel_names = ("Scene:0",), None
    (tmp_path / "slide.czi").write_bytes(b"x")
    acquisition = read_plate(tmp_path)
    assert acquisition.channels == ("red", "green", "blue")
    image = read_field(tmp_path, acquisition.planes, acquisition.channels, acquisition.fields[0])
    assert np.array_equal(image, np.moveaxis(stand_in.images[0, 0, 0, 0], 2, 0))


def test_only_a_few_files_are_kept_open(tmp_path: Path, stand_in: type[StandIn]) -> None:
    paths = [tmp_path / f"{i}.czi" for i in range(6)]
    for path in paths:
        path.write_bytes(b"x")
        read_plane(path)
    assert len(container_planes._OPEN) == 4
    read_plane(paths[5])
    assert stand_in.opened == 6
    read_plane(paths[0])
    assert stand_in.opened == 7


def test_a_page_that_is_not_there_and_a_damaged_file_are_told(
    tmp_path: Path, stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    exceptions = ModuleType("bioio_base.exceptions")
    exceptions.UnsupportedFileFormatError = type("UnsupportedFileFormatError", (Exception,), {})
    monkeypatch.setitem(sys.modules, "bioio_base", ModuleType("bioio_base"))
    monkeypatch.setitem(sys.modules, "bioio_base.exceptions", exceptions)
    (tmp_path / "a.czi").write_bytes(b"x")
    (tmp_path / "b.czi").write_bytes(b"damaged")
    with pytest.raises(ImageReadError, match="page 37 was expected, but the file has 36"):
        read_plane(tmp_path / "a.czi", 36)
    with pytest.raises(ImageReadError, match=r"b\.czi: the file is damaged \(nonsense at byte 12\)"):
        read_plate(tmp_path / "b.czi")
    with pytest.raises(ImageReadError, match=r"gone\.czi"):
        read_plane(tmp_path / "gone.czi")


@pytest.mark.parametrize(("suffix", "package"), [(".czi", "bioio-czi"), (".nd2", "bioio-nd2"), (".lif", "bioio-lif")])
def test_without_bioio_the_way_to_get_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package.replace("-", "_"), None)
    (tmp_path / f"a{suffix}").write_bytes(b"x")
    with pytest.raises(ImageReadError, match=rf'{package}.*pip install "cellvote\[containers\]"'):
        read_plate(tmp_path)


@pytest.mark.parametrize("name", ["a.czi", "a.nd2", "a.lif"])
def test_a_file_that_is_no_container_is_named_by_the_real_readers(tmp_path: Path, name: str) -> None:
    pytest.importorskip(container_planes.READERS[Path(name).suffix], reason="the extra 'containers' is not installed")
    (tmp_path / name).write_bytes(b"nonsense" * 9)
    with pytest.raises(ImageReadError, match=rf"{name}: the file is damaged"):
        file_planes(tmp_path / name)


def test_a_real_czi_file_is_read_plane_by_plane(tmp_path: Path) -> None:
    pytest.importorskip("bioio_czi", reason="the extra 'containers' is not installed")
    czi = pytest.importorskip("pylibCZIrw.czi")
    with czi.create_czi(str(tmp_path / "a.czi")) as file:
        for t, c, z in np.ndindex(*IMAGES.shape[1:4]):
            file.write(IMAGES[0, t, c, z][..., None], plane={"T": t, "C": c, "Z": z})
        file.write_metadata(document_name="a", channel_names={0: "DAPI", 1: "GFP"}, scale_x=0.65e-6, scale_y=0.65e-6)
    acquisition = read_plate(tmp_path)
    assert (acquisition.channels, acquisition.pixel_size_um) == (("DAPI", "GFP"), 0.65)
    for plane in acquisition.planes.itertuples():
        expected = IMAGES[0][int(str(plane.timepoint)) - 1, int(str(plane.channel)), int(str(plane.z)) - 1]
        assert np.array_equal(read_plane(tmp_path / "a.czi", int(str(plane.page))), expected)
