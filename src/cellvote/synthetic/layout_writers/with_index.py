"""Layouts that come with an index or a table beside the images."""

import csv
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, register_namespace, tostring

import numpy as np
from PIL import Image

from cellvote.synthetic.harmony_index import INDEX_NAME, NAMESPACE
from cellvote.synthetic.layout_writers.by_name import metaxpress_exported, operetta_bare, rxrx, write_by_name
from cellvote.synthetic.layout_writers.plate_images import Place, PlateImages, write_tiff

_BTS: Final = "http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"


def write_operetta(images: PlateImages, folder: Path) -> None:
    """Harmony 5: ``Images/Index.idx.xml`` names plate, channels, pixel size and stage positions."""
    write_by_name(images, folder, operetta_bare)
    root = Element("EvaluationInputData", {"xmlns": NAMESPACE, "Version": "1"})
    plate = SubElement(SubElement(root, "Plates"), "Plate")
    SubElement(plate, "PlateID").text = images.name
    SubElement(plate, "Name").text = images.name
    listed = SubElement(root, "Images")
    for at in images.places():
        x_um, y_um = stage_position_um(images, at.field)
        entries = {
            "id": f"{at.row:02d}{at.column:02d}K1F{at.field}P{at.z}R{at.channel}",
            "State": "Ok",
            "URL": Path(operetta_bare(images.name, at)).name,
            "Row": str(at.row),
            "Col": str(at.column),
            "FieldID": str(at.field),
            "PlaneID": str(at.z),
            "TimepointID": "0",
            "ChannelID": str(at.channel),
            "ChannelName": at.channel_name,
            "ImageResolutionX": f"{images.pixel_size_um * 1e-6:.9E}",
            "ImageResolutionY": f"{images.pixel_size_um * 1e-6:.9E}",
            "PositionX": f"{x_um * 1e-6:.9G}",
            "PositionY": f"{-y_um * 1e-6:.9G}",
        }
        image = SubElement(listed, "Image", {"Version": "1"})
        for tag, text in entries.items():
            SubElement(image, tag).text = text
    indent(root)
    index = folder / images.name / "Images" / INDEX_NAME
    index.write_bytes(b"\xef\xbb\xbf" + tostring(root, encoding="utf-8", xml_declaration=True))


def stage_position_um(images: PlateImages, field: int) -> tuple[float, float]:
    """The centre of a field on the stage: x to the right and y downwards from the middle of the well; a square grid."""
    across = int(np.ceil(np.sqrt(images.n_fields)))
    row, column = divmod(field - 1, across)
    height, width = (size * images.pixel_size_um for size in images.pixels.shape[-2:])
    return (column - (across - 1) / 2) * width, (row - (across - 1) / 2) * height


def write_metaxpress_exported(images: PlateImages, folder: Path) -> None:
    """MetaXpress's export, with the ``.HTD`` that names its channels."""
    write_by_name(images, folder, metaxpress_exported)
    lines = [
        '"HTSInfoFile", Version 1.0',
        '"TimePoints", 1',
        '"ZSeries", TRUE',
        f'"ZSteps", {images.n_z}',
        '"ZProjection", FALSE',
        '"XWells", 12',
        '"YWells", 8',
        '"Sites", TRUE',
        f'"XSites", {images.n_fields}',
        '"YSites", 1',
        '"Waves", TRUE',
        f'"NWavelengths", {len(images.channels)}',
        *(f'"WaveName{i}", "{name}"' for i, name in enumerate(images.channels, start=1)),
        '"EndFile"',
    ]
    for below in ("", "TimePoint_1"):
        htd = folder / images.name / below / f"{images.name}.HTD"
        htd.write_bytes("\r\n".join(lines).encode("latin-1"))


def write_yokogawa(images: PlateImages, folder: Path) -> None:
    """CellVoyager: ``MeasurementData.mlf`` lists the images, ``MeasurementDetail.mrf`` describes the channels."""
    register_namespace("bts", _BTS)
    data = Element(f"{{{_BTS}}}MeasurementData", {f"{{{_BTS}}}Version": "1.0"})
    for at in images.places():
        name = _yokogawa_name(images.name, at)
        write_tiff(folder / images.name / name, images.plane(at))
        x_um, y_um = stage_position_um(images, at.field)
        entries = {"Type": "IMG", "Column": at.column, "Row": at.row, "TimePoint": 1, "FieldIndex": at.field}
        entries |= {"ZIndex": at.z, "TimelineIndex": 1, "ActionIndex": 1, "Action": "3D"}
        entries |= {"X": x_um, "Y": -y_um, "Z": at.z - 1, "Ch": at.channel}
        SubElement(data, f"{{{_BTS}}}MeasurementRecord", _bts(entries)).text = name
    detail = Element(f"{{{_BTS}}}MeasurementDetail", _bts({"Version": "1.0", "Title": images.name, "RowCount": 8}))
    SubElement(detail, f"{{{_BTS}}}MeasurementSamplePlate", _bts({"Name": images.name}))
    for number, _ in enumerate(images.channels, start=1):
        size = images.pixel_size_um
        entries = {"Ch": number, "HorizontalPixelDimension": size, "VerticalPixelDimension": size}
        SubElement(detail, f"{{{_BTS}}}MeasurementChannel", _bts(entries))
    for name, root in (("MeasurementData.mlf", data), ("MeasurementDetail.mrf", detail)):
        (folder / images.name / name).write_bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _yokogawa_name(plate: str, at: Place) -> str:
    return f"{plate}_{at.well}_T0001F{at.field:03d}L01A{at.channel:02d}Z{at.z:02d}C{at.channel:02d}.tif"


def _bts(entries: dict[str, object]) -> dict[str, str]:
    return {f"{{{_BTS}}}{name}": str(value) for name, value in entries.items()}


def write_rxrx(images: PlateImages, folder: Path) -> None:
    """RxRx1: 16-bit PNG files, and ``metadata.csv`` above them."""
    for at in images.places():
        path = folder / "images" / rxrx(images.name, at)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            Image.fromarray(images.plane(at)).save(file, format="PNG")
    header = ["site_id", "well_id", "cell_type", "dataset", "experiment", "plate", "well", "site", "well_type", "sirna"]
    with (folder / "metadata.csv").open("x", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(header)
        for i, well in enumerate(images.wells):
            kind, sirna = ("negative_control", "EMPTY") if i == 0 else ("treatment", f"s{i:05d}")
            for field in range(1, images.n_fields + 1):
                names = [f"{images.name}_1_{well}_{field}", f"{images.name}_1_{well}"]
                writer.writerow([*names, "HUVEC", "train", images.name, 1, well, field, kind, sirna])


def write_load_data(images: PlateImages, folder: Path) -> None:
    """CellProfiler: files of any name, and ``load_data.csv``, one row for each field and z-plane."""
    rows: dict[tuple[str, int, int], dict[str, str | int]] = {}
    for number, at in enumerate(images.places()):
        name = f"image_{number:05d}.tif"
        write_tiff(folder / images.name / name, images.plane(at))
        row = rows.setdefault((at.well, at.field, at.z), {})
        row[f"FileName_Orig{at.channel_name}"] = name
        row[f"PathName_Orig{at.channel_name}"] = images.name
        row |= {"Metadata_Plate": images.name, "Metadata_Well": at.well, "Metadata_Site": at.field, "Metadata_Z": at.z}
    table = list(rows.values())
    with (folder / "load_data.csv").open("x", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)
