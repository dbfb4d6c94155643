"""OME-Zarr stores written by hand, as other programs write them: apart from our own export."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.storage import LocalStore

MICROMETRES = "micrometer"


def write_attributes(folder: Path, attributes: Mapping[str, Any], ngff: str = "0.4") -> Path:
    """Write the metadata of a group: ``.zgroup`` and ``.zattrs``, or ``zarr.json`` from 0.5 on."""
    folder.mkdir(parents=True, exist_ok=True)
    if ngff == "0.5":
        wrapped = {"ome": {"version": "0.5", **attributes}} if attributes else {}
        content = {"zarr_format": 3, "node_type": "group", "attributes": wrapped}
        (folder / "zarr.json").write_text(json.dumps(content))
    else:
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps(attributes))
    return folder


def write_array(folder: Path, pixels: np.ndarray, ngff: str = "0.4", **options: Any) -> Path:
    """Write an array, one chunk a plane where nothing else is said; empty chunks are left out, as zarr does."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    separator = {} if ngff == "0.5" else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    array = zarr.create_array(
        LocalStore(folder),
        shape=pixels.shape,
        dtype=pixels.dtype,
        **{
            "chunks": (*(1 for _ in pixels.shape[:-2]), *pixels.shape[-2:]),
            "zarr_format": 3 if ngff == "0.5" else 2,
            **separator,
            **options,
        },
    )
    array[...] = pixels
    return folder


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Make pixels that are nowhere 0."""
    return np.random.default_rng(seed).integers(1, 4000, shape, dtype=np.uint16)


def halved(pixels: np.ndarray) -> np.ndarray:
    """Average blocks of 2 × 2 pixels."""
    return pixels.reshape(*pixels.shape[:-2], pixels.shape[-2] // 2, 2, -1, 2).mean(axis=(-3, -1)).astype(pixels.dtype)


def image_attributes(
    axes: str = "cyx",
    n_levels: int = 1,
    *,
    channels: Sequence[str] = (),
    pixel_size: float | None = 0.5,
    unit: str | None = MICROMETRES,
    **more: Any,
) -> dict[str, Any]:
    """Describe an image as NGFF 0.4 and 0.5 do."""
    kinds = {"t": "time", "c": "channel"}
    described = [
        {"name": axis, "type": kinds.get(axis, "space"), **({"unit": unit} if unit and axis in "zyx" else {})}
        for axis in axes
    ]
    datasets: list[dict[str, Any]] = []
    for level in range(n_levels):
        step = (pixel_size or 1.0) * 2**level
        scale = [step if axis in "yx" else 1.0 for axis in axes]
        told = {"coordinateTransformations": [{"type": "scale", "scale": scale}]} if pixel_size is not None else {}
        datasets.append({"path": str(level), **told})
    omero = {"omero": {"channels": [{"label": name} for name in channels]}} if channels else {}
    return {"multiscales": [{"axes": described, "datasets": datasets, **more}], **omero}


def write_image(folder: Path, pixels: np.ndarray, axes: str = "cyx", ngff: str = "0.4", **options: Any) -> Path:
    """Write an image with as many levels as ``n_levels`` says."""
    n_levels = options.get("n_levels", 1)
    write_attributes(folder, image_attributes(axes, **options), ngff)
    for level in range(n_levels):
        write_array(folder / str(level), pixels, ngff)
        pixels = halved(pixels) if level + 1 < n_levels else pixels
    return folder


def write_label(image: Path, name: str, labels: np.ndarray, axes: str = "yx", ngff: str = "0.4") -> Path:
    """Write a label image beside an image."""
    known = image / "labels"
    names = sorted({*(path.name for path in known.iterdir() if path.is_dir()), name}) if known.is_dir() else [name]
    write_attributes(known, {"labels": names}, ngff)
    write_attributes(known / name, {**image_attributes(axes), "image-label": {}}, ngff)
    write_array(known / name / "0", labels, ngff)
    return known / name


def write_plate(
    folder: Path,
    wells: Mapping[str, Sequence[str]],
    ngff: str = "0.4",
    *,
    name: str = "P1",
    shape: tuple[int, ...] = (2, 8, 8),
    **options: Any,
) -> Path:
    """Write a plate of noise, no two images the same; ``wells`` maps the path of a well to those of its images."""
    write_attributes(folder, {"plate": {"name": name, "wells": [{"path": path} for path in wells]}}, ngff)
    for number, (path, images) in enumerate(wells.items()):
        write_attributes(folder / path, {"well": {"images": [{"path": image} for image in images]}}, ngff)
        for place, image in enumerate(images):
            write_image(folder / path / image, noise(*shape, seed=100 * number + place), ngff=ngff, **options)
    return folder
